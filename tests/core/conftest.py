"""A head of 478 points for tests of geometry: symmetric, upright, looking into the camera."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

_PARTS = {  # x right, y down, z away, in units of the distance between the outer eye corners
    33: (-0.50, 0.00, -0.1), 133: (-0.18, 0.0, -0.1), 362: (0.18, 0.0, -0.1), 263: (0.50, 0.0, -0.1),
    159: (-0.34, -0.045, -0.1), 145: (-0.34, 0.045, -0.1), 386: (0.34, -0.045, -0.1), 374: (0.34, 0.045, -0.1),
    160: (-0.40, -0.045, -0.1), 144: (-0.40, 0.045, -0.1), 387: (0.40, -0.045, -0.1), 373: (0.40, 0.045, -0.1),
    158: (-0.28, -0.045, -0.1), 153: (-0.28, 0.045, -0.1), 385: (0.28, -0.045, -0.1), 380: (0.28, 0.045, -0.1),
    468: (-0.34, -0.019, -0.1), 473: (0.34, -0.019, -0.1),
    61: (-0.28, 0.80, 0.0), 291: (0.28, 0.80, 0.0), 0: (0.0, 0.72, -0.05), 17: (0.0, 0.91, -0.05),
    13: (0.0, 0.80, -0.03), 14: (0.0, 0.80, -0.03),
    10: (0.0, -0.59, -0.2), 152: (0.0, 1.25, -0.2), 168: (0.0, -0.07, -0.3), 6: (0.0, 0.02, -0.36),
    4: (0.0, 0.34, -0.59), 1: (0.0, 0.41, -0.57), 234: (-0.75, 0.25, 0.5), 454: (0.75, 0.25, 0.5),
    127: (-0.75, 0.09, 0.46), 356: (0.75, 0.09, 0.46), 172: (-0.61, 0.9, 0.25), 397: (0.61, 0.9, 0.25),
}  # fmt: skip


@cache
def _head() -> NDArray[np.float64]:
    """Unnamed points spread on a symmetric shell, so that box and shape have something to hold."""
    rng = np.random.default_rng(7)
    points = np.zeros((478, 3))
    half = rng.uniform((0.05, -0.7, -0.3), (0.7, 1.2, 0.4), (239, 3))
    points[0::2], points[1::2] = half, half * (-1.0, 1.0, 1.0)
    for pair in (
        (93, 323), (132, 361), (70, 300), (105, 334), (50, 280), (98, 327), (21, 251), (54, 284), (103, 332), (67, 297),
        (109, 338), (58, 288), (136, 365), (150, 379),
    ):  # fmt: skip
        points[pair[1]] = np.abs(points[pair[0]][0]), *points[pair[0]][1:]
        points[pair[0]] = points[pair[1]] * (-1.0, 1.0, 1.0)
    for index, place in _PARTS.items():
        points[index] = place
    for left, right in zip(
        (7, 163, 154, 155, 246, 161, 157, 173), (249, 390, 381, 382, 466, 388, 384, 398), strict=True
    ):
        points[left], points[right] = (-0.34, 0.0, -0.1), (0.34, 0.0, -0.1)
    return points


def _turn(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation for column vectors; degrees with the signs of `FaceMeasures`."""
    a, b, c = np.radians((yaw, pitch, roll))
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@pytest.fixture(scope="session")
def make_face() -> Callable[..., NDArray[np.float32]]:
    """Make landmarks: (478, 3) float32 pixels. `width` is the distance between the outer eye corners."""

    def make(
        centre: tuple[float, float] = (640.0, 360.0),
        *,
        width: float = 100.0,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        change: dict[int, tuple[float, float, float]] | None = None,
    ) -> NDArray[np.float32]:
        points = _head().copy()
        for index, shift in (change or {}).items():
            points[index] += shift
        return np.asarray(points @ _turn(yaw, pitch, roll).T * width + (*centre, 0.0), np.float32)

    return make
