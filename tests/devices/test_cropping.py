"""Cutting an oriented square out of a picture."""

import cv2
import numpy as np
import pytest

from installation.core.smoothing import quad_from_pose
from installation.devices.cropping import fit_picture, sample_square


def picture(width=320, height=240):
    """Smooth colours that name their place: red grows with x, green with y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 250 / width, y * 250 / height, np.full(x.shape, 60)], axis=-1).astype(np.uint8)


def cut(frame, quad, size=64, **options):
    out = np.empty((size, size, 3), np.uint8)
    sample_square(frame, quad, out, **options)
    return out


def test_an_upright_square_at_its_own_size_is_a_copy():
    frame = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    # Crop pixel (0, 0) has its centre half a pixel inside the quad: on frame pixel (20, 30).
    quad = np.array([[19.5, 29.5], [19.5, 61.5], [51.5, 61.5], [51.5, 29.5]])
    np.testing.assert_array_equal(cut(frame, quad, 32), frame[30:62, 20:52])


@pytest.mark.parametrize("side", [40.0, 64.0, 100.0, 150.0, 200.0])
@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2, np.pi])
def test_every_pixel_comes_from_its_place(side, angle):
    """Also after reducing: a shift of half a pixel would show as a step of colour."""
    frame = picture(640, 480).astype(np.float32)
    quad = quad_from_pose((320, 240), side, angle)
    out = cut(picture(640, 480), quad).astype(np.float32)
    unit = (np.arange(64) + 0.5) / 64
    u, v = np.meshgrid(unit, unit)
    places = quad[0] + u[..., None] * (quad[3] - quad[0]) + v[..., None] * (quad[1] - quad[0])
    expected = places * (250 / 640, 250 / 480)
    assert np.abs(out[..., :2] - expected).max() < 1.6
    assert np.abs((out[..., :2] - expected).mean(axis=(0, 1))).max() < 0.6
    assert frame.shape == (480, 640, 3)


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_outside_the_frame_the_picture_is_mirrored(edge):
    frame = np.random.default_rng(1).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    x0, y0 = {"left": (-10, 20), "right": (60, 20), "top": (20, -10), "bottom": (20, 60)}[edge]
    padded = np.asarray(cv2.copyMakeBorder(frame, 40, 40, 40, 40, cv2.BORDER_REFLECT_101))
    quad = np.array([[x0, y0], [x0, y0 + 40], [x0 + 40, y0 + 40], [x0 + 40, y0]]) - 0.5
    np.testing.assert_array_equal(cut(frame, quad, 40), padded[y0 + 40 : y0 + 80, x0 + 40 : x0 + 80])


def test_without_reflection_the_outside_is_black():
    frame = np.full((50, 50, 3), 200, np.uint8)
    out = cut(frame, quad_from_pose((0, 25), 40, 0.0), reflect=False)
    assert out[32, 2].tolist() == [0, 0, 0]
    assert out[32, 60].tolist() == [200, 200, 200]


def test_wholly_outside_is_black():
    assert not cut(picture(), quad_from_pose((5000, 5000), 40, 0.3)).any()


def test_reducing_does_not_alias():
    """A board of single pixels becomes grey, not a moire."""
    board = ((np.indices((480, 480)).sum(axis=0) % 2) * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    out = cut(board, quad_from_pose((240, 240), 300, 0.2))
    assert out.std() < 12
    assert out.mean() == pytest.approx(127, abs=4)


@pytest.mark.parametrize("size_wh", [(16, 16), (1, 1), (3, 200), (200, 2)])
def test_tiny_pictures_do_no_harm(size_wh):
    frame = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    for side in (1.0, 30.0, 900.0):
        assert cut(frame, quad_from_pose((size_wh[0] / 2 - 0.5, size_wh[1] / 2 - 0.5), side, 0.4)).shape == (64, 64, 3)


def test_large_pictures_are_reduced_and_small_ones_are_not_touched():
    frame = picture(320, 240)
    assert fit_picture(frame, 320) is frame
    assert fit_picture(frame, 160).shape == (120, 160, 3)
    assert fit_picture(picture(100, 400), 200).shape == (200, 50, 3)
    assert fit_picture(np.zeros((4, 3000, 3), np.uint8), 100).shape == (1, 100, 3)
