"""Pictures that a visitor asked for: countdown on screen, cancel at any time, deletion after a while.

The file's name carries when it was made and when it must be gone, so that a power cut loses nothing of the
promise: `sweep` at the next start deletes what is due. A clock that was set back deletes early, never late.
"""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SAVED_S = 3.0
_CLOCK_SLACK_S = 120.0


@dataclass(frozen=True, slots=True)
class KeepsakeTask:
    """What the show process must know: whether at all, where, how slowly, how long."""

    enabled: bool
    folder: Path
    countdown_s: float
    keep_s: float


class Keepsakes:
    """One picture at a time. Lives with the steward."""

    def __init__(self, task: KeepsakeTask, *, wall: Callable[[], float] = time.time) -> None:
        self._task = task
        self._wall = wall
        self._due: float | None = None
        self._said_until = float("-inf")
        self._now = 0.0
        self.state = "off" if not task.enabled else "ready"
        """For the docent: off, ready, counting, saved or failed."""
        self.words = ""
        """For the visitor; empty when there is nothing to say."""

    def ask(self, now: float, wanted: bool) -> None:
        """Begin the countdown, or cancel it."""
        if not wanted:
            self.cancel()
        elif self._task.enabled and self._due is None:
            self._due = now + self._task.countdown_s

    def cancel(self) -> None:
        """Nothing is saved."""
        self._due = None
        self.words = ""
        if self._task.enabled:
            self.state = "ready"

    def step(self, now: float, *, present: bool) -> bool:
        """Advance; true at the frame to be saved. A visitor who leaves has cancelled."""
        self._now = now
        if self._due is None:
            if now >= self._said_until and self.state in ("saved", "failed"):
                self.cancel()
            return False
        if not present:
            self.cancel()
            return False
        left = self._due - now
        self.state, self.words = "counting", f"A picture is taken in {max(1, math.ceil(left))}\nStep aside to cancel"
        if left > 0.0:
            return False
        self._due = None
        return True

    def save(self, rgb: NDArray[np.uint8]) -> None:
        """Write the picture, marked as synthetic."""
        from installation.display.pictures import save_png
        from installation.errors import DisplayError

        made = int(self._wall())
        name = f"keepsake-{made}-{made + int(self._task.keep_s)}-{secrets.token_hex(4)}.png"
        try:
            save_png(rgb, self._task.folder / name)
        except (OSError, DisplayError):
            self.state, self.words = "failed", "The picture could not be saved"
        else:
            self.state, self.words = "saved", "Saved"
        self._said_until = self._now + _SAVED_S


def sweep(folder: Path, now: float) -> tuple[int, list[Path]]:
    """Delete every picture whose time has come.

    Args:
        folder: Where keepsakes lie; may not exist.
        now: Seconds since 1970.

    Returns:
        (how many were deleted and are verified to be gone, those that could not be deleted).
    """
    deleted, stuck = 0, []
    for path in sorted(folder.glob("keepsake-*.png*")) if folder.is_dir() else []:
        if not _due(path, now):
            continue
        try:
            path.unlink(missing_ok=True)
        except OSError:
            stuck.append(path)
            continue
        if os.path.lexists(path):
            stuck.append(path)
        else:
            deleted += 1
    if deleted:
        _flush(folder)
    return deleted, stuck


def _due(path: Path, now: float) -> bool:
    """Whether a picture must go; one whose name tells no times, or that comes from the future, must."""
    parts = path.name.split("-")
    if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()) or path.suffix != ".png":
        return True
    made, until = int(parts[1]), int(parts[2])
    return now >= until or now < made - _CLOCK_SLACK_S


def _flush(folder: Path) -> None:
    """Make the deletion outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
