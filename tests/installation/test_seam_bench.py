"""The seam's figures: on made-up pictures, whose flicker is known, and on the drawn visitor through the whole chain."""

import numpy as np
import pytest

from engines.runtime import load_pack
from installation.errors import DeviceError
from installation.seam_bench import _figures, _still, measure_seam

SIZE = 120, 160


def circle(radius, count=36):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([80 + radius * np.cos(angle), 60 + radius * np.sin(angle)], axis=1)


RINGS = np.stack([circle(25), circle(40)])


def noisy(frames, noise, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(np.round(rng.normal(120, noise, (frames, *SIZE, 3))), 0, 255).astype(np.uint8)


def test_a_canvas_that_is_the_camera_touches_nothing_and_flickers_less_than_the_camera():
    camera = noisy(60, 2.0)
    figures = _figures(camera, camera, RINGS)
    assert figures.touched == 0
    assert figures.camera == pytest.approx(2.0, abs=0.1)
    assert figures.inside == pytest.approx(2.0, abs=0.1)
    assert 0.5 < figures.seam < 2.0, "an unmixed seam shows more of the noise than a mask lets through"


def test_a_flickering_seam_is_measured_and_a_touched_pixel_counted():
    camera = np.full((40, *SIZE, 3), 100, np.uint8)
    canvas = camera.copy()
    assert _figures(canvas, camera, RINGS).seam == 0.0
    canvas[::2, :, :] += 4  # the whole picture, by two codes rms
    figures = _figures(canvas, camera, RINGS)
    assert figures.seam == pytest.approx(2.0, abs=0.01)
    assert figures.touched > 10_000
    canvas = camera.copy()
    canvas[7, 3, 5, 1] += 1
    assert _figures(canvas, camera, RINGS).touched == 1


def test_the_chain_leaves_the_camera_picture_alone_and_the_seam_still():
    """Outside the mask nothing is touched, to the bit; on a still face the seam flickers by less than 1/255 rms."""
    still = _still("synthetic")
    with load_pack() as pack:
        figures = measure_seam(still, pack, frames=24)
        assert figures.touched == 0
        assert figures.seam < 1.0
        assert figures.inside < 1.0
        assert figures.seam_pixels > 1000
        with pytest.raises(DeviceError, match="no face"):
            measure_seam(np.full((72, 96, 3), 90, np.uint8), pack, frames=1)
