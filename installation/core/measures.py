"""What a face does, as numbers: pose, mouth, eyes, smile, gaze and distance, from landmarks alone.

The 478 landmarks have depth, so the head's own axes can be read from them: right from symmetric
pairs, down from forehead to chin, forward from both. Lengths are measured in space rather than on the
picture; a turned head so keeps its mouth width and its eyes.

"Left" and "right" are the picture's. Indices are those of MediaPipe FaceMesh.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.alignment import quad_from_anchors
from installation.core.types import NUM_LANDMARKS, FaceMeasures

EYE_LEFT = np.array([33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173])
EYE_RIGHT = np.array([263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398])
MOUTH_LEFT, MOUTH_RIGHT = 61, 291
IRIS_LEFT, IRIS_RIGHT = 468, 473

INTER_OCULAR_M = 0.063
"""Mean distance between adult pupils, metres. A child appears a little farther than they are."""

_SYMMETRIC = np.array(
    [
        (33, 263), (133, 362), (127, 356), (234, 454), (93, 323), (132, 361), (172, 397), (61, 291), (70, 300),
        (105, 334), (50, 280), (98, 327), (21, 251), (54, 284), (103, 332), (67, 297), (109, 338), (58, 288),
        (136, 365), (150, 379),
    ]
)  # fmt: skip
_FOREHEAD, _CHIN = 10, 152
_LIDS_LEFT = np.array([(160, 144), (159, 145), (158, 153)])
_LIDS_RIGHT = np.array([(387, 373), (386, 374), (385, 380)])
_CORNERS_LEFT, _CORNERS_RIGHT = (33, 133), (362, 263)
_LIPS = (13, 14)
_LIP_EDGES = (0, 17)

# Rest values and ranges, in spans between the outer eye corners; read from six people at rest, grinning and
# grimacing, in front of ordinary cameras.
_REST_LIFT, _GRIN_LIFT = 0.015, 0.075
_REST_STRETCH, _GRIN_STRETCH = 0.56, 0.22
_REST_GAZE_Y = 0.12  # the iris rests above the line between the eye's corners


def ffhq_quad(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Find the FFHQ crop square of a FaceMesh face.

    FFHQ was cut with 68 points: eye centres are means over the eye's contour, mouth ends the outer corners.
    FaceMesh has the same contours, with more points.

    Args:
        landmarks: (478, 2 or 3) frame pixels.

    Returns:
        (4, 2) float64 corners in pixels: top-left, bottom-left, bottom-right, top-right.

    Raises:
        ValueError: If there are not 478 landmarks, or they coincide.

    Source: "Progressive Growing of GANs" (ICLR 2018), appendix C.
    """
    if landmarks.ndim != 2 or len(landmarks) != NUM_LANDMARKS:
        raise ValueError(f"expected {NUM_LANDMARKS} landmarks; got an array of shape {landmarks.shape}")
    points = np.asarray(landmarks[:, :2], np.float64)
    return quad_from_anchors(
        points[EYE_LEFT].mean(axis=0), points[EYE_RIGHT].mean(axis=0), points[MOUTH_LEFT], points[MOUTH_RIGHT]
    )


def head_axes(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Read the head's own axes from its landmarks.

    Returns:
        (3, 3) rotation, rows: the face's right as seen on the picture, its down, and away from the camera.
        The identity for a face that looks straight into the camera.
    """
    points = np.asarray(landmarks, np.float64)
    right = (points[_SYMMETRIC[:, 1]] - points[_SYMMETRIC[:, 0]]).sum(axis=0)
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = points[_CHIN] - points[_FOREHEAD]
    down = down - right * float(down @ right)
    down /= max(float(np.linalg.norm(down)), 1e-9)
    return np.stack([right, down, np.cross(right, down)])


def measure_face(
    landmarks: NDArray[np.floating[Any]], frame_wh: tuple[int, int], view_angle_deg: float
) -> FaceMeasures:
    """Measure one face.

    Args:
        landmarks: (478, 3) frame pixels, z on the same scale, toward the camera negative.
        frame_wh: Width and height of the frame in pixels.
        view_angle_deg: The camera's angle of view along the frame's longer side.

    Returns:
        Measures in the units of `FaceMeasures`.
    """
    points = np.asarray(landmarks, np.float64)
    axes = head_axes(points)
    forward = axes[2]
    face = points @ axes.T  # the same points seen from straight before the face
    # Where one eye hides behind the nose its landmarks are guesses: trust each by its width on the picture.
    trust = np.array([_length(points[:, :2], *pair) for pair in (_CORNERS_LEFT, _CORNERS_RIGHT)])
    trust = trust**2 / max(float((trust**2).sum()), 1e-9)
    width = np.array([max(_length(points, *pair), 1e-6) for pair in (_CORNERS_LEFT, _CORNERS_RIGHT)])
    lids = np.array([np.mean([_length(points, *pair) for pair in eye]) for eye in (_LIDS_LEFT, _LIDS_RIGHT)])
    mouth_width = max(_length(points, MOUTH_LEFT, MOUTH_RIGHT), 1e-6)
    gaze = np.stack(
        [
            (face[iris, :2] - face[list(pair), :2].mean(axis=0)) / (half * 0.5)
            for iris, pair, half in zip((IRIS_LEFT, IRIS_RIGHT), (_CORNERS_LEFT, _CORNERS_RIGHT), width, strict=True)
        ]
    )
    gaze_x, gaze_y = trust @ gaze
    focal_px = max(frame_wh) * 0.5 / np.tan(np.radians(view_angle_deg) * 0.5)
    inter_ocular = max(_length(points, IRIS_LEFT, IRIS_RIGHT), 1e-6)
    return FaceMeasures(
        yaw=float(np.degrees(np.arctan2(-forward[0], forward[2]))),
        pitch=float(np.degrees(np.arcsin(np.clip(forward[1], -1.0, 1.0)))),
        roll=float(np.degrees(np.arctan2(axes[0, 1], axes[0, 0]))),
        mouth_open=_length(points, *_LIPS) / mouth_width,
        eyes_open=float(trust @ (lids / width)),
        smile=_smile(face, mouth_width),
        gaze_x=float(np.clip(gaze_x, -1.0, 1.0)),
        gaze_y=float(np.clip(-gaze_y - _REST_GAZE_Y, -1.0, 1.0)),
        distance=float(focal_px * INTER_OCULAR_M / inter_ocular),
    )


def _smile(face: NDArray[np.float64], mouth_width: float) -> float:
    """Lift and stretch of the mouth corners, half each, 1 for a broad grin."""
    eye_span = max(_length(face, _CORNERS_LEFT[0], _CORNERS_RIGHT[1]), 1e-6)
    corners, middle = face[[MOUTH_LEFT, MOUTH_RIGHT], 1].mean(), face[list(_LIP_EDGES), 1].mean()
    lift = ((middle - corners) / eye_span - _REST_LIFT) / _GRIN_LIFT
    stretch = (mouth_width / eye_span - _REST_STRETCH) / _GRIN_STRETCH
    # A mouth rounded to an O is narrow without being sad.
    return float(np.clip(0.5 * lift + 0.5 * max(stretch, 0.0), -1.0, 1.0))


def _length(points: NDArray[np.float64], start: int, end: int) -> float:
    return float(np.linalg.norm(points[end] - points[start]))
