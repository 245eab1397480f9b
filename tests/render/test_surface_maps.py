"""Rotation and corner pin: where the canvas' corners come to lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.governor import SHARPNESS
from installation.display.scene import Scene
from installation.display.surface import quad_from_square, screen_from_canvas
from installation.display.targets import Target
from installation.errors import ConfigError

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def apply(matrix, x, y):
    u, v, w = matrix @ np.array([x, y, 1.0])
    return u / w, v / w


@pytest.mark.parametrize(("rotation", "top_left"), [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_a_turned_screen_shows_the_canvas_upright(rotation, top_left):
    """Turned by 90 degrees clockwise, a panel's own bottom-left corner is the top-left one on the wall."""
    matrix = screen_from_canvas(rotation, SQUARE)
    assert apply(matrix, 0, 0) == pytest.approx(top_left)
    assert apply(matrix, 1, 1) == pytest.approx((1 - top_left[0], 1 - top_left[1]))


@given(st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)), min_size=4, max_size=4))
def test_pinned_corners_lie_where_they_were_pinned(shifts):
    corners = [(x + dx, y + dy) for (x, y), (dx, dy) in zip(SQUARE, shifts, strict=True)]
    matrix = quad_from_square(corners)
    for canvas, screen in zip(SQUARE, corners, strict=True):
        assert apply(matrix, *canvas) == pytest.approx(screen, abs=1e-9)


def test_straight_lines_stay_straight():
    matrix = quad_from_square(((0.1, 0.0), (0.9, 0.1), (1.0, 0.8), (0.0, 1.0)))
    a, b, c = (np.array(apply(matrix, t, 0.25 + 0.5 * t)) for t in (0.1, 0.4, 0.9))
    ab, ac = b - a, c - a
    assert ab[0] * ac[1] - ab[1] * ac[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "corners",
    [
        ((0, 0), (1, 0), (0, 1), (1, 1)),  # crossed
        ((0, 0), (0, 0), (1, 1), (0, 1)),  # two in one place
        ((0, 0), (1, 0), (0.4, 0.4), (0, 1)),  # dented
        ((0, 0), (0, 1), (1, 1), (1, 0)),  # the other way round
    ],
)
def test_corners_that_make_no_picture_are_refused_with_a_sentence(corners):
    with pytest.raises(ConfigError, match="convex"):
        quad_from_square(corners)


def presented(ctx, renderer, size):
    target = Target(ctx)
    target.resize(size)
    renderer.present(target.framebuffer)
    pixels = np.frombuffer(target.texture.read(), np.uint8).reshape(size[1], size[0], 4)[::-1]
    target.release()
    return pixels


def test_the_screen_gets_the_canvas_turned_and_the_right_way_up(ctx, make_renderer, face_picture, shot):
    upright = make_renderer(mirrored=False, grain=0.0)
    turned = make_renderer(mirrored=False, grain=0.0, rotation=90)
    for renderer in (upright, turned):
        renderer.show_pictures(face_picture())
    canvas = shot(upright, Scene(), (96, 160))
    assert np.array_equal(presented(ctx, upright, (96, 160)), canvas)
    assert np.array_equal(shot(turned, Scene(), (160, 96)), canvas)
    screen = presented(ctx, turned, (160, 96))
    assert np.array_equal(np.rot90(screen, -1), canvas), "turning the panel clockwise by 90 degrees rights the picture"


def test_soft_edges_of_two_projectors_add_up_to_one_light(ctx, make_renderer, face_picture, shot):
    renderer = make_renderer(soft_edges=(0.5, 0.0, 0.0, 0.0), fit="cover", grain=0.0, vignette=0.0)
    white = face_picture()
    white.images[:] = 1.0
    renderer.show_pictures(white)
    shot(renderer, Scene(), (64, 64))
    ramp = presented(ctx, renderer, (64, 64))[32, :, 0] / 255.0
    light = ramp[:32] ** 2.2
    assert ramp[40:].min() > 0.98
    assert np.abs(light + light[::-1] - 1.0).max() < 0.03


@pytest.mark.parametrize("view", ["portrait", "series", "mirror"])
@pytest.mark.parametrize("sharpness", SHARPNESS[1:])
def test_a_picture_drawn_smaller_fills_the_screen_the_same(ctx, make_renderer, face_picture, shot, view, sharpness):
    screens = []
    for part in (1.0, sharpness):
        renderer = make_renderer(grain=0.0)
        renderer.sharpness = part
        renderer.show_pictures(face_picture(5 if view == "series" else 1, resolution=32))
        canvas = shot(renderer, Scene(view=view), (320, 180))
        assert canvas.shape[:2] == (round(180 * part / 2) * 2, round(320 * part / 2) * 2)
        screens.append(presented(ctx, renderer, (320, 180)).astype(int))
    assert np.abs(screens[0] - screens[1]).mean() < 6.0, "what differs are edges"
