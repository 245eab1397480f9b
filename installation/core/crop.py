"""Between the camera frame and the crop: affine maps of a crop square, and where a crop must read.

Coordinates: frame points are pixels, x right, y down, the centre of the top-left pixel at (0, 0).
Crop units run 0..1 over the quad, x right, y down; depth is divided by the quad's side as well.
A crop of s x s pixels has the centre of pixel (i, j) at ((i + 0.5) / s, (j + 0.5) / s).

Matrices are (2, 3) float64 and named destination_from_source.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.alignment import quad_size


def crop_from_frame(quad: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Map frame pixels to crop units.

    Raises:
        ValueError: If the quad has no area.
    """
    return invert_affine(frame_from_crop(quad))


def frame_from_crop(quad: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Map crop units to frame pixels: (0, 0) is the quad's top-left, (1, 1) its bottom-right."""
    corners = np.asarray(quad, np.float64)
    if corners.shape != (4, 2):
        raise ValueError(f"a quad is (4, 2): top-left, bottom-left, bottom-right, top-right; got {corners.shape}")
    return np.column_stack([corners[3] - corners[0], corners[1] - corners[0], corners[0]])


def frame_from_pixels(quad: NDArray[np.floating[Any]], size: int) -> NDArray[np.float64]:
    """Map pixel centres of a `size` x `size` crop to frame pixels."""
    half_pixel = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, size]]) / size
    return frame_from_crop(quad) @ half_pixel


def invert_affine(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Invert a (2, 3) affine map.

    Raises:
        ValueError: If the map folds the plane onto a line.
    """
    linear = np.asarray(matrix[:, :2], np.float64)
    determinant = linear[0, 0] * linear[1, 1] - linear[0, 1] * linear[1, 0]
    if not abs(determinant) > 1e-12:
        raise ValueError("the quad has no area")
    inverse = np.array([[linear[1, 1], -linear[0, 1]], [-linear[1, 0], linear[0, 0]]]) / determinant
    return np.column_stack([inverse, -inverse @ matrix[:, 2]])


def apply_affine(matrix: NDArray[np.floating[Any]], points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Move (n, 2) points."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def upright(quad: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn a crop square so that its sides are those of the frame: same centre, same size.

    For encoders whose pictures show the head's roll; the FFHQ rule turns it away.
    """
    corners = np.asarray(quad, np.float64)
    half = quad_size(corners) / 2.0
    square = np.array([[-half, -half], [-half, half], [half, half], [half, -half]])
    return np.asarray(corners.mean(axis=0) + square, np.float64)


def landmarks_in_crop(landmarks: NDArray[np.floating[Any]], quad: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Express landmarks in crop units.

    Args:
        landmarks: (n, 3) frame pixels, z in pixels too, toward the camera negative.
        quad: (4, 2) the crop square.

    Returns:
        (n, 3) float32: x and y 0..1 over the quad, z on the same scale.
    """
    out = np.empty(landmarks.shape, np.float32)
    out[:, :2] = apply_affine(crop_from_frame(quad), landmarks[:, :2])
    out[:, 2] = landmarks[:, 2] / quad_size(quad)
    return out


def reading_box(quad: NDArray[np.floating[Any]], frame_wh: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Find the part of the frame that a reflect-padded crop reads.

    A corner that sticks out by d pixels reads up to d pixels inside the edge, so the box reaches as far.

    Returns:
        (x0, y0, x1, y1), half open, inside the frame and never empty; None if the quad lies wholly outside.
    """
    corners = np.asarray(quad, np.float64)
    box = []
    for axis, length in enumerate(frame_wh):
        low, high = float(corners[:, axis].min()), float(corners[:, axis].max())
        if high < 0 or low > length - 1:
            return None
        first = min(low, 2.0 * (length - 1) - high) if high > length - 1 else low
        last = max(high, -low) if low < 0 else high
        box.append((max(int(np.floor(first)) - 2, 0), min(int(np.ceil(last)) + 3, length)))
    (x0, x1), (y0, y1) = box
    return x0, y0, x1, y1
