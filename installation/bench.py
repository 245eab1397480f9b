"""`mirror bench`: how fast this machine is. Networks alone first, then a whole show, headless, with its report.

Networks run as `[engine]` of the config says. Beside each stands the roofline (the least time this CPU needs for its
arithmetic in that precision) and, where PyTorch and the pack's weights are there, the plain PyTorch network in the same
run. `--runs N` runs encoder and generator N times and
tells how memory grew; `--control` plays a show over OSC (`installation/control_bench.py`).

Apart from the tests on purpose: no test asserts on wall time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import time
from typing import Any

import numpy as np
import psutil

from engines.runtime import Pack, load_pack
from engines.runtime.backends import Engine
from engines.runtime.paths import find_pack
from engines.runtime.roofline import Peak, count_work, measure_peak
from installation.app import Run, RunOptions
from installation.config import load_config
from installation.control_bench import bench_control, describe
from installation.core.stats import Histogram
from installation.errors import EngineError

BURN_IN = 10
RUNS = 200
PLAIN_RUNS = 20
GROWTH_POINTS = 10
CPU_BACKENDS = ("openvino", "torch")


def bench(options: argparse.Namespace) -> int:
    """Measure and print; `options` are those of `mirror bench`."""
    if options.control:
        result = bench_control(options)
        print(json.dumps(result, indent=2) if options.json else "\n".join(describe(result)))
        return 0 if result["flood"]["played"]["last_wins"] else 1
    result = {"machine": _machine(), "networks_ms": {}}
    config = load_config(options.config).engine
    folder = find_pack(options.pack or config.pack)
    with load_pack(folder, options.backend or config.backend, options=config.options()) as pack:
        result |= {"pack": pack.name, "resolution": pack.resolution, "backend": pack.backend.name}
        if options.runs:
            result["memory"] = watch_memory(pack, options.runs)
        else:
            result["networks_ms"] = time_networks(pack)
            if pack.backend.name in CPU_BACKENDS and config.device == "CPU":
                result["roofline"] = find_roofline(pack, config.threads)
            result["plain_torch"] = time_plain(pack)
    if not options.runs and not options.networks_only:
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
        times[part if batch == 1 else f"{part} x{batch}"] = _timed(engine, rng, RUNS)
    return times


def find_roofline(pack: Pack, threads: int) -> dict[str, Any]:
    """Count the work of each network and give the least time in which this CPU could do it in the engine's numbers."""
    stages: dict[str, dict[str, Any]] = {}
    peaks: dict[str, Peak] = {}
    for part, batch in (("encoder", 1), ("generator", 1), ("generator", max(pack.manifest.batches))):
        if (pack.path / f"{part}.onnx").is_file():
            precision = pack.engine(part, batch).precision
            if precision not in peaks:
                peaks[precision] = measure_peak(threads, precision)
            work = count_work(pack.path / f"{part}.onnx", batch)
            stages[part if batch == 1 else f"{part} x{batch}"] = {
                "precision": precision,
                "gflop": round(work.operations / 1e9, 3),
                "mb": round(work.bytes / 1e6, 2),
                "least_ms": round(peaks[precision].least_ms(work), 3),
            }
    return {
        "peak_gflop_s": {precision: round(peak.operations_s / 1e9, 1) for precision, peak in peaks.items()},
        "peak_gb_s": round(max(peak.bytes_s for peak in peaks.values()) / 1e9, 1),
        "stages": stages,
    }


def time_plain(pack: Pack) -> dict[str, Any]:
    """Time the same networks in eager PyTorch; says why where that is not possible."""
    if importlib.util.find_spec("torch") is None:
        return {"not_measured": "PyTorch is not installed"}
    times: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    try:
        with load_pack(pack.path, "torch") as plain:
            for part in ("encoder", "generator"):
                if part == "generator" or pack.manifest.encoder is not None:
                    times[part] = _timed(plain.engine(part, 1), rng, PLAIN_RUNS)
    except EngineError as error:
        return {"not_measured": str(error)}
    return times


def watch_memory(pack: Pack, runs: int) -> dict[str, Any]:
    """Run encoder and generator `runs` times: resident memory in MB after the burn-in, on the way, and at the end."""
    rng = np.random.default_rng(0)
    engines = [pack.engine("generator", 1)]
    if pack.manifest.encoder is not None:
        engines.append(pack.engine("encoder", 1))
    buffers = [_buffers(engine, rng) for engine in engines]
    process = psutil.Process()
    for _ in range(BURN_IN):
        for engine, (inputs, outputs) in zip(engines, buffers, strict=True):
            engine.run(inputs, outputs)
    rss = [process.memory_info().rss / 1e6]
    for count in range(1, runs + 1):
        for engine, (inputs, outputs) in zip(engines, buffers, strict=True):
            engine.run(inputs, outputs)
        if count * GROWTH_POINTS // runs > (count - 1) * GROWTH_POINTS // runs:
            rss.append(process.memory_info().rss / 1e6)
    return {"runs": runs, "rss_mb": [round(value, 2) for value in rss], "growth_mb": round(rss[-1] - rss[0], 2)}


def _timed(engine: Engine, rng: np.random.Generator, runs: int) -> dict[str, float]:
    inputs, outputs = _buffers(engine, rng)
    histogram = Histogram()
    for count in range(BURN_IN + runs):
        began = time.perf_counter()
        engine.run(inputs, outputs)
        if count >= BURN_IN:
            histogram.add((time.perf_counter() - began) * 1000.0)
    return histogram.summary()


def _buffers(engine: Engine, rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
    return inputs, {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}


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
    ]
    if result["networks_ms"]:
        lines += [f"{'stage':<16}{'p50':>9}{'p95':>9}{'worst':>9}  ms", *_rows(result["networks_ms"])]
    lines += _comparisons(result)
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


def _comparisons(result: dict[str, Any]) -> list[str]:
    """Roofline, plain PyTorch and memory, as far as they were measured."""
    lines = []
    if roof := result.get("roofline"):
        speeds = ", ".join(f"{speed} GFLOP/s in {precision}" for precision, speed in roof["peak_gflop_s"].items())
        lines += ["", f"roofline: {speeds} and {roof['peak_gb_s']} GB/s measured here"]
        for name, work in roof["stages"].items():
            times = result["networks_ms"].get(name, {}).get("p50")
            ratio = f", p50 is {times / work['least_ms']:.1f} times that" if times and work["least_ms"] else ""
            least = f"{work['precision']}, {work['gflop']} GFLOP, {work['mb']} MB: at least {work['least_ms']} ms"
            lines.append(f"{name:<16}{least}{ratio}")
    plain = result.get("plain_torch", {})
    if why := plain.get("not_measured"):
        lines += ["", f"plain PyTorch not measured: {why}"]
    elif plain:
        lines += ["", "plain PyTorch, same run"]
        for name, times in plain.items():
            ratio = times["p50"] / result["networks_ms"][name]["p50"]
            lines.append(f"{name:<16}{times['p50']:>9.2f} ms, {ratio:.1f} times as long")
    if memory := result.get("memory"):
        lines += [f"{memory['runs']} runs of each network: resident {memory['rss_mb']} MB"]
        lines += [f"growth {memory['growth_mb']} MB"]
    return lines


def _rows(stages: dict[str, dict[str, float]]) -> list[str]:
    return [f"{name:<16}{t['p50']:>9.2f}{t['p95']:>9.2f}{t['worst']:>9.2f}" for name, t in stages.items()]
