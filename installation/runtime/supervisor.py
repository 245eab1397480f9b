"""The supervisor: starts processes, watches their progress, restarts what dies or stalls.

The decision is a pure function of time (`Watch`); the loop around it only starts, asks and kills.
It imports nothing heavy, so that it stays small and cannot be taken down by a driver.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from installation.runtime.board import Heartbeat, StopFlag

TICK_S = 0.1
STOP_GRACE_S = 3.0
KILL_GRACE_S = 1.0


class Act(Enum):
    """What to do with a process now."""

    NOTHING = "nothing"
    START = "start"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a process counts as stalled, and how soon it comes back.

    Attributes:
        first_beat_s: Seconds a new process may take to its first progress.
        silence_s: Seconds without progress, after the first, that count as a stall.
        backoff_s: Seconds before the first restart; doubles with each that follows quickly.
        backoff_max_s: The longest wait.
        healthy_s: Seconds of life after which the back-off starts from the beginning.
    """

    first_beat_s: float = 20.0
    silence_s: float = 5.0
    backoff_s: float = 0.5
    backoff_max_s: float = 8.0
    healthy_s: float = 10.0


class Watch:
    """Decides about one process. Pure: fed with `now` and what can be seen of it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.restarts = 0
        self._started_at: float | None = None
        self._due = float("-inf")
        self._wait_s = policy.backoff_s

    def decide(self, now: float, alive: bool, last_beat: float | None) -> Act:
        """Answer START when a process is missing and due, KILL when it is stalled."""
        if not alive:
            if self._started_at is not None:  # it was running and is gone
                if now - self._started_at >= self.policy.healthy_s:
                    self._wait_s = self.policy.backoff_s
                self._due = now + self._wait_s
                self._wait_s = min(self._wait_s * 2.0, self.policy.backoff_max_s)
                self._started_at = None
                self.restarts += 1
            return Act.START if now >= self._due else Act.NOTHING
        assert self._started_at is not None
        limit = self.policy.first_beat_s if last_beat is None else self.policy.silence_s
        since = self._started_at if last_beat is None else last_beat
        return Act.KILL if now - since > limit else Act.NOTHING

    def started(self, now: float) -> None:
        """Tell that the process was started at `now`."""
        self._started_at = now


@dataclass
class Child:
    """One process under supervision.

    Attributes:
        name: For messages and the report.
        target: Top-level function that is its body.
        args: What it gets; must survive pickling to a spawned process.
        heartbeat: Where it tells its progress.
        policy: How it is watched; None: never restarted, its end is the end of the show.
        keywords: Further arguments, by name.
    """

    name: str
    target: Callable[..., None]
    args: Sequence[Any]
    heartbeat: Heartbeat
    policy: Policy | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    process: BaseProcess | None = field(default=None, init=False)
    watch: Watch | None = field(default=None, init=False)


class Supervisor:
    """Runs children until one without a policy ends, somebody stops it, or a signal comes.

    The first Ctrl-C or SIGTERM asks for an orderly end, the second leaves at once.
    """

    def __init__(
        self, context: SpawnContext, children: Sequence[Child], stop: StopFlag, tell: Callable[[str], None]
    ) -> None:
        self._context = context
        self._children = children
        self._stop = stop
        self._tell = tell
        self.errors: list[str] = []

    @property
    def restarts(self) -> dict[str, int]:
        """How often each restartable process came back."""
        return {c.name: c.watch.restarts for c in self._children if c.watch is not None}

    @property
    def pids(self) -> list[int]:
        """Process numbers of the children that run."""
        return [
            c.process.pid for c in self._children if c.process is not None and c.process.pid and c.process.is_alive()
        ]

    def run(self, each_tick: Callable[[float], None] = lambda now: None) -> int:
        """Supervise; returns the exit code of the child that ended the show, 0 after an orderly stop."""
        with stop_signals(self._on_signal):
            try:
                return self._loop(each_tick)
            finally:
                self._stop.set()
                self._end_all()

    def _loop(self, each_tick: Callable[[float], None]) -> int:
        for child in self._children:
            if child.policy is not None:
                child.watch = Watch(child.policy)
            else:
                self._start(child)
        while not self._stop.is_set():
            now = time.monotonic()
            for child in self._children:
                if child.watch is None:
                    assert child.process is not None
                    if not child.process.is_alive():
                        return _exit_code(child.process)
                else:
                    self._tend(child, child.watch, now)
            each_tick(now)
            time.sleep(TICK_S)
        return 0

    def _tend(self, child: Child, watch: Watch, now: float) -> None:
        alive = child.process is not None and child.process.is_alive()
        before = watch.restarts
        act = watch.decide(now, alive, child.heartbeat.last)
        if watch.restarts > before:
            assert child.process is not None
            self._note(f"{child.name} ended with code {_exit_code(child.process)}; starting it again")
        if act is Act.START:
            self._start(child)
            watch.started(now)
        elif act is Act.KILL and child.process is not None:
            self._note(f"{child.name} made no progress; killing it")
            child.process.kill()
            child.process.join(KILL_GRACE_S)

    def _start(self, child: Child) -> None:
        child.heartbeat.reset()
        child.process = self._context.Process(
            target=child.target, args=tuple(child.args), kwargs=dict(child.keywords), name=f"mirror-{child.name}"
        )
        child.process.start()

    def _note(self, text: str) -> None:
        if len(self.errors) < 100:
            self.errors.append(text)
        self._tell(text)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            for child in self._children:
                if child.process is not None:
                    child.process.kill()
        self._stop.set()

    def _end_all(self) -> None:
        """Bounded: ask, wait, terminate, kill."""
        running = [c.process for c in self._children if c.process is not None]
        deadline = time.monotonic() + STOP_GRACE_S
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in running:
            if process.is_alive():
                process.terminate()
        for process in running:
            process.join(KILL_GRACE_S)
            if process.is_alive():
                process.kill()
                process.join(KILL_GRACE_S)


def _exit_code(process: BaseProcess) -> int:
    return process.exitcode if process.exitcode is not None else 1


@contextlib.contextmanager
def stop_signals(handle: Callable[[], None]) -> Any:
    """Turn SIGINT and SIGTERM into a call of `handle` while the block runs."""
    before = {s: signal.signal(s, lambda *_: handle()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def tell_on_stderr(text: str) -> None:
    """Print one line for the operator. Where standard error is a file on a full disk, the line is lost."""
    with contextlib.suppress(OSError):
        print(f"mirror: {text}", file=sys.stderr, flush=True)
