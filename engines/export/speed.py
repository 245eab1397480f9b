"""How fast a pack's networks are: `python -m engines.export.speed --pack DIR`.

Each part runs on the pack's back-ends and in eager PyTorch, in one process and with the same number of threads, one
after the other; the figure of merit is eager time over OpenVINO time in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from engines.runtime.backends import create_backend
from engines.runtime.manifest import read_manifest

PARTS = ("generator", "encoder", "mapping")
THREADS = 2


def measure(pack: Path, part: str, backend: str, batch: int, repeats: int) -> list[float]:
    """Time one part: seconds of each run, after one that warms up."""
    engine = create_backend(backend).compile(pack, part, batch)
    random = np.random.default_rng(0)
    inputs = {name: random.standard_normal(spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
    outputs = {name: np.empty(spec.shape, np.float32) for name, spec in engine.outputs.items()}
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        engine.run(inputs, outputs)
        times.append(time.perf_counter() - begin)
    engine.close()
    return times[1:]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m engines.export.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--pack", type=Path, required=True, metavar="DIR")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["generator"])
    parser.add_argument("--backends", nargs="+", default=["openvino", "torch"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(argv)
    torch.set_num_threads(THREADS)
    resolution = read_manifest(options.pack).resolution
    for part in options.parts:
        medians = {}
        for backend in options.backends:
            times = measure(options.pack, part, backend, options.batch, options.repeats)
            medians[backend] = statistics.median(times)
            print(
                f"{part} {resolution} px, batch {options.batch}, {backend:<9} "
                f"median {1e3 * medians[backend]:7.1f} ms, best {1e3 * min(times):7.1f} ms",
                flush=True,
            )
        if {"openvino", "torch"} <= medians.keys():
            print(f"{part}: eager PyTorch takes {medians['torch'] / medians['openvino']:.1f} times as long as OpenVINO")
    return 0


if __name__ == "__main__":
    sys.exit(main())
