"""Resident memory of the show's processes, sampled through the run."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable

import psutil

SAMPLE_EVERY_S = 1.0
_M_MMAP_THRESHOLD = -3  # <malloc.h>
_LARGE_BYTES = 256 * 1024
_MB = 1024.0 * 1024.0


class MemoryWatch:
    """Adds up resident memory over processes, once a second.

    Shared pages are counted in each process that holds them, so the sum is an upper bound. It keeps four numbers: a
    list of samples would be a growth of its own.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._began = 0.0
        self._last: float | None = None
        self._start = self._peak = self._end = 0.0

    def sample(self, now: float, pids: Iterable[int]) -> None:
        """Take a sample when one is due."""
        if self._last is not None and now - self._last < SAMPLE_EVERY_S:
            return
        if self._last is None:
            self._began = now
        first_settled = self._last is None or self._last - self._began < self._settle_s <= now - self._began
        self._last = now
        self._end = sum(map(resident_mb, pids))
        self._peak = max(self._peak, self._end)
        if first_settled:
            self._start = self._end

    def summary(self) -> dict[str, float]:
        """start (after `settle_s`, or the first sample), peak, end, and growth from start to end, in MB."""
        return {
            "start": round(self._start, 1),
            "peak": round(self._peak, 1),
            "end": round(self._end, 1),
            "growth": round(self._end - self._start, 1),
        }


def resident_mb(pid: int) -> float:
    """Resident memory of one process in MB; 0 when it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MB
    except psutil.Error:
        return 0.0


def return_large_blocks() -> None:
    """Give every large block back to the system as soon as it is free (mallopt(3)).

    glibc stops to do so after the first, and keeps as many pictures as ever lived at once: a picture of 0.9 MB more at
    every hitch, for ever. Fresh pages for each picture cost less than can be measured.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
