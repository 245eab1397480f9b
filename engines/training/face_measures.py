"""What MediaPipe can see of the fifteen features, as numbers from landmarks in crop units.

Lengths are parts of the face's width in space, so that size and turning drop out; angles are degrees.
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
    "pitch", "roll", "smile", "yaw", "gaze_x", "gaze_y",
)  # fmt: skip


def measures(landmarks: NDArray[np.float32]) -> dict[str, float]:
    """Measure one face: (478, 3) crop units -> a number for each of `MEASURED`."""
    face = measure_face(landmarks * CROP_PX, (CROP_PX, CROP_PX), VIEW_ANGLE_DEG)
    p = np.asarray(landmarks, np.float64)

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(p[a] - p[b]))

    width, inner, outer = length(234, 454), length(133, 362), length(33, 263)
    corners = (p[[33, 133]].mean(axis=0), p[[362, 263]].mean(axis=0))
    brows = np.mean([np.linalg.norm(p[[105, 66]].mean(axis=0) - corners[0]),
                     np.linalg.norm(p[[334, 296]].mean(axis=0) - corners[1])])  # fmt: skip
    lids = length(159, 145) + length(386, 374)
    lips = length(0, 13) + length(14, 17)
    return {
        "eye_distance": (inner + outer) / (2.0 * width),
        "eye_eyebrow_distance": float(brows) / width,
        "eye_ratio": lids / (length(33, 133) + length(362, 263)),
        "eyes_open": face.eyes_open,
        "lip_ratio": lips / width,
        "mouth_open": face.mouth_open,
        "nose_mouth_distance": float(np.linalg.norm(p[[98, 327]].mean(axis=0) - p[13])) / width,
        "pitch": face.pitch,
        "roll": face.roll,
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
