"""One process in the kiosk's care: started, watched by its progress, ended, brought back after a growing wait.

Nothing here waits: `tend` is called at every tick of the supervisor and does at most one thing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from installation.errors import MirrorError
from installation.kiosk import body
from installation.runtime.board import Heartbeat
from installation.runtime.supervisor import Act, Policy, Watch

ASKED_GRACE_S = 4.0
"""An orderly end may take so long: a film is finished, engines are closed."""

STALLED_GRACE_S = 0.5
"""A process that makes no progress is asked once, and then killed."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started, made anew each time.

    Attributes:
        where: `"package.module:function"`, its body.
        args: What it gets.
        keywords: What it gets by name.
    """

    where: str
    args: Sequence[Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pulse:
    """One kind of progress, and how long it may fail to come: before the first (`counts_from`), and after it."""

    beat: Heartbeat
    first_s: float
    silence_s: float
    name: str = "progress"
    counts_from: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An end that nobody asked for: its exit code (negative: a signal; 1000: never started) and a sentence."""

    code: int
    text: str


NOT_STARTED = 1000


class Ward:
    """One process. Owned by the supervisor's thread.

    Args:
        context: Of multiprocessing.
        name: For messages and figures.
        launch: Called before each start; a `MirrorError` counts as a failure.
        pulses: What is watched.
        backoff: Waits between starts.
        told: What a process that has ended said in a way of its own.
    """

    def __init__(
        self,
        context: SpawnContext,
        name: str,
        launch: Callable[[], Launch],
        pulses: Sequence[Pulse] = (),
        backoff: Policy | None = None,
        told: Callable[[], str] = str,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.last_failure = ""
        """The last failure's cause, in the process' own words where it had any."""
        self._told = told
        self._words = context.RawArray("c", body.WORDS_BYTES)
        self._context = context
        self._launch = launch
        self._pulses = pulses
        self._backoff = backoff or Policy()
        self._watch = Watch(self._backoff)
        self._process: BaseProcess | None = None
        self._started_at = 0.0
        self._ending: tuple[float, float] | None = None
        self._asked = False
        self._stall = ""
        self._forgiven_at = float("-inf")

    @property
    def pid(self) -> int | None:
        """Process number, None while there is none."""
        return self._process.pid if self._process is not None else None

    def tend(self, now: float, wanted: bool) -> Failure | None:
        """Start, end or kill as needed; returns a failure once, when it is seen."""
        if self._process is None:
            return self._start(now) if wanted and self._watch.decide(now, False, None) is Act.START else None
        if not self._process.is_alive():
            return self._bury(now)
        if self._ending is not None:
            since, grace = self._ending
            if now - since > grace:
                self._process.kill()
        elif not wanted:
            self.end(now)
        elif stall := self._stalled(now):
            self._stall = stall
            self._ending = now, STALLED_GRACE_S
            self._process.terminate()
        return None

    def end(self, now: float, grace_s: float = ASKED_GRACE_S) -> None:
        """Ask the process to end; it does not count as a failure. `tend` sees to it that it does."""
        if self._process is not None and self._ending is None:
            self._asked = True
            self._ending = now, grace_s
            self._process.terminate()

    def forgive(self, now: float) -> None:
        """Begin to count silence afresh: the whole machine stood still, and the process is not to blame."""
        self._forgiven_at = now

    def kill(self) -> None:
        """End the process at once and wait for its end, which is soon."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None
            self._watch = Watch(self._backoff)

    def _start(self, now: float) -> Failure | None:
        for pulse in self._pulses:
            pulse.beat.reset()
        self._started_at = now
        self._asked, self._ending, self._stall = False, None, ""
        try:
            launch = self._launch()
        except MirrorError as error:
            self._watch.started(now)
            self._count(now)
            self.last_failure = str(error)
            return Failure(NOT_STARTED, f"{self.name} cannot be started: {error}")
        self._words.value = b""
        arguments = (launch.where, os.getpid(), launch.args, launch.keywords, self._words)
        self._process = self._context.Process(target=body.main, args=arguments, name=f"mirror-{self.name}")
        self._process.start()
        self._watch.started(now)
        return None

    def _bury(self, now: float) -> Failure | None:
        assert self._process is not None
        code = self._process.exitcode if self._process.exitcode is not None else 1
        self._process.close()
        self._process = None
        if self._asked:
            self._watch = Watch(self._backoff)
            self.last_failure = ""
            return None
        self._count(now)
        words = self._words.value.decode("utf-8", "replace") or self._told()
        self.last_failure = self._stall or words or f"it ended with code {code}"
        why = f"{self._stall}; it was ended" if self._stall else f"ended with code {code}"
        return Failure(code, f"{self.name} {why}{f' ({words})' if words else ''}; starting it again")

    def _count(self, now: float) -> None:
        self._watch.decide(now, False, None)  # sets the wait before the next start
        self.restarts += 1

    def _stalled(self, now: float) -> str:
        for pulse in self._pulses:
            last = pulse.beat.last
            begun = last is not None and pulse.beat.progress >= pulse.counts_from
            limit = pulse.silence_s if begun else pulse.first_s
            since = last if begun and last is not None else self._started_at
            if now - max(since, self._forgiven_at) > limit:
                return f"gave no {pulse.name} for {limit:g} s"
        return ""
