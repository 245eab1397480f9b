"""Where things are on a portrait: anchors in head space, pose, the exact FFHQ crop, and true landmarks.

The shader builds its distance fields on the same anchors (they are uploaded with the parameters), so what
this module says is what is drawn. Units are centimetres in head space (see `parameters`); the image plane lies at
unit distance before the camera; crop units are 0..1 from the top-left corner of the crop, x right, y down.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from installation.core.alignment import CENTRE_DROP, EYE_SPAN, FACE_SPAN

from .parameters import INDEX, Parameters

PIVOT = np.array([0.0, -7.0, -3.0])
"""The head turns about this point of the neck, cm."""

EYE_HEIGHT = 2.4
EYE_SURFACE_Z = 4.0
MOUTH_SURFACE_Z = 4.3
"""Depth of the points that the crop is measured from, cm: the lids' plane and the mouth corners."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Measures of one face in head space, cm unless said otherwise, in the order the shader reads them."""

    eye_x: float
    eye_y: float
    brow_y: float
    nose_base_y: float
    nose_tip_y: float
    nose_tip_z: float
    nose_width: float
    mouth_y: float
    mouth_half_width: float
    lip_gap: float
    lip_fullness: float
    chin_y: float
    jaw_half_width: float
    hairline_y: float
    open_left: float
    open_right: float
    lid_upper: float
    lid_lower: float
    eye_half_width: float


ANCHOR_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Anchors))


@dataclass(frozen=True, slots=True)
class Camera:
    """What the shader needs to draw a crop.

    Attributes:
        rotation: (3, 3) float64, world_from_head about `PIVOT`.
        centre: (2,) image-plane position of the crop's centre, y up.
        half_size: Half the crop's side in the image plane.
        distance: Of the camera from the head's origin, cm.
    """

    rotation: NDArray[np.float64]
    centre: NDArray[np.float64]
    half_size: float
    distance: float

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project (n, 3) head-space points to (n, 2) image-plane positions, y up."""
        world = (points - PIVOT) @ self.rotation.T + PIVOT
        plane: NDArray[np.float64] = world[:, :2] / (self.distance - world[:, 2:3])
        return plane

    def to_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project (n, 3) head-space points to (n, 2) crop units, y down."""
        plane = (self.project(points) - self.centre) / (2.0 * self.half_size)
        crop: NDArray[np.float64] = np.stack([0.5 + plane[:, 0], 0.5 - plane[:, 1]], axis=1)
        return crop


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Make the world_from_head rotation of three angles in degrees: pitch first, then yaw, then roll."""
    y, p, r = np.deg2rad([yaw, pitch, -roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn: NDArray[np.float64] = about_z @ about_y @ about_x
    return turn


def anchors(p: Parameters) -> Anchors:
    """Compute the measures of one face from its (NP,) parameters."""

    def g(name: str) -> float:
        return float(p[INDEX[name]])

    age, smile = g("age"), g("smile")
    joy, sorrow = max(smile, 0.0), max(-smile, 0.0)
    nose_base_y = -1.75 - 0.85 * g("nose_length")
    nose_tip_y = nose_base_y + 0.8 + 0.95 * g("nose_tip")
    mouth_y = nose_base_y - 2.4 - 0.8 * g("nose_mouth_distance")
    mouth_stretch = 0.17 * g("mouth_width") + 0.22 * joy - 0.10 * sorrow - 0.13 * g("mouth_open") - 0.30 * g("pucker")
    wink, eyes = g("wink"), g("eyes_open")
    return Anchors(
        eye_x=3.2 + 0.42 * g("eye_distance"),
        eye_y=EYE_HEIGHT,
        brow_y=4.5
        - 0.22 * g("masculinity")
        + 0.85 * g("brow_distance")
        + 0.6 * g("brow_raise")
        + 0.7 * max(eyes - 1.0, 0.0),
        nose_base_y=nose_base_y,
        nose_tip_y=nose_tip_y,
        nose_tip_z=6.55 + 0.5 * g("nose_projection"),
        nose_width=1.0 + 0.08 * g("masculinity") + 0.55 * g("nose_ratio") + 0.08 * age,
        mouth_y=mouth_y,
        mouth_half_width=2.6 * (1.0 + mouth_stretch),
        lip_gap=1.65 * g("mouth_open"),
        lip_fullness=1.0
        + 0.55 * g("lip_ratio")
        - 0.08 * g("masculinity")
        - 0.34 * age
        - 0.14 * joy
        + 0.35 * g("pucker"),
        chin_y=-8.05
        - 1.2 * g("chin_length")
        - 1.1 * g("face_length")
        - 0.45 * (g("nose_mouth_distance") + g("nose_length"))
        - 1.6 * g("mouth_open"),
        jaw_half_width=1.0 + 0.22 * g("jaw_width") + 0.13 * g("masculinity"),
        hairline_y=8.7 + 1.3 * g("forehead") + 0.9 * g("hairline"),
        open_left=eyes * (1.0 - max(-wink, 0.0)),
        open_right=eyes * (1.0 - max(wink, 0.0)),
        lid_upper=(0.62 + 0.25 * g("eye_ratio") + 0.12 * g("eye_size") - 0.18 * age) * (1.0 - 0.22 * joy),
        lid_lower=0.45 + 0.15 * g("eye_ratio") + 0.09 * g("eye_size") - 0.16 * joy,
        eye_half_width=1.62 * (1.0 + 0.13 * g("eye_size")),
    )


def mouth_curve(p: Parameters, a: Anchors, x: float) -> float:
    """Height of the mouth line over `a.mouth_y` at `x` cm, as the shader bends it."""
    smile, smirk = float(p[INDEX["smile"]]), float(p[INDEX["smirk"]])
    t = x / a.mouth_half_width
    return smile * (1.0 if smile > 0 else 0.75) * (0.95 * t * t - 0.20) + 0.35 * smirk * t


def anchor_vector(a: Anchors) -> NDArray[np.float32]:
    """Pack the anchors as the shader's uniform array: (len(ANCHOR_NAMES),) float32."""
    return np.array(astuple(a), np.float32)


def camera(p: Parameters, jitter: NDArray[np.float64] | None = None) -> Camera:
    """Find the FFHQ crop of a portrait from its true eyes and mouth: exact, no detector.

    Centre and size follow the rule; its rotation is left out, so that roll is something that a portrait can show and
    a latent can hold. At roll 0 the two are the same but for the last degree.

    Args:
        p: (NP,) parameters.
        jitter: (dx, dy, scale) as an imperfect detector would place the crop: shift in half-sizes (y up) and factor.
    """
    a = anchors(p)
    turn = rotation(*(float(p[INDEX[name]]) for name in ("yaw", "pitch", "roll")))
    corners = [
        (side * a.mouth_half_width, a.mouth_y + mouth_curve(p, a, side * a.mouth_half_width)) for side in (-1, 1)
    ]
    points = np.array(
        [(-a.eye_x, a.eye_y, EYE_SURFACE_Z), (a.eye_x, a.eye_y, EYE_SURFACE_Z)]
        + [(x, y, MOUTH_SURFACE_Z) for x, y in corners]
    )
    placed = Camera(turn, np.zeros(2), 1.0, float(p[INDEX["camera_distance"]]))
    left, right, mouth_left, mouth_right = placed.project(points)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    eye_to_mouth = mouth - eyes
    half_size = max(EYE_SPAN * float(np.hypot(*(right - left))), FACE_SPAN * float(np.hypot(*eye_to_mouth)))
    centre = eyes + CENTRE_DROP * eye_to_mouth
    if jitter is not None:
        centre = centre + np.asarray(jitter[:2]) * half_size
        half_size = half_size * float(jitter[2])
    return Camera(turn, centre, half_size, placed.distance)


LANDMARK_INDEX: dict[str, int] = {
    "eye_left_outer": 33,
    "eye_left_inner": 133,
    "eye_right_inner": 362,
    "eye_right_outer": 263,
    "nose_tip": 4,
    "mouth_left": 61,
    "mouth_right": 291,
    "chin": 152,
}
"""Names of the true landmarks and the nearest MediaPipe FaceMesh point; left is the picture's left."""


def landmarks(p: Parameters, jitter: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Project the true landmarks of a portrait: (len(LANDMARK_INDEX), 2) float32 in crop units, x right, y down."""
    a = anchors(p)
    tilt = 0.16 * float(p[INDEX["eye_tilt"]])
    visible = 0.88 * a.eye_half_width  # the lids meet a little before the opening's mathematical end
    dx, dy = visible * np.cos(tilt), visible * np.sin(tilt)
    outer_z, inner_z = 3.2, 3.9
    points = np.array(
        [
            (-a.eye_x - dx, a.eye_y + dy, outer_z),
            (-a.eye_x + dx, a.eye_y - dy, inner_z),
            (a.eye_x - dx, a.eye_y - dy, inner_z),
            (a.eye_x + dx, a.eye_y + dy, outer_z),
            (0.0, a.nose_tip_y, a.nose_tip_z + 0.6),
            (-a.mouth_half_width, a.mouth_y + mouth_curve(p, a, -a.mouth_half_width), MOUTH_SURFACE_Z),
            (a.mouth_half_width, a.mouth_y + mouth_curve(p, a, a.mouth_half_width), MOUTH_SURFACE_Z),
            (0.0, a.chin_y - 0.35, 4.2 + 0.6 * float(p[INDEX["chin_projection"]])),
        ]
    )
    return camera(p, jitter).to_crop(points).astype(np.float32)
