"""One Euro and the crop square that it holds still."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.core.smoothing import (
    OneEuro,
    OneEuroTuning,
    QuadSmoother,
    low_pass_alpha,
    pose_from_quad,
    quad_from_pose,
    unwrap_angle,
)

STILL = OneEuroTuning(min_cutoff_hz=1.0, beta=0.0)
angles = st.floats(-np.pi, np.pi)
places = st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000))
sides = st.floats(1, 3000)


def test_alpha_is_that_of_the_paper():
    # 1 / (1 + tau / Te) with tau = 1 / (2 pi fc): at fc = 1 Hz and Te = 1 / (2 pi) both terms are 1.
    assert low_pass_alpha(1.0, 1.0 / (2.0 * np.pi)) == pytest.approx(0.5)


def test_the_first_sample_passes_unchanged_and_a_constant_stays():
    smooth = OneEuro(OneEuroTuning())
    for k in range(5):
        assert smooth.step([3.0, -4.0], 0.1 * k) == pytest.approx([3.0, -4.0])


def test_a_step_is_approached_from_one_side():
    smooth = OneEuro(STILL)
    smooth.step([0.0], 0.0)
    seen = [float(smooth.step([1.0], 0.1 * k)[0]) for k in range(1, 40)]
    assert seen == sorted(seen)
    assert 0.0 < seen[0] < 1.0
    assert seen[-1] == pytest.approx(1.0, abs=1e-4)


def test_beta_shortens_the_lag():
    def lag(beta: float) -> float:
        smooth = OneEuro(OneEuroTuning(1.0, beta))
        for k in range(60):
            value = float(smooth.step([k / 30.0], k / 30.0)[0])
        return 59 / 30.0 - value

    assert lag(10.0) < 0.25 * lag(0.0)


def test_dropped_frames_smooth_alike():
    """Half the rate over the same time ends near the same place: smoothing goes by time and not by frames."""

    def after_a_second(rate: int) -> float:
        smooth = OneEuro(OneEuroTuning(0.5, 0.0))
        smooth.step([0.0], 0.0)
        return [float(smooth.step([1.0], (k + 1) / rate)[0]) for k in range(rate)][-1]

    assert after_a_second(15) == pytest.approx(after_a_second(30), abs=0.01)


def test_time_that_stands_still_or_runs_backwards_does_no_harm():
    smooth = OneEuro(OneEuroTuning(1.0, 5.0))
    for at in (1.0, 1.0, 0.5, 1.1):
        assert np.isfinite(smooth.step([at, 2.0], at)).all()


def test_reset_forgets():
    smooth = OneEuro(STILL)
    smooth.step([0.0], 0.0)
    smooth.reset()
    assert smooth.step([9.0], 0.1) == pytest.approx([9.0])


def test_another_shape_is_refused():
    smooth = OneEuro(STILL)
    smooth.step([0.0, 1.0], 0.0)
    with pytest.raises(ValueError, match=r"\(2,\); got \(3,\)"):
        smooth.step([0.0, 1.0, 2.0], 0.1)


@settings(max_examples=40, deadline=None)
@given(angles)
def test_smoothing_does_not_depend_on_how_the_axes_lie(turn):
    cos, sin = np.cos(turn), np.sin(turn)
    rotate = np.array([[cos, sin], [-sin, cos]])
    one, other = OneEuro(OneEuroTuning(1.0, 3.0)), OneEuro(OneEuroTuning(1.0, 3.0))
    path = np.random.default_rng(0).normal(size=(6, 2)).cumsum(axis=0)
    for k, point in enumerate(path):
        straight, turned = one.step(point, k / 30), other.step(point @ rotate, k / 30)
        np.testing.assert_allclose(straight @ rotate, turned, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(angles, st.floats(-50, 50))
def test_unwrapping_moves_by_whole_turns_to_the_nearest(angle, near):
    out = unwrap_angle(angle, near)
    assert abs(out - near) <= np.pi + 1e-6
    assert (out - angle) / (2 * np.pi) == pytest.approx(round((out - angle) / (2 * np.pi)), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(places, sides, angles)
def test_a_quad_comes_apart_and_together_again(centre, side, angle):
    quad = quad_from_pose(centre, side, angle)
    again = quad_from_pose(*pose_from_quad(quad))
    np.testing.assert_allclose(again, quad, atol=1e-6 * (side + 1))


def test_corners_are_in_their_order():
    np.testing.assert_allclose(quad_from_pose((5.0, 5.0), 10.0, 0.0), [[0, 0], [0, 10], [10, 10], [10, 0]])


@settings(max_examples=40, deadline=None)
@given(places, sides, angles, places, st.floats(0.2, 5))
def test_moving_and_scaling_the_squares_does_the_same_to_the_smoothed_one(centre, side, angle, shift, factor):
    one, other = (QuadSmoother(OneEuroTuning(0.5, 15.0)) for _ in range(2))
    wander = np.random.default_rng(1).normal(scale=0.05, size=(5, 4))
    for k, (dx, dy, grow, turn) in enumerate(wander):
        quad = quad_from_pose(np.array(centre) + np.array([dx, dy]) * side, side * np.exp(grow), angle + turn)
        moved = quad * factor + np.array(shift)
        expected = one.step(quad, k / 30) * factor + np.array(shift)
        np.testing.assert_allclose(other.step(moved, k / 30), expected, rtol=1e-6, atol=1e-4 * (1 + side))


def test_a_head_that_tilts_through_the_back_does_not_spin():
    smooth = QuadSmoother(OneEuroTuning(1.0, 0.0))
    turned = [
        pose_from_quad(smooth.step(quad_from_pose((0, 0), 100.0, a), k / 30))[2]
        for k, a in enumerate((np.pi - 0.05, -np.pi + 0.05, -np.pi + 0.05))
    ]
    assert all(abs(abs(angle) - np.pi) < 0.06 for angle in turned)


def test_a_new_face_starts_where_it_is():
    smooth = QuadSmoother(STILL)
    smooth.step(quad_from_pose((0, 0), 100.0, 0.0), 0.0)
    smooth.reset()
    fresh = quad_from_pose((800, 300), 240.0, 0.3)
    np.testing.assert_allclose(smooth.step(fresh, 0.03), fresh, atol=1e-6)


def test_noise_on_a_still_face_is_reduced():
    """Landmark noise as measured, 1 % of the distance between the eyes, leaves a still crop."""
    rng = np.random.default_rng(2)
    smooth = QuadSmoother(OneEuroTuning(0.5, 15.0))
    raw, out = [], []
    for k in range(200):
        quad = quad_from_pose(rng.normal(scale=1.0, size=2) + 500, 400.0 * np.exp(rng.normal(scale=0.002)), 0.0)
        raw.append(quad)
        out.append(smooth.step(quad, k / 30))

    def tremor(quads: list[np.ndarray]) -> float:
        return float(np.abs(np.diff(quads, axis=0)).mean())

    assert tremor(out) < 0.35 * tremor(raw)


def test_what_is_no_quad_is_refused():
    with pytest.raises(ValueError, match=r"got \(3, 2\)"):
        pose_from_quad(np.zeros((3, 2)))
