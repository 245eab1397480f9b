"""How fast a pack's networks are: `python -m engines.export.speed --pack DIR`.

Each part runs in OpenVINO and in eager PyTorch, in one process and with the same number of threads, one after the
other; the figure of merit is eager time over OpenVINO time in the same run. OpenVINO is timed twice, as `[engine]
precision` has it: full, and half where the CPU has 16 bits and the golden vectors hold; with the cost in accuracy.
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
import torch
from numpy.typing import NDArray

from engines.runtime.backends import Backend, BackendOptions
from engines.runtime.backends import create_backend as make_backend
from engines.runtime.manifest import read_manifest

PARTS = ("generator", "encoder", "mapping")
THREADS = 2
FULL, HALF, EAGER = "openvino full", "openvino half", "torch eager"

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of each run after the first, what came out, and the precision inside."""

    seconds: list[float]
    out: NDArray[np.float32]
    precision: str

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


VARIANTS: dict[str, Callable[[], Backend]] = {
    FULL: lambda: make_backend("openvino"),
    HALF: lambda: make_backend("openvino", BackendOptions(precision="half")),
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
    return Timing(seconds[1:], next(iter(outputs.values())), engine.precision)


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
            timings[name] = measure(make(), options.pack, part, options.batch, options.repeats)
            best, median = min(timings[name].seconds), timings[name].median
            print(f"  {name:<14} median {1e3 * median:7.1f} ms, best {1e3 * best:7.1f} ms", flush=True)
        exact = timings[EAGER].out
        for name in (FULL, HALF):
            error = timings[name].out - exact
            psnr = 20 * math.log10(2 / max(float(np.sqrt(np.square(error).mean())), 1e-9))
            times = timings[EAGER].median / timings[name].median
            inside = timings[name].precision
            print(
                f"  {name} ({inside}): {times:.1f} times as fast as eager; "
                f"max d {np.abs(error).max():.1e}, {psnr:.0f} dB"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
