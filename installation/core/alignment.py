"""The FFHQ crop: from eyes and mouth to an oriented square.

Generators and encoders trained on FFHQ expect a face to lie in the crop exactly as that data set cut
it. This module holds that rule and nothing else: which landmark is an eye is the caller's business
(68-point files, MediaPipe's mesh), and so are pixels and resampling.

Points are (x, y) in the picture's pixels, x right, y down. A quad is (4, 2): top-left, bottom-left,
bottom-right, top-right. Its corners may lie outside the picture.

Source: "Progressive Growing of GANs" (Karras et al., ICLR 2018), appendix C, as used for FFHQ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EYE_SPAN = 2.0
"""Half the crop's side, as a multiple of the distance between the eyes."""

FACE_SPAN = 1.8
"""Half the crop's side, as a multiple of the distance from the eyes to the mouth; the larger span decides."""

CENTRE_DROP = 0.1
"""How far the crop's centre lies below the eyes, as a part of the way to the mouth."""

EYE_LEFT_68 = slice(36, 42)
EYE_RIGHT_68 = slice(42, 48)
MOUTH_CORNERS_68 = (48, 54)


def quad_from_anchors(
    eye_left: ArrayLike, eye_right: ArrayLike, mouth_left: ArrayLike, mouth_right: ArrayLike
) -> NDArray[np.float64]:
    """Find the oriented crop square of one face.

    "Left" is the picture's left: `eye_left` is the eye with the smaller x of an upright face.

    Args:
        eye_left: (2,) centre of the eye on the picture's left, pixels.
        eye_right: (2,) centre of the other eye.
        mouth_left: (2,) corner of the mouth on the picture's left.
        mouth_right: (2,) the other corner.

    Returns:
        (4, 2) corners in pixels: top-left, bottom-left, bottom-right, top-right.

    Raises:
        ValueError: If a point is not (2,) or not finite, or if the points leave the square without a direction
            (eyes and mouth in one place).
    """
    points = np.array([eye_left, eye_right, mouth_left, mouth_right], np.float64)
    if points.shape != (4, 2):
        raise ValueError(f"eyes and mouth corners are four (x, y) points; got an array of shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("eyes and mouth corners must be finite numbers")
    eye_centre = (points[0] + points[1]) * 0.5
    eye_to_eye = points[1] - points[0]
    eye_to_mouth = (points[2] + points[3]) * 0.5 - eye_centre
    # The mouth votes for the direction as much as the eyes do: a turned head then keeps an upright crop.
    x = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])
    length = np.hypot(*x)
    span = max(np.hypot(*eye_to_eye) * EYE_SPAN, np.hypot(*eye_to_mouth) * FACE_SPAN)
    if length == 0.0 or span == 0.0:
        raise ValueError("eyes and mouth give no direction: the points coincide")
    x *= span / length
    y = np.array([-x[1], x[0]])
    centre = eye_centre + eye_to_mouth * CENTRE_DROP
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def quad_from_68(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Find the crop square from the 68 points of the dlib order.

    Args:
        landmarks: (68, 2) pixels.

    Returns:
        (4, 2) corners, see `quad_from_anchors`.

    Raises:
        ValueError: If `landmarks` is not (68, 2); the message gives the shape received.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2):
        raise ValueError(f"expected 68 landmarks as (68, 2); got {points.shape}")
    left, right = MOUTH_CORNERS_68
    return quad_from_anchors(
        points[EYE_LEFT_68].mean(axis=0), points[EYE_RIGHT_68].mean(axis=0), points[left], points[right]
    )


def quad_size(quad: NDArray[np.float64]) -> float:
    """Give the side of a crop square in pixels (the mean of its top and bottom edge)."""
    top = np.hypot(*(quad[3] - quad[0]))
    bottom = np.hypot(*(quad[2] - quad[1]))
    return float((top + bottom) * 0.5)
