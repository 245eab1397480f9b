"""Affine maps between frame and crop, and the part of the frame that a crop reads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.core.crop import (
    apply_affine,
    crop_from_frame,
    frame_from_crop,
    frame_from_pixels,
    invert_affine,
    landmarks_in_crop,
    reading_box,
)
from installation.core.smoothing import quad_from_pose

SQUARE = np.array([[10.0, 20.0], [10.0, 120.0], [110.0, 120.0], [110.0, 20.0]])
quads = st.builds(
    quad_from_pose, st.tuples(st.floats(-500, 2000), st.floats(-500, 2000)), st.floats(4, 1500), st.floats(-4, 4)
)


def test_corners_become_the_unit_square():
    corners = apply_affine(crop_from_frame(SQUARE), SQUARE)
    np.testing.assert_allclose(corners, [[0, 0], [0, 1], [1, 1], [1, 0]], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(quads)
def test_frame_to_crop_to_frame_is_the_identity(quad):
    points = np.random.default_rng(0).uniform(-3000, 3000, (20, 2))
    there = apply_affine(crop_from_frame(quad), points)
    np.testing.assert_allclose(apply_affine(frame_from_crop(quad), there), points, atol=1e-6)


def test_pixel_centres_lie_half_a_pixel_inside():
    np.testing.assert_allclose(apply_affine(frame_from_pixels(SQUARE, 50), np.zeros((1, 2))), [[11.0, 21.0]])
    np.testing.assert_allclose(apply_affine(frame_from_pixels(SQUARE, 50), np.full((1, 2), 49.0)), [[109.0, 119.0]])


def test_landmarks_keep_their_depth_on_the_scale_of_the_crop():
    points = np.array([[60.0, 70.0, -25.0], [10.0, 20.0, 0.0]], np.float32)
    np.testing.assert_allclose(landmarks_in_crop(points, SQUARE), [[0.5, 0.5, -0.25], [0, 0, 0]], atol=1e-6)


def test_a_quad_without_area_is_refused():
    with pytest.raises(ValueError, match="no area"):
        crop_from_frame(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="no area"):
        invert_affine(np.zeros((2, 3)))


def test_what_is_no_quad_is_refused():
    with pytest.raises(ValueError, match=r"got \(5, 2\)"):
        frame_from_crop(np.zeros((5, 2)))


@pytest.mark.parametrize(
    ("quad", "expected"),
    [
        (SQUARE, (8, 18, 113, 123)),  # inside: its own box and a margin
        (SQUARE - (60, 0), (0, 18, 53, 123)),  # sticks out by 50 at the left: reflects columns 0 to 50, and has them
        (SQUARE - (100, 0), (0, 18, 93, 123)),  # sticks out by 90 with 10 inside: the reflection reads up to 90
        (SQUARE - (200, 0), None),  # wholly outside
        (np.add(SQUARE, (0, 900)), None),
    ],
)
def test_the_box_holds_what_reflection_reads(quad, expected):
    box = reading_box(quad, (640, 480))
    assert (box is None) == (expected is None)
    if expected is not None:
        assert box == expected


@settings(max_examples=40, deadline=None)
@given(quads, st.integers(1, 1000), st.integers(1, 1000))
def test_the_box_lies_inside_the_frame_and_is_never_empty(quad, width, height):
    box = reading_box(quad, (width, height))
    if box is not None:
        x0, y0, x1, y1 = box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
