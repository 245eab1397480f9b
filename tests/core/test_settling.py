"""What lasts settles by time: however often somebody looks, and anew for each face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.settling import FADE_S, MEMORY_S, Settling


def test_nothing_is_known_at_first():
    settling = Settling(3)
    assert settling.empty
    assert settling.presence(100.0) == 0.0


def test_the_first_sample_is_the_mean():
    settling = Settling(2)
    settling.step(np.array([1.0, -2.0], np.float32), 10.0)
    np.testing.assert_array_equal(settling.mean, [1.0, -2.0])


def test_equal_steps_give_the_plain_mean():
    settling = Settling(1)
    values = [4.0, 2.0, 9.0, 1.0]
    for second, value in enumerate(values):
        settling.step(np.array([value], np.float32), float(second))
        assert settling.mean[0] == pytest.approx(np.mean(values[: second + 1]), rel=1e-6)


def test_later_it_forgets_slowly():
    settling = Settling(1)
    for tick in range(100):
        settling.step(np.zeros(1, np.float32), tick * 0.2)
    for tick in range(round(MEMORY_S / 0.2)):
        settling.step(np.ones(1, np.float32), 20.0 + tick * 0.2)
    assert settling.mean[0] == pytest.approx(1.0 - np.exp(-1.0), abs=0.03)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(0.01, 2.0))
def test_the_mean_stays_between_its_samples(values, step_s):
    settling = Settling(1)
    for tick, value in enumerate(values):
        settling.step(np.array([value], np.float32), tick * step_s)
    assert min(values) - 1e-4 <= settling.mean[0] <= max(values) + 1e-4


def test_a_broken_sample_is_left_out_and_a_standing_clock_does_no_harm():
    settling = Settling(1)
    settling.step(np.array([np.nan], np.float32), 0.0)
    assert settling.empty
    settling.step(np.array([1.0], np.float32), 5.0)
    settling.step(np.array([3.0], np.float32), 5.0)
    settling.step(np.array([np.inf], np.float32), 6.0)
    assert settling.mean[0] == 1.0


def test_it_fades_in_and_is_wiped():
    settling = Settling(1)
    settling.step(np.ones(1, np.float32), 3.0)
    shown = [settling.presence(3.0 + part * FADE_S) for part in (0.0, 0.25, 0.5, 1.0, 7.0)]
    assert shown == sorted(shown)
    assert (shown[0], shown[2], shown[-1]) == (0.0, 0.5, 1.0)
    settling.forget()
    assert settling.empty
    assert not settling.mean.any()
