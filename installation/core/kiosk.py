"""What the kiosk wants to run, decided from the time and what happened. Pure.

    SHOW    the show and the eye run; the curtain is up only while the show draws nothing
    SAFE    the show failed too often: the curtain plays its loop, and the show is tried again after a while
    CLOSED  the doors are closed: the show draws black and rests, the camera is closed

The curtain is a second window that is always ready; it covers the screen whenever the show does not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum


class Mode(StrEnum):
    """What the kiosk does."""

    SHOW = "show"
    SAFE = "safe"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be so now.

    Attributes:
        mode: For the operator.
        show: Whether the show process should run.
        eye: Whether the camera should be open.
        curtain: Whether the curtain should cover the screen.
        black: Whether the screen should be black: the doors are closed.
    """

    mode: Mode
    show: bool
    eye: bool
    curtain: bool
    black: bool


class RestartBudget:
    """Counts failures; spent when there were `limit` within `window_s`."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._failures: deque[float] = deque()

    def fail(self, now: float) -> bool:
        """Count one failure; returns whether the budget is spent."""
        self._failures.append(now)
        while self._failures and now - self._failures[0] > self._window_s:
            self._failures.popleft()
        return len(self._failures) >= self._limit

    def renew(self) -> None:
        """Forget all failures."""
        self._failures.clear()


class KioskPlan:
    """The decisions. Fed with monotonic `now` by one owner.

    Args:
        budget: Failures of the show before safe mode.
        retry_s: Seconds in safe mode before the show is tried again.
        healthy_s: Seconds of drawing after which safe mode is over for good.
    """

    def __init__(self, budget: RestartBudget, *, retry_s: float, healthy_s: float) -> None:
        self._budget = budget
        self._retry_s = retry_s
        self._healthy_s = healthy_s
        self._retry_at: float | None = None
        self._on_trial = False
        self._drawing_since: float | None = None

    @property
    def safe(self) -> bool:
        """Whether the show is given up for now, or only tried again."""
        return self._retry_at is not None or self._on_trial

    def show_failed(self, now: float, *, permanent: bool = False) -> None:
        """The show ended when it should not have.

        Args:
            now: Monotonic seconds.
            permanent: It said that trying again will not help: a wrong config, no pack.
        """
        self._drawing_since = None
        if self._budget.fail(now) or permanent or self._on_trial:
            self._retry_at = now + self._retry_s
            self._on_trial = False
            self._budget.renew()

    def retry_now(self, now: float) -> None:
        """Somebody mended something, or asks for it: try the show at once."""
        if self._retry_at is not None:
            self._retry_at = now

    def step(self, now: float, *, is_open: bool, paused: bool, drawing: bool) -> Wanted:
        """Decide. `drawing`: the show draws pictures now."""
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at, self._on_trial = None, True
        self._watch_health(now, drawing)
        given_up = self._retry_at is not None
        mode = Mode.SAFE if self.safe else Mode.SHOW if is_open else Mode.CLOSED
        return Wanted(
            mode=mode,
            show=not given_up,
            eye=is_open and not paused and not given_up,
            curtain=given_up or not drawing,
            black=not is_open,
        )

    def _watch_health(self, now: float, drawing: bool) -> None:
        if not drawing:
            self._drawing_since = None
        elif self._drawing_since is None:
            self._drawing_since = now
        elif now - self._drawing_since >= self._healthy_s and self._on_trial:
            self._on_trial = False
            self._budget.renew()


class NightlyRestart:
    """Once a day, when nobody is there: everything begins afresh.

    Args:
        at: Time of day from which it may happen; None never.
        started: Local time of the start.
    """

    def __init__(self, at: time | None, started: datetime) -> None:
        self._at = at
        late = at is not None and started.time() >= at
        self._done: date = started.date() if late else started.date() - timedelta(days=1)

    def due(self, local: datetime, *, quiet: bool) -> bool:
        """Whether to restart now; true once a day. `quiet`: closed, or nobody has been there for a while."""
        if self._at is None or not quiet or local.time() < self._at or local.date() <= self._done:
            return False
        self._done = local.date()
        return True


class NoticeGate:
    """Holds every visit back until the notice has been on screen long enough for the one who came. Pure.

    The notice also stands while nobody is there, so that it can be read before the camera sees anybody.

    Args:
        notice_s: Seconds from the first sight of a face to the first reflection; 0 shows no notice.
        fade_s: Seconds in which the notice fades.
    """

    def __init__(self, notice_s: float, fade_s: float = 0.6) -> None:
        self._notice_s = notice_s
        self._fade_s = fade_s
        self._came_at: float | None = None
        self._seen_at = float("-inf")
        self._now: float | None = None
        self.alpha = 0.0

    def step(self, now: float, *, followed: bool, visiting: bool) -> bool:
        """Tell whether the visit may see the face now.

        Args:
            now: Monotonic seconds.
            followed: Whether a face is followed.
            visiting: Whether a visit is under way; it is never interrupted.
        """
        dt = 0.0 if self._now is None else max(0.0, now - self._now)
        self._now = now
        if followed:
            self._seen_at = now
        if visiting:
            self._came_at = None
        elif followed and self._came_at is None:
            self._came_at = now
        elif not followed and now - self._seen_at > 1.0:
            self._came_at = None
        wanted = 0.0 if visiting or self._notice_s <= 0.0 else 1.0
        self.alpha += min(max(wanted - self.alpha, -dt / self._fade_s), dt / self._fade_s)
        if visiting or self._notice_s <= 0.0:
            return followed
        return followed and self._came_at is not None and now - self._came_at >= self._notice_s and self.alpha >= 1.0
