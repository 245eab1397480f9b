"""Easing curves and glides: moves that take a stated time, whatever the tick length.

A glide is a closed form of time, never a sum of steps, so a tick of 100 ms and ten of 10 ms give the
same value. Curves: Penner, "Motion, Tweening, and Easing" (2002); smooth is Perlin's quintic (SIGGRAPH 2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

EASINGS: dict[str, Callable[[float], float]] = {
    "linear": lambda x: x,
    "smooth": lambda x: x * x * x * (x * (6.0 * x - 15.0) + 10.0),
    "in": lambda x: x * x,
    "out": lambda x: x * (2.0 - x),
    "sine": lambda x: 0.5 - 0.5 * math.cos(math.pi * x),
    "late": lambda x: (math.exp(5.0 * x) - 1.0) / (math.exp(5.0) - 1.0),
}
"""Name -> curve on 0..1; each is monotonic and has 0 -> 0 and 1 -> 1."""

EASING_NAMES = tuple(EASINGS)


def ease(name: str, progress: float) -> float:
    """Shape `progress` (clamped to 0..1); both ends are exact.

    Raises:
        KeyError: If there is no such curve.
    """
    curve = EASINGS[name]
    if progress <= 0.0:
        return 0.0
    if progress >= 1.0:
        return 1.0
    return min(max(curve(progress), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Glide:
    """A move from `start` to `end` that begins at `began` (monotonic seconds) and takes `seconds`."""

    start: float
    end: float
    began: float
    seconds: float
    easing: str = "linear"

    def value(self, now: float) -> float:
        """Where the move is; exactly `start` before it begins and exactly `end` after it is done."""
        if self.done(now):
            return self.end
        way = ease(self.easing, (now - self.began) / self.seconds)
        return self.start + (self.end - self.start) * way

    def done(self, now: float) -> bool:
        """Whether `end` is reached."""
        return now >= self.began + self.seconds
