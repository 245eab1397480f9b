"""The governor: holds the display's deadline by asking less of the networks. Pure; fed with each tick.

It has a ladder of inference rates. When too many displayed frames of a window come late it steps down
at once; after a calm time it tries one step up. A step up that fails makes it wait twice as long before
the next try, so it settles instead of oscillating; a long calm time makes it hopeful again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LADDER_HZ = (30.0, 24.0, 20.0, 15.0, 10.0, 6.0, 3.0)


@dataclass(frozen=True, slots=True)
class GovernorRules:
    """When to step.

    Attributes:
        window_s: How long frames are counted before a decision.
        late_part: Part of the frames of a window that may be late.
        late_by: A frame is late when its interval exceeds the period by this factor.
        calm_s: Calm time before a step up is tried; doubles after each try that failed.
        calm_max_s: The longest wait between tries.
        forget_s: Calm time after which failed tries are forgotten.
    """

    window_s: float = 2.0
    late_part: float = 0.08
    late_by: float = 1.5
    calm_s: float = 8.0
    calm_max_s: float = 240.0
    forget_s: float = 600.0


class Governor:
    """Chooses the inference rate.

    Args:
        period_s: Of the display.
        highest_hz: The rate where everything fits; the ladder goes down from there.
    """

    def __init__(
        self,
        period_s: float,
        highest_hz: float,
        rules: GovernorRules | None = None,
        ladder_hz: Sequence[float] = LADDER_HZ,
    ) -> None:
        self._rules = rules or GovernorRules()
        self._period_s = period_s
        self._ladder = (highest_hz, *(rate for rate in ladder_hz if rate < highest_hz))
        self._step = 0
        self._window_began: float | None = None
        self._last: float | None = None
        self._frames = 0
        self._late = 0
        self._calm_since = 0.0
        self._wait_s = self._rules.calm_s
        self._tried_at: float | None = None

    @property
    def rate_hz(self) -> float:
        """The inference rate that is allowed now."""
        return self._ladder[self._step]

    def tick(self, now: float) -> str:
        """Count one displayed frame; returns a sentence when the rate changed, else nothing."""
        rules = self._rules
        if self._last is None or self._window_began is None:
            self._last = self._window_began = self._calm_since = now
            return ""
        interval, self._last = now - self._last, now
        self._frames += 1
        self._late += interval > rules.late_by * self._period_s
        if now - self._window_began < rules.window_s:
            return ""
        late = self._late / self._frames
        self._window_began, self._frames, self._late = now, 0, 0
        if late > rules.late_part:
            return self._down(now, late)
        return self._up(now)

    def _down(self, now: float, late: float) -> str:
        rules = self._rules
        if self._tried_at is not None and now - self._tried_at < self._wait_s + rules.calm_s:
            self._wait_s = min(2.0 * self._wait_s, rules.calm_max_s)
        self._tried_at = None
        self._calm_since = now
        if self._step + 1 == len(self._ladder):
            return ""
        self._step += 1
        return f"{late:.0%} of the frames came late: inference goes down to {self.rate_hz:g} Hz"

    def _up(self, now: float) -> str:
        rules = self._rules
        calm = now - self._calm_since
        if calm >= rules.forget_s:
            self._wait_s = rules.calm_s
        if self._step == 0 or calm < self._wait_s:
            return ""
        self._step -= 1
        self._tried_at = self._calm_since = now
        return f"the screen keeps its rate: inference goes up to {self.rate_hz:g} Hz"
