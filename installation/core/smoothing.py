"""Smoothing by time: the One Euro filter, and a crop square that it holds still.

What is smoothed is the alignment and never the picture: centre, size and angle of the crop square.
A still face then gives a still crop, and a moving face is followed without a trail.

Every step takes the real time since the last one, so a camera that drops frames smooths alike.

Source: "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems"
(Casiez, Roussel, Vogel, CHI 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MIN_STEP_S = 1e-4  # two frames with one time stamp must not divide by zero


@dataclass(frozen=True, slots=True)
class OneEuroTuning:
    """How a One Euro filter trades stillness against lag.

    Attributes:
        min_cutoff_hz: Cut-off at rest. Lower is stiller and slower.
        beta: Rise of the cut-off in hertz per unit per second of speed. Higher follows motion more closely.
        speed_cutoff_hz: Cut-off of the speed estimate itself.
    """

    min_cutoff_hz: float = 1.0
    beta: float = 1.0
    speed_cutoff_hz: float = 1.0


def low_pass_alpha(cutoff_hz: ArrayLike, step_s: float) -> NDArray[np.float64]:
    """Weight of the new sample in a first-order low-pass: 1 / (1 + tau / step), tau = 1 / (2 pi cutoff)."""
    turns = 2.0 * np.pi * np.asarray(cutoff_hz, np.float64) * step_s
    return np.asarray(turns / (1.0 + turns))


class OneEuro:
    """Smooth an array. Rows move together: the last axis shares one speed, its length.

    A point's x and y so get one cut-off, and the result does not depend on how the axes lie.
    """

    def __init__(self, tuning: OneEuroTuning) -> None:
        self.tuning = tuning
        self._value: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] = np.zeros(0)
        self._at = 0.0

    def reset(self) -> None:
        """Forget the past: the next sample passes unchanged."""
        self._value = None

    def step(self, sample: ArrayLike, at: float) -> NDArray[np.float64]:
        """Take the sample of time `at` (seconds) and return the smoothed value (a new array).

        Raises:
            ValueError: If the shape differs from the samples before.
        """
        new = np.asarray(sample, np.float64)
        if self._value is None:
            self._value, self._speed, self._at = new.copy(), np.zeros_like(new), at
            return new.copy()
        if new.shape != self._value.shape:
            raise ValueError(f"the filter smooths arrays of shape {self._value.shape}; got {new.shape}")
        step_s = max(at - self._at, _MIN_STEP_S)
        self._at = max(at, self._at)
        keep = low_pass_alpha(self.tuning.speed_cutoff_hz, step_s)
        self._speed = self._speed + keep * ((new - self._value) / step_s - self._speed)
        pace = np.sqrt(np.sum(self._speed**2, axis=-1, keepdims=True)) if new.ndim else np.abs(self._speed)
        alpha = low_pass_alpha(self.tuning.min_cutoff_hz + self.tuning.beta * pace, step_s)
        self._value = self._value + alpha * (new - self._value)
        return self._value.copy()


def unwrap_angle(angle: float, near: float) -> float:
    """Add whole turns to `angle` (radians) until it lies within half a turn of `near`."""
    return float(angle + 2.0 * np.pi * np.round((near - angle) / (2.0 * np.pi)))


class QuadSmoother:
    """Hold a crop square still: One Euro on centre, size and angle.

    Speeds are measured in sides of the square, so a near face and a far one are smoothed alike.
    """

    def __init__(self, tuning: OneEuroTuning) -> None:
        self._pose = OneEuro(tuning)
        self._centre = OneEuro(tuning)
        self._angle: float | None = None
        self._origin = np.zeros(2)
        self._scale = 1.0

    def reset(self) -> None:
        """Start anew, as for another face."""
        self._pose.reset()
        self._centre.reset()
        self._angle = None

    def step(self, quad: NDArray[np.floating[Any]], at: float) -> NDArray[np.float64]:
        """Smooth one square.

        Args:
            quad: (4, 2) corners in pixels: top-left, bottom-left, bottom-right, top-right; a square.
            at: Seconds, of the frame the square was found in.

        Returns:
            (4, 2) float64 corners of the smoothed square.
        """
        centre, side, angle = pose_from_quad(quad)
        if self._angle is None:
            self._angle, self._origin, self._scale = angle, centre, side
        angle = self._angle = unwrap_angle(angle, self._angle)
        # Units of the first square's side: the filter's tuning is then free of pixels.
        place = self._centre.step((centre - self._origin) / self._scale, at) * self._scale + self._origin
        # Logarithm of the size, so that approaching and stepping back are one motion; rows of one: own speeds.
        size, turn = self._pose.step([[np.log(side)], [angle]], at)[:, 0]
        return quad_from_pose(place, float(np.exp(size)), float(turn))


def pose_from_quad(quad: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float, float]:
    """Take a square apart: (centre (2,) px, side px, angle in radians, clockwise on the picture)."""
    corners = np.asarray(quad, np.float64)
    if corners.shape != (4, 2):
        raise ValueError(f"a quad is (4, 2); got {corners.shape}")
    right = (corners[3] - corners[0] + corners[2] - corners[1]) * 0.5
    return corners.mean(axis=0), float(np.hypot(*right)), float(np.arctan2(right[1], right[0]))


def quad_from_pose(centre: ArrayLike, side: float, angle: float) -> NDArray[np.float64]:
    """Put a square together: (4, 2) corners top-left, bottom-left, bottom-right, top-right."""
    x = np.array([np.cos(angle), np.sin(angle)]) * (side * 0.5)
    y = np.array([-x[1], x[0]])
    middle = np.asarray(centre, np.float64)
    return np.stack([middle - x - y, middle - x + y, middle + x + y, middle + x - y])
