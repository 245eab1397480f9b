"""The kiosk's processes and what they share: how each is started, and what each has told.

    show       draws; told by commands, tells through a status slot and two heart beats
    eye        camera and faces, through its slot
    curtain    covers the screen when the show does not draw
    docent     the page, told through the board, asks through a pipe
    film       draws the curtain's film, once

Everything shared outlives the process that is killed; pipes are made anew for each start.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engines.runtime.manifest import EncoderSpec, read_manifest
from engines.runtime.paths import cache_dir, find_pack
from installation.app import RunOptions, ShowTask
from installation.config import Config
from installation.devices.eye_record import eye_fields, read_message
from installation.devices.source import SourceState
from installation.devices.sources import choose_source
from installation.errors import ConfigError, MirrorError
from installation.kiosk.commands import MAX_AGE_S, Command, parse_command
from installation.kiosk.curtain import Cover
from installation.kiosk.facts import CameraFacts
from installation.kiosk.keepsake import KeepsakeTask
from installation.kiosk.links import Dial, JsonSlot
from installation.kiosk.loop_film import film_path
from installation.kiosk.state import state_folder
from installation.kiosk.steward import KioskTask
from installation.kiosk.ward import Launch, Pulse, Ward
from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.memory import resident_mb
from installation.runtime.slots import SharedSlot
from installation.runtime.supervisor import Policy

CURTAIN_SILENCE_S = 15.0
"""A curtain that stands still is still a picture; to take it away would be black."""

_CURTAIN_FIRST_S = 60.0
_EYE_START_S = 60.0  # MediaPipe loads for long where the machine is busy
_FIRST_PICTURE = 2  # the show beats 1 while it waits for its first picture
_RESULT = "result of the networks"
_FIRST_RESULT = 1  # and 0 while the engines are compiled, which may take minutes
_CROP_SIZE = 256  # until a pack says otherwise
_STALE_S = 1.0  # beyond [camera] stall_after_s: the eye itself hangs
_SLOW = Policy(backoff_s=1.0, backoff_max_s=60.0)
_SELDOM = Policy(backoff_s=600.0, backoff_max_s=3600.0)


@dataclass(frozen=True, slots=True)
class KioskOptions:
    """What the command line asks of a kiosk; None leaves it to the config."""

    config: Path | None = None
    source: str | None = None
    pack: str | None = None
    headless: bool = False
    seconds: float | None = None
    report: Path | None = None


class Company:
    """Owned by the supervisor. `close` when every ward has ended.

    Args:
        config: Defaults if it could not be read.
        fault: What is wrong with the config; then no show is started.
        options: Source, pack.
        headless: There is no screen.
        resume: How the last show stood.
    """

    def __init__(
        self, config: Config, fault: str, options: KioskOptions, *, headless: bool, resume: dict[str, Any]
    ) -> None:
        self._config, self._fault, self._options, self._headless = config, fault, options, headless
        self._context = context = multiprocessing.get_context("spawn")
        self.cover, self.closed = Dial(context, Cover.FILM), Dial(context)
        self.board = JsonSlot()
        self._secret = secrets.token_bytes(32)
        self.status: dict[str, Any] = {}
        self.resume = resume
        self.report: dict[str, Any] = {}
        self._status_slot = JsonSlot()
        self._status_from = 0
        self._wiped = 0
        self._crop_size = _CROP_SIZE
        self._upright_crops = False
        self._eye_slot = SharedSlot(eye_fields(self._crop_size, config.camera.max_side_px))
        self._show_beat, self._inference_beat = Heartbeat(context), Heartbeat(context)
        self._eye_beat, self._curtain_beat = Heartbeat(context), Heartbeat(context)
        self._stops: dict[str, StopFlag] = {}
        self._to_show: tuple[Connection, Connection] | None = None
        self._reports: tuple[Connection, Connection] | None = None
        self._from_docent: tuple[Connection, Connection] | None = None
        kiosk = config.kiosk
        show_pulses = (
            Pulse(self._show_beat, kiosk.start_s, kiosk.display_silence_s, "picture", _FIRST_PICTURE),
            Pulse(self._inference_beat, kiosk.start_s, kiosk.inference_silence_s, _RESULT, _FIRST_RESULT),
        )
        eye_pulse = Pulse(self._eye_beat, _EYE_START_S, kiosk.eye_silence_s)
        curtain_pulse = Pulse(self._curtain_beat, _CURTAIN_FIRST_S, CURTAIN_SILENCE_S, "picture")
        self.curtain = Ward(context, "curtain", self._launch_curtain, (curtain_pulse,))
        self.show = Ward(context, "show", self._launch_show, show_pulses, told=self._show_errors)
        self.eye = Ward(context, "eye", self._launch_eye, (eye_pulse,))
        self.docent = Ward(context, "docent", self._launch_docent, backoff=_SLOW)
        self.film = Ward(context, "film", self._launch_film, backoff=_SELDOM)
        self.wards = (self.curtain, self.show, self.eye, self.docent, self.film)

    def is_drawing(self, now: float) -> bool:
        """Whether the show has put a picture on the screen, and lately."""
        last = self._show_beat.last
        begun = self.show.pid is not None and self._show_beat.progress >= _FIRST_PICTURE
        return begun and last is not None and now - last < self._config.kiosk.display_silence_s

    def is_covered(self, now: float) -> bool:
        """Whether the curtain lives."""
        last = self._curtain_beat.last
        return self.curtain.pid is not None and last is not None and now - last < CURTAIN_SILENCE_S

    def read_status(self) -> None:
        """Take what the show told last, of this show only."""
        if self._status_slot.sequence > self._status_from:
            self.status = self._status_slot.read() or self.status
            self.resume = dict(self.status.get("resume", self.resume))

    def forget_camera(self) -> None:
        """Wipe the last pictures of an eye that has ended because nobody wants it: closed, paused, safe mode."""
        if self.eye.pid is None and self._eye_slot.sequence > self._wiped:
            self._eye_slot.wipe()
            self._wiped = self._eye_slot.sequence

    def camera(self) -> CameraFacts | None:
        """The eye's newest record without its picture; None while there is no eye."""
        sequence, record = self._eye_slot.latest()
        if record is None or self.eye.pid is None:
            return None
        state = SourceState(int(record["source_state"]))
        age = time.monotonic() - float(record["captured_at"])
        if state is SourceState.LIVE and age > self._config.camera.stall_after_s + _STALE_S:
            state = SourceState.STALLED
        message, captured = read_message(record), int(record["captured"])
        facts = CameraFacts(state, message, captured, float(record["fps"]), int(record["faces"]))
        return facts if self._eye_slot.still_valid(sequence) else None

    def commands(self, now: float) -> list[Command]:
        """What the docent asked since the last call; what is stale or wrong is dropped."""
        found = []
        with contextlib.suppress(EOFError, OSError):  # the page died; it is coming back
            while self._from_docent is not None and self._from_docent[0].poll():
                message = self._from_docent[0].recv()
                command = parse_command(message)
                if isinstance(command, Command) and 0.0 <= now - float(message["at"]) <= MAX_AGE_S:
                    found.append(command)
        return found

    def send(self, command: Command) -> None:
        """Hand a command to the show."""
        with contextlib.suppress(OSError):  # it has just died
            if self._to_show is not None:
                self._to_show[0].send({"do": command.do, "value": command.value})

    def take_report(self) -> None:
        """Take the figures of a show that has ended."""
        with contextlib.suppress(EOFError, OSError):  # it died without a last word
            while self._reports is not None and self._reports[0].poll():
                self.report.update(self._reports[0].recv())

    def pids(self) -> dict[str, int | None]:
        """Process number by name."""
        return {"supervisor": os.getpid(), **{ward.name: ward.pid for ward in self.wards}}

    def rss_mb(self) -> dict[str, float]:
        """Resident memory by name, of the processes that run."""
        return {name: resident_mb(pid) for name, pid in self.pids().items() if pid is not None}

    def film_file(self) -> Path | None:
        """Where the curtain's film is or will be; None without a pack."""
        try:
            return film_path(self._pack(), self._config.kiosk.loop_s)
        except (MirrorError, OSError):  # no pack, or no room for a cache: the curtain has its gradient
            return None

    def keepsake_folder(self) -> Path:
        """Where pictures on request lie."""
        folder = self._config.keepsake.folder
        return Path(folder).expanduser() if folder else state_folder(self._config.kiosk) / "keepsakes"

    def close(self) -> None:
        """Kill what is left, and give the shared memory back."""
        for ward in self.wards:
            ward.kill()
        for pipe in (self._to_show, self._reports, self._from_docent):
            _close(pipe)
        self._status_slot.close(unlink=True)
        self.board.close(unlink=True)
        self._eye_slot.close(unlink=True)

    def _show_errors(self) -> str:
        """What ended the show, as its report says: it leaves in a way of its own."""
        self.take_report()
        return "; ".join(self.report.get("errors", ()))

    def _pack(self) -> Path:
        return find_pack(self._options.pack or self._config.engine.pack)

    def _launch_show(self) -> Launch:
        if self._fault:
            raise ConfigError(self._fault)
        pack = self._pack()
        encoder = read_manifest(pack).encoder
        self._resize_eye(encoder or EncoderSpec(input_size=_CROP_SIZE))
        _close(self._to_show)
        _close(self._reports)
        commands, self_end = self._context.Pipe(duplex=False)
        self._to_show = self_end, commands
        self._reports = self._context.Pipe(duplex=False)
        self.status, self._status_from = {}, self._status_slot.sequence
        self.report.pop("errors", None)
        docent, keepsake = self._config.docent, self._config.keepsake
        task = KioskTask(
            self._status_slot.layout,
            commands,
            self.closed,
            self._inference_beat,
            self._config.privacy,
            docent.preview_cells if docent.enabled else 0,
            KeepsakeTask(keepsake.enabled, self.keepsake_folder(), keepsake.countdown_s, keepsake.keep_s),
            self.resume,
        )
        options = RunOptions(headless=self._headless)
        show = ShowTask(self._config, pack, self._eye_slot.layout, options, time.monotonic(), kiosk=task)
        arguments = (show, self._stop_of("show"), self._show_beat, self._reports[1])
        return Launch("installation.show_process:main", arguments)

    def _launch_eye(self) -> Launch:
        camera = self._config.camera
        source = self._options.source or camera.source
        if source == "auto":
            found, _ = choose_source(source)
            source = "camera:0" if found == "synthetic" else found  # wait for a camera; never play a film of one
        arguments = (
            self._eye_slot.layout,
            camera,
            self._config.faces,
            source,
            self._crop_size,
            self._stop_of("eye"),
            self._eye_beat,
            False,
            self._upright_crops,
        )
        return Launch("installation.devices.eye:run_eye", arguments)

    def _launch_curtain(self) -> Launch:
        film = self.film_file() or cache_dir("safe-mode") / "none.mp4"
        arguments = (self._config.display, self._headless, film, self.cover, self._curtain_beat)
        return Launch("installation.kiosk.curtain:run_curtain", arguments)

    def _launch_docent(self) -> Launch:
        _close(self._from_docent)
        self._from_docent = self._context.Pipe(duplex=False)
        languages = tuple(self._config.privacy.notice)
        arguments = (self._config.docent, self.board.layout, self._from_docent[1], languages, self._secret)
        return Launch("installation.kiosk.docent:run_docent", arguments)

    def _launch_film(self) -> Launch:
        pack, seconds = self._pack(), self._config.kiosk.loop_s
        arguments = (pack, self._config.engine.backend, seconds, film_path(pack, seconds))
        return Launch("installation.kiosk.loop_film:make_film", arguments)

    def _stop_of(self, name: str) -> StopFlag:
        """A new flag, held here: the memory of one that nobody holds is given to the next, and both would be set."""
        self._stops[name] = StopFlag(self._context)
        return self._stops[name]

    def _resize_eye(self, encoder: EncoderSpec) -> None:
        """A pack with another crop was put in: the eye must cut another way, and its record may need other room."""
        if (encoder.input_size, encoder.upright) == (self._crop_size, self._upright_crops):
            return
        self._crop_size, self._upright_crops = encoder.input_size, encoder.upright
        self.eye.kill()
        self._wiped = 0
        self._eye_slot.close(unlink=True)
        self._eye_slot = SharedSlot(eye_fields(encoder.input_size, self._config.camera.max_side_px))


def _close(pipe: tuple[Connection, Connection] | None) -> None:
    for end in pipe or ():
        end.close()
