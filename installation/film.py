"""What is kept of a run when somebody asked for it: a film, a contact sheet, single pictures.

Reads each finished frame once and hands it to whoever wants it. Nothing is kept unless asked for.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from installation.display.config import RecordConfig
from installation.display.outlets import Relay
from installation.display.pictures import FrameSampler, save_png, write_contact_sheet
from installation.display.recorder import Recorder
from installation.display.renderer import Renderer
from installation.runtime.supervisor import tell_on_stderr

SHEET_TITLE = "Machine Reflections"


class Film:
    """Takes the frames of one show. Lives on the GL thread; `close` finishes the files.

    Args:
        renderer: Where frames are read from.
        size: Width and height of the film in pixels.
        config: Rate and quality of the film.
        film: The mp4 to write, or None.
        sheet: The PNG to write at the end, or None.
        relays: Ways out of the machine; closed with the rest.
        flag: What the screen says while one is open, with {where} for their names.
        snapshots: Folder for single pictures, or None where that is not enabled.

    Raises:
        DisplayError: If the film cannot be written there.
    """

    def __init__(
        self,
        renderer: Renderer,
        size: tuple[int, int],
        config: RecordConfig,
        *,
        film: Path | None,
        sheet: Path | None,
        snapshots: Path | None,
        relays: tuple[Relay, ...] = (),
        flag: str = "{where}",
    ) -> None:
        self._renderer = renderer
        self._sheet = sheet
        self._snapshots = snapshots
        self._sampler = FrameSampler() if sheet is not None else None
        self._recorder = (
            Recorder(film, size, config.fps, quality=config.quality, preset=config.preset) if film is not None else None
        )
        self._relays = relays
        self._flag = flag
        self._began: float | None = None

    def take(self, now: float) -> None:
        """Look at the newest finished frame, if anybody wants it."""
        if not self.runs:
            return
        frame = self._renderer.read()
        if frame is None:
            return
        self._began = now if self._began is None else self._began
        for relay in self._relays:
            relay.submit(frame, now)
        if self._recorder is not None:
            self._recorder.submit(frame, now)
        if self._sampler is not None:
            self._sampler.offer(frame, now - self._began)

    @property
    def runs(self) -> bool:
        """Whether somebody takes every frame, and at one size."""
        return self._recorder is not None or self._sampler is not None or bool(self._relays)

    @property
    def leaving(self) -> str:
        """What the screen must say now: where the picture goes; "" while it stays."""
        where = ", ".join(relay.where for relay in self._relays if relay.is_open)
        return self._flag.replace("{where}", where) if where else ""

    @property
    def failures(self) -> tuple[str, ...]:
        """Why a way out has closed."""
        return tuple(relay.failure for relay in self._relays if relay.failure)

    def snapshot(self) -> str:
        """Save the picture that is on screen; returns a sentence for the overlay."""
        if self._snapshots is None:
            return "snapshots are off: [display] snapshots = true enables them"
        frame = self._renderer.read(now=True)
        if frame is None:
            return "there is no picture yet"
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{time.monotonic_ns() // 1_000_000 % 1000:03d}"
        return f"saved {save_png(frame, self._snapshots / f'mirror-{stamp}.png')}"

    def close(self) -> None:
        """Finish the film and write the sheet; says where they are. Ways out are closed first."""
        for relay in self._relays:
            relay.close()
        if self._recorder is not None:
            self._recorder.close()
            if self._recorder.failure or self._recorder.written:
                tell_on_stderr(self._recorder.failure or f"film: {self._recorder.path}")
        if self._sampler is not None and self._sheet is not None and self._sampler.frames:
            write_contact_sheet(self._sampler.frames, self._sheet, SHEET_TITLE)
            tell_on_stderr(f"contact sheet: {self._sheet}")
