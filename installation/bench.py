"""`mirror bench`: how fast this machine is. Networks alone first, then a whole show, headless, with its report.

Apart from the tests on purpose: no test asserts on wall time.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from typing import Any

import numpy as np

from engines.runtime import Pack, load_pack
from engines.runtime.paths import find_pack
from installation.app import Run, RunOptions
from installation.core.stats import Histogram
from installation.errors import EngineError

BURN_IN = 10
RUNS = 200
SHOW_SIZE = (1280, 720)


def bench(options: argparse.Namespace) -> int:
    """Measure and print; `options` are those of `mirror bench`."""
    result: dict[str, Any] = {"machine": _machine(), "networks_ms": {}}
    with load_pack(find_pack(options.pack or "default"), options.backend or "auto") as pack:
        result |= {"pack": pack.name, "resolution": pack.resolution, "backend": pack.backend.name}
        result["networks_ms"] = time_networks(pack)
    if not options.networks_only:
        run = Run(
            RunOptions(
                config=options.config,
                source=options.source,
                pack=options.pack,
                headless=True,
                seconds=options.seconds,
            )
        )
        run.run()
        result["show"] = run.report
    print(json.dumps(result, indent=2) if options.json else _table(result))
    return 0


def time_networks(pack: Pack) -> dict[str, dict[str, float]]:
    """Time each network of a pack on random input: stage -> p50, p95, worst in ms."""
    rng = np.random.default_rng(0)
    times: dict[str, dict[str, float]] = {}
    for part, batch in (("encoder", 1), ("generator", 1), ("generator", max(pack.manifest.batches))):
        try:
            engine = pack.engine(part, batch)
        except EngineError:
            continue  # a pack from a generator alone has no encoder
        inputs = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
        outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}
        histogram = Histogram()
        for count in range(BURN_IN + RUNS):
            began = time.perf_counter()
            engine.run(inputs, outputs)
            if count >= BURN_IN:
                histogram.add((time.perf_counter() - began) * 1000.0)
        times[part if batch == 1 else f"{part} x{batch}"] = histogram.summary()
    return times


def _machine() -> dict[str, Any]:
    import os

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"pack {result['pack']} ({result['resolution']} px) on {result['backend']}, {result['machine']['cores']} cores",
        f"{'stage':<16}{'p50':>9}{'p95':>9}{'worst':>9}  ms",
    ]
    lines += _rows(result["networks_ms"])
    show = result.get("show")
    if show:
        lines += ["", f"show, {show.get('seconds', 0):.0f} s headless, source {show['source']}"]
        lines += _rows(show.get("stages_ms", {}))
        fps, latency, rss = show.get("fps", {}), show.get("latency_ms", {}), show["rss_mb"]
        lines += [
            f"display {fps.get('display')} Hz, inference {fps.get('inference')} Hz, capture {fps.get('capture')} Hz",
            f"capture to swap: p50 {latency.get('p50')}, p95 {latency.get('p95')}, p99 {latency.get('p99')} ms",
            f"first reflection after {show.get('first_reflection_s')} s",
            f"memory: {rss['start']} MB, peak {rss['peak']} MB, growth {rss['growth']} MB",
            f"restarts {show['restarts']}, errors {show['errors'] or 'none'}",
        ]
    return "\n".join(lines)


def _rows(stages: dict[str, dict[str, float]]) -> list[str]:
    return [f"{name:<16}{t['p50']:>9.2f}{t['p95']:>9.2f}{t['worst']:>9.2f}" for name, t in stages.items()]
