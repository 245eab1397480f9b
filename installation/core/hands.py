"""What hands do, in numbers a mapping can use. Geometry only, from the 21 points of MediaPipe Hands.

Points: 0 wrist, 4 thumb tip, 8 index tip, 12 middle tip, 16 ring tip, 20 little tip; 5, 9, 13, 17 the knuckles.
x and y are parts of the picture's width and height, x right, y down, as MediaPipe gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_HAND_LANDMARKS = 21

_WRIST, _THUMB_TIP, _INDEX_TIP, _MIDDLE_KNUCKLE = 0, 4, 8, 9
_TIPS = (8, 12, 16, 20)
_PALM = (0, 5, 9, 13, 17)
_FIST, _FLAT = 1.0, 1.9  # tip-to-wrist over palm length: of a fist, and of a flat hand
_PINCH_FROM = 0.9  # palm lengths between thumb and index that count as no pinch


@dataclass(frozen=True, slots=True)
class HandMeasures:
    """The hands of one picture; all 0..1, and 0 when no hand is seen.

    Attributes:
        present: 1 if a hand is seen.
        count: 0, 0.5 or 1 for none, one or two hands.
        height: Of the higher hand's palm; 1 is the top of the picture.
        x: Of the higher hand; 0 is the picture's left.
        openness: Of the higher hand; 0 a fist, 1 flat.
        pinch: Of the higher hand; 1 when thumb and index touch.
        distance: Between two palms, in picture widths.
        left, right: Heights of the hands more to the picture's left and right; one hand counts for its half.
    """

    present: float = 0.0
    count: float = 0.0
    height: float = 0.0
    x: float = 0.0
    openness: float = 0.0
    pinch: float = 0.0
    distance: float = 0.0
    left: float = 0.0
    right: float = 0.0


NO_HANDS = HandMeasures()


def measure_hands(landmarks: NDArray[np.float32], aspect: float) -> HandMeasures:
    """Measure the hands of one picture.

    Args:
        landmarks: (n, 21, 2 or 3) float32, n of 0 to 2.
        aspect: Width over height of the picture, so that lengths compare.

    Raises:
        ValueError: If the shape is not (n, 21, 2 or 3).
    """
    if landmarks.ndim != 3 or landmarks.shape[1] != NUM_HAND_LANDMARKS or landmarks.shape[2] < 2:
        raise ValueError(f"hands have shape {landmarks.shape}, needed is (n, {NUM_HAND_LANDMARKS}, 2 or 3)")
    if len(landmarks) == 0:
        return NO_HANDS
    points = np.asarray(landmarks[:, :, :2], np.float64)
    palms = points[:, _PALM].mean(axis=1)
    first = int(palms[:, 1].argmin())
    hand = points[first] * (aspect, 1.0)
    palm_length = max(float(np.linalg.norm(hand[_MIDDLE_KNUCKLE] - hand[_WRIST])), 1e-6)
    reach = float(np.linalg.norm(hand[list(_TIPS)] - hand[_WRIST], axis=1).mean()) / palm_length
    gap = float(np.linalg.norm(hand[_THUMB_TIP] - hand[_INDEX_TIP])) / palm_length
    heights = [_unit(1.0 - float(palm[1])) for palm in palms]
    distance = left = right = 0.0
    if len(palms) >= 2:
        distance = _unit(float(np.hypot(palms[0, 0] - palms[1, 0], (palms[0, 1] - palms[1, 1]) / aspect)))
        order = palms[:2, 0].argsort()
        left, right = heights[order[0]], heights[order[1]]
    elif palms[0, 0] < 0.5:
        left = heights[0]
    else:
        right = heights[0]
    return HandMeasures(
        present=1.0,
        count=min(len(palms), 2) / 2.0,
        height=heights[first],
        x=_unit(float(palms[first, 0])),
        openness=_unit((reach - _FIST) / (_FLAT - _FIST)),
        pinch=_unit(1.0 - gap / _PINCH_FROM),
        distance=distance,
        left=left,
        right=right,
    )


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
