"""A chain of back-ends: when one fails, the next one takes over, and says so.

It fails when it cannot compile, when its engine does not give the golden vectors, when the device is lost in mid-show
or its memory is full, and when numbers come out that are none. The show keeps its picture for as long as the next
back-end needs to compile, which a cache makes short. It never steps up again: a device that failed once is not trusted
until the show is started anew.

A back-end that has to build for minutes is not waited for: the next one plays meanwhile (`engines.runtime.ahead`).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.runtime.ahead import BuildAhead, SlowBackend
from engines.runtime.backends import (
    Arrays,
    Backend,
    ByteEngine,
    Engine,
    KeepingEngine,
    QueuedEngine,
    ResidentEngine,
    TensorSpec,
    check_tensors,
)
from engines.runtime.golden import check_golden
from installation.errors import EngineError

SAMPLES = 1024
"""How many numbers of each output are looked at after a run; 1024 cost some 5 microseconds. A value that is no number
spreads through the convolutions, so a sample finds it at once or a frame later: the sample moves."""

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


class GuardedEngine:
    """An engine that outlives its back-end: checked before use, watched while running, replaced when it fails."""

    def __init__(self, chain: Chain, part: str, batch: int) -> None:
        self._chain = chain
        self._part = part
        self._batch = batch
        self._turn = 0
        self._told = False
        self._under_way: tuple[QueuedEngine | None, Arrays, Arrays] | None = None
        engine, self._backend = chain.prepare(part, batch)
        self._hold(engine)
        self.precision = engine.precision
        self.inputs: Mapping[str, TensorSpec] = engine.inputs
        self.outputs: Mapping[str, TensorSpec] = engine.outputs

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run once; on a failure, once more on the next back-end.

        Raises:
            EngineError: If a tensor is missing or misshapen, the last back-end failed, or a run is under way.
        """
        self._check_idle()
        self._chain.take_up()
        while True:
            engine = self._engine or self._compile_again()
            try:
                engine.run(inputs, outputs)
            except EngineError as error:
                reason = f"failed at the {self._part}: {error}"
                if self._misused(inputs, outputs) or not self._chain.step_down(self._backend, reason):
                    raise
                continue
            if self._plausible(outputs) or not self._replaces(inputs):
                return

    def start(self, inputs: Arrays, outputs: Arrays) -> None:
        """Begin a run that `wait` finishes; an engine that cannot compute by itself does all of it there.

        The arrays must be left alone until then. Faults are told by `wait`, save one: that a run is under way.
        """
        self._check_idle()
        self._chain.take_up()
        engine = self._engine if isinstance(self._engine, QueuedEngine) else None
        if engine is not None:
            try:
                engine.start(inputs, outputs)
            except EngineError as error:
                log.info("the %s on %s: %s", self._part, self._backend.name, error)
                engine = None
        self._under_way = engine, inputs, outputs

    def wait(self) -> None:
        """Finish the run that was begun. A fault is left to `run`, which comes upon it again.

        Raises:
            EngineError: As `run`, or if there is no run to wait for.
        """
        if self._under_way is None:
            raise EngineError(f"no run of the {self._part} was started")
        (engine, inputs, outputs), self._under_way = self._under_way, None
        if engine is not None and engine is self._engine:  # a released one has finished, but nobody vouches for it
            try:
                engine.wait()
                if self._plausible(outputs):
                    return
            except EngineError as error:
                log.info("the %s on %s: %s", self._part, self._backend.name, error)
        self.run(inputs, outputs)

    @property
    def resident(self) -> bool:
        """Whether the output can be taken up on the GPU, as far as is known now."""
        return self._resident is not None

    def launch(self, inputs: Arrays) -> tuple[int, int] | None:
        """Start a run whose output stays on the GPU, see `ResidentEngine.launch`; None if `run` is needed.

        A fault is left to `run`, which comes upon it again.
        """
        self._check_idle()
        self._chain.take_up()
        if self._resident is None:
            return None
        try:
            return self._resident.launch(inputs)
        except EngineError as error:
            log.info("the %s on %s: %s", self._part, self._backend.name, error)
            return None

    def run_bytes(self, crop: NDArray[np.uint8], outputs: Arrays) -> bool:
        """Run on a picture of bytes, see `ByteEngine.run_bytes`; False if `run` is needed.

        A fault is left to `run`, which comes upon it again.
        """
        self._check_idle()
        self._chain.take_up()
        if self._of_bytes is None:
            return False
        try:
            self._of_bytes.run_bytes(crop, outputs)
        except EngineError as error:
            log.info("the %s on %s: %s", self._part, self._backend.name, error)
            return False
        return self._plausible(outputs)

    def forget(self) -> None:
        """Write over the copies that the engine keeps of what passed through it; a lost device has none left."""
        if isinstance(self._engine, KeepingEngine):
            try:
                self._engine.forget()
            except EngineError as error:
                log.warning("the %s on %s could not be wiped: %s", self._part, self._backend.name, error)

    def release(self) -> None:
        """Free the device memory; the next run compiles again, on the back-end that is current then."""
        engine = self._engine
        self._hold(None)
        if engine is None:
            return
        try:
            engine.close()
        except EngineError as error:  # a lost device cannot even free its memory
            log.warning("the %s on %s could not be closed: %s", self._part, self._backend.name, error)

    close = release

    def _check_idle(self) -> None:
        if self._under_way is not None:
            raise EngineError(f"a run of the {self._part} is under way; wait for it first")

    def _compile_again(self) -> Engine:
        engine, self._backend = self._chain.prepare(self._part, self._batch)
        if dict(engine.inputs) != dict(self.inputs) or dict(engine.outputs) != dict(self.outputs):
            engine.close()
            raise EngineError(
                f"{self._backend.name} gives the {self._part} other inputs or outputs; import the pack again"
            )
        self._hold(engine)
        self.precision = engine.precision
        return engine

    def _hold(self, engine: Engine | None) -> None:
        """Have this engine from now on. What it can do is asked once: asking a protocol takes longer than a launch."""
        self._engine = engine
        self._resident = engine if isinstance(engine, ResidentEngine) else None
        self._of_bytes = engine if isinstance(engine, ByteEngine) else None

    def _plausible(self, outputs: Arrays) -> bool:
        """Look at a moving sample of the outputs."""
        self._turn += 1
        for name in self.outputs:
            flat: NDArray[np.float32] = outputs[name].reshape(-1)
            step = max(flat.size // SAMPLES, 1)
            if not np.isfinite(flat[self._turn % step :: step]).all():
                return False
        return True

    def _replaces(self, inputs: Arrays) -> bool:
        """Step down because of outputs that are no numbers. False if the inputs were none, or nobody is left."""
        if not all(np.isfinite(array).all() for array in inputs.values()):
            return False
        reason = f"gave values that are no numbers at the {self._part}"
        if self._chain.step_down(self._backend, reason):
            return True
        if not self._told:
            self._told = True
            log.warning("%s %s; there is no other back-end", self._backend.name, reason)
        return False

    def _misused(self, inputs: Arrays, outputs: Arrays) -> bool:
        """Whether the fault is the caller's, so that no back-end is given up for it."""
        try:
            check_tensors(self.inputs, inputs)
            check_tensors(self.outputs, outputs)
        except EngineError:
            return True
        return False
