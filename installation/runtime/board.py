"""Signs of life between processes: a stop flag and heartbeats in a few shared numbers, without a lock.

A lock would be held for ever by a process that is killed at the wrong moment; single aligned doubles
are written whole, which is all that is needed. Times are `time.monotonic`, which processes share.
"""

from __future__ import annotations

import time
from multiprocessing.context import SpawnContext
from typing import Any


class StopFlag:
    """Set once, by anybody; every loop looks at it. Goes to a spawned process as an argument."""

    def __init__(self, context: SpawnContext) -> None:
        self._cell: Any = context.RawArray("d", 1)

    def set(self) -> None:
        """Ask everybody to stop."""
        self._cell[0] = 1.0

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return bool(self._cell[0])


class Heartbeat:
    """When one process last made progress, and how much so far."""

    def __init__(self, context: SpawnContext) -> None:
        self._cells: Any = context.RawArray("d", 2)

    def beat(self, progress: float) -> None:
        """Owner: tell that work is going on. `progress` counts frames, swaps or inferences."""
        if progress != self._cells[1] or self._cells[0] == 0.0:
            self._cells[1] = progress
            self._cells[0] = time.monotonic()

    def reset(self) -> None:
        """Supervisor: forget the last process before a new one starts."""
        self._cells[0] = self._cells[1] = 0.0

    @property
    def last(self) -> float | None:
        """Monotonic seconds of the last progress; None before the first beat."""
        at = float(self._cells[0])
        return at if at else None

    @property
    def progress(self) -> float:
        """The last count told."""
        return float(self._cells[1])
