"""Drain a source into a newest-frame slot, and keep trying.

A thread of its own opens the source, reads it as fast as it delivers and publishes the newest
picture; nobody downstream can make it late. When the source fails it is closed and opened again after
a growing delay. Liveness is the age of the newest picture and nothing else: drivers have returned
success for cameras that were unplugged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from installation.core.types import Frame
from installation.devices.config import CameraConfig
from installation.devices.source import Source, SourceInfo, SourceState
from installation.errors import DeviceError, MirrorError
from installation.runtime.slots import Slot

_HEALTHY_S = 10.0  # a source that lived so long starts its delays afresh
_RATE_WEIGHT = 0.1  # of the newest interval in the measured rate


def retry_delay(attempt: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait before opening again: doubling from `first_s`, at most `longest_s`. Attempts count from 0."""
    return min(first_s * 2.0 ** min(attempt, 30), longest_s)


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """How the source does: state, a sentence for the operator, age of the newest picture (inf before the first)."""

    state: SourceState
    message: str
    age_s: float
    captured: int
    fps: float


class FrameReader:
    """Own a source's thread. `start`, then `wait_newer` from one consumer, then `stop`.

    Args:
        source: Opened, read and closed on the reader's thread only.
        config: Stall and retry times.
        lossless: Hand over every picture, waiting for the consumer: for files played as fast as possible.
        now: Monotonic clock.
        wait: Wait for the stop event at most so many seconds; true if it is set. Tests hand in a virtual one.
    """

    def __init__(
        self,
        source: Source,
        config: CameraConfig,
        *,
        lossless: bool = False,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self.source = source
        self.info: SourceInfo | None = None
        self._config = config
        self._lossless = lossless
        self._now = now
        self._wait = wait
        self._slot: Slot[Frame] = Slot()
        self._taken = threading.Semaphore(0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frame-reader", daemon=True)
        self._failure: BaseException | None = None
        self._state = SourceState.OPENING
        self._message = f"opening {source.name}"
        self._captured = 0
        self._newest_at = -float("inf")
        self._published_at = 0.0
        self._interval = 0.0
        self._sequence = 0

    def start(self) -> None:
        """Begin opening the source."""
        self._thread.start()

    def wait_newer(self, timeout_s: float) -> Frame | None:
        """Return the newest picture if it has not been returned before; wait at most `timeout_s` for it.

        Raises:
            ConfigError: The source can never work; the cause of the reader's end.
            BaseException: Whatever else ended the reader's thread: a bug is not swallowed there.
        """
        sequence, frame = self._slot.wait_newer(self._sequence, timeout_s)
        if sequence > self._sequence:
            self._sequence = sequence
            if self._lossless:
                self._taken.release()
            return frame
        if self._failure is not None:
            raise self._failure
        return None

    def status(self) -> ReaderStatus:
        """Tell how the source does now."""
        age = self._now() - self._newest_at
        state, message = self._state, self._message
        if state is SourceState.LIVE and age > self._config.stall_after_s:
            state, message = SourceState.STALLED, f"{self.source.name} has sent no picture for {age:.0f} s"
        fps = 1.0 / self._interval if self._interval > 0 and state is SourceState.LIVE else 0.0
        return ReaderStatus(state, message, age, self._captured, fps)

    @property
    def stuck_s(self) -> float:
        """How long the thread has been inside one call to a live source; 0 while opening or waiting to retry."""
        return self._now() - self._newest_at if self._state is SourceState.LIVE else 0.0

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the thread; false if it still hangs in a driver after `timeout_s` (it is a daemon)."""
        self._stop.set()
        self._taken.release()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            opened_at = self._now()
            try:
                self.info = self.source.open()
                self._drain()
                self.source.close()
                if self._stop.is_set():
                    return
                raise DeviceError(f"{self.source.name} has come to its end")
            except MirrorError as error:
                self.source.close()
                if not error.transient:
                    self._fail(error)
                    return
                if self._newest_at - opened_at > _HEALTHY_S:
                    attempt = 0
                delay = retry_delay(attempt, self._config.retry_first_s, self._config.retry_max_s)
                attempt += 1
                self._message = str(error)
                self._state = SourceState.STALLED
                if self._wait(self._stop, delay):
                    return
            except BaseException as error:  # kept and raised again in `wait_newer`
                self.source.close()
                self._fail(error)
                return

    def _drain(self) -> None:
        assert self.info is not None
        while not self._stop.is_set():
            shot = self.source.read()
            if shot is None:
                return
            if self._state is not SourceState.LIVE:
                self._published_at = 0.0
                self._message = self.info.note
            # Seconds between pictures, as a running mean; a first or resumed picture has no interval.
            if self._published_at:
                step = max(shot.captured_at - self._published_at, 1e-4)
                self._interval += _RATE_WEIGHT * (step - self._interval) if self._interval else step
            self._published_at = shot.captured_at
            self._newest_at = self._now()
            self._captured += 1
            self._state = SourceState.LIVE
            self._slot.publish(Frame(shot.pixels, self._captured, shot.captured_at))
            if self._lossless:
                self._taken.acquire()

    def _fail(self, error: BaseException) -> None:
        self._message = str(error)
        self._failure = error
        self._state = SourceState.FAILED
