"""The portrait as MediaPipe sees it: a face, where the truth says, moved by each parameter as its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mediapipe
import numpy as np
import pytest

from engines.faces.geometry import LANDMARK_INDEX, landmarks
from engines.faces.parameters import HIGH, INDEX, LOW, PARAMETERS, default
from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample

Find = Callable[[np.ndarray], np.ndarray | None]
EYE_CORNERS = ((33, 133), (362, 263))
PEOPLE = 16
LEVELS = 6
USED_RANGE = 0.7
"""Of bones: where nine in ten people lie (1.75 sigma). Beyond, MediaPipe cuts the longest chins."""


@pytest.fixture(scope="module")
def find() -> Iterator[Find]:
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1) as mesh:

        def landmarks_in(picture: np.ndarray) -> np.ndarray | None:
            found = mesh.process(picture).multi_face_landmarks
            return None if not found else np.array([(p.x, p.y) for p in found[0].landmark])

        yield landmarks_in


def test_people_are_found_where_they_are(find: Find, large: PortraitRenderer) -> None:
    rng = np.random.default_rng(11)
    errors = []
    for _ in range(PEOPLE):
        p = sample(rng)
        seen = find(large.render(p))
        assert seen is not None
        truth = landmarks(p)
        between_eyes = np.linalg.norm(truth[:2].mean(axis=0) - truth[2:4].mean(axis=0))
        errors.append(np.linalg.norm(seen[list(LANDMARK_INDEX.values())] - truth, axis=1) / between_eyes)
    mean = np.mean(errors, axis=0)
    assert mean[:4].max() < 0.06, "eye corners, in inter-ocular distances"
    assert mean.max() < 0.13, dict(zip(LANDMARK_INDEX, mean.round(3), strict=True))


def _gap(seen: np.ndarray, a: int, b: int) -> float:
    return float(np.linalg.norm(seen[a] - seen[b]))


def _eye_width(seen: np.ndarray) -> float:
    return sum(_gap(seen, *pair) for pair in EYE_CORNERS) / 2


def _lids(seen: np.ndarray) -> float:
    return (_gap(seen, 159, 145) + _gap(seen, 386, 374)) / 2


def _height(seen: np.ndarray, points: tuple[int, ...]) -> float:
    return -float(seen[list(points), 1].mean())


MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "eyes_open": lambda s: _lids(s) / _eye_width(s),
    "eye_ratio": lambda s: _lids(s) / _eye_width(s),
    "eye_distance": lambda s: _gap(s, 133, 362) / _gap(s, 10, 152),
    "brow_distance": lambda s: _height(s, (105, 334)) - _height(s, (159, 386)),
    "brow_raise": lambda s: _height(s, (105, 334)) - _height(s, (159, 386)),
    "mouth_open": lambda s: _gap(s, 13, 14) / _gap(s, 61, 291),
    "mouth_width": lambda s: _gap(s, 61, 291) / _gap(s, 133, 362),
    "lip_ratio": lambda s: (_gap(s, 0, 13) + _gap(s, 14, 17)) / _gap(s, 61, 291),
    "smile": lambda s: (_height(s, (61, 291)) - _height(s, (13, 14))) / _gap(s, 61, 291),
    "smirk": lambda s: _height(s, (291,)) - _height(s, (61,)),
    "nose_length": lambda s: _gap(s, 168, 2) / _gap(s, 133, 362),
    "nose_mouth_distance": lambda s: _gap(s, 2, 0) / _gap(s, 133, 362),
    "jaw_width": lambda s: _gap(s, 172, 397) / _gap(s, 133, 362),
    "chin_length": lambda s: _gap(s, 17, 152) / _gap(s, 133, 362),
    "gaze_x": lambda s: float(s[468, 0] + s[473, 0] - s[[33, 133, 362, 263], 0].sum() / 2),
    "yaw": lambda s: float(s[4, 0] - (s[234, 0] + s[454, 0]) / 2),
    "pitch": lambda s: _height(s, (4,)) - _height(s, (234, 454)),
    "roll": lambda s: float(s[263, 1] - s[33, 1]),
}


@pytest.mark.parametrize("name", MEASURES)
def test_parameter_moves_its_own_measure(find: Find, large: PortraitRenderer, name: str) -> None:
    i = INDEX[name]
    used = USED_RANGE if PARAMETERS[i].group == "identity" else 1.0
    values = np.linspace(LOW[i], HIGH[i], LEVELS) * used
    measured = []
    for value in values:
        seen = find(large.render(default(**{"hair_length": 0.2, "fringe": 0.0, "fill": 0.6, name: float(value)})))
        assert seen is not None
        measured.append(MEASURES[name](seen))
    order = np.argsort(np.argsort(measured))
    spearman = np.corrcoef(order, np.arange(LEVELS))[0, 1]
    assert spearman > 0.9, f"{name}: {np.round(measured, 3)}"
