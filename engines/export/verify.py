"""Does a pack draw what it should, on every back-end? The parity table of `mirror models verify`.

Golden vectors are the measure: inputs and outputs that came with the pack. Each part runs on each back-end that is
there; the half-precision graphs run in ONNX Runtime where it is installed, which keeps every intermediate value in
float16 as a GPU would, and else in OpenVINO, whose CPU computes them in float32 with half-precision weights.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.export.lint import lint_file
from engines.runtime.backends import BACKENDS, PARTS, Backend, create_backend
from engines.runtime.manifest import read_manifest, verify_files
from installation.errors import EngineError, MirrorError

MAX_DIFFERENCE = 1e-3
"""Of a picture in [-1, 1] or a latent, in float32."""

MIN_PSNR_DB = 45.0
"""Of a half-precision picture."""

MAX_RELATIVE_HALF = 0.01
"""Of half-precision codes, as a relative L2 norm."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One part on one back-end against the golden vectors."""

    part: str
    backend: str
    largest: float
    relative: float
    psnr_db: float
    accept: str
    ok: bool
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.part:<16} {self.backend:<12} {self.reason}"
        mark = "ok" if self.ok else "NOT OK"
        numbers = f"{self.largest:9.2e} {self.relative:9.2e} {self.psnr_db:8.1f}"
        return f"{self.part:<16} {self.backend:<12} {numbers}  {self.accept:<16} {mark}"


HEADER = f"{'part':<16} {'backend':<12} {'max d':>9} {'rel L2':>9} {'PSNR dB':>8}  accept"


def verify_pack(pack: Path, show: Callable[[Row], None] = print) -> list[Row]:
    """Check hashes, lint the graphs, and compare every part on every back-end.

    Args:
        pack: The pack's folder.
        show: Told each row as it is known.

    Raises:
        EngineError: If the pack is damaged, has no golden vectors, or a graph is not fit for TensorRT.
    """
    manifest = read_manifest(pack)
    verify_files(pack, manifest)
    golden = read_golden(pack)
    for graph in sorted(pack.glob("*.onnx")):
        if problems := lint_file(graph):
            raise EngineError(f"{graph.name} is not fit for TensorRT: {problems[0]}")
    rows = []
    for row in _rows(pack, golden):
        show(row)
        rows.append(row)
    return rows


def read_golden(pack: Path) -> dict[str, NDArray[np.generic]]:
    """Read a pack's golden vectors.

    Raises:
        EngineError: If there are none.
    """
    path = pack / "golden.npz"
    if not path.is_file():
        raise EngineError(f"{pack} has no golden.npz; import or build the pack again")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def golden_parts(golden: dict[str, NDArray[np.generic]]) -> list[str]:
    """List the parts that have golden vectors."""
    return [part for part in PARTS if any(name.startswith(f"{part}.out.") for name in golden)]


def _rows(pack: Path, golden: dict[str, NDArray[np.generic]]) -> Iterator[Row]:
    for name in BACKENDS:
        try:
            backend = create_backend(name)
        except EngineError as error:
            yield Row("all", name, 0, 0, 0, "", True, f"not here: {error}")
            continue
        for part in golden_parts(golden):
            try:
                out, half = _run_backend(backend, pack, part, golden)
                yield _compared(part, name, out, golden, half)
            except MirrorError as error:
                # A pack that was trained here need not bring what PyTorch would rebuild it from; an imported one does.
                excused = name == "torch" and not (pack / "weights.safetensors").is_file()
                yield Row(part, name, 0, 0, 0, "", excused, f"{'not here' if excused else 'NOT OK'}: {error}")
    for part in golden_parts(golden):
        graph = pack / f"{part}_fp16.onnx"
        if graph.is_file():
            name, run = _half_runner()
            yield _compared(part, name, run(graph, _inputs(part, golden)), golden, half=True)


def _run_backend(backend: Backend, pack: Path, part: str, golden: dict[str, NDArray[np.generic]]) -> tuple[Array, bool]:
    """Run a part on its golden inputs; also say whether the engine computes in half precision."""
    inputs = _inputs(part, golden)
    batch = len(next(iter(inputs.values())))
    engine = backend.compile(pack, part, batch)
    (name,) = engine.outputs
    out = np.empty(engine.outputs[name].shape, np.float32)
    engine.run(inputs, {name: out})
    engine.close()
    return out, engine.precision == "fp16"


def _half_runner() -> tuple[str, Callable[[Path, dict[str, Array]], Array]]:
    if importlib.util.find_spec("onnxruntime") is not None:
        return "fp16 ort", _run_onnxruntime
    return "fp16 openvino", _run_openvino


def _run_onnxruntime(graph: Path, inputs: dict[str, Array]) -> Array:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0], np.float32)


def _run_openvino(graph: Path, inputs: dict[str, Array]) -> Array:
    import openvino

    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled(inputs)[0], np.float32)


def _inputs(part: str, golden: dict[str, NDArray[np.generic]]) -> dict[str, Array]:
    prefix = f"{part}.in."
    return {
        name.removeprefix(prefix): np.ascontiguousarray(array, np.float32)
        for name, array in golden.items()
        if name.startswith(prefix)
    }


def _compared(part: str, backend: str, found: Array, golden: dict[str, NDArray[np.generic]], half: bool = False) -> Row:
    (key,) = (name for name in golden if name.startswith(f"{part}.out."))
    expected = np.asarray(golden[key], np.float64)
    if f"{part}.window" in golden:
        top, left = (int(value) for value in golden[f"{part}.window"])
        found = found[..., top : top + expected.shape[-2], left : left + expected.shape[-1]]
    difference = found.astype(np.float64) - expected
    largest = float(np.abs(difference).max())
    relative = float(np.linalg.norm(difference) / max(float(np.linalg.norm(expected)), 1e-30))
    mean = float(np.square(difference).mean())
    psnr = 20 * math.log10(2 / math.sqrt(mean)) if mean > 0 else math.inf
    if not half:
        return Row(part, backend, largest, relative, psnr, f"max {MAX_DIFFERENCE:g}", largest <= MAX_DIFFERENCE)
    if part == "generator":
        return Row(part, backend, largest, relative, psnr, f"{MIN_PSNR_DB:g} dB", psnr >= MIN_PSNR_DB)
    return Row(part, backend, largest, relative, psnr, f"rel {MAX_RELATIVE_HALF:g}", relative <= MAX_RELATIVE_HALF)
