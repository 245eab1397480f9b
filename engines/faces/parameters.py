"""The table of everything a portrait can vary: the only list of its parameters.

From it come the vectors that the sampler fills and the shader reads, the ranges that the read-out of a
generator must keep, and the table in `docs/PORTRAIT.md`. A vector is (NP,) float32 in table order.

Head space: centimetres, x toward the picture's right, y up, z toward the camera; the face looks along +z.
Angles: yaw is positive when the face turns toward the picture's right, pitch when it looks up, roll when it tilts
clockwise in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Parameters = NDArray[np.float32]
"""One portrait: (NP,) float32 in the order of `PARAMETERS`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: As written in Python and, with the prefix `p_`, in the shader.
        low, high, default: The useful range and the rest value.
        group: identity, expression, pose, appearance or light.
        unit: deg, cm, or "" for a plain amount; -1..1 amounts span about 2.5 standard deviations of the sampler.
        help: What the high end looks like.
        mirror_sign: -1 where a left-right flip changes the sign, otherwise +1.
    """

    name: str
    low: float
    high: float
    default: float
    group: str
    unit: str
    help: str
    mirror_sign: int = 1


def _identity(name: str, text: str, low: float = -1.0, high: float = 1.0, default: float = 0.0) -> Parameter:
    return Parameter(name, low, high, default, "identity", "", text)


def _expression(name: str, text: str, low: float, high: float, default: float = 0.0, sign: int = 1) -> Parameter:
    return Parameter(name, low, high, default, "expression", "", text, sign)


def _appearance(name: str, text: str, low: float, high: float, default: float, sign: int = 1) -> Parameter:
    return Parameter(name, low, high, default, "appearance", "", text, sign)


def _light(name: str, text: str, low: float, high: float, default: float, unit: str = "", sign: int = 1) -> Parameter:
    return Parameter(name, low, high, default, "light", unit, text, sign)


PARAMETERS: tuple[Parameter, ...] = (
    _identity("age", "old: folds, jowls, thinner lips, heavier lids; 0 is about 18 years, 1 about 85", 0.0, 1.0, 0.25),
    _identity("masculinity", "heavier brow, chin and neck; the low end is a lighter bone structure"),
    _identity("eye_distance", "eyes far apart"),
    _identity("brow_distance", "brows high above the eyes"),
    _identity("eye_ratio", "eyes tall for their width"),
    _identity("eye_size", "large eyes"),
    _identity("eye_tilt", "outer eye corners high", default=0.1),
    _identity("epicanthus", "smooth upper lid with a fold over the inner corner", 0.0, 1.0),
    _identity("brow_arch", "arched brows"),
    _identity("lip_ratio", "full lips for their width"),
    _identity("mouth_width", "wide mouth"),
    _identity("nose_mouth_distance", "long upper lip"),
    _identity("nose_ratio", "nose wide for its length"),
    _identity("nose_tip", "tip turned up"),
    _identity("nose_length", "long nose"),
    _identity("nose_bridge", "high bridge"),
    _identity("nose_projection", "nose stands far out"),
    _identity("jaw_width", "wide jaw"),
    _identity("chin_length", "long chin"),
    _identity("chin_projection", "chin stands forward"),
    _identity("cheek_fullness", "full cheeks; the low end is hollow"),
    _identity("cheekbones", "cheekbones stand out"),
    _identity("face_length", "long face"),
    _identity("forehead", "high forehead"),
    _identity("brow_ridge", "strong ridge above the eyes"),
    _identity("ear_size", "large ears"),
    _identity("neck_width", "thick neck"),
    _expression("eyes_open", "0 closed, 1 at rest, above 1 wide", 0.0, 1.25, 1.0),
    _expression("wink", "closes the eye on the picture's right; negative, on its left", -1.0, 1.0, 0.0, -1),
    _expression("mouth_open", "jaw dropped", 0.0, 1.0),
    _expression("smile", "corners up and wide; negative, down", -1.0, 1.0, 0.1),
    _expression("smirk", "corner on the picture's right higher than the other", -1.0, 1.0, 0.0, -1),
    _expression("pucker", "lips drawn together, as in 'oo'", 0.0, 1.0),
    _expression("brow_raise", "brows raised; negative, lowered", -1.0, 1.0),
    _expression("brow_frown", "inner brow ends down and together", -1.0, 1.0),
    _expression("gaze_x", "eyes toward the picture's right, relative to the head", -1.0, 1.0, 0.0, -1),
    _expression("gaze_y", "eyes up, relative to the head", -1.0, 1.0),
    Parameter("yaw", -35.0, 35.0, 0.0, "pose", "deg", "face turned toward the picture's right", -1),
    Parameter("pitch", -23.0, 23.0, 0.0, "pose", "deg", "face looking up"),
    Parameter("roll", -15.0, 15.0, 0.0, "pose", "deg", "head tilted clockwise in the picture", -1),
    Parameter("camera_distance", 45.0, 95.0, 70.0, "pose", "cm", "far camera: flat perspective"),
    _appearance("skin_tone", "dark skin: melanin from very pale to very dark", 0.0, 1.0, 0.3),
    _appearance("skin_warmth", "golden; negative, rosy", -1.0, 1.0, 0.0),
    _appearance("blush", "blood in cheeks, nose and ears", 0.0, 1.0, 0.5),
    _appearance("freckles", "freckles", 0.0, 1.0, 0.0),
    _appearance("lip_tint", "lipstick", 0.0, 1.0, 0.1),
    _appearance("eye_shadow", "shadow on the upper lids and a dark lash line", 0.0, 1.0, 0.0),
    _appearance("lashes", "strong lashes", 0.0, 1.0, 0.5),
    _appearance("brow_thickness", "thick brows", -1.0, 1.0, 0.0),
    _appearance("iris", "light iris: from near black through brown and green to blue", 0.0, 1.0, 0.2),
    _appearance("hair_darkness", "black hair; 0 is light blond", 0.0, 1.0, 0.7),
    _appearance("hair_red", "red hair", 0.0, 1.0, 0.0),
    _appearance("hair_grey", "white hair", 0.0, 1.0, 0.0),
    _appearance("hair_length", "0 bald, 0.08 shaved, 0.25 short, 0.5 to the jaw, 1 over the shoulders", 0.0, 1.0, 0.3),
    _appearance("hair_volume", "hair stands far from the head", 0.0, 1.0, 0.4),
    _appearance("hair_curl", "0 straight, 0.4 wavy, 0.7 curls, 1 tight coils", 0.0, 1.0, 0.2),
    _appearance("hair_fade", "sides cropped close while the top stays", 0.0, 1.0, 0.2),
    _appearance("hair_front", "long hair falls before the shoulders", 0.0, 1.0, 0.5),
    _appearance("fringe", "hair over the forehead", 0.0, 1.0, 0.2),
    _appearance("parting", "parting on the picture's right", -1.0, 1.0, 0.3, -1),
    _appearance("hairline", "receding hairline; negative, low", -1.0, 1.0, 0.0),
    _appearance("bun", "knot of hair on top", 0.0, 1.0, 0.0),
    _appearance("beard", "0 shaven, 0.2 stubble, 1 full beard", 0.0, 1.0, 0.0),
    _appearance("moustache", "0 shaven, 1 full moustache", 0.0, 1.0, 0.0),
    _appearance("glasses", "0 none; fades in with a rim that grows thicker", 0.0, 1.0, 0.0),
    _light("light_azimuth", "key light from the picture's right", -75.0, 75.0, -35.0, "deg", -1),
    _light("light_elevation", "key light from above", -5.0, 63.0, 32.0, "deg"),
    _light("light_warmth", "golden key and blue shade; negative, the other way round", -1.0, 1.0, 0.3),
    _light("light_intensity", "bright key light", 0.5, 1.5, 1.0),
    _light("fill", "light in the shadows", 0.12, 1.2, 0.5),
    _light("rim", "light on the far edge, from behind", 0.0, 1.0, 0.4),
    _light("background_hue", "hue of the background, one turn", 0.0, 1.0, 0.08),
    _light("background_saturation", "colourful background", 0.0, 0.7, 0.3),
    _light("background_value", "bright background", 0.02, 0.9, 0.2),
    _light("background_gradient", "how far the hue drifts toward the corners", -1.0, 1.0, 0.0),
    _light("cloth_hue", "hue of the garment, one turn", 0.0, 1.0, 0.6),
    _light("cloth_saturation", "colourful garment", 0.0, 0.7, 0.3),
    _light("cloth_value", "bright garment", 0.02, 0.7, 0.1),
)

NAMES: tuple[str, ...] = tuple(row.name for row in PARAMETERS)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
NP = len(PARAMETERS)

LOW: Parameters = np.array([row.low for row in PARAMETERS], np.float32)
HIGH: Parameters = np.array([row.high for row in PARAMETERS], np.float32)
DEFAULT: Parameters = np.array([row.default for row in PARAMETERS], np.float32)
MIRROR_SIGN: Parameters = np.array([row.mirror_sign for row in PARAMETERS], np.float32)

GEOMETRY: NDArray[np.intp] = np.array(
    [i for i, row in enumerate(PARAMETERS) if row.group in ("identity", "expression", "pose")], np.intp
)
"""What moves landmarks: identity, expression and pose."""

APPEARANCE: NDArray[np.intp] = np.array(
    [i for i, row in enumerate(PARAMETERS) if row.group in ("appearance", "light")], np.intp
)
"""What does not: skin, hair, make-up, light, background and clothes."""


def default(**overrides: float) -> Parameters:
    """Make the rest portrait with some parameters set: `default(smile=0.8, yaw=-20)`.

    Raises:
        KeyError: If a name is not in the table; the message gives it.
    """
    p = DEFAULT.copy()
    for name, value in overrides.items():
        p[INDEX[name]] = value
    return p


def mirrored(p: Parameters) -> Parameters:
    """Flip a portrait (or a batch, last axis NP) left to right in parameter space.

    The picture of `mirrored(p)` is the mirrored picture of `p`, but for the fine grain of strands and pores.
    """
    return np.asarray(p, np.float32) * MIRROR_SIGN


def clipped(p: Parameters) -> Parameters:
    """Bring every value of a portrait or batch into its range."""
    return np.clip(p, LOW, HIGH).astype(np.float32)
