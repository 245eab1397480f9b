"""Tasks for the tests of the workers; imported by the workers, so not a test file."""

import os
import signal
import time
from pathlib import Path

from installation.errors import EngineError


def square(number: int) -> int:
    return number * number


def refuse(words: str) -> None:
    raise EngineError(words)


def stumble() -> None:
    raise ZeroDivisionError("one is not\nzero")


def die_once(mark: str) -> str:
    """Kill the own process the first time, leave a mark, and be well the second time."""
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "well"


def die_always() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sit(mark: str) -> None:
    """Tell our number and stay until somebody ends us."""
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)
