"""Many tasks at once: on the cores of this machine, or on a Ray cluster. The caller cannot tell which.

A task is a name, a function named by a string, and arguments that can be pickled. The function does its work, keeps
what it made on disk itself, and returns something small. It may keep what is dear to load (a model) in its process
with `functools.cache`. Results come as they are finished; they are the same wherever a task ran.

    with open_workers(cluster=options.cluster, count=options.workers) as workers:
        for done in workers.run(Task(p.name, "package.module:function", (p, job)) for p in paths):
            print(done.name, done.error or "done")

A task that raises is an answer like any other: `Done.error` says why in a sentence. A worker that is lost (killed, out
of memory, its machine switched off) is replaced and its task tried again, at most `ATTEMPTS` times.

Leaving the `with` block, also by Ctrl-C, ends the workers at once; so does the caller's death.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from installation.runtime.tasks import ATTEMPTS, Done, Task, Workers, lost, perform


def open_workers(*, cluster: str | None = None, count: int | None = None) -> Workers:
    """Choose where tasks run.

    Args:
        cluster: Address of a Ray cluster ("ray://host:10001", "host:6379", "auto"), "local" for one of its own on
            this machine, or None for plain processes.
        count: Workers on this machine; the cores it may use if None. One runs in this very process. A cluster that
            exists already has its own count.

    Raises:
        MissingExtra: If a cluster is asked for and Ray is not installed.
        DeviceError: If the cluster does not answer.
    """
    count = cores() if count is None else count
    if cluster is not None:
        from installation.runtime.ray_workers import RayWorkers

        return RayWorkers(cluster, count)
    return Here() if count <= 1 else LocalPool(count)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Closing:
    """Leaving the block closes."""

    def close(self) -> None:
        """End the workers at once."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Here(_Closing):
    """One task after the other, in this process."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """Run tasks and yield each as it is finished."""
        yield from map(perform, tasks)


class LocalPool(_Closing):
    """Processes on this machine, started fresh: no thread or GL context of ours is copied into them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._context = get_context("spawn")
        self._pool: ProcessPoolExecutor | None = None
        self._lifeline: Connection | None = None

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """Run tasks and yield each as it is finished.

        A broken pool does not tell whose task broke it. So all that were running are suspects, and each is run again
        alone: whoever loses a worker then has lost it itself.
        """
        fresh = iter(tasks)
        suspects: deque[tuple[Task, int]] = deque()
        running: dict[Future[Done], tuple[Task, int]] = {}
        while True:
            if suspects and not running:
                task, attempts = suspects.popleft()
                running[self._submit(task, attempts)] = (task, attempts)
            elif not suspects:
                for task in itertools.islice(fresh, self._count - len(running)):
                    running[self._submit(task, 1)] = (task, 1)
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            alone = len(running) == 1
            for future in finished:
                task, attempts = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    self.close()
                    if alone and attempts >= ATTEMPTS:
                        yield lost(task, attempts)
                    else:
                        suspects.append((task, attempts + 1))

    def close(self) -> None:
        """End the workers at once."""
        if self._lifeline is not None:
            self._lifeline.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._lifeline = None

    def _submit(self, task: Task, attempts: int) -> Future[Done]:
        for _ in range(ATTEMPTS):
            if self._pool is None:
                lifeline, self._lifeline = self._context.Pipe(duplex=False)
                self._pool = ProcessPoolExecutor(self._count, self._context, _begin, (lifeline,))
            try:
                return self._pool.submit(perform, task, attempts)
            except BrokenProcessPool:  # a worker was lost while nothing was asked of it
                self.close()
        return _answered(lost(task, attempts))


def _answered(done: Done) -> Future[Done]:
    future: Future[Done] = Future()
    future.set_result(done)
    return future


def _begin(lifeline: Connection) -> None:
    """First thing in a worker: leave Ctrl-C to the caller, and end when the caller lets go of the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def hold() -> None:
        try:
            lifeline.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=hold, name="lifeline", daemon=True).start()
