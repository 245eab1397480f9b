"""Pictures on the graphics side: no jump whatever arrives when, nothing breaks on bad numbers."""

import numpy as np
import pytest

from installation.display.scene import Picture
from installation.throttle_bench import largest_step, step_threshold


def flat(level, resolution=16, count=1):
    """A picture of one encoded grey level, 0..1."""
    return Picture(np.full((count, 3, resolution, resolution), level * 2 - 1, np.float32), 0.0, 1, 1, 0.0)


def shown(reflection, blend, wanted=16.0):
    texture = reflection.render(blend, wanted)
    return np.frombuffer(texture.read(), np.float16).reshape(texture.height, texture.width, 4).astype(np.float32)


def level(reflection, blend):
    return float(shown(reflection, blend)[8, 8, 0])


def light(encoded):
    """sRGB's own curve; the shader mixes squares, which lie near it and need no powers."""
    return ((encoded + 0.055) / 1.055) ** 2.4


def test_there_is_nothing_before_the_first_picture(reflection):
    assert reflection.render(1.0, 100.0) is None


def test_the_first_picture_is_there_at_once_whatever_the_blend(reflection):
    reflection.upload(flat(0.6))
    assert level(reflection, 0.0) == pytest.approx(0.6, abs=0.003)
    assert level(reflection, 0.3) == pytest.approx(0.6, abs=0.003)


def test_pictures_mix_in_light(reflection):
    reflection.upload(flat(0.2))
    level(reflection, 1.0)
    reflection.upload(flat(0.9))
    assert level(reflection, 0.0) == pytest.approx(0.2, abs=0.004)
    assert light(level(reflection, 0.5)) == pytest.approx((light(0.2) + light(0.9)) / 2, abs=0.035)
    assert level(reflection, 1.0) == pytest.approx(0.9, abs=0.004)


def test_a_picture_that_comes_too_early_makes_no_jump(reflection):
    """Regression in spirit: fading between the last two pictures jumps back when one arrives half way."""
    reflection.upload(flat(0.1))
    level(reflection, 1.0)
    reflection.upload(flat(0.9))
    half = level(reflection, 0.4)
    reflection.upload(flat(0.5))
    assert level(reflection, 0.0) == pytest.approx(half, abs=0.004)


def test_two_pictures_between_two_frames_fade_from_what_was_seen(reflection):
    reflection.upload(flat(0.2))
    level(reflection, 1.0)
    reflection.upload(flat(0.5))
    reflection.upload(flat(0.8))
    assert level(reflection, 0.0) == pytest.approx(0.2, abs=0.004)
    assert level(reflection, 1.0) == pytest.approx(0.8, abs=0.004)


@pytest.mark.parametrize("rate_hz", [2, 10, 25])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_steps_between_frames_stay_small_at_every_network_speed(reflection, rate_hz, jitter):
    """Swings from black to white move at most their share a frame, by the clock of the show and the real shader."""
    steps = largest_step(reflection, rate_hz, 60.0, jitter=jitter)
    assert steps <= step_threshold(rate_hz, 60.0)
    assert steps > 0.5 * min(1.0, rate_hz / 60.0), "something moved"


def test_values_out_of_range_and_nan_make_no_noise(reflection):
    picture = flat(0.5)
    picture.images[0, :, 0, 0] = (np.nan, np.inf, -np.inf)
    picture.images[0, :, 1, 1] = (5.0, -5.0, 1.0)
    reflection.upload(picture)
    assert reflection.newest_rgb()[0, 0].tolist() == [0, 255, 0]
    assert reflection.newest_rgb()[1, 1].tolist() == [255, 0, 255]


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 3, 8, 9), (0, 3, 8, 8), (1, 3, 0, 0)])
def test_what_is_no_picture_is_refused(reflection, shape):
    with pytest.raises(ValueError, match="n, 3, r, r"):
        reflection.upload(Picture(np.zeros(shape, np.float32), 0.0, 1, 1, 0.0))


def test_pictures_larger_than_wanted_are_averaged_in_light(reflection):
    picture = flat(0.0, 64)
    picture.images[..., ::2] = 1.0  # stripes one pixel wide
    reflection.upload(picture)
    small = shown(reflection, 1.0, wanted=16.0)
    assert small.shape[:2] == (16, 16)
    assert np.square(small[..., :3]).mean() == pytest.approx(0.5, abs=0.01)


def test_several_pictures_lie_side_by_side(reflection):
    pictures = flat(0.0, 16, count=3)
    for index, grey in enumerate((0.2, 0.5, 0.8)):
        pictures.images[index] = grey * 2 - 1
    reflection.upload(pictures)
    row = shown(reflection, 1.0)[8, :, 0]
    assert row.reshape(3, 16).mean(axis=1) == pytest.approx([0.2, 0.5, 0.8], abs=0.004)


def test_results_as_fast_as_frames_are_shown_at_once(reflection):
    """Regression: on a starved machine each frame brought a new picture at a small blend, and an old one stayed for
    seconds as a double exposure."""
    reflection.upload(flat(0.0))
    level(reflection, 1.0)
    for grey in np.linspace(0.4, 0.7, 12):
        reflection.upload(flat(grey))
        seen = level(reflection, 0.1)
    assert seen == pytest.approx(0.7, abs=0.004)
    assert level(reflection, 0.2) == pytest.approx(0.7, abs=0.004), "and the next frame does not step back"
