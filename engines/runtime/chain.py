"""A chain of back-ends: when one fails, the next one takes over, and says so.

It fails when it cannot compile, when its engine does not give the golden vectors, when the device is lost in mid-show
or its memory is full, and when numbers come out that are none. The show keeps its picture for as long as the next
back-end needs to compile, which a cache makes short. It never steps up again: a device that failed once is not trusted
until the show is started anew.

A back-end that has to build for minutes is not waited for: the next one plays meanwhile (`engines.runtime.ahead`).
It is the engine that asks for another one when a run fails (`engines.runtime.guarded_engine`).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engines.runtime.ahead import BuildAhead, SlowBackend
from engines.runtime.backends import Backend, Engine
from engines.runtime.golden import check_golden
from engines.runtime.guarded_engine import GuardedEngine
from installation.errors import EngineError

log = logging.getLogger(__name__)


class Chain:
    """The back-ends of one pack, the fastest first. Used from one thread, like the engines it makes.

    Args:
        pack: The pack's folder.
        backends: Usable back-ends; the second is asked for when the first has failed.
        announce: Told in a sentence whenever something long begins or a back-end fails.
        work: (part, batch) of every engine that a slow back-end builds ahead while the next one plays; if there is
            none, it is waited for.

    Attributes:
        current: The back-end that runs the pack now.
        notes: What failed so far, a sentence each.

    Raises:
        EngineError: If there is no back-end at all.
    """

    def __init__(
        self,
        pack: Path,
        backends: Iterator[Backend],
        announce: Callable[[str], None],
        work: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.pack = pack
        self.notes: list[str] = []
        self._announce = announce
        self._backends = backends
        self._work = work
        self._ahead: BuildAhead | None = None
        self._built: Backend | None = None
        self._engines: list[GuardedEngine] = []
        first = next(backends, None)
        if first is None:
            raise EngineError("no back-end can run here; install OpenVINO: pip install openvino")
        self.current = first

    def engine(self, part: str, batch: int) -> GuardedEngine:
        """Compile and check a part of the pack on the first back-end that can.

        Raises:
            EngineError: If the pack has no such part, or no back-end can run it.
        """
        if not (self.pack / f"{part}.onnx").is_file():
            raise EngineError(f"{self.pack} has no {part}.onnx; build the pack again: mirror models import")
        engine = GuardedEngine(self, part, batch)
        self._engines.append(engine)
        return engine

    def prepare(self, part: str, batch: int) -> tuple[Engine, Backend]:
        """Compile and check on the current back-end, or the next one that can; for `GuardedEngine`."""
        while True:
            self._build_ahead(part, batch)
            backend = self.current
            self._announce(f"preparing {part} (batch {batch}) on {backend.name}")
            try:
                engine = backend.compile(self.pack, part, batch)
                try:
                    check_golden(engine, self.pack, part)
                except EngineError:
                    engine.close()
                    raise
                return engine, backend
            except EngineError as error:
                if not self.step_down(backend, f"cannot prepare the {part} (batch {batch}): {error}"):
                    raise

    def step_down(self, backend: Backend, reason: str) -> bool:
        """Give up a back-end and take the next; True if there is one, or if it was given up already."""
        if backend is not self.current:
            return True
        following = next(self._backends, None)
        if following is None:
            return False
        note = f"{backend.name} {reason}; going on with {following.name}"
        log.warning("%s", note)
        self.notes.append(note)
        self._announce(note)
        self.current = following
        for engine in self._engines:
            engine.release()
        return True

    @property
    def preparing(self) -> str:
        """What is being built while another back-end plays, in a few words; empty if nothing is."""
        return "" if self._ahead is None else self._ahead.state

    def take_up(self) -> None:
        """Take up the back-end whose engines have been built meanwhile. Called before each run."""
        ahead = self._ahead
        if ahead is None or ahead.is_alive():
            return
        self._ahead = None
        if ahead.failure:
            note = f"{ahead.backend.name} could not build its engines: {ahead.failure}; {self.current.name} goes on"
            self.notes.append(note)
        else:
            note = f"{ahead.backend.name} has built its engines and takes over from {self.current.name}"
            self._backends = itertools.chain((self.current,), self._backends)
            self.current = self._built = ahead.backend
            for engine in self._engines:
                engine.release()
        log.warning("%s", note)
        self._announce(note)

    def close(self) -> None:
        """Release every engine; a build that is under way is given up."""
        if self._ahead is not None:
            self._ahead.stop()
        for engine in self._engines:
            engine.release()
        self._engines.clear()

    def _build_ahead(self, part: str, batch: int) -> None:
        """If the current back-end would have to build for minutes, let the next one play meanwhile."""
        backend = self.current
        if not self._work or not isinstance(backend, SlowBackend) or not backend.builds(self.pack, part, batch):
            return
        if backend is self._built:
            self.step_down(backend, f"could not keep the engine of its {part} (batch {batch})")
            return
        stand_in = next(self._backends, None) if self._ahead is None else None
        if stand_in is None:
            return
        note = f"{backend.name} builds its engines, which may take minutes; {stand_in.name} plays meanwhile"
        log.warning("%s", note)
        self._announce(note)
        self._ahead = BuildAhead(backend, self.pack, self._work, self._announce)
        self._ahead.start()
        self.current = stand_in
