"""The neural thread: asks the eye for its newest record and the show for its newest wish, as fast as it may.

It takes what is newest and never waits for anybody: the eye's record comes through a shared slot, the
show's wishes through another, and results go into a third. The controls it reads from the instrument at
the moment it morphs: what a performer plays does not wait for the display's next frame.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable

from engines.runtime import Pack
from installation.core.instrument import Instrument
from installation.errors import MirrorError
from installation.inference import Inference
from installation.runtime.slots import Slot
from installation.wish import Reflection, Wish

_POLL_S = 0.002


class ReflectionThread(threading.Thread):
    """Owns the engines, and closes them. `wish` is written by the show; `reflections` holds the newest result.

    `rate_hz` may be changed at any time. A fault ends the thread; its cause is in `error` (for a person) or in
    `failure` (a traceback: a bug), and the show tells it.

    Args:
        pack: Closed when the thread ends.
        inference: Makes the reflections; used by this thread alone.
        instrument: What is played.
        rate_hz: Most reflections a second.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pack: Pack,
        inference: Inference,
        instrument: Instrument,
        rate_hz: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="reflection", daemon=True)
        self._pack = pack
        self._inference = inference
        self._instrument = instrument
        self.rate_hz = rate_hz
        self._clock = clock
        self._ending = threading.Event()
        self.wish: Slot[Wish] = Slot()
        self.reflections: Slot[Reflection] = Slot()
        self.inferences = 0
        self.error: MirrorError | None = None
        self.failure = ""

    @property
    def preparing(self) -> str:
        """What engines are being built meanwhile, in a few words; empty if none are."""
        return self._pack.preparing

    @property
    def resident(self) -> bool:
        """Whether pictures are made on a GPU and could stay there, if they were wished so."""
        return self._inference.resident

    def stop(self) -> None:
        """Ask the thread to end; it does so after the current inference."""
        self._ending.set()

    def run(self) -> None:
        """Body of the thread."""
        try:
            with self._pack, contextlib.closing(self._inference):
                self._inference.warm_up()
                self._loop()
        except MirrorError as error:
            self.error = error
        except Exception:
            self.failure = traceback.format_exc()

    def _loop(self) -> None:
        due = self._clock()
        while not self._ending.is_set():
            now = self._clock()
            period_s = 1.0 / self.rate_hz
            # A player need not wait at all, and with nothing new half a period of patience saves a whole frame of
            # delay; on average the rate is kept.
            played = self._instrument.changes != self._inference.changes
            patience_s = -period_s if played else 0.0 if self._inference.has_news else period_s / 2
            if now < due + patience_s:
                time.sleep(_POLL_S)
                continue
            due = max(due + period_s, now)
            _, wish = self.wish.peek()
            if wish is None:
                continue
            if wish.idle:
                self._inference.forget(resting=True)
                continue
            self.reflections.publish(self._inference.reflect(wish, self._instrument.tick, now))
            self.inferences += 1
