"""The values that travel between stages.

Frozen and slotted: a stage never changes what another made. Every value carries `frame_id` and
`captured_at` of the camera frame it came from, up to the buffer swap, so that latency is measured
and never guessed. Coordinate frames and ranges are in `core/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_LANDMARKS = 478
"""MediaPipe FaceMesh with refined eyes: 468 mesh points and 2 x 5 iris points."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera picture.

    Attributes:
        pixels: (height, width, 3) uint8, RGB, top row first.
        frame_id: Counts up by one for each picture the source delivered; gaps are dropped frames.
        captured_at: Monotonic seconds (`time.monotonic`) when the picture left the device.
    """

    pixels: NDArray[np.uint8]
    frame_id: int
    captured_at: float


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What a face does, in numbers a mapping can use. All are geometry; none says who or what a visitor is.

    Attributes:
        yaw: Degrees, positive when the face turns toward the picture's right.
        pitch: Degrees, positive when the face looks up.
        roll: Degrees, positive clockwise in the picture.
        mouth_open: Lip gap over mouth width, 0 closed, about 0.7 wide open.
        eyes_open: Mean lid gap over eye width, 0 closed, about 0.35 open.
        smile: Mouth-corner lift and stretch, -1..1, 0 at rest.
        gaze_x: Iris offset over half the eye width, -1..1, positive toward the picture's right.
        gaze_y: Iris offset over half the eye width, -1..1, positive up.
        distance: Estimated metres from the camera, from the inter-ocular distance.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    mouth_open: float = 0.0
    eyes_open: float = 0.3
    smile: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    distance: float = 1.0


@dataclass(frozen=True, slots=True)
class FaceObservation:
    """The followed face in one frame, as the eye publishes it.

    Attributes:
        frame_id: Of the frame it was found in.
        captured_at: Monotonic seconds of that frame.
        face_id: Identity of the track, from 1; 0 when nobody is followed. A new number is a new face.
        faces: How many faces were found in the frame.
        quad: (4, 2) float32 crop corners in frame pixels: top-left, bottom-left, bottom-right, top-right (smoothed).
        landmarks: (478, 3) float32 in frame pixels, x right, y down, z toward the camera negative, same scale as x.
        crop: (s, s, 3) uint8 RGB, the quad's content, FFHQ convention.
        measures: Geometry of the face.
    """

    frame_id: int
    captured_at: float
    face_id: int
    faces: int
    quad: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    crop: NDArray[np.uint8]
    measures: FaceMeasures
