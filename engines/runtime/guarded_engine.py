"""An engine that outlives its back-end: checked before use, watched while running, replaced when it fails.

It asks the chain of back-ends (`engines.runtime.chain`) for an engine, and for another one when that fails.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
from installation.errors import EngineError

SAMPLES = 1024
"""How many numbers of each output are looked at after a run; 1024 cost some 5 microseconds. A value that is no number
spreads through the convolutions, so a sample finds it at once or a frame later: the sample moves."""

log = logging.getLogger(__name__)


class Succession(Protocol):
    """Back-ends in the order in which they are trusted."""

    def prepare(self, part: str, batch: int) -> tuple[Engine, Backend]:
        """Compile and check a part on the current back-end, or the next one that can."""

    def step_down(self, backend: Backend, reason: str) -> bool:
        """Give up a back-end and take the next; False if there is none."""

    def take_up(self) -> None:
        """Take up a back-end that became ready meanwhile."""


class GuardedEngine:
    """One part of a pack for one batch size, on whatever back-end is trusted now. Used from one thread."""

    def __init__(self, chain: Succession, part: str, batch: int) -> None:
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
                self._note(error)
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
                self._note(error)
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
            self._note(error)
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
            self._note(error)
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

    def _note(self, error: EngineError) -> None:
        """Say what `run` will come upon again, and then decide about."""
        log.info("the %s on %s: %s", self._part, self._backend.name, error)

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
