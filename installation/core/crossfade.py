"""How far the newest picture has come: networks deliver some pictures a second, the screen wants many more.

Each picture fades in over one interval between pictures, as measured so far. So on a screen of `h` Hz, with `r`
pictures a second, no displayed frame moves by more than about r / h of the way from one picture to the next.
"""

from __future__ import annotations

AT_ONCE_BELOW = 1.25
"""Pictures that come nearly as fast as frames, by this ratio of their intervals, are shown at once: nothing to fill."""

LONGEST_S = 1.0
"""A gap longer than this says nothing about the rate: somebody left, or the networks began anew."""

_WEIGHT = 0.2


class Crossfade:
    """Owned by the loop that draws; `now` is any monotonic clock in seconds."""

    def __init__(self) -> None:
        self._arrived_at: float | None = None
        self._interval_s = 0.0

    def arrive(self, now: float) -> None:
        """Note that a picture has arrived; the first gap is taken as it is, later ones move the estimate."""
        if self._arrived_at is not None:
            gap = min(now - self._arrived_at, LONGEST_S)
            weight = _WEIGHT if self._interval_s else 1.0
            self._interval_s += weight * (gap - self._interval_s)
        self._arrived_at = now

    def blend(self, now: float, period_s: float) -> float:
        """Return 0..1, how far the newest picture has replaced what was shown when it arrived.

        Args:
            now: When the frame is drawn. The frame in which a picture arrives already shows its first step.
            period_s: Between two frames.
        """
        if self._arrived_at is None or self._interval_s <= AT_ONCE_BELOW * period_s:
            return 1.0
        return min(1.0, max(0.0, (now - self._arrived_at + period_s) / self._interval_s))
