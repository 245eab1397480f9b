"""The shape of a face: what stays the visitor's when a morph speaks of something else.

Two rulers. *Landmarks*: ratios of distances between MediaPipe's points, for any pack; beside each stand the directions
that speak of it, and a target that moves one of those *names* the measure. Hair, beard and light disturb MediaPipe
itself by 0.003 to 0.03 spans between the eyes (measured on portraits of which nothing else was changed), about a third
of the deviation among people. *Readout*: the portrait's own identity parameters, for packs that can read them out of
W+, without that noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import HIGH, LOW, PARAMETERS
from engines.targets.captions import Attribute, attributes_of

NAMED_FROM = 0.05
"""A direction moved by less than this part of its range is not spoken of."""


@dataclass(frozen=True, slots=True)
class ShapeMeasure:
    """One ratio: length of `over` divided by length of `under`, each a pair of FaceMesh landmarks.

    Attributes:
        name: For people.
        over, under: Landmark indices.
        spoken_of_by: Directions that change it on purpose.
    """

    name: str
    over: tuple[int, int]
    under: tuple[int, int]
    spoken_of_by: tuple[str, ...]


_EYES = (33, 263)  # outer corners: the ruler of most measures

MEASURES = (
    ShapeMeasure("eye distance", (133, 362), _EYES, ("eye_distance", "eye_size", "epicanthus")),
    ShapeMeasure("brow height", (105, 159), _EYES, (
        "eye_eyebrow_distance", "brow_distance", "brow_raise", "brow_frown", "brow_arch", "brow", "brow_ridge",
        "eyes_open", "eye_ratio", "eye_size", "gender_expression",
    )),
    ShapeMeasure("mouth width", (61, 291), _EYES, ("mouth_width", "smile", "pucker", "lip_ratio", "mouth_open")),
    ShapeMeasure("lip height", (0, 17), _EYES, ("lip_ratio", "mouth_open", "smile", "pucker", "age")),
    ShapeMeasure("nose to mouth", (2, 0), _EYES, ("nose_mouth_distance", "nose_tip", "lip_ratio", "smile", "pucker")),
    ShapeMeasure("nose width", (98, 327), _EYES, ("nose_ratio", "nose_width", "smile")),
    ShapeMeasure("nose length", (168, 2), _EYES, ("nose_length", "nose_tip", "nose_ratio", "pitch")),
    ShapeMeasure("jaw width", (172, 397), _EYES, (
        "jaw", "jaw_width", "gender_expression", "cheeks", "cheek_fullness", "age", "neck", "beard", "mouth_open",
        "face_length", "chin",
    )),
    ShapeMeasure("chin height", (17, 152), _EYES, (
        "chin", "chin_length", "mouth_open", "face_length", "gender_expression", "beard", "lip_ratio", "age",
    )),
    ShapeMeasure("face length", (10, 152), _EYES, (
        "face_length", "forehead", "chin", "chin_length", "mouth_open", "hairline", "fringe", "gender_expression",
    )),
)  # fmt: skip


def shape_of(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Measure a face: (len(MEASURES),) ratios from (478, 3) landmarks, lengths taken in space."""
    pairs = np.array([(m.over, m.under) for m in MEASURES])
    points = np.asarray(landmarks, np.float64)[pairs]
    lengths = np.linalg.norm(points[:, :, 1] - points[:, :, 0], axis=2)
    return np.asarray(lengths[:, 0] / lengths[:, 1])


def unnamed(moves: Mapping[str, float]) -> NDArray[np.bool_]:
    """Tell which measures a target does not speak of: (len(MEASURES),).

    Args:
        moves: Direction -> part of its range in the target, the curator's weight included.
    """
    spoken = {name for name, move in moves.items() if abs(move) >= NAMED_FROM}
    return np.array([not spoken.intersection(m.spoken_of_by) for m in MEASURES])


IDENTITY: NDArray[np.bool_] = np.array([row.group == "identity" for row in PARAMETERS])
"""Which portrait parameters make a person: (NP,)."""

_SPOKEN_TOGETHER = dict.fromkeys(("masculinity", "jaw_width", "brow_ridge"), ("gender_expression",))
"""Parameters that a direction moves beside the one it is called after."""


def unnamed_parameters(moves: Mapping[str, float], attributes: Sequence[Attribute]) -> NDArray[np.bool_]:
    """Tell which identity parameters of the portrait a target does not speak of: (NP,).

    Args:
        moves: Direction -> part of its range in the target, the curator's weight included.
        attributes: They tell which direction is called after which parameter.
    """
    spoken = [name for name, move in moves.items() if abs(move) >= NAMED_FROM]
    meant = {attribute.name for attribute, _ in attributes_of(spoken, attributes).values()}
    of_parameter = attributes_of([row.name for row in PARAMETERS], attributes)
    free = IDENTITY.copy()
    for i, row in enumerate(PARAMETERS):
        beside = _SPOKEN_TOGETHER.get(row.name, ())
        named = row.name in of_parameter and of_parameter[row.name][0].name in meant
        if named or row.name in spoken or meant.intersection(beside):
            free[i] = False
    return free


def in_ranges(parameters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Count portrait parameters (..., NP) in parts of their ranges."""
    return np.asarray((parameters - LOW) / (HIGH - LOW), np.float32)
