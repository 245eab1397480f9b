"""Does it grow? Resident memory, open files and threads of each process over time, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

WARM_UP_S = 120.0
_MAX_SAMPLES = 4000
_MIN_SAMPLES = 10
_COMES_AND_GOES = 1  # the eye has 16 to 18 threads: libraries keep pools
_TELLING_S = 240.0
"""A slope over less than this is noise, and not printed."""


class GrowthWatch:
    """Collects samples of all processes; a process that was restarted goes on under its name."""

    def __init__(self, warm_up_s: float = WARM_UP_S) -> None:
        self._warm_up_s = warm_up_s
        self._began: float | None = None
        self._samples: dict[str, list[tuple[float, float, int, int]]] = {}
        self._totals: list[tuple[float, float]] = []

    def sample(self, now: float, resources: Mapping[str, tuple[float, int, int]]) -> None:
        """Take one sample: name -> (resident MB, files, threads)."""
        self._began = now if self._began is None else self._began
        for name, (rss, files, threads) in resources.items():
            _add(self._samples.setdefault(name, []), (now - self._began, rss, files, threads))
        _add(self._totals, (now - self._began, sum(rss for rss, _, _ in resources.values())))

    def total_slope_mb_per_h(self) -> float:
        """Growth of all processes together after warm-up."""
        return slope_per_hour([(at, mb) for at, mb in self._totals if at >= self._warm_up_s] or self._totals)

    def creeping(self) -> list[str]:
        """Whose open files or threads have become more since the warm-up: first against last quarter, by medians."""
        found = []
        for name, samples in self._samples.items():
            settled = [s for s in samples if s[0] >= self._warm_up_s]
            quarter = len(settled) // 4
            if quarter < _MIN_SAMPLES:
                continue
            for column, what in ((2, "files"), (3, "threads")):
                early, late = (np.median([s[column] for s in part]) for part in (settled[:quarter], settled[-quarter:]))
                if late - early > _COMES_AND_GOES:
                    found.append(f"{name}: {early:g} > {late:g} {what}")
        return found

    def figures(self) -> dict[str, Any]:
        """First and last values and the slope, by process."""
        found = {}
        for name, samples in self._samples.items():
            settled = [s for s in samples if s[0] >= self._warm_up_s] or samples
            first, last = settled[0], settled[-1]
            found[name] = {
                "rss_mb": [round(first[1], 1), round(last[1], 1)],
                "slope_mb_per_h": round(slope_per_hour([(s[0], s[1]) for s in settled]), 2),
                "files": [first[2], last[2]],
                "threads": [first[3], last[3]],
                "seconds": round(last[0] - first[0]),
            }
        return found

    def table(self) -> str:
        """The figures for a person."""
        lines = [f"{'process':<12}{'RSS MB':>18}{'MB/h':>9}{'files':>12}{'threads':>12}"]
        for name, f in self.figures().items():
            rss, files, threads = (f"{f[key][0]:g} > {f[key][1]:g}" for key in ("rss_mb", "files", "threads"))
            slope = f"{f['slope_mb_per_h']:+.1f}" if f["seconds"] >= _TELLING_S else "-"
            lines.append(f"{name:<12}{rss:>18}{slope:>9}{files:>12}{threads:>12}")
        return "\n".join(lines)


def slope_per_hour(samples: list[tuple[float, float]]) -> float:
    """Median of the slopes between the first and the second half: single jumps do not count for much (Theil-Sen).

    Args:
        samples: (seconds, value), in order.
    """
    if len(samples) < _MIN_SAMPLES:
        return 0.0
    data = np.array(samples)
    half = len(data) // 2
    early, late = data[:half], data[len(data) - half :]
    return float(np.median((late[:, 1] - early[:, 1]) / (late[:, 0] - early[:, 0]))) * 3600.0


def _add(samples: list[Any], sample: Any) -> None:
    samples.append(sample)
    if len(samples) > _MAX_SAMPLES:
        del samples[1::2]
