"""Engines that take minutes to build are built while another back-end plays.

The fastest back-end compiles and proves every engine of the pack on a thread of its own (the work itself is done in a
child process), which leaves them in its cache; the chain then takes it up between two frames.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from engines.runtime.backends import Backend
from installation.errors import EngineError

Report = Callable[[str, int, int], None]
"""(phase, steps done, steps in all)"""

log = logging.getLogger(__name__)


@runtime_checkable
class SlowBackend(Backend, Protocol):
    """A back-end that builds for minutes what it has not in its cache; `compile` may be used from a second thread.

    Attributes:
        report: Called from inside `compile` with the progress of a build; what it raises ends the build.
    """

    report: Report

    def builds(self, pack: Path, part: str, batch: int) -> bool:
        """Whether `compile` would have to build."""


class BuildAhead(threading.Thread):
    """Builds engines, one after the other.

    Args:
        backend: Builds them.
        pack: The pack's folder.
        work: (part, batch) of each engine.
        announce: Told in a sentence when the next engine begins.

    Attributes:
        state: How far it is, as a few words for a person.
        failure: Why it ended before all were built; empty if it did not.
    """

    def __init__(
        self, backend: SlowBackend, pack: Path, work: Sequence[tuple[str, int]], announce: Callable[[str], None]
    ) -> None:
        super().__init__(name="build-ahead", daemon=True)
        self.backend = backend
        self.state = ""
        self.failure = ""
        self._pack = pack
        self._work = work
        self._announce = announce
        self._ending = threading.Event()

    def run(self) -> None:
        """Body of the thread."""
        self.backend.report, told = self._follow, self.backend.report
        try:
            for number, (part, batch) in enumerate(self._work, 1):
                self._engine = f"{part} (batch {batch}), engine {number} of {len(self._work)}"
                self.state = f"building {self._engine}"
                if self._ending.is_set():
                    self.failure = "it was stopped"
                    return
                self._announce(f"{self.backend.name}: {self.state}")
                self.backend.compile(self._pack, part, batch).close()
        except EngineError as error:
            self.failure = str(error)
        except Exception as error:
            log.exception("building ahead failed")
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self.backend.report = told
            self.state = ""

    def stop(self, patience_s: float = 5.0) -> None:
        """Give the build up; waits until its child process is gone, as long as `patience_s`."""
        self._ending.set()
        self.join(patience_s)

    def _follow(self, phase: str, done: int, total: int) -> None:
        if self._ending.is_set():
            raise EngineError("it was stopped")
        if total > 0:
            self.state = f"building {self._engine}: {phase.lower()} {100 * done // total} %"
