"""The breath: a slow walk of noise, so that a held face never stands quite still.

Value noise (Perlin, "Improving Noise", SIGGRAPH 2002, for the interpolant): random numbers at whole
periods, joined by the quintic curve. It is a closed form of time, so it needs no state and no tick
length, and the same seed walks the same way.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

PERIOD_S = 4.0
"""Between two random points; a resting person breathes about this slowly."""

_KNOTS = 1024  # the walk repeats after this many periods, more than an hour


class Breath:
    """`count` independent walks, each about -1..1 and 0 on average.

    Args:
        count: How many numbers walk.
        seed: Of the walk.
        period_s: Time between two random points.
    """

    def __init__(self, count: int, *, seed: int = 0, period_s: float = PERIOD_S) -> None:
        rng = np.random.default_rng(seed)
        self._knots = rng.uniform(-1.0, 1.0, (_KNOTS, count)).astype(np.float32)
        self._knots -= self._knots.mean(axis=0, keepdims=True)
        # each walk starts at its own part of a period: together they never rest at once
        self._phase = [index / max(count, 1) for index in range(count)]
        self._period_s = period_s

    def walk(self, now: float, out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fill `out` (count,) with the walk at `now` seconds; allocates nothing."""
        for index, phase in enumerate(self._phase):
            position = now / self._period_s + phase
            knot = math.floor(position)
            x = position - knot
            way = x * x * x * (x * (6.0 * x - 15.0) + 10.0)
            first = self._knots[knot % _KNOTS, index]
            out[index] = first + (self._knots[(knot + 1) % _KNOTS, index] - first) * way
        return out
