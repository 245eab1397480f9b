"""Pacing: when the next tick is due. Pure; the caller sleeps.

Deadlines accumulate, so that the mean rate is exact. A tick that comes late is dropped, not chased:
after a stall the beat goes on from now. (The habit of openpilot's Ratekeeper, with the opposite rule for lag.)
"""

from __future__ import annotations


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
