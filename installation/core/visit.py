"""The visit: one visitor's stay, as a pure state machine.

    nobody -> approach -> reflect -> morph -> reveal -> (reflect with the next target | farewell) -> nobody

Fed once a tick with the time and whether a face is followed; answers what should be seen. A face lost
for less than `hold_s` is not lost: everything goes on. Longer, and the reflection dissolves into the
attract walk. All levels are continuous, whatever happens when, so that nothing ever jumps on screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in a visit we are."""

    NOBODY = "nobody"
    APPROACH = "approach"
    REFLECT = "reflect"
    MORPH = "morph"
    REVEAL = "reveal"
    FAREWELL = "farewell"


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """How long each stage lasts, in seconds."""

    approach_s: float = 0.8
    reflect_s: float = 6.0
    morph_s: float = 8.0
    reveal_s: float = 6.0
    return_s: float = 3.0
    farewell_s: float = 2.5
    hold_s: float = 1.5


@dataclass(frozen=True, slots=True)
class VisitState:
    """What should be seen now.

    Attributes:
        stage: The stage after this step.
        presence: 0 the attract walk alone, 1 the visitor alone.
        amount: 0 the reflection, 1 the target, eased.
        target: Which target, counted through visits; take it modulo the number of targets.
        entered: The stages that began in this step, in order; empty most of the time.
        visits: How many visits have begun.
    """

    stage: Stage
    presence: float
    amount: float
    target: int
    entered: tuple[Stage, ...]
    visits: int


class Visit:
    """The state machine. Owned by one thread; `now` is any monotonic clock in seconds."""

    def __init__(self, times: VisitTimes) -> None:
        self.times = times
        self._stage = Stage.NOBODY
        self._stage_for = 0.0
        self._now: float | None = None
        self._last_seen = float("-inf")
        self._presence = 0.0
        self._raw_amount = 0.0
        self._target = 0
        self._visits = 0

    def step(self, now: float, face_followed: bool) -> VisitState:
        """Advance to `now`. Time that goes backwards counts as no time."""
        dt = 0.0 if self._now is None else max(0.0, now - self._now)
        self._now = now if self._now is None else max(now, self._now)
        if face_followed:
            self._last_seen = self._now
        here = self._now - self._last_seen < self.times.hold_s
        entered: list[Stage] = []
        self._stage_for += dt
        self._turn(here, face_followed, entered)
        self._move(dt)
        return VisitState(
            self._stage, self._presence, _ease(self._raw_amount), self._target, tuple(entered), self._visits
        )

    def next_target(self) -> None:
        """Move on to the next target by hand; the morph begins again from the reflection."""
        self._target += 1
        if self._stage in (Stage.MORPH, Stage.REVEAL):
            self._stage, self._stage_for = Stage.REFLECT, 0.0

    def _turn(self, here: bool, face_followed: bool, entered: list[Stage]) -> None:
        """Follow at most one arrow out of each stage; several can pass in one long step."""
        times = self.times
        if not here and self._stage not in (Stage.NOBODY, Stage.FAREWELL):
            self._enter(Stage.FAREWELL, entered)
        if self._stage is Stage.FAREWELL:
            if face_followed:
                self._arrive(entered)
            elif self._presence <= 0.0:
                self._raw_amount = 0.0
                self._target += 1
                self._enter(Stage.NOBODY, entered)
        elif self._stage is Stage.NOBODY and face_followed:
            self._arrive(entered)
        elif self._stage is Stage.APPROACH and self._presence >= 1.0:
            self._enter(Stage.REFLECT, entered)
        elif self._stage is Stage.REFLECT and self._stage_for >= times.reflect_s and self._raw_amount <= 0.0:
            self._enter(Stage.MORPH, entered)
        elif self._stage is Stage.MORPH and self._raw_amount >= 1.0:
            self._enter(Stage.REVEAL, entered)
        elif self._stage is Stage.REVEAL and self._stage_for >= times.reveal_s:
            self._enter(Stage.REFLECT, entered)

    def _arrive(self, entered: list[Stage]) -> None:
        self._visits += 1
        self._enter(Stage.APPROACH, entered)

    def _enter(self, stage: Stage, entered: list[Stage]) -> None:
        self._stage = stage
        self._stage_for = 0.0
        entered.append(stage)

    def _move(self, dt: float) -> None:
        times = self.times
        if self._stage in (Stage.FAREWELL, Stage.NOBODY):
            self._presence = max(0.0, self._presence - dt / times.farewell_s)
            return  # the morph stays as it is while it dissolves
        self._presence = min(1.0, self._presence + dt / times.approach_s)
        if self._stage is Stage.MORPH:
            self._raw_amount = min(1.0, self._raw_amount + dt / times.morph_s)
        elif self._stage in (Stage.APPROACH, Stage.REFLECT) and self._raw_amount > 0.0:
            self._raw_amount = max(0.0, self._raw_amount - dt / times.return_s)
            if self._raw_amount == 0.0:
                self._target += 1  # the next word only when the last one has left the face


def _ease(x: float) -> float:
    """Smoothstep: starts and ends at rest."""
    return x * x * (3.0 - 2.0 * x)
