"""Pacing, statistics, the attract walk and W+ arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.attract import AttractWalk
from installation.core.latents import band_weights, bands_for, style_mix, truncate
from installation.core.pacing import Pacer, RefreshWatch
from installation.core.stats import Histogram


def test_pacer_keeps_the_mean_rate_exactly():
    pacer, now = Pacer(50.0), 10.0
    for _ in range(500):
        now += pacer.wait_s(now)
        now += 0.005  # work that fits
    assert now == pytest.approx(10.0 + 499 * 0.02 + 0.005)
    assert pacer.late == 0


def test_a_late_tick_is_dropped_and_not_chased():
    pacer = Pacer(10.0)
    assert pacer.wait_s(0.0) == 0.0
    assert pacer.wait_s(0.55) == 0.0
    assert pacer.late == 4
    assert pacer.wait_s(0.55) == pytest.approx(0.1)


def test_pacer_refuses_a_rate_of_zero():
    with pytest.raises(ValueError, match="above 0"):
        Pacer(0.0)


def _drawn(watch, count, swap_takes_s, now=0.0):
    """Times of `count` swaps that return after `swap_takes_s`, with the sleep that is asked for."""
    times = []
    for _ in range(count):
        now += swap_takes_s
        times.append(now)
        now += watch.wait_s(now)
    return times


def test_a_screen_that_waits_is_left_alone():
    times = _drawn(RefreshWatch(60.0), 1000, 1 / 60)
    assert times[-1] == pytest.approx(1000 / 60)


def test_a_screen_that_waits_for_nothing_is_drawn_at_its_rate_all_the_same():
    times = _drawn(RefreshWatch(30.0), 3000, 0.004)
    assert 3000 / times[-1] == pytest.approx(30.0, rel=0.05)


def test_a_late_picture_and_the_early_one_after_it_change_nothing():
    watch, now = RefreshWatch(60.0), 0.0
    for tick in range(2000):
        now += {0: 0.030, 1: 0.003}.get(tick % 20, 1 / 60)
        assert watch.wait_s(now) == 0.0


def test_a_window_that_was_covered_follows_the_screen_again():
    watch = RefreshWatch(60.0)
    now = _drawn(watch, 300, 0.001)[-1]
    now = _drawn(watch, 700, 1 / 60, now)[-1]
    assert [watch.wait_s(now + tick / 60) for tick in range(1, 100)] == [0.0] * 99


@given(st.lists(st.floats(0.02, 60_000), min_size=1, max_size=300))
def test_histogram_percentiles_are_right_to_its_resolution(samples):
    histogram = Histogram()
    for sample in samples:
        histogram.add(sample)
    ordered = sorted(samples)
    for percent in (50, 95, 99):
        rank = max(0, int(np.ceil(percent / 100 * len(ordered))) - 1)
        assert histogram.percentile(percent) == pytest.approx(ordered[rank], rel=0.03, abs=0.001)
    assert histogram.worst == max(samples)
    assert histogram.mean == pytest.approx(sum(samples) / len(samples))


def test_an_empty_histogram_answers_zero():
    assert Histogram().summary() == {"p50": 0.0, "p95": 0.0, "worst": 0.0}


def latents(k):
    return np.full((3, 2), float(k), np.float32)


def test_the_attract_walk_visits_each_latent_and_never_jumps():
    walk = AttractWalk(latents, period_s=10.0)
    times = np.arange(0, 50, 0.01)
    values = np.array([walk.at(t)[0, 0] for t in times])
    assert np.abs(np.diff(values)).max() < 0.01
    for k in range(5):
        assert values[int(k * 1000)] == pytest.approx(k, abs=1e-6)


def test_the_attract_walk_can_be_entered_anywhere():
    assert AttractWalk(latents, 10.0).at(1234.0)[0, 0] == pytest.approx(123.0, abs=1.0)


w_plus = st.integers(0, 2**32 - 1).map(lambda s: np.random.default_rng(s).normal(size=(10, 4)).astype(np.float32))


@given(w_plus, w_plus)
def test_truncation_ends_are_exact(w, avg):
    np.testing.assert_array_equal(truncate(w, avg, 1.0), w)
    np.testing.assert_array_equal(truncate(w, avg, 0.0), avg)
    np.testing.assert_array_equal(truncate(w, avg, 0.0, cutoff=3)[3:], w[3:])


@given(w_plus, w_plus, st.integers(0, 10), st.integers(0, 10))
def test_style_mixing_touches_only_its_rows(a, b, start, stop):
    mixed = style_mix(a, b, (start, stop))
    rows = np.zeros(10, bool)
    rows[start:stop] = True
    np.testing.assert_array_equal(mixed[rows], b[rows])
    np.testing.assert_array_equal(mixed[~rows], a[~rows])


def test_bands_cover_every_row_once():
    for num_ws in (9, 10, 14, 16, 18):
        weights = band_weights(bands_for(num_ws), num_ws, {"coarse": 1.0, "middle": 1.0, "fine": 1.0})
        np.testing.assert_array_equal(weights, np.ones((num_ws, 1), np.float32))
    with pytest.raises(ValueError, match="needs a row"):
        bands_for(8)
