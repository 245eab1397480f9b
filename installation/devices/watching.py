"""Files that are read again when they change: mappings, cues and data feeds. One thread polls them all.

Polling, not notifications: it works on every file system, and a file of a few kilobytes twice a second is nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from installation.errors import MirrorError
from installation.runtime.worker import Worker

EVERY_S = 0.5
MAX_BYTES = 4 << 20

log = logging.getLogger(__name__)


class WatchedFile:
    """One file, with what was seen of it last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def read_if_changed(self) -> str | None:
        """The text, if the file has changed since the last call; None if not, or if there is none.

        A file that is too large, or not UTF-8, is not read; that is said in the log once for each change.
        """
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        if stamp[1] > MAX_BYTES:
            log.warning("%s has %d bytes, more than %d; not read", self.path.name, stamp[1], MAX_BYTES)
            return None
        try:
            return self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            log.warning("%s cannot be read: %s", self.path.name, error)
            return None

    def write(self, text: str) -> None:
        """Replace the file in one step, and do not take our own change for another's.

        Raises:
            OSError: If the folder cannot be written.
        """
        draft = self.path.with_name(f".{self.path.name}.new")
        draft.write_text(text, "utf-8")
        os.replace(draft, self.path)
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


class Watcher:
    """Calls each task every half second, in one thread. A task that fails is told once and goes on."""

    def __init__(self, tasks: Sequence[Callable[[], None]], *, every_s: float = EVERY_S) -> None:
        self._tasks = tuple(tasks)
        self._every_s = every_s
        self._told: dict[int, str] = {}
        self._worker = Worker("files", self._run)

    def start(self) -> None:
        """Begin to watch."""
        self._worker.start()

    def stop(self) -> None:
        """End the thread, after a last round so that nothing stored is lost; waits at most two seconds."""
        self._worker.stop()

    def round(self) -> None:
        """Call every task once."""
        for number, task in enumerate(self._tasks):
            try:
                task()
                self._told.pop(number, None)
            except (MirrorError, OSError) as error:
                if self._told.get(number) != str(error):
                    log.warning("%s", error)
                    self._told[number] = str(error)

    def _run(self) -> None:
        while not self._worker.ending.wait(self._every_s):
            self.round()
        self.round()
