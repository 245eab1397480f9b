"""Build a TensorRT engine from ONNX, in a process of its own: `python -m engines.runtime.tensorrt_build ...`.

A build takes minutes, gigabytes and sometimes the whole process with it; the show plays on meanwhile. The network is
strongly typed: precision is what the graph says, and nothing else. Progress goes to standard output, one line of JSON
for each step.

Source: NVIDIA TensorRT documentation, "Strongly Typed Networks", "Timing Cache", "Progress Monitor".
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.runtime.ahead import Report
from engines.runtime.paths import cache_dir
from installation.errors import EngineError


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What is asked of the builder.

    Attributes:
        level: Optimisation level 0..5; 3 is TensorRT's default, 5 tries everything.
        workspace_mb: Most GPU memory that a layer may use for scratch, in MB.
    """

    level: int = 4
    workspace_mb: int = 2048

    def text(self) -> str:
        """For the key of the cache."""
        return f"level {self.level}, workspace {self.workspace_mb} MB, no TF32"


def build(trt: Any, graph: Path, batch: int, settings: BuildSettings, timing_cache: bytes, report: Report) -> Any:
    """Build one engine.

    Args:
        trt: The module `tensorrt`.
        graph: ONNX with a free batch axis.
        batch: The static batch size.
        settings: See `BuildSettings`.
        timing_cache: What earlier builds on this device measured; empty for none.
        report: Told how far the build is.

    Returns:
        The serialised engine and the timing cache, both as buffers.

    Raises:
        EngineError: If the graph cannot be read or built, with TensorRT's own words.
    """
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(graph)):
        words = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise EngineError(f"TensorRT cannot read {graph}: {words or 'no reason given'}")
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        tensor.shape = (batch, *tuple(tensor.shape)[1:])
    config = builder.create_builder_config()
    config.builder_optimization_level = settings.level
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mb << 20)
    config.clear_flag(trt.BuilderFlag.TF32)  # it would cost the golden vectors three decimals
    timing = config.create_timing_cache(timing_cache)
    config.set_timing_cache(timing, False)
    monitor = _monitor(trt, report)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT cannot build {graph} for batch {batch}; its reasons are in the lines above")
    return plan, config.get_timing_cache().serialize()


def build_in_child(
    graph: Path, batch: int, settings: BuildSettings, timing_name: str, report: Report, *, module: str = "tensorrt"
) -> bytes:
    """Build in a child process; the arguments are those of `build`.

    Args:
        timing_name: Name of the timing cache of this device and version, in the user's cache folder.
        module: Where TensorRT's classes are.

    Raises:
        EngineError: If the build fails or the child dies.
    """
    with tempfile.TemporaryDirectory(prefix="mirror-build-") as folder:
        plan, failure = Path(folder) / "plan", Path(folder) / "failure"
        command = [sys.executable, "-m", "engines.runtime.tensorrt_build", str(graph), str(plan)]
        command += ["--batch", str(batch), "--level", str(settings.level), "--workspace-mb", str(settings.workspace_mb)]
        command += ["--timing", timing_name, "--module", module, "--failure", str(failure)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as child:
            assert child.stdout is not None
            try:
                for line in child.stdout:
                    if line.startswith('{"phase"'):
                        step = json.loads(line)
                        report(step["phase"], step["done"], step["total"])
            except BaseException:
                child.kill()
                raise
        if child.returncode != 0 or not plan.is_file():
            words = failure.read_text("utf-8") if failure.is_file() else f"its process ended with {child.returncode}"
            raise EngineError(f"the TensorRT build of {graph.name} failed: {words}")
        return plan.read_bytes()


def main(argv: Sequence[str] | None = None) -> int:
    """Body of the child process."""
    command = argparse.ArgumentParser(prog="python -m engines.runtime.tensorrt_build")
    command.add_argument("graph", type=Path)
    command.add_argument("plan", type=Path)
    command.add_argument("--batch", type=int, required=True)
    command.add_argument("--level", type=int, default=BuildSettings().level)
    command.add_argument("--workspace-mb", type=int, default=BuildSettings().workspace_mb)
    command.add_argument("--timing", required=True)
    command.add_argument("--module", default="tensorrt")
    command.add_argument("--failure", type=Path, required=True)
    options = command.parse_args(argv)
    timing = cache_dir("timing") / f"{options.timing}.timing"
    known = timing.read_bytes() if timing.is_file() else b""

    def report(phase: str, done: int, total: int) -> None:
        print(json.dumps({"phase": phase, "done": done, "total": total}), flush=True)

    try:
        trt = importlib.import_module(options.module)
        settings = BuildSettings(options.level, options.workspace_mb)
        plan, measured = build(trt, options.graph, options.batch, settings, known, report)
    except (EngineError, ImportError, RuntimeError) as error:
        options.failure.write_text(str(error), encoding="utf-8")
        return EngineError.exit_code
    options.plan.write_bytes(plan)
    part = timing.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(measured)
    os.replace(part, timing)
    return 0


_ROOT = Path(__file__).resolve().parents[2]


def _monitor(trt: Any, report: Report) -> Any:
    """Make a progress monitor; its class can only be named once TensorRT is there."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.totals: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.totals[phase_name] = num_steps
            report(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            report(phase_name, step + 1, self.totals.get(phase_name, 0))
            return True  # False would cancel the build

        def phase_finish(self, phase_name: str) -> None:
            total = self.totals.pop(phase_name, 0)
            report(phase_name, total, total)

    return Monitor()


if __name__ == "__main__":
    sys.exit(main())
