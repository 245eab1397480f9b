"""How fast a pack's networks are: `python -m engines.export.speed --pack DIR`.

Each part runs in OpenVINO and in eager PyTorch, in one process and with the same number of threads, one after the
other; the figure of merit is eager time over OpenVINO time in the same run. On a CPU that computes in bfloat16 OpenVINO
is timed twice: in float32, as the back-end runs it, and in the CPU's own precision, with what that costs in accuracy.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import torch
from numpy.typing import NDArray

from engines.runtime.backends import Backend
from engines.runtime.backends import create_backend as make_backend
from engines.runtime.manifest import read_manifest
from engines.runtime.openvino_backend import OpenVinoEngine

PARTS = ("generator", "encoder", "mapping")
THREADS = 2
FP32, BF16, EAGER = "openvino fp32", "openvino bf16", "torch eager"

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of each run after the first, and what came out."""

    seconds: list[float]
    out: NDArray[np.float32]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Bfloat16Backend:
    """OpenVINO in the CPU's own precision: only for this comparison."""

    name = "openvino-bf16"

    def unavailable(self) -> str | None:
        """Say whether this CPU has bfloat16."""
        capable = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return None if capable else "this CPU has no bfloat16"

    def compile(self, pack: Path, part: str, batch: int) -> OpenVinoEngine:
        """Compile without a cache."""
        core = openvino.Core()
        model = core.read_model(pack / f"{part}.onnx")
        model.reshape({port: [batch, *list(port.partial_shape)[1:]] for port in model.inputs})
        hints = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": THREADS}
        return OpenVinoEngine(core.compile_model(model, "CPU", {**hints, "INFERENCE_PRECISION_HINT": "bf16"}))


VARIANTS: dict[str, Callable[[], Backend]] = {
    FP32: lambda: make_backend("openvino"),
    BF16: Bfloat16Backend,
    EAGER: lambda: make_backend("torch"),
}


def measure(backend: Backend, pack: Path, part: str, batch: int, repeats: int) -> Timing:
    """Time one part on random input, always the same."""
    engine = backend.compile(pack, part, batch)
    random = np.random.default_rng(0)
    inputs: Arrays = {n: random.standard_normal(s.shape).astype(np.float32) for n, s in engine.inputs.items()}
    outputs: Arrays = {n: np.empty(s.shape, np.float32) for n, s in engine.outputs.items()}
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        engine.run(inputs, outputs)
        seconds.append(time.perf_counter() - begin)
    engine.close()
    return Timing(seconds[1:], next(iter(outputs.values())))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m engines.export.speed", description="Time a pack's networks.")
    parser.add_argument("--pack", type=Path, required=True, metavar="DIR")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["generator"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(argv)
    torch.set_num_threads(THREADS)
    resolution = read_manifest(options.pack).resolution
    for part in options.parts:
        print(f"{part}, {resolution} px, batch {options.batch}, {THREADS} threads")
        timings: dict[str, Timing] = {}
        for name, make in VARIANTS.items():
            backend = make()
            if why := backend.unavailable():
                print(f"  {name:<14} {why}")
                continue
            timings[name] = measure(backend, options.pack, part, options.batch, options.repeats)
            best, median = min(timings[name].seconds), timings[name].median
            print(f"  {name:<14} median {1e3 * median:7.1f} ms, best {1e3 * best:7.1f} ms", flush=True)
        exact = timings[EAGER].out
        for name in (FP32, BF16):
            if name in timings:
                error = timings[name].out - exact
                psnr = 20 * math.log10(2 / max(float(np.sqrt(np.square(error).mean())), 1e-9))
                times = timings[EAGER].median / timings[name].median
                print(f"  {name}: {times:.1f} times as fast as eager; max d {np.abs(error).max():.1e}, {psnr:.0f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
