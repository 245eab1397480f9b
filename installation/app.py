"""The wiring of a run, seen from the supervisor: options, shared memory, the two processes, the report.

Light on purpose: this process must outlive drivers, so it imports no GL, no network and no camera.
What happens inside the show process is in `installation/show_process.py`, the eye's body in
`installation/devices/eye.py`; both are named by strings and imported only where they run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines.runtime.manifest import EncoderSpec, read_manifest
from engines.runtime.paths import find_pack
from installation.config import Config, load_config
from installation.devices.eye_record import eye_fields, read_message
from installation.devices.source import SourceState
from installation.devices.sources import choose_source
from installation.display.screens import has_screen
from installation.errors import ConfigError, DeviceError
from installation.kiosk.steward import KioskTask
from installation.report import write_report
from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.lazy import call
from installation.runtime.memory import MemoryWatch
from installation.runtime.slots import SharedLayout, SharedSlot
from installation.runtime.supervisor import Child, Policy, Supervisor, tell_on_stderr

CONFIG_FILE = Path("config.toml")
HEADLESS_SECONDS = 10.0
HEADLESS_FILM = Path("out/mirror.mp4")
HEADLESS_SHEET = Path("out/mirror.png")
DEMO_VISIT = {"reflect_s": 1.2, "morph_s": 3.0}
"""Stages of the demonstration's visit: the drawn visitor enters at 3.5 s, and ten seconds shall show a morph."""

_EYE = "installation.devices.eye:run_eye"
_SHOW = "installation.show_process:main"
_EYE_POLICY = Policy(first_beat_s=60.0, silence_s=5.0)  # MediaPipe loads for long where the machine is busy
_MEMORY_SETTLES_S = 20.0
_PROCESSES = 2  # show and eye


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks of one run; None leaves it to the config."""

    config: Path | None = None
    source: str | None = None
    pack: str | None = None
    headless: bool = False
    seconds: float | None = None
    record: Path | None = None
    sheet: Path | None = None
    report: Path | None = None
    view: str | None = None
    overlay: bool = False
    as_fast_as_possible: bool = False

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> RunOptions:
        """Take the options of `mirror run`."""
        return cls(**{name: getattr(arguments, name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class ShowTask:
    """All that the show process is told; pickled to it."""

    config: Config
    pack: Path
    eye: SharedLayout
    options: RunOptions
    started_at: float
    config_path: Path | None = None
    kiosk: KioskTask | None = None


def run(options: RunOptions) -> int:
    """Run the mirror until it is closed; returns the exit code.

    Raises:
        ConfigError, EngineError: Before anything is started, if what was asked cannot work.
    """
    return Run(options).run()


class Run:
    """One supervised run. `report` holds its figures afterwards."""

    def __init__(self, options: RunOptions) -> None:
        self.config_path = options.config or (CONFIG_FILE if CONFIG_FILE.is_file() else None)
        self.config = load_config(self.config_path)
        self.options = self._settle(options)
        self.pack = find_pack(options.pack or self.config.engine.pack)
        manifest = read_manifest(self.pack)
        self.encoder = manifest.encoder or EncoderSpec(input_size=256)
        self.source, note = choose_source(options.source or self.config.camera.source)
        if note:
            tell_on_stderr(note)
        self.report: dict[str, Any] = {}

    def _settle(self, options: RunOptions) -> RunOptions:
        """Without a screen, a plain run makes a short film instead: something to look at."""
        if options.headless or has_screen():
            return options
        tell_on_stderr("no display found: drawing without one, through EGL")
        options = replace(options, headless=True)
        if options.seconds is not None or options.record or options.report:
            return options
        tell_on_stderr(f"a film of {HEADLESS_SECONDS:g} s follows, in which the visit goes faster than in the show")
        visit = self.config.visit.model_copy(update=DEMO_VISIT)
        self.config = self.config.model_copy(update={"visit": visit})
        return replace(options, seconds=HEADLESS_SECONDS, record=HEADLESS_FILM, sheet=HEADLESS_SHEET)

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Start, supervise, stop, report; ends before its time when `until` says so."""
        context = multiprocessing.get_context("spawn")
        stop = StopFlag(context)
        eye_beat, show_beat = Heartbeat(context), Heartbeat(context)
        camera = self.config.camera
        slot = SharedSlot(eye_fields(self.encoder.input_size, camera.max_side_px))
        receiver, sender = context.Pipe(duplex=False)
        memory = MemoryWatch(_MEMORY_SETTLES_S)
        task = ShowTask(self.config, self.pack, slot.layout, self.options, time.monotonic(), self.config_path)
        eye_arguments = (
            slot.layout,
            camera,
            self.config.faces,
            self.source,
            self.encoder.input_size,
            stop,
            eye_beat,
        )
        keywords = {
            "as_fast_as_possible": self.options.as_fast_as_possible,
            "upright_crops": self.encoder.upright,
        }
        supervisor = Supervisor(
            context,
            [
                Child("show", call, (_SHOW, task, stop, show_beat, sender), show_beat),
                Child("eye", call, (_EYE, *eye_arguments), eye_beat, _EYE_POLICY, keywords),
            ],
            stop,
            tell_on_stderr,
        )
        source_error: list[DeviceError | ConfigError] = []

        def each_tick(now: float) -> None:
            if len(supervisor.pids) == _PROCESSES:  # while one is missing the sum means nothing
                memory.sample(now, (os.getpid(), *supervisor.pids))
            while receiver.poll():
                self.report.update(receiver.recv())
            if until():
                stop.set()
            error = _source_failure(slot)
            if error is not None:
                source_error.append(error)
                stop.set()

        try:
            code = supervisor.run(each_tick)
            while receiver.poll():
                self.report.update(receiver.recv())
        except EOFError:  # the show ended without a last word
            code = 1
        finally:
            slot.close(unlink=True)
        self._complete_report(supervisor, memory)
        if source_error:
            raise source_error[0]
        return code

    def _complete_report(self, supervisor: Supervisor, memory: MemoryWatch) -> None:
        """Add what only the supervisor knows, and write the file if one was asked for."""
        errors = [*self.report.pop("errors", []), *supervisor.errors]
        self.report.update(
            source=self.source,
            rss_mb=memory.summary(),
            restarts=supervisor.restarts,
            errors=errors,
        )
        if self.options.report is not None:
            write_report(self.options.report, self.report)
            print(f"figures: {self.options.report}", file=sys.stderr)


def _source_failure(slot: SharedSlot) -> ConfigError | DeviceError | None:
    """What to tell when the source cannot work, or has never worked: the first try decides for a plain run."""
    _, record = slot.latest()
    if record is None:
        return None
    state = int(record["source_state"])
    if state == SourceState.FAILED:
        return ConfigError(read_message(record))
    if state == SourceState.STALLED and int(record["captured"]) == 0:
        return DeviceError(read_message(record))
    return None
