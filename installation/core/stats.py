"""Figures of a run: percentiles without keeping every sample, and rates. Pure and of fixed size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BUCKETS_PER_OCTAVE = 32  # about 2 % resolution
_LOWEST_MS = 0.01
_OCTAVES = 24  # 0.01 ms to 167 s


class Histogram:
    """Milliseconds in logarithmic buckets: a week of samples takes no more room than a second's.

    Percentiles are right to about 2 %; `worst` and `mean` are exact.
    """

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_BUCKETS_PER_OCTAVE * _OCTAVES, np.int64)
        self.count = 0
        self.worst = 0.0
        self._sum = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one sample; negative ones count as zero."""
        value = max(milliseconds, 0.0)
        octave = np.log2(max(value, _LOWEST_MS) / _LOWEST_MS)
        self._counts[min(int(octave * _BUCKETS_PER_OCTAVE), self._counts.size - 1)] += 1
        self.count += 1
        self.worst = max(self.worst, value)
        self._sum += value

    @property
    def mean(self) -> float:
        """Mean in milliseconds, 0 without samples."""
        return self._sum / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """Milliseconds below which `percent` of the samples lie, 0 without samples."""
        if not self.count:
            return 0.0
        rank = percent / 100.0 * self.count
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        upper = _LOWEST_MS * 2.0 ** ((min(bucket, self._counts.size - 1) + 1) / _BUCKETS_PER_OCTAVE)
        return float(min(upper, self.worst))

    def summary(self) -> dict[str, float]:
        """p50, p95 and worst, rounded to a hundredth."""
        return {
            "p50": round(self.percentile(50), 2),
            "p95": round(self.percentile(95), 2),
            "worst": round(self.worst, 2),
        }
