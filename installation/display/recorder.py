"""What looks at finished frames: the film and the contact sheet.

Both take frames from the renderer's asynchronous read-back, so the show does not wait for them.
"""

from __future__ import annotations

from pathlib import Path

from installation.display.config import RecordConfig
from installation.display.film import FilmWriter
from installation.display.pictures import FrameSampler, write_contact_sheet
from installation.display.renderer import Renderer
from installation.errors import DisplayError


class Recorder:
    """Films the canvas into an mp4. `take` after each drawn frame, `close` at the end."""

    def __init__(self, path: Path | str, renderer: Renderer, config: RecordConfig) -> None:
        """Reserve the file; the film begins with the first frame, which tells its size.

        Raises:
            DisplayError: If the file cannot be written.
        """
        self.path = Path(path)
        self._renderer = renderer
        self._config = config
        self._film: FilmWriter | None = None
        self._due_at: float | None = None
        self._read_at: float | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"")
        except OSError as error:
            raise DisplayError(
                f"cannot record to {self.path} ({error.strerror}); choose another file with --record"
            ) from error

    @property
    def failure(self) -> str | None:
        """Why the film ended early, or None."""
        return self._film.failure if self._film is not None else None

    @property
    def written(self) -> int:
        """Frames in the film so far."""
        return self._film.written if self._film is not None else 0

    @property
    def dropped(self) -> int:
        """Frames that came faster than they could be encoded."""
        return self._film.dropped if self._film is not None else 0

    def take(self, now: float) -> None:
        """Look at the frame that was just drawn, if the film is due for one."""
        period = 1.0 / self._config.fps
        self._due_at = now if self._due_at is None else self._due_at
        if now < self._due_at - 0.25 * period:
            return
        self._due_at = max(self._due_at, now - period) + period
        pixels, at, self._read_at = self._renderer.read(), self._read_at, now
        if pixels is None:
            return
        if self._film is None:
            size = self._renderer.size
            self._film = FilmWriter(
                self.path, size, self._config.fps, quality=self._config.quality, preset=self._config.preset
            )
        self._film.submit(pixels, now if at is None else at)

    def close(self) -> None:
        """Finish the file."""
        if self._film is not None:
            self._film.close()


class ContactSheet:
    """Keeps a few frames spread over the whole run and writes them as one PNG at the end."""

    EVERY_S = 0.1

    def __init__(self, path: Path | str, renderer: Renderer) -> None:
        self.path = Path(path)
        self._renderer = renderer
        self._sampler = FrameSampler()
        self._began: float | None = None
        self._due_at = 0.0

    def take(self, now: float) -> None:
        """Look at the frame that was just drawn, ten times a second."""
        if self._began is None:
            self._began = self._due_at = now
        if now < self._due_at:
            return
        self._due_at = now + self.EVERY_S
        pixels = self._renderer.read()
        if pixels is not None:
            self._sampler.offer(pixels, now - self._began)

    def close(self) -> None:
        """Write the sheet, if there was a frame."""
        if self._sampler.frames:
            write_contact_sheet(self._sampler.frames, self.path)
