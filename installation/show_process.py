"""The show process: opens the pack and the window, wires thread, instrument and show, and takes them down again.

With `installation/app.py` the only place that knows every part.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engines.runtime import Pack, load_pack
from installation.app import ShowTask
from installation.config import Config
from installation.core.controls import ControlTable, control_table
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.devices.eye_record import newest_picture
from installation.devices.performance import Performance, PerformanceConfig
from installation.display.further_windows import FurtherWindows
from installation.display.looks import look_controls, look_names
from installation.display.outlets import open_relays
from installation.display.renderer import Renderer
from installation.display.scene import VIEWS
from installation.display.window import Window
from installation.display.windows import open_window
from installation.errors import EngineError, MirrorError
from installation.film import Film
from installation.inference import Inference
from installation.kiosk.steward import Steward
from installation.likeness import LivingLikeness
from installation.painting import Painter
from installation.reflection import ReflectionThread
from installation.report import ShowFigures
from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.progress import Progress
from installation.runtime.slots import SharedSlot
from installation.runtime.supervisor import tell_on_stderr
from installation.shader_portraits import ShaderPortraits
from installation.show import Show
from installation.words import SERIES

_JOIN_S = 2.0


def main(task: ShowTask, stop: StopFlag, beat: Heartbeat, report: Connection) -> None:
    """Body of the process. Errors for people are told in a sentence and become the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which asks us to stop
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # so nothing recorded is lost
    figures = ShowFigures()
    code = 0
    about: dict[str, Any] = {}
    try:
        about = _play(task, stop, beat, figures)
    except MirrorError as error:
        tell_on_stderr(str(error))
        figures.error(str(error))
        code = error.exit_code
    report.send({**figures.summary(), **about})
    report.close()
    sys.stderr.flush()
    # Everything of ours is closed by now. Native threads may still be compiling a network or unwinding a driver, and
    # the interpreter's own way out would abort under them.
    os._exit(code)


def _play(task: ShowTask, stop: StopFlag, beat: Heartbeat, figures: ShowFigures) -> dict[str, Any]:
    """Build from the bottom up, run, and take down in reverse order, whatever happens."""
    config, options = task.config, task.options
    with ExitStack() as stack:
        pack = load_pack(task.pack, config.engine.backend, options=config.engine.options(), play_meanwhile=True)
        targets = _series_targets(config, pack)
        instrument = Instrument(_table(config, pack), hold_s=config.osc.hold_s, now=time.monotonic())
        _demand(instrument, "/mirror/view", options.view or config.display.view)
        _demand(instrument, "/mirror/look", config.display.look)
        _demand(instrument, "/mirror/morph_mode", config.visit.morph_mode)
        eye = SharedSlot(layout=task.eye)
        stack.callback(eye.close)
        thread = _start_thread(config, pack, tuple(targets), eye, instrument, figures)
        stack.callback(_end_thread, thread)
        window = open_window(config.display, headless=options.headless, hidden=True)
        stack.callback(window.close)
        renderer = Renderer(window.ctx, config.display, config.captions)
        stack.callback(renderer.release)
        further = FurtherWindows(window, config.display, config.captions)
        stack.callback(further.close)
        performance = _performance(task, instrument, eye)
        stack.callback(performance.stop)
        film = _film(task, window, renderer)
        stack.callback(film.close)
        steward = None
        if task.kiosk is not None:
            steward = Steward(task.kiosk, instrument, time.monotonic())
            stack.callback(steward.close)
        show = Show(
            config,
            window,
            renderer,
            eye,
            thread,
            instrument,
            figures,
            targets,
            film,
            further,
            tell=tell_on_stderr,
            steward=steward,
            overlay=options.overlay,
            on_stage=lambda stage, now: performance.announce_stage(stage),
            play=performance.play,
            describe_players=performance.describe,
            meters=performance.meters,
            started_at=task.started_at,
        )
        if options.headless and options.seconds is not None:
            with Progress(int(options.seconds * 10), "rendering") as progress:
                show.run(stop.is_set, _with_progress(beat, progress), options.seconds)
        else:
            show.run(stop.is_set, beat.beat, options.seconds)
        return {"backend": pack.backend.name, "pack": pack.name, "size": list(window.size_px)}


def _series_targets(config: Config, pack: Pack) -> dict[str, str]:
    """Names and captions of the targets that visitors meet, in order."""
    wanted = [name for name in config.visit.targets if name in pack.targets] or list(pack.targets)
    return {name: pack.targets[name].caption for name in wanted}


def _start_thread(
    config: Config,
    pack: Pack,
    series: tuple[str, ...],
    eye: SharedSlot,
    instrument: Instrument,
    figures: ShowFigures,
) -> ReflectionThread:
    directions = {d.name: d.vector * max(abs(d.low), abs(d.high)) for d in pack.directions.values()}
    everything = {name: target.w_plus for name, target in pack.targets.items()}
    five = {name: everything[name] for name in series[:SERIES]}
    painter = None
    if config.style.enabled:
        painter = Painter(config.style, config.engine.backend, config.engine.options())
    shader = ShaderPortraits(pack, config.engine.portrait_px) if config.engine.generator == "portrait" else None
    inference = Inference(
        pack,
        Morph(pack.w_avg, pack.bands, everything, directions),
        Morph(pack.w_avg, pack.bands, five, directions),
        eye,
        psi=config.engine.psi,
        attract_s=config.visit.attract_s,
        smoothing_s=config.engine.smoothing_s,
        stages=figures.stages,
        likeness=LivingLikeness.of(pack) if config.engine.refine else None,
        shader=shader,
        painter=painter,
        on_control=lambda seconds: figures.control.add(seconds * 1000.0),
    )
    thread = ReflectionThread(pack, inference, instrument, config.engine.rate_hz)
    thread.start()
    return thread


def _end_thread(thread: ReflectionThread) -> None:
    thread.stop()
    thread.join(_JOIN_S)


def _table(config: Config, pack: Pack) -> ControlTable:
    playable = [name for name in pack.directions if name not in config.engine.untouched]
    return control_table(
        tuple(pack.targets),
        playable,
        looks=look_names(config.display),
        views=VIEWS,
        uniforms=look_controls(config.display),
        num_ws=pack.num_ws,
        styles=tuple(config.style.found()),
        style_strength=config.style.strength,
    )


def _demand(instrument: Instrument, address: str, value: str) -> None:
    """Set a starting value; an unknown name is told with the names there are."""
    outcome = instrument.set(address, value, "visit", time.monotonic())
    if not outcome.heard:
        raise EngineError(outcome.reason)


def _performance(task: ShowTask, instrument: Instrument, eye: SharedSlot) -> Performance:
    """Everybody who plays beside the visit.

    Raises:
        ConfigError: If a mapping or an address is wrong; before anything has started.
    """
    config = task.config
    sections = PerformanceConfig(
        config.osc, config.cues, config.audio, config.mappings, config.midi, config.hands, task.config_path
    )
    performance = Performance(sections, instrument, tell_on_stderr, newest_picture=lambda: newest_picture(eye))
    performance.start()
    return performance


def _film(task: ShowTask, window: Window, renderer: Renderer) -> Film:
    options, display, record = task.options, task.config.display, task.config.record
    size = renderer.surface.upright_size(window.size_px)
    return Film(
        renderer,
        size,
        record,
        film=options.record or (Path(record.path) if record.path else None),
        sheet=options.sheet,
        snapshots=Path(display.snapshot_folder) if display.snapshots else None,
        relays=open_relays(task.config.out, size, tell_on_stderr),
        flag=task.config.out.flag,
    )


def _with_progress(beat: Heartbeat, progress: Progress) -> Callable[[int], None]:
    began = time.monotonic()

    def count(frames: int) -> None:
        beat.beat(frames)
        progress.advance(int((time.monotonic() - began) * 10) - progress.done)

    return count
