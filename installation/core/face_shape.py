"""Where a face is and what shape its skull has, from landmarks: what tells one face from another for a moment.

Shapes serve to keep two people apart who cross before the camera; they are never stored.
Coordinates are frame pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from installation.core.smoothing import quad_from_pose

Landmarks = NDArray[np.float32]

ROI_SCALE = 1.5
"""Side of the square handed to the landmark network, in lengths of the face's longer side (MediaPipe's own)."""

_RIGID = np.array([33, 133, 362, 263, 168, 6, 4, 1, 10, 234, 454, 127, 356, 172, 397])
"""Points that move with the skull: eye corners, nose, forehead, temples, jaw angles."""

_HEAD = np.array(
    [
        (-0.75, -0.26, -0.10), (-0.30, -0.24, -0.19), (0.30, -0.24, -0.19), (0.75, -0.26, -0.10), (0.00, -0.36, -0.45),
        (0.00, -0.23, -0.54), (0.00, 0.25, -0.88), (0.00, 0.36, -0.86), (0.00, -1.15, -0.31), (-1.12, 0.11, 0.75),
        (1.12, 0.11, 0.75), (-1.13, -0.13, 0.69), (1.13, -0.13, 0.69), (-0.92, 1.09, 0.38), (0.92, 1.09, 0.38),
    ]
)  # fmt: skip
"""Those points of a mean head, x right, y down, z away; any scale. Read by the landmark network from 57 of the
project's own drawn portraits (their mean lies within 0.02 of that of six real people, see `shape_difference`)."""

_PAIRS = np.triu_indices(len(_RIGID), 1)


def face_place(landmarks: Landmarks) -> tuple[NDArray[np.float64], float]:
    """Centre (2,) and width of a face in pixels: the middle and the longer side of its landmarks' box."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return np.asarray((low + high) * 0.5, np.float64), float(max((high - low).max(), 1e-6))


def landmark_square(landmarks: Landmarks) -> NDArray[np.float64]:
    """The square to read next: around the landmarks, upright with the eyes, `ROI_SCALE` times their extent."""
    points = np.asarray(landmarks[:, :2], np.float64)
    eyes = points[263] - points[33]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return quad_from_pose((low + high) * 0.5 @ turn, ROI_SCALE * float((high - low).max()), angle)


def face_shape(landmarks: Landmarks) -> NDArray[np.float64]:
    """Logarithms of the distances between rigid points, free of place, size and turn. Never stored."""
    return _shape_of(np.asarray(landmarks[_RIGID], np.float64))


def _shape_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = np.linalg.norm(points[_PAIRS[0]] - points[_PAIRS[1]], axis=1)
    return np.asarray(np.log(np.maximum(apart, 1e-9) / max(apart.mean(), 1e-9)))


def shape_difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Root mean square difference of two shapes, in parts of a distance."""
    return float(np.sqrt(np.mean((one - other) ** 2)))


MEAN_SHAPE = _shape_of(_HEAD)
"""Of the mean head."""
