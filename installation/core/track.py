"""One face over time: where it will be, where to look for it, and how unlike it a reading is.

Coordinates are frame pixels, times are seconds, sizes are face widths as `face_place` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from installation.core.face_shape import Landmarks, face_place, face_shape, landmark_square, shape_difference

_SHAPE_UNIT = 0.03
"""Shape difference worth one face width of misplacement. Measured on 7 faces: 0.012 to 0.022 in one
person (median), 0.02 to 0.045 between two."""

_SIZE_UNIT = 0.3  # of log size, worth one face width
_HOLD = 0.04  # of a square's side: the square stays while the face moves less within it
_VELOCITY_HALF_LIFE_S = 0.15
_COAST_HALF_LIFE_S = 1.0  # a hidden face's velocity fades: people stop, but not at once
_SHAPE_HALF_LIFE_S = 2.0


@dataclass(slots=True)
class Track:
    """One face over time."""

    track_id: int
    born_at: float
    seen_at: float = -float("inf")
    landmarks: Landmarks = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    centre: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    size: float = 1.0
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    shape: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    square: NDArray[np.float64] = field(default_factory=lambda: np.zeros((4, 2)))
    lessons: int = 0
    visible: bool = True
    proven: bool = True

    def predict(self, now: float) -> NDArray[np.float64]:
        """Where its centre should be: constant velocity, fading."""
        ahead = max(now - self.seen_at, 0.0)
        rate = np.log(2.0) / _COAST_HALF_LIFE_S
        return np.asarray(self.centre + self.velocity * ((1.0 - np.exp(-rate * ahead)) / rate))

    def aim(self, now: float) -> NDArray[np.float64]:
        """The square to read now. It stays put under a still face.

        The landmark network answers a shifted square with shifted landmarks; following every tremor of
        them feeds it back. Holding still takes 40 % off the jitter (measured on three clips).
        """
        square = landmark_square(self.landmarks) + (self.predict(now) - self.centre)
        side = float(np.hypot(*(square[3] - square[0])))
        if np.abs(square - self.square).max() > _HOLD * side:
            self.square = square
        return self.square

    def cost(self, landmarks: Landmarks, now: float) -> float:
        """How unlike this track a face is: misplacement in face widths, plus size and shape in the same coin."""
        centre, size = face_place(landmarks)
        misplaced = float(np.hypot(*(centre - self.predict(now)))) / max(self.size, size)
        resized = abs(float(np.log(size / self.size))) / _SIZE_UNIT
        reshaped = shape_difference(self.shape, face_shape(landmarks)) / _SHAPE_UNIT
        # Within one person the shape wanders by half a unit; only what exceeds it speaks.
        return misplaced + resized + 0.5 * max(reshaped - 0.5, 0.0)

    def take(self, landmarks: Landmarks, now: float, *, learn: bool = True) -> None:
        """Accept a reading as this face.

        In a crowd (`learn` false) neither its shape nor its velocity is believed: a half-covered face slides
        toward the one that covers it.
        """
        centre, size = face_place(landmarks)
        if not self.lessons:
            self.shape, self.lessons = face_shape(landmarks), 1
        elif learn:
            step_s = max(now - self.seen_at, 1e-3)
            self.lessons += 1
            # A plain mean at first, so that one bad first reading does not stand for the person.
            weight = max(1.0 - 0.5 ** (step_s / _SHAPE_HALF_LIFE_S), 1.0 / self.lessons)
            self.shape = self.shape + weight * (face_shape(landmarks) - self.shape)
            if self.visible:
                weight = 1.0 - 0.5 ** (step_s / _VELOCITY_HALF_LIFE_S)
                self.velocity = self.velocity + weight * ((centre - self.centre) / step_s - self.velocity)
        self.landmarks, self.centre, self.size = landmarks, centre, size
        self.seen_at, self.visible = now, True
