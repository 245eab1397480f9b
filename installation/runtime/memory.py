"""Resident memory of the show's processes, sampled through the run."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

SAMPLE_EVERY_S = 1.0
_MAX_SAMPLES = 4096
_MB = 1024.0 * 1024.0


class MemoryWatch:
    """Adds up resident memory over processes, once a second.

    Shared pages are counted in each process that holds them, so the sum is an upper bound.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._began: float | None = None
        self._last = float("-inf")
        self.samples: list[tuple[float, float]] = []
        """(seconds since the first sample, MB); every second one is dropped when there are too many."""

    def sample(self, now: float, pids: Iterable[int]) -> None:
        """Take a sample when one is due."""
        if now - self._last < SAMPLE_EVERY_S:
            return
        self._last = now
        self._began = now if self._began is None else self._began
        self.samples.append((now - self._began, sum(map(resident_mb, pids))))
        if len(self.samples) > _MAX_SAMPLES:
            del self.samples[1::2]

    def summary(self) -> dict[str, float]:
        """start (after `settle_s`, or the first sample), peak, end, and growth from start to end, in MB."""
        if not self.samples:
            return {"start": 0.0, "peak": 0.0, "end": 0.0, "growth": 0.0}
        settled = next((mb for at, mb in self.samples if at >= self._settle_s), self.samples[0][1])
        end = self.samples[-1][1]
        peak = max(mb for _, mb in self.samples)
        return {
            "start": round(settled, 1),
            "peak": round(peak, 1),
            "end": round(end, 1),
            "growth": round(end - settled, 1),
        }


def resident_mb(pid: int) -> float:
    """Resident memory of one process in MB; 0 when it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MB
    except psutil.Error:
        return 0.0
