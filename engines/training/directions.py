"""Attribute directions in W+: what moving one portrait parameter does, averaged over people.

A direction's vector is per unit of its parameter, its range is what stays a face. The mean difference through the row
networks touches only what the parameter itself touches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.faces.parameters import HIGH, INDEX, LOW, PARAMETERS
from engines.training.generator import PortraitModel

SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of the pack.

    Attributes:
        name: As an operator knows it.
        parts: Parameter name -> how far it moves for one unit of the axis.
        unit: What one unit is.
        low, high: Useful range in that unit, added to anybody.
        fifteen: One of the fifteen features of the seed system.
    """

    name: str
    parts: dict[str, float]
    unit: str
    low: float
    high: float
    fifteen: bool = False


def _amount(name: str, parameter: str, *, fifteen: bool = False, low: float = -1.0, high: float = 1.0) -> Axis:
    """An axis whose unit is half of its parameter's range."""
    row = PARAMETERS[INDEX[parameter]]
    return Axis(name, {parameter: (row.high - row.low) / 2.0}, "half range", low, high, fifteen)


def _angle(name: str, limit: float, *, fifteen: bool = True) -> Axis:
    return Axis(name, {name: 1.0}, "deg", -limit, limit, fifteen)


AXES: tuple[Axis, ...] = (
    _amount("age", "age", fifteen=True),
    _amount("eye_distance", "eye_distance", fifteen=True),
    _amount("eye_eyebrow_distance", "brow_distance", fifteen=True),
    _amount("eye_ratio", "eye_ratio", fifteen=True),
    _amount("eyes_open", "eyes_open", fifteen=True, high=0.5),
    Axis(
        "gender_expression",
        {
            "masculinity": 1.0, "jaw_width": 0.35, "brow_ridge": 0.4, "brow_thickness": 0.5, "lashes": -0.3,
            "lip_tint": -0.25, "eye_shadow": -0.25, "hair_length": -0.2,
        },
        "half range", -1.0, 1.0, True,
    ),
    _amount("lip_ratio", "lip_ratio", fifteen=True),
    _amount("mouth_open", "mouth_open", fifteen=True, low=-0.5, high=1.5),
    _amount("nose_mouth_distance", "nose_mouth_distance", fifteen=True),
    _amount("nose_ratio", "nose_ratio", fifteen=True),
    _amount("nose_tip", "nose_tip", fifteen=True),
    _angle("pitch", 16.0),
    _angle("roll", 10.0),
    _amount("smile", "smile", fifteen=True),
    _angle("yaw", 25.0),
    *(
        _amount(parameter, parameter)
        for parameter in (
            "eye_size", "eye_tilt", "brow_arch", "brow_ridge", "mouth_width", "nose_length", "cheekbones",
            "face_length", "forehead", "brow_raise", "brow_frown", "gaze_x", "gaze_y", "smirk", "pucker", "skin_tone",
            "skin_warmth", "blush", "freckles", "lip_tint", "eye_shadow", "lashes", "iris", "hair_darkness",
            "hair_red", "hair_grey", "hair_length", "hair_volume", "hair_curl", "fringe", "hairline", "beard",
            "moustache", "glasses", "light_warmth", "fill", "rim",
        )
    ),
    _amount("jaw", "jaw_width"),
    _amount("chin", "chin_length"),
    _amount("cheeks", "cheek_fullness"),
    _amount("neck", "neck_width"),
    _amount("brow", "brow_thickness"),
    Axis("make_up", {"lip_tint": 0.5, "eye_shadow": 0.5, "lashes": 0.3}, "half range", -1.0, 1.0),
    _amount("light", "light_intensity"),
    Axis("light_azimuth", {"light_azimuth": 1.0}, "deg", -60.0, 60.0),
    Axis("light_elevation", {"light_elevation": 1.0}, "deg", -30.0, 30.0),
    _amount("background", "background_value"),
)  # fmt: skip


@torch.no_grad()
def fit_direction(model: PortraitModel, axis: Axis, parameters: Tensor) -> NDArray[np.float32]:
    """Average what the axis does to W+ over people: (n, P) parameters -> (num_ws, w_dim) per unit.

    Each person moves over the part of the range that lies inside the parameters' bounds.
    """
    step = torch.zeros(parameters.shape[1])
    for name, amount in axis.parts.items():
        step[INDEX[name]] = amount
    reach = min(abs(axis.low), abs(axis.high)) * 0.5
    ahead = torch.clamp(parameters + step * reach, torch.from_numpy(LOW), torch.from_numpy(HIGH))
    behind = torch.clamp(parameters - step * reach, torch.from_numpy(LOW), torch.from_numpy(HIGH))
    lead = next(iter(axis.parts))
    moved = (ahead - behind)[:, INDEX[lead]].mean() / axis.parts[lead]
    difference = model.latents(ahead) - model.latents(behind)
    return (difference.mean(0) / moved).numpy().astype(np.float32)
