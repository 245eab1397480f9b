"""A task, what became of it, and the protocol of whoever runs tasks (`installation.runtime.workers` opens them)."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from installation.errors import MirrorError
from installation.runtime.lazy import call

ATTEMPTS = 3
"""How often a task may lose its worker before it is given up."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do.

    Attributes:
        name: For people; names need not differ.
        function: "package.module:function", imported where it runs.
        arguments: For the function; pickled.
    """

    name: str
    function: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task.

    Attributes:
        name: Of the task.
        value: What the function returned; None where it failed.
        error: Why it failed, a sentence; "" where it did not.
        kind: Name of the error's class; "" where there is none.
        traceback: Of a failure that no person can mend, a bug; else "".
        attempts: How often it was begun.
    """

    name: str
    value: Any = None
    error: str = ""
    kind: str = ""
    traceback: str = ""
    attempts: int = 1


class Workers(Protocol):
    """Runs tasks. Use as a context manager."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """Run tasks and yield each as it is finished."""

    def close(self) -> None:
        """End the workers at once; what is unfinished is lost."""

    def __enter__(self) -> Workers: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def perform(task: Task, attempts: int = 1) -> Done:
    """Run one task in this process; whatever it raises becomes its answer."""
    try:
        return Done(task.name, call(task.function, *task.arguments), attempts=attempts)
    except MirrorError as error:
        return Done(task.name, error=" ".join(str(error).split()), kind=type(error).__name__, attempts=attempts)
    except Exception as error:  # told with its traceback: one task's bug does not stop the others
        kind = type(error).__name__
        sentence = f"{kind}: {' '.join(str(error).split())[:200]}"
        return Done(task.name, error=sentence, kind=kind, traceback=traceback.format_exc(), attempts=attempts)


def lost(task: Task, attempts: int) -> Done:
    """The answer of a task that lost its worker once too often."""
    return Done(task.name, error=f"its worker was lost {attempts} times, so it was given up", attempts=attempts)
