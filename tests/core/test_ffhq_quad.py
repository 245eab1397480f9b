"""The FFHQ crop square: known values, and what must happen when a face moves, turns or grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from installation.core.alignment import quad_from_68, quad_from_anchors, quad_size

points = st.tuples(st.floats(-500, 500), st.floats(-500, 500)).map(np.array)
faces = st.tuples(points, points, points, points).filter(
    lambda f: np.hypot(*(f[1] - f[0] - np.array([-1, 1]) * ((f[2] + f[3]) / 2 - (f[0] + f[1]) / 2)[::-1])) > 1
)


def test_upright_face() -> None:
    """Eyes 100 apart, mouth 100 below: the eyes' span (2 x 100) is the larger one."""
    quad = quad_from_anchors((100, 200), (200, 200), (120, 300), (180, 300))
    np.testing.assert_allclose(quad, [(-50, 10), (-50, 410), (350, 410), (350, 10)], atol=1e-9)
    assert quad_size(quad) == pytest.approx(400)


def test_long_face_takes_the_span_of_eyes_to_mouth() -> None:
    quad = quad_from_anchors((100, 200), (200, 200), (150, 400), (150, 400))
    assert quad_size(quad) == pytest.approx(2 * 1.8 * 200)


def test_68_points_are_averaged() -> None:
    landmarks = np.zeros((68, 2))
    landmarks[36:42] = (100, 200)
    landmarks[36] += (6, 0)
    landmarks[42:48] = (200, 200)
    landmarks[48], landmarks[54] = (120, 300), (180, 300)
    expected = quad_from_anchors((101, 200), (200, 200), (120, 300), (180, 300))
    np.testing.assert_array_equal(quad_from_68(landmarks), expected)


@given(faces, st.floats(-3.14, 3.14), st.floats(0.2, 5), points)
def test_quad_follows_the_face(
    face: tuple[NDArray[np.float64], ...], angle: float, scale: float, shift: NDArray[np.float64]
) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = [turn @ point + shift for point in face]
    np.testing.assert_allclose(quad_from_anchors(*moved), quad_from_anchors(*face) @ turn.T + shift, atol=1e-4)


@given(faces)
def test_quad_is_a_square_with_the_corners_in_order(face: tuple[NDArray[np.float64], ...]) -> None:
    quad = quad_from_anchors(*face)
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.hypot(*sides.T)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-9)
    right_angle = sides[0] @ sides[1]
    assert abs(right_angle) <= 1e-6 * lengths[0] ** 2
    # top-left -> bottom-left -> bottom-right: a turn to the left when y points down
    assert sides[0][0] * sides[1][1] - sides[0][1] * sides[1][0] < 0


@pytest.mark.parametrize(
    "anchors",
    [
        [(1, 1), (1, 1), (1, 1), (1, 1)],
        [(0, 0), (1, 0), (np.nan, 1), (1, 1)],
        [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)],
    ],
)
def test_faces_without_direction(anchors: list[tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"points|finite"):
        quad_from_anchors(*anchors)


def test_wrong_number_of_landmarks() -> None:
    with pytest.raises(ValueError, match=r"\(67, 2\)"):
        quad_from_68(np.zeros((67, 2)))
