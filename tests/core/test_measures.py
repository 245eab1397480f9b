"""What a face does, read from landmarks of a known head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.core.measures import INTER_OCULAR_M, ffhq_quad, head_axes, measure_face

WH = (1280, 720)
FEW = settings(max_examples=25, deadline=None)
degrees = st.floats(-60, 60)


def test_a_head_that_looks_into_the_camera(make_face):
    found = measure_face(make_face(), WH, 65.0)
    assert (found.yaw, found.pitch, found.roll) == pytest.approx((0, 0, 0), abs=0.01)
    assert found.mouth_open == pytest.approx(0.0, abs=1e-3)
    assert found.eyes_open == pytest.approx(0.09 / 0.32, abs=1e-3)
    assert found.smile == pytest.approx(0.0, abs=0.02)
    assert (found.gaze_x, found.gaze_y) == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize(
    ("turn", "sign"), [({"yaw": 30.0}, "right"), ({"pitch": 20.0}, "up"), ({"roll": 15.0}, "clockwise")]
)
def test_signs_as_they_are_documented(make_face, turn, sign):
    face = make_face(**turn)
    nose, between = face[4, :2], face[[33, 263], :2].mean(axis=0)
    straight = make_face()[4, :2] - make_face()[[33, 263], :2].mean(axis=0)
    moved = nose - between - straight
    assert {"right": moved[0] > 0, "up": moved[1] < 0, "clockwise": face[263, 1] > face[33, 1]}[sign]
    name, value = next(iter(turn.items()))
    assert getattr(measure_face(face, WH, 65.0), name) == pytest.approx(value, abs=0.01)


@FEW
@given(yaw=degrees, pitch=st.floats(-35, 35), roll=degrees)
def test_any_pose_is_read_back(make_face, yaw, pitch, roll):
    upright = measure_face(make_face(yaw=yaw, pitch=pitch), WH, 65.0)
    assert (upright.yaw, upright.pitch) == pytest.approx((yaw, pitch), abs=0.01)
    tilted = make_face(yaw=yaw, pitch=pitch, roll=roll)
    assert measure_face(tilted, WH, 65.0).roll == pytest.approx(roll, abs=0.01)
    np.testing.assert_allclose(head_axes(tilted) @ head_axes(tilted).T, np.eye(3), atol=1e-9)


@FEW
@given(yaw=degrees, roll=degrees)
def test_turning_the_head_changes_neither_mouth_nor_eyes(make_face, yaw, roll):
    change = {14: (0.0, 0.2, 0.0)}
    straight = measure_face(make_face(change=change), WH, 65.0)
    turned = measure_face(make_face(yaw=yaw, roll=roll, change=change), WH, 65.0)
    for name in ("mouth_open", "eyes_open", "smile", "gaze_x", "gaze_y", "distance"):
        assert getattr(turned, name) == pytest.approx(getattr(straight, name), abs=2e-3), name


def test_an_open_mouth(make_face):
    assert measure_face(make_face(change={14: (0.0, 0.28, 0.0)}), WH, 65.0).mouth_open == pytest.approx(0.5, abs=1e-3)


def test_closed_eyes(make_face):
    shut = dict.fromkeys((159, 160, 158, 386, 387, 385), (0.0, 0.045, 0.0))
    shut |= dict.fromkeys((145, 144, 153, 374, 373, 380), (0.0, -0.045, 0.0))
    assert measure_face(make_face(change=shut), WH, 65.0).eyes_open == pytest.approx(0.0, abs=1e-3)


def test_smiling_and_its_contrary(make_face):
    grin = {61: (-0.1, -0.06, 0.0), 291: (0.1, -0.06, 0.0)}
    droop = {61: (0.0, 0.06, 0.0), 291: (0.0, 0.06, 0.0)}
    assert measure_face(make_face(change=grin), WH, 65.0).smile > 0.6
    assert measure_face(make_face(change=droop), WH, 65.0).smile < -0.2


@pytest.mark.parametrize(("shift", "name", "sign"), [((0.05, 0, 0), "gaze_x", 1), ((0, -0.03, 0), "gaze_y", 1)])
def test_looking_aside(make_face, shift, name, sign):
    found = measure_face(make_face(change={468: shift, 473: shift}), WH, 65.0)
    assert getattr(found, name) * sign > 0.15


def test_the_hidden_eye_of_a_profile_does_not_vote(make_face):
    """At 75 degrees the far eye is a few pixels wide and its iris a guess."""
    straight = measure_face(make_face(yaw=75.0), WH, 65.0)
    guessed = measure_face(make_face(yaw=75.0, change={473: (0.1, 0.0, 0.0)}), WH, 65.0)
    assert abs(guessed.gaze_x - straight.gaze_x) < 0.5


def test_distance_follows_from_the_angle_of_view(make_face):
    # 90 degrees over 1280 px: focal length 640 px. Pupils 68 px apart.
    found = measure_face(make_face(width=100.0), WH, 90.0)
    assert found.distance == pytest.approx(640 * INTER_OCULAR_M / 68.0, rel=1e-3)
    assert measure_face(make_face(width=200.0), WH, 90.0).distance == pytest.approx(found.distance / 2, rel=1e-3)


def test_degenerate_landmarks_give_numbers():
    found = measure_face(np.zeros((478, 3), np.float32), WH, 65.0)
    assert all(np.isfinite(getattr(found, name)) for name in found.__slots__)


def test_the_quad_is_upright_and_square_around_the_face(make_face):
    quad = ffhq_quad(make_face())
    assert quad[0, 0] == pytest.approx(quad[1, 0])
    assert quad[3, 0] - quad[0, 0] == pytest.approx(quad[1, 1] - quad[0, 1])
    eyes, mouth = 0.68 * 100, 0.80 * 100
    assert quad[3, 0] - quad[0, 0] == pytest.approx(2 * max(2.0 * eyes, 1.8 * mouth), rel=0.01)


@FEW
@given(shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)), factor=st.floats(0.3, 3), turn=st.floats(-3.1, 3.1))
def test_moving_the_landmarks_moves_the_quad(make_face, shift, factor, turn):
    rotate = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * factor
    face = make_face().astype(np.float64)
    moved = face.copy()
    moved[:, :2] = face[:, :2] @ rotate + shift
    np.testing.assert_allclose(ffhq_quad(moved), ffhq_quad(face) @ rotate + shift, atol=1e-6 * 3000)


def test_another_number_of_landmarks_is_refused():
    with pytest.raises(ValueError, match=r"expected 478 landmarks; got an array of shape \(68, 2\)"):
        ffhq_quad(np.zeros((68, 2)))
