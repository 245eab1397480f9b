"""The cross-fade between pictures, on a virtual clock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.crossfade import AT_ONCE_BELOW, LONGEST_S, Crossfade

FRAME_S = 1 / 60


def test_without_a_picture_before_it_the_first_is_there_at_once():
    fade = Crossfade()
    assert fade.blend(0.0, FRAME_S) == 1.0
    fade.arrive(1.0)
    assert fade.blend(1.0, FRAME_S) == 1.0


def test_a_picture_has_come_when_the_next_is_due():
    fade = Crossfade()
    fade.arrive(0.0)
    fade.arrive(0.5)
    assert fade.blend(0.5, FRAME_S) == pytest.approx(FRAME_S / 0.5)
    assert fade.blend(0.75, FRAME_S) == pytest.approx((0.25 + FRAME_S) / 0.5)
    assert fade.blend(1.0, FRAME_S) == 1.0
    assert fade.blend(9.0, FRAME_S) == 1.0


def test_pictures_as_fast_as_frames_are_shown_at_once():
    fade = Crossfade()
    for frame in range(9):
        fade.arrive(frame * FRAME_S * 0.99 * AT_ONCE_BELOW)
        assert fade.blend(frame * FRAME_S * 0.99 * AT_ONCE_BELOW, FRAME_S) == 1.0


def test_a_long_absence_does_not_make_the_next_fade_endless():
    fade = Crossfade()
    fade.arrive(0.0)
    fade.arrive(3600.0)
    assert fade.blend(3600.0 + LONGEST_S, FRAME_S) == 1.0


@given(st.floats(1.0, 20.0), st.lists(st.floats(0.7, 1.3), min_size=20, max_size=40))
def test_no_frame_moves_by_more_than_its_share_whatever_the_jitter(rate_hz, jitter):
    """Gaps that vary by 30 % move a frame by at most a third more than its share of an even interval."""
    fade, now, due, gaps = Crossfade(), 0.0, 0.0, iter(jitter)
    last, steps = 1.0, []
    for _ in range(2000):
        now += FRAME_S
        if now >= due:
            gap = next(gaps, None)
            if gap is None:
                break
            due, last = now + gap / rate_hz, 0.0
            fade.arrive(now)
        blend = fade.blend(now, FRAME_S)
        assert 0.0 <= blend <= 1.0
        assert blend >= last, "a fade never turns back"
        steps.append(blend - last)
        last = blend
    assert max(steps[int(2.6 / rate_hz / FRAME_S) :], default=0.0) <= 1.45 * rate_hz * FRAME_S + 1e-9


def test_the_estimate_follows_a_governor_that_slows_the_networks():
    fade, now = Crossfade(), 0.0
    for gap in [0.04] * 20 + [0.5] * 20:
        now += gap
        fade.arrive(now)
    assert 0.5 * fade.blend(now, FRAME_S) == pytest.approx(FRAME_S, rel=0.05)
    assert np.isfinite(fade.blend(now, FRAME_S))
