"""What MediaPipe can see of the fifteen features, as numbers from landmarks in crop units.

Lengths are parts of the distance between the outer eye corners, so that size drops out; angles are degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from installation.core.measures import measure_face

CROP_PX = 256
"""`measure_face` reads pixels; crops are measured as if they were this large."""

VIEW_ANGLE_DEG = 60.0

MEASURED = (
    "eye_distance", "eye_eyebrow_distance", "eye_ratio", "eyes_open", "lip_ratio", "mouth_open", "nose_mouth_distance",
    "nose_ratio", "pitch", "roll", "smile", "yaw", "gaze_x", "gaze_y",
)  # fmt: skip


def measures(landmarks: NDArray[np.float32]) -> dict[str, float]:
    """Measure one face: (478, 3) crop units -> a number for each of `MEASURED`."""
    face = measure_face(landmarks * CROP_PX, (CROP_PX, CROP_PX), VIEW_ANGLE_DEG)
    p = np.asarray(landmarks, np.float64)

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(p[a] - p[b]))

    eyes = length(33, 263)
    inner, outer = length(133, 362), eyes
    brows = np.mean([length(105, 159), length(334, 386), length(66, 158), length(296, 385)])
    lids = length(159, 145) + length(386, 374)
    lips = length(0, 13) + length(14, 17)
    return {
        "eye_distance": (inner + outer) / (2.0 * length(234, 454)),
        "eye_eyebrow_distance": float(brows) / eyes,
        "eye_ratio": lids / (length(33, 133) + length(362, 263)),
        "eyes_open": face.eyes_open,
        "lip_ratio": lips / length(61, 291),
        "mouth_open": face.mouth_open,
        "nose_mouth_distance": length(2, 0) / eyes,
        "nose_ratio": length(48, 278) / length(168, 2),
        "pitch": face.pitch,
        "roll": -face.roll,
        "smile": face.smile,
        "yaw": face.yaw,
        "gaze_x": face.gaze_x,
        "gaze_y": face.gaze_y,
    }


def inter_ocular(landmarks: NDArray[np.float32]) -> float:
    """Distance of the pupils in the landmarks' own units."""
    return float(np.linalg.norm(landmarks[468, :2] - landmarks[473, :2]))


def landmark_error(made: NDArray[np.float32], seen: NDArray[np.float32]) -> float:
    """Mean distance of two landmark sets on the picture, in inter-ocular distances of the second."""
    return float(np.linalg.norm(made[:, :2] - seen[:, :2], axis=1).mean() / inter_ocular(seen))
