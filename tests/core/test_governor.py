"""The governor on a virtual machine: frames are late whenever inference runs faster than the machine can."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.governor import LADDER_HZ, SHARPNESS, Governor, GovernorRules

PERIOD_S = 1.0 / 30.0


def play(governor, seconds, capacity_hz, start=0.0):
    """Run a machine that can do `capacity_hz` inferences; beyond that every fifth frame is late. Gives the changes."""
    now, frame, changes = start, 0, []
    while now < start + seconds:
        frame += 1
        overloaded = governor.rate_hz > capacity_hz(now)
        now += PERIOD_S * (2.5 if overloaded and frame % 5 == 0 else 1.0)
        if governor.tick(now):
            changes.append((now, governor.rate_hz))
    return changes


def test_a_machine_that_keeps_up_is_left_alone():
    governor = Governor(PERIOD_S, 30.0)
    assert play(governor, 600.0, lambda now: 100.0) == []
    assert governor.rate_hz == 30.0


def test_it_steps_down_until_the_screen_keeps_its_rate():
    governor = Governor(PERIOD_S, 30.0)
    changes = play(governor, 12.0, lambda now: 16.0)
    assert [rate for _, rate in changes][:3] == [24.0, 20.0, 15.0]
    assert governor.rate_hz == 15.0


def test_it_comes_back_when_the_load_has_gone():
    governor = Governor(PERIOD_S, 30.0)
    play(governor, 60.0, lambda now: 11.0)
    assert governor.rate_hz == 10.0
    play(governor, 400.0, lambda now: 100.0, start=60.0)
    assert governor.rate_hz == 30.0


@given(st.floats(3.0, 29.0))
def test_it_never_oscillates(capacity):
    """On a steady machine the tries become rare: an hour holds only a handful after the first minutes."""
    governor = Governor(PERIOD_S, 30.0)
    changes = play(governor, 1800.0, lambda now: capacity)
    late = [now for now, _ in changes if now > 600.0]
    assert len(late) <= 14
    rates = [rate for _, rate in changes]
    assert set(rates) <= set(LADDER_HZ)


def test_the_lowest_step_is_the_end_of_the_ladder():
    governor = Governor(PERIOD_S, 30.0)
    play(governor, 100.0, lambda now: 0.5)
    assert governor.rate_hz == LADDER_HZ[-1]


def test_single_hiccups_are_forgiven():
    governor, now = Governor(PERIOD_S, 30.0, GovernorRules()), 0.0
    for frame in range(20_000):
        now += PERIOD_S * (4.0 if frame % 40 == 0 else 1.0)
        assert governor.tick(now) == ""


@pytest.mark.parametrize("highest", [60.0, 30.0, 12.0])
def test_the_ladder_begins_at_the_highest_rate(highest):
    assert Governor(PERIOD_S, highest).rate_hz == highest


def draw(governor, seconds, cost_s, start=0.0):
    """Run a machine whose drawing at full sharpness takes `cost_s`, by its pixels; gives what was chosen each time."""
    now, chosen = start, []
    while now < start + seconds:
        drawing_s = cost_s * governor.sharpness**2
        now += max(PERIOD_S, drawing_s)
        if governor.tick(now, drawing_s):
            chosen.append((governor.rate_hz, governor.sharpness))
    return chosen


def test_where_drawing_takes_the_time_the_picture_is_drawn_smaller_and_the_networks_keep_their_rate():
    governor = Governor(PERIOD_S, 30.0)
    chosen = draw(governor, 20.0, 2.5 * PERIOD_S)
    assert chosen[0] == (30.0, SHARPNESS[1])
    assert governor.rate_hz == 30.0
    assert governor.sharpness < 1.0


def test_a_sharp_picture_comes_back_and_tries_that_fail_become_rare():
    governor = Governor(PERIOD_S, 30.0)
    draw(governor, 60.0, 2.5 * PERIOD_S)
    late = draw(governor, 1800.0, 2.5 * PERIOD_S, start=60.0)
    assert 0 < len(late) <= 30
    draw(governor, 600.0, 0.1 * PERIOD_S, start=1860.0)
    assert (governor.rate_hz, governor.sharpness) == (30.0, 1.0)


def test_with_every_rate_given_up_sharpness_is_the_last_to_go_and_the_first_to_come_back():
    governor = Governor(PERIOD_S, 30.0)
    play(governor, 100.0, lambda now: 0.5)
    assert (governor.rate_hz, governor.sharpness) == (LADDER_HZ[-1], SHARPNESS[-1])
    seen, now, frames = [(governor.rate_hz, governor.sharpness)], 100.0, 0
    while governor.rate_hz < 30.0 and frames < 1_000_000:
        now, frames = now + PERIOD_S, frames + 1
        if governor.tick(now):
            seen.append((governor.rate_hz, governor.sharpness))
    assert [sharpness for _, sharpness in seen[:3]] == [*reversed(SHARPNESS)]
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(seen))


def test_a_picture_that_somebody_films_keeps_its_size():
    governor = Governor(PERIOD_S, 30.0, sharpness=(1.0,))
    draw(governor, 100.0, 3.0 * PERIOD_S)
    assert governor.sharpness == 1.0
