"""Pose, crop and landmarks: the exact rule, mirrored as the parameters are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.faces.geometry import (
    EYE_SURFACE_Z,
    LANDMARK_INDEX,
    MOUTH_SURFACE_Z,
    anchors,
    camera,
    landmarks,
    rotation,
)
from engines.faces.parameters import default, mirrored
from engines.faces.sampler import sample

ANGLES = st.floats(-60.0, 60.0)
SEEDS = st.integers(0, 2**32 - 1)


@given(ANGLES, ANGLES, ANGLES)
def test_rotation_is_a_rotation(yaw: float, pitch: float, roll: float) -> None:
    turn = rotation(yaw, pitch, roll)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("angles", "axis", "expected"),
    [((30.0, 0.0, 0.0), 0, 1), ((0.0, 20.0, 0.0), 1, 1), ((0.0, 0.0, 10.0), None, None)],
)
def test_signs_of_the_angles(angles: tuple[float, float, float], axis: int | None, expected: int | None) -> None:
    turn = rotation(*angles)
    if axis is not None:
        looking = turn @ [0.0, 0.0, 1.0]
        assert np.sign(looking[axis]) == expected, "yaw turns the face to the picture's right, pitch up"
    else:
        assert (turn @ [0.0, 1.0, 0.0])[0] > 0, "roll is clockwise in the picture: the crown goes right"


def test_crop_follows_the_rule_on_a_frontal_face() -> None:
    """With the mouth far below, eye-mouth distance decides: the mouth lies 0.9 / (2 * 1.8) below the centre."""
    p = default(nose_mouth_distance=1.0, nose_length=1.0, mouth_open=0.0, smile=0.0)
    a, view = anchors(p), camera(p)
    eyes = view.to_crop(np.array([[-a.eye_x, a.eye_y, EYE_SURFACE_Z], [a.eye_x, a.eye_y, EYE_SURFACE_Z]])).mean(axis=0)
    x = a.mouth_half_width
    mouth = view.to_crop(np.array([[-x, a.mouth_y, MOUTH_SURFACE_Z], [x, a.mouth_y, MOUTH_SURFACE_Z]])).mean(axis=0)
    span = max(4.0 * np.ptp(view.to_crop(np.array([[-a.eye_x, 0, EYE_SURFACE_Z], [a.eye_x, 0, EYE_SURFACE_Z]]))[:, 0]),
               3.6 * (mouth - eyes)[1])  # fmt: skip
    assert span == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(eyes + 0.1 * (mouth - eyes), [0.5, 0.5], atol=1e-9)


@given(SEEDS)
def test_eyes_lie_where_ffhq_has_them(seed: int) -> None:
    truth = landmarks(sample(np.random.default_rng(seed)))
    eye_height = truth[:4, 1].mean()
    assert 0.38 < eye_height < 0.56


@given(SEEDS)
def test_landmarks_mirror_with_the_parameters(seed: int) -> None:
    p = sample(np.random.default_rng(seed))
    other = [3, 2, 1, 0, 4, 6, 5, 7]
    assert len(other) == len(LANDMARK_INDEX)
    flipped = landmarks(mirrored(p))[other]
    np.testing.assert_allclose(flipped, landmarks(p) * [-1, 1] + [1, 0], atol=1e-5)


def test_jitter_moves_and_scales_the_crop() -> None:
    p = default()
    plain, moved = landmarks(p), landmarks(p, np.array([0.1, -0.2, 1.25]))
    np.testing.assert_allclose((moved - 0.5) * 1.25, plain - 0.5 - [0.05, 0.1], atol=1e-6)
