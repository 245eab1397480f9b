"""Tasks on a Ray cluster: an existing engine, for audits, targets and portraits that outgrow one machine.

Ray starts workers, carries tasks to them, notices lost ones and tries again. Its usage reports, its dashboard and its
lines in our output are switched off. Every machine of the cluster has the project installed and sees the same files
under the same paths.

Source: Ray, "A Distributed Framework for Emerging AI Applications" (Moritz et al., OSDI 2018).
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from installation.errors import DeviceError, MissingExtra
from installation.runtime.tasks import ATTEMPTS, Done, Task, lost, perform

LOCAL = "local"
AHEAD = 2
"""Tasks handed to Ray for each of its cores: enough that none rests, few enough to forget quickly."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # else its workers starve beside anything else that runs
}


class RayWorkers:
    """Tasks on a cluster. Made and used by one thread; one at a time in a process.

    Args:
        address: Of the cluster, or `LOCAL` for one on this machine that ends with us.
        count: Cores of the local one.

    Raises:
        MissingExtra: If Ray is not installed.
        DeviceError: If the cluster does not answer.
    """

    def __init__(self, address: str, count: int) -> None:
        if find_spec("ray") is None:
            raise MissingExtra("ray", "cluster", "running tasks on a cluster")
        os.environ.update(_QUIET)
        import ray

        self._ray = ray
        common: dict[str, Any] = {
            "logging_level": logging.ERROR,
            "log_to_driver": False,
            "configure_logging": False,
            "include_dashboard": False,
        }
        try:
            if address == LOCAL:
                ray.init(num_cpus=count, **common)
            else:
                common.pop("include_dashboard")
                ray.init(address=address, **common)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise DeviceError(
                f"the Ray cluster at {address!r} does not answer ({error}); start it with `ray start --head`, or leave "
                "--cluster out"
            ) from error
        # A lost worker is Ray's to notice and its task Ray's to run again.
        self._remote = ray.remote(max_retries=ATTEMPTS - 1)(perform)

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """Run tasks and yield each as it is finished."""
        ray = self._ray
        fresh = iter(tasks)
        running: dict[Any, Task] = {}
        while True:
            room = AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1) - len(running)
            for task in itertools.islice(fresh, max(room, 0)):
                running[self._remote.remote(task)] = task
            if not running:
                return
            finished, _ = ray.wait(list(running), num_returns=1)
            for reference in finished:
                task = running.pop(reference)
                try:
                    yield ray.get(reference)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
                    yield lost(task, ATTEMPTS)
                except ray.exceptions.RayError as error:
                    yield Done(task.name, error=f"the cluster could not run it: {' '.join(str(error).split())[:200]}")

    def close(self) -> None:
        """Leave the cluster; a local one ends, another drops our tasks."""
        self._ray.shutdown()

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
