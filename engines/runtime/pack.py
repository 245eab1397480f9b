"""A loaded model pack: encode, synthesize, map. NumPy in, NumPy out.

The library surface of the project: the show and a notebook use the same object. Engines are compiled
on first use for the batch sizes of the manifest; larger batches are cut into pieces of those sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from engines.runtime.backends import PARTS, Backend, BackendOptions, usable_backends
from engines.runtime.chain import Chain
from engines.runtime.guarded_engine import GuardedEngine
from engines.runtime.manifest import Manifest, read_manifest, verify_files
from engines.runtime.targets import Target, read_targets, space_id
from installation.core.latents import Latent, truncate
from installation.core.types import NUM_LANDMARKS
from installation.errors import EngineError

DEFAULT_PACK = Path(__file__).resolve().parents[1] / "packs" / "default"


@dataclass(frozen=True, slots=True)
class Direction:
    """One attribute axis in W+: add `amount * vector`, with `amount` in low..high, in `unit`."""

    name: str
    vector: Latent
    unit: str
    low: float
    high: float


class Pack:
    """One model pack on a chain of back-ends. Use from one thread; `close` releases the engines.

    Attributes:
        path: The pack's folder.
        manifest: What the pack says about itself.
        w_avg: (num_ws, w_dim) float32, the mean latent.
    """

    def __init__(self, path: Path, manifest: Manifest, chain: Chain) -> None:
        self.path = path
        self.manifest = manifest
        self._chain = chain
        self._engines: dict[tuple[str, int], GuardedEngine] = {}
        self.w_avg = _load_w_avg(path, manifest)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def backend(self) -> Backend:
        """The back-end that runs the pack now; another one after it failed."""
        return self._chain.current

    @property
    def failures(self) -> tuple[str, ...]:
        """Back-ends that were given up so far and why, a sentence each."""
        return tuple(self._chain.notes)

    @property
    def preparing(self) -> str:
        """What a faster back-end is building while this one plays, in a few words; empty if nothing is."""
        return self._chain.preparing

    @property
    def resolution(self) -> int:
        return self.manifest.resolution

    @property
    def num_ws(self) -> int:
        return self.manifest.num_ws

    @property
    def w_dim(self) -> int:
        return self.manifest.w_dim

    @property
    def bands(self) -> dict[str, tuple[int, int]]:
        """Rows of coarse, middle and fine."""
        return {str(name): rows for name, rows in self.manifest.bands.items()}

    @property
    def provenance(self) -> dict[str, object]:
        """Where the weights came from, for anybody who asks the machine."""
        return dict(self.manifest.provenance)

    @cached_property
    def directions(self) -> dict[str, Direction]:
        """Attribute axes by name, each broadcast to (num_ws, w_dim)."""
        return _load_directions(self.path, self.manifest)

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Prompt-derived latents by name. Targets of another pack are refused."""
        return read_targets(self.path / "targets", space=space_id(self.w_avg))

    def engine(self, part: str, batch: int) -> GuardedEngine:
        """Return the compiled engine of a part for one batch size; compiles it on first use.

        Raises:
            EngineError: If the pack has no such part or it does not compile.
        """
        key = (part, batch)
        if key not in self._engines:
            if part == "encoder" and self.manifest.encoder is None:
                raise EngineError(
                    f"the pack {self.name!r} has no encoder (it was imported from a generator alone), so it cannot "
                    "show a visitor; import a pSp or e4e checkpoint: mirror models import FILE"
                )
            self._engines[key] = self._chain.engine(part, batch)
        return self._engines[key]

    def encode(self, crops: NDArray[np.float32], landmarks: NDArray[np.float32] | None = None) -> Latent:
        """Invert faces into W+.

        Args:
            crops: (n, 3, s, s) float32 RGB in [-1, 1], s = `manifest.encoder.input_size`, FFHQ alignment.
            landmarks: (n, 478, 3) float32 in crop units, where the manifest asks for them.

        Returns:
            (n, num_ws, w_dim) float32, the average latent added.
        """
        spec = self.manifest.encoder
        inputs = {"crop": crops}
        if spec is not None and spec.landmarks:
            if landmarks is None or landmarks.shape[1:] != (NUM_LANDMARKS, 3):
                found = "none" if landmarks is None else str(landmarks.shape)
                raise EngineError(
                    f"the pack {self.name!r} encodes with landmarks (n, 478, 3) in crop units; got {found}"
                )
            inputs["landmarks"] = landmarks
        return self._run("encoder", inputs, "w_plus", (self.num_ws, self.w_dim))

    def synthesize(self, w_plus: Latent) -> NDArray[np.float32]:
        """Draw W+: (n, num_ws, w_dim) -> (n, 3, r, r) float32 RGB, nominally [-1, 1], not clamped."""
        return self._run("generator", {"w_plus": w_plus}, "image", (3, self.resolution, self.resolution))

    def map(self, z: NDArray[np.float32], psi: float = 1.0) -> Latent:
        """Map (n, z_dim) to W+ (n, num_ws, w_dim), truncated toward `w_avg` by `psi`."""
        w_plus = self._run("mapping", {"z": z}, "w_plus", (self.num_ws, self.w_dim))
        return truncate(w_plus, self.w_avg, psi)

    def read_out(self, w_plus: Latent) -> NDArray[np.float32]:
        """Read portrait parameters out of W+: (n, num_ws, w_dim) -> (n, P); packs of the portrait only."""
        engine = self.engine("readout", 1)
        (parameters,) = engine.outputs["parameters"].shape[1:]
        return self._run("readout", {"w_plus": w_plus}, "parameters", (parameters,))

    def portray(self, parameters: NDArray[np.float32]) -> Latent:
        """Find the W+ of given portraits: (n, P) -> (n, num_ws, w_dim); packs of the portrait only."""
        return self._run("portrait", {"parameters": parameters}, "w_plus", (self.num_ws, self.w_dim))

    def forget(self) -> None:
        """Write over what engines keep of the last pictures and latents; they are used as before."""
        for engine in self._engines.values():
            engine.forget()

    def close(self) -> None:
        """Release every engine."""
        self._chain.close()
        self._engines.clear()

    def __enter__(self) -> Pack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _run(
        self, part: str, inputs: dict[str, NDArray[np.float32]], output: str, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        # Writeable too: OpenVINO shares memory with arrays that it could write to.
        arrays = {name: np.require(value, np.float32, ["C", "W"]) for name, value in inputs.items()}
        n = next(iter(arrays.values())).shape[0]
        result = np.empty((n, *shape), np.float32)
        for start, size in _pieces(n, self.manifest.batches):
            piece = {name: value[start : start + size] for name, value in arrays.items()}
            self.engine(part, size).run(piece, {output: result[start : start + size]})
        return result


def load_pack(
    path: str | Path = DEFAULT_PACK,
    backend: str | Backend = "auto",
    *,
    options: BackendOptions | None = None,
    announce: Callable[[str], None] = lambda text: None,
    play_meanwhile: bool = False,
) -> Pack:
    """Open a model pack: check its manifest and files, choose a back-end.

    Args:
        path: The pack's folder.
        backend: "auto" (a chain: when one fails, the next takes over), "tensorrt", "cuda", "openvino", "torch", or a
            back-end made by hand.
        options: Device and threads, for the back-ends that take them.
        announce: Told in a sentence why a back-end is not used, and whenever something long begins.
        play_meanwhile: With "auto", do not wait for a back-end that has to build for minutes: the next one plays until
            it has built the engines of the whole pack.

    Raises:
        EngineError: If the folder is no pack, a file has the wrong hash, or no back-end can run here.
    """
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise EngineError(f"there is no model pack at {folder}; `mirror models list` shows the packs there are")
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    if not isinstance(backend, str):
        return Pack(folder, manifest, Chain(folder, iter((backend,)), announce))
    parts = [part for part in PARTS if f"{part}.onnx" in manifest.files] if play_meanwhile else []
    work = [(part, batch) for part in parts for batch in sorted({1, *manifest.batches})]
    reasons: list[str] = []

    def leave_out(reason: str) -> None:
        reasons.append(reason)
        announce(f"not {reason}")

    try:
        chain = Chain(folder, usable_backends(backend, options, leave_out), announce, work)
    except EngineError as error:
        raise EngineError("; ".join((str(error), *reasons))) from error
    return Pack(folder, manifest, chain)


def _pieces(n: int, batches: tuple[int, ...]) -> list[tuple[int, int]]:
    """Cut n into (start, size) with sizes from `batches` and 1, the largest first."""
    sizes = sorted({1, *batches}, reverse=True)
    pieces, start = [], 0
    while start < n:
        size = next(s for s in sizes if s <= n - start)
        pieces.append((start, size))
        start += size
    return pieces


def _load_w_avg(path: Path, manifest: Manifest) -> Latent:
    w_avg = _load_array(path / "w_avg.npy")
    shape = (manifest.num_ws, manifest.w_dim)
    if w_avg.shape not in (shape, shape[1:]):
        raise EngineError(f"{path}/w_avg.npy is {w_avg.shape}, expected {shape}; import the pack again")
    return np.ascontiguousarray(np.broadcast_to(w_avg, shape), np.float32)


def _load_directions(path: Path, manifest: Manifest) -> dict[str, Direction]:
    if not manifest.directions:
        return {}
    shape = (manifest.num_ws, manifest.w_dim)
    directions = {}
    try:
        with np.load(path / "directions.npz", allow_pickle=False) as arrays:
            for name, spec in manifest.directions.items():
                vector = arrays[name]
                if vector.shape not in (shape, shape[1:]) or not np.isfinite(vector).all():
                    raise EngineError(f"{path}/directions.npz: {name!r} is {vector.shape}, expected finite {shape}")
                full = np.ascontiguousarray(np.broadcast_to(vector, shape), np.float32)
                directions[name] = Direction(name, full, spec.unit, spec.low, spec.high)
    except KeyError as error:
        raise EngineError(
            f"{path}/directions.npz has no {error}, which pack.json lists; import the pack again"
        ) from error
    except (OSError, ValueError) as error:
        raise EngineError(f"{path}/directions.npz cannot be read: {error}") from error
    return directions


def _load_array(path: Path) -> NDArray[np.float32]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}") from error
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise EngineError(f"{path} must hold finite floating-point numbers, found {array.dtype}")
    return np.asarray(array, np.float32)
