"""The governor: holds the display's deadline by asking less of the machine. Pure; fed with each tick.

It has two things to give up: the rate of the networks, then the sharpness of the picture; where drawing itself takes
most of the time, sharpness first. When too many displayed frames of a window come late it gives one step up at once;
after a calm time it tries to take the last one back. A try that fails makes it wait twice as long before the next, so
it settles instead of oscillating; a long calm time makes it hopeful again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

LADDER_HZ = (30.0, 24.0, 20.0, 15.0, 10.0, 6.0, 3.0)

SHARPNESS = (1.0, 0.7, 0.5)
"""Sides of the drawn picture, as parts of the screen's: all pixels, half of them, a quarter."""


class Step(Enum):
    """What can be given up."""

    RATE = "inference"
    SHARPNESS = "sharpness"


@dataclass(frozen=True, slots=True)
class GovernorRules:
    """When to step.

    Attributes:
        window_s: How long frames are counted before a decision.
        late_part: Part of the frames of a window that may be late.
        late_by: A frame is late when its interval exceeds the period by this factor.
        drawing_part: Part of the period that drawing may take before it is what makes frames late.
        calm_s: Calm time before a step up is tried; doubles after each try that failed.
        calm_max_s: The longest wait between tries.
        forget_s: Calm time after which failed tries are forgotten.
    """

    window_s: float = 2.0
    late_part: float = 0.08
    late_by: float = 1.5
    drawing_part: float = 0.6
    calm_s: float = 8.0
    calm_max_s: float = 240.0
    forget_s: float = 600.0


class Governor:
    """Chooses the inference rate and how sharp the picture is drawn.

    Args:
        period_s: Of the display.
        highest_hz: The rate where everything fits; the ladder goes down from there.
        rules: When to step.
        ladder_hz: Rates, falling.
        sharpness: Parts of the screen's sides, falling; one alone is kept.
    """

    def __init__(
        self,
        period_s: float,
        highest_hz: float,
        rules: GovernorRules | None = None,
        ladder_hz: Sequence[float] = LADDER_HZ,
        sharpness: Sequence[float] = SHARPNESS,
    ) -> None:
        self._rules = rules or GovernorRules()
        self._period_s = period_s
        self._levels = {
            Step.RATE: (highest_hz, *(rate for rate in ladder_hz if rate < highest_hz)),
            Step.SHARPNESS: tuple(sharpness),
        }
        self._given_up: list[Step] = []
        self._window_began: float | None = None
        self._last: float | None = None
        self._frames = 0
        self._late = 0
        self._drawing_s = 0.0
        self._calm_since = 0.0
        self._wait_s = self._rules.calm_s
        self._tried_at: float | None = None

    @property
    def rate_hz(self) -> float:
        """The inference rate that is allowed now."""
        return self._level(Step.RATE)

    @property
    def sharpness(self) -> float:
        """Sides of the picture to draw, as parts of the screen's."""
        return self._level(Step.SHARPNESS)

    def tick(self, now: float, drawing_s: float = 0.0) -> str:
        """Count one displayed frame.

        Args:
            now: Of its swap, monotonic seconds.
            drawing_s: How long it was drawn.

        Returns:
            A sentence when something changed, else nothing.
        """
        rules = self._rules
        if self._last is None or self._window_began is None:
            self._last = self._window_began = self._calm_since = now
            return ""
        interval, self._last = now - self._last, now
        self._frames += 1
        self._late += interval > rules.late_by * self._period_s
        self._drawing_s += drawing_s
        if now - self._window_began < rules.window_s:
            return ""
        late, drawing_s = self._late / self._frames, self._drawing_s / self._frames
        self._window_began, self._frames, self._late, self._drawing_s = now, 0, 0, 0.0
        if late > rules.late_part:
            return self._down(now, late, drawing_s)
        return self._up(now)

    def _level(self, step: Step) -> float:
        return self._levels[step][self._given_up.count(step)]

    def _down(self, now: float, late: float, drawing_s: float) -> str:
        rules = self._rules
        if self._tried_at is not None and now - self._tried_at < self._wait_s + rules.calm_s:
            self._wait_s = min(2.0 * self._wait_s, rules.calm_max_s)
        self._tried_at = None
        self._calm_since = now
        draws_long = drawing_s > rules.drawing_part * self._period_s
        for step in (Step.SHARPNESS, Step.RATE) if draws_long else (Step.RATE, Step.SHARPNESS):
            if self._given_up.count(step) + 1 < len(self._levels[step]):
                self._given_up.append(step)
                return f"{late:.0%} of the frames came late: {self._words(step)}"
        return ""

    def _up(self, now: float) -> str:
        rules = self._rules
        calm = now - self._calm_since
        if calm >= rules.forget_s:
            self._wait_s = rules.calm_s
        if not self._given_up or calm < self._wait_s:
            return ""
        step = self._given_up.pop()
        self._tried_at = self._calm_since = now
        return f"the screen keeps its rate: {self._words(step)}"

    def _words(self, step: Step) -> str:
        if step is Step.RATE:
            return f"inference goes to {self.rate_hz:g} Hz"
        return f"the picture is drawn at {self.sharpness:.0%} of the screen's width and height"
