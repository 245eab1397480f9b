"""How fast a pack's networks are: `python -m engines.export.speed --pack DIR`.

Each part runs in OpenVINO and in eager PyTorch, in one process and with the same number of threads, in turns, so that
a machine that slows down slows all of them; the figure of merit is eager time over OpenVINO time in the same run.
OpenVINO is timed twice, as `[engine] precision` has it: full, and half as far as the CPU has 16 bits and the golden
vectors hold; with the cost in accuracy.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
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

    def psnr(self, exact: NDArray[np.float32]) -> float:
        """Signal-to-noise ratio in dB against other numbers, for a range of 2."""
        return 20 * math.log10(2 / max(float(np.sqrt(np.square(self.out - exact).mean())), 1e-9))


VARIANTS: dict[str, Callable[[], Backend]] = {
    FULL: lambda: make_backend("openvino"),
    HALF: lambda: make_backend("openvino", BackendOptions(precision="half")),
    EAGER: lambda: make_backend("torch"),
}


def measure(backends: Mapping[str, Backend], pack: Path, part: str, batch: int, repeats: int) -> dict[str, Timing]:
    """Time one part on random input, always the same: every back-end in turn, `repeats` times."""
    timings: dict[str, Timing] = {}
    with ExitStack() as stack:
        runs = {}
        for name, backend in backends.items():
            engine = backend.compile(pack, part, batch)
            stack.callback(engine.close)
            random = np.random.default_rng(0)
            inputs: Arrays = {n: random.standard_normal(s.shape).astype(np.float32) for n, s in engine.inputs.items()}
            outputs: Arrays = {n: np.empty(s.shape, np.float32) for n, s in engine.outputs.items()}
            timings[name] = Timing([], next(iter(outputs.values())), engine.precision)
            runs[name] = partial(engine.run, inputs, outputs)
            runs[name]()
        for _ in range(repeats):
            for name, run in runs.items():
                begin = time.perf_counter()
                run()
                timings[name].seconds.append(time.perf_counter() - begin)
    return timings


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
    total = dict.fromkeys(VARIANTS, 0.0)
    for part in options.parts:
        print(f"{part}, {resolution} px, batch {options.batch}, {THREADS} threads", flush=True)
        backends = {name: make() for name, make in VARIANTS.items()}
        timings = measure(backends, options.pack, part, options.batch, options.repeats)
        for name, timing in timings.items():
            total[name] += timing.median
            print(
                f"  {name:<14} median {1e3 * timing.median:7.1f} ms, best {1e3 * min(timing.seconds):7.1f} ms", end=""
            )
            if name != EAGER:
                psnr = timing.psnr(timings[EAGER].out)
                times = timings[EAGER].median / timing.median
                print(f", {times:.1f} times as fast as eager; {timing.precision}, {psnr:.0f} dB", end="")
            print(flush=True)
    if len(options.parts) > 1:
        ratios = ", ".join(f"{name} {total[EAGER] / total[name]:.1f}" for name in (FULL, HALF))
        print(f"{' and '.join(options.parts)} together, times as fast as eager: {ratios}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
