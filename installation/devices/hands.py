"""Hands in the camera picture, by the MediaPipe Hands that lies in the same wheel as the face mesh. Off by default.

One thread owns the network. It takes the newest picture at its own rate and publishes measures; nobody waits for it.
Nothing of a hand is kept: the picture goes in, nine numbers come out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from installation.core.hands import NO_HANDS, HandMeasures, measure_hands
from installation.devices.instrument_config import HandsConfig
from installation.devices.quiet import without_native_noise
from installation.runtime.worker import Worker

STALE_S = 0.5
"""Measures older than this are no hands: the camera may have stopped."""

log = logging.getLogger(__name__)

NewestPicture = Callable[[], tuple[int, NDArray[np.uint8]] | None]
"""Gives (frame_id, (height, width, 3) uint8 RGB) of the newest camera picture, or None."""


class HandFinder:
    """MediaPipe Hands. Owned by one thread."""

    def __init__(self, config: HandsConfig) -> None:
        from mediapipe.python.solutions.hands import Hands

        with without_native_noise():
            self._hands = Hands(
                static_image_mode=False,
                max_num_hands=config.max_hands,
                model_complexity=0,
                min_detection_confidence=config.score,
                min_tracking_confidence=config.score,
            )
            self._hands.process(np.zeros((64, 64, 3), np.uint8))  # the rest of the noise comes with the first picture

    def find(self, picture_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Find hands in (height, width, 3) uint8 RGB: (n, 21, 3) float32, parts of width and height."""
        found = self._hands.process(np.ascontiguousarray(picture_rgb)).multi_hand_landmarks or []
        hands = [[(point.x, point.y, point.z) for point in hand.landmark] for hand in found]
        return np.array(hands, np.float32).reshape(len(hands), 21, 3)

    def close(self) -> None:
        """Give the network back."""
        self._hands.close()


class HandReader:
    """Looks for hands in the newest picture, at most `hz` times a second.

    Args:
        config: Section `[hands]`.
        newest_picture: Where the pictures come from.
        clock: Monotonic seconds.
    """

    def __init__(
        self, config: HandsConfig, newest_picture: NewestPicture, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._newest_picture = newest_picture
        self._clock = clock
        self._newest: tuple[HandMeasures, float] = (NO_HANDS, float("-inf"))
        self._worker = Worker("hands", self._run)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to look, if it is switched on."""
        if self._config.enabled:
            self._worker.start()

    def stop(self) -> None:
        """End the thread; waits at most two seconds."""
        self._worker.stop()

    def measures(self, now: float) -> HandMeasures:
        """The newest measures, or no hands."""
        measures, at = self._newest
        return measures if now - at < STALE_S else NO_HANDS

    def _run(self) -> None:
        try:
            finder = HandFinder(self._config)
            try:
                self._look(finder)
            finally:
                finder.close()
        except Exception as error:
            self.failure = error  # hands are a source among others: the show goes on without them
            log.exception("hands have stopped")

    def _look(self, finder: HandFinder) -> None:
        seen = -1
        while not self._worker.ending.wait(1.0 / self._config.hz):
            newest = self._newest_picture()
            if newest is None or newest[0] == seen:
                continue
            seen, picture = newest
            height, width = picture.shape[:2]
            self._newest = (measure_hands(finder.find(picture), width / height), self._clock())
