"""What stays the same of somebody settles over their visit; what moves stays live.

The bones of a face and its colours do not change while its owner stands there, but every estimate of them does a
little, with each turn of the head. Their mean over the visit is the better estimate, and a stiller one. A new face
begins anew.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MEMORY_S = 8.0
"""The mean is over the whole visit so far, and later over about so many seconds: light changes, a hat comes off."""

FADE_S = 1.0


class Settling:
    """The running mean of a visitor's lasting features, by time.

    A sample stands for the time since the one before, so that the mean does not depend on how often somebody looks.
    """

    def __init__(self, size: int) -> None:
        self._mean = np.zeros(size, np.float32)
        self._began = self._at = -math.inf

    @property
    def empty(self) -> bool:
        """Whether nothing is known yet."""
        return not math.isfinite(self._began)

    @property
    def mean(self) -> NDArray[np.float32]:
        """(size,) float32; owned by this object."""
        return self._mean

    def step(self, sample: NDArray[np.float32], at: float) -> None:
        """Take one estimate of monotonic second `at`; broken ones are left out."""
        if not np.isfinite(sample).all():
            return
        if self.empty:
            self._mean[:] = sample
            self._began = self._at = at
            return
        step_s = max(at - self._at, 0.0)
        self._at = max(at, self._at)
        known_s = min(self._at - self._began, MEMORY_S)
        # The first sample stands for as long as the second: known_s is then 2 * step_s.
        self._mean += np.float32(min(step_s / max(known_s + step_s, 1e-6), 1.0)) * (sample - self._mean)

    def presence(self, now: float) -> float:
        """How far the settled likeness has faded in: 0..1, smooth at both ends."""
        if self.empty:
            return 0.0
        part = min(max((now - self._began) / FADE_S, 0.0), 1.0)
        return part * part * (3.0 - 2.0 * part)

    def forget(self) -> None:
        """Wipe all."""
        self._mean[:] = 0.0
        self._began = self._at = -math.inf
