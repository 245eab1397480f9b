"""Pacing: when the next tick is due. Pure; the caller sleeps.

Deadlines accumulate, so that the mean rate is exact. A tick that comes late is dropped, not chased:
after a stall the beat goes on from now. (The habit of openpilot's Ratekeeper, with the opposite rule for lag.)
"""

from __future__ import annotations

_EARLY_PART = 0.5
_EARLY_SWAPS = 10
_LOOK_AGAIN_SWAPS = 600


class Pacer:
    """Gives the waiting time before each tick.

    Attributes:
        late: How many deadlines were missed altogether.
    """

    def __init__(self, rate_hz: float) -> None:
        if rate_hz <= 0:
            raise ValueError(f"rate {rate_hz} Hz must be above 0")
        self.period_s = 1.0 / rate_hz
        self.late = 0
        self._due: float | None = None

    def wait_s(self, now: float) -> float:
        """Return seconds to sleep before the next tick, 0 when it is due or overdue."""
        if self._due is None:
            self._due = now
        elif now >= self._due + self.period_s:
            missed = int((now - self._due) / self.period_s)
            self.late += missed
            self._due = now
        wait = self._due - now
        self._due += self.period_s
        return max(0.0, wait)


class RefreshWatch:
    """Notices a screen that does not wait for its refresh, and gives the waiting time in its place.

    A driver that knows no refresh (virtual screens, some remote ones) returns from each swap at once, whatever was
    asked of it, and the show would draw as fast as it can. One early swap after a late one is normal; ten in a row
    are not. After some hundred swaps it looks again: a window that was covered may wait for the screen once more.
    """

    def __init__(self, rate_hz: float) -> None:
        self._pacer = Pacer(rate_hz)
        self._last: float | None = None
        self._early = 0
        self._paced = 0

    def wait_s(self, now: float) -> float:
        """Return seconds to sleep after a swap at `now`: 0 for as long as the screen itself waits."""
        if self._paced:
            self._paced -= 1
            self._last = None
            return self._pacer.wait_s(now)
        early = self._last is not None and now - self._last < _EARLY_PART * self._pacer.period_s
        self._early = self._early + 1 if early else 0
        self._last = now
        if self._early >= _EARLY_SWAPS:
            self._early, self._paced = 0, _LOOK_AGAIN_SWAPS
        return 0.0
