"""Crops that keep the frame's sides, for encoders that show the head's roll."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from installation.core.alignment import quad_from_anchors, quad_size
from installation.core.crop import upright

point = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@given(point, st.floats(20, 400), st.floats(-3.1, 3.1))
def test_turning_upright_keeps_centre_and_size_and_levels_the_sides(centre, size, angle):
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * size / 2
    turned = corners @ np.array([[c, s], [-s, c]]) + centre
    level = upright(turned)
    np.testing.assert_allclose(level.mean(axis=0), turned.mean(axis=0), atol=1e-6)
    assert abs(quad_size(level) - size) < 1e-6 * size
    assert level[0, 1] == level[3, 1]
    assert level[0, 0] == level[1, 0]
    assert level[3, 0] > level[0, 0]
    assert level[1, 1] > level[0, 1]


def test_a_level_face_is_cropped_the_same_either_way():
    quad = quad_from_anchors(
        np.array([100.0, 100.0]), np.array([160.0, 100.0]), np.array([110.0, 170.0]), np.array([150.0, 170.0])
    )
    np.testing.assert_allclose(upright(quad), quad, atol=1e-9)
