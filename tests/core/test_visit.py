"""The visit on a virtual clock: what is seen when somebody comes, stays, looks away and leaves."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from installation.core.visit import Stage, Visit, VisitTimes

TIMES = VisitTimes(approach_s=1.0, reflect_s=2.0, morph_s=4.0, reveal_s=3.0, return_s=1.0, farewell_s=2.0, hold_s=1.5)
TICK_S = 0.05


def play(visit, script, start=0.0, tick_s=TICK_S):
    """Run (seconds, face) pairs; returns all states with their times."""
    states, now = [], start
    for seconds, face in script:
        for _ in range(round(seconds / tick_s)):
            states.append((now, visit.step(now, face)))
            now += tick_s
    return states


def test_nobody_stays_nobody():
    states = play(Visit(TIMES), [(60, False)])
    assert {s.stage for _, s in states} == {Stage.NOBODY}
    assert all(s.presence == 0 and s.amount == 0 and s.visits == 0 for _, s in states)


def test_a_whole_visit_passes_every_stage_in_order():
    states = play(Visit(TIMES), [(1, False), (10.4, True), (6, False)])
    entered = [stage for _, s in states for stage in s.entered]
    assert entered == [
        Stage.APPROACH,
        Stage.REFLECT,
        Stage.MORPH,
        Stage.REVEAL,
        Stage.REFLECT,
        Stage.FAREWELL,
        Stage.NOBODY,
    ]


def test_stages_last_as_long_as_they_should():
    states = play(Visit(TIMES), [(30, True)])
    begun = {}
    for now, state in states:
        for stage in state.entered:
            begun.setdefault(stage, now)
    assert abs(begun[Stage.REFLECT] - begun[Stage.APPROACH] - 1.0) <= 2 * TICK_S
    assert abs(begun[Stage.MORPH] - begun[Stage.REFLECT] - 2.0) <= 2 * TICK_S
    assert abs(begun[Stage.REVEAL] - begun[Stage.MORPH] - 4.0) <= 2 * TICK_S


def test_a_face_lost_for_less_than_the_hold_changes_nothing():
    steady = play(Visit(TIMES), [(12, True)])
    blinking = play(Visit(TIMES), [(3, True), (1.4, False), (7.6, True)])
    assert [s for _, s in steady] == [s for _, s in blinking]


def test_a_face_lost_for_longer_dissolves_and_is_forgotten():
    states = play(Visit(TIMES), [(4, True), (1.6, False)])
    assert states[-1][1].stage is Stage.FAREWELL
    states = play(Visit(TIMES), [(4, True), (1.5 + 2.0 + 0.2, False)])
    assert states[-1][1].stage is Stage.NOBODY
    assert states[-1][1].presence == 0.0


def test_coming_back_during_the_farewell_begins_a_new_visit_from_where_the_picture_is():
    visit = Visit(TIMES)
    before = play(visit, [(4, True), (2.5, False)])[-1][1]
    assert 0 < before.presence < 1
    after = visit.step(6.5, True)
    assert after.stage is Stage.APPROACH
    assert after.visits == 2
    assert abs(after.presence - before.presence) <= 2 * TICK_S


def test_each_morph_goes_to_the_next_target_and_the_word_changes_only_at_rest():
    states = [s for _, s in play(Visit(TIMES), [(60, True)])]
    for earlier, later in itertools.pairwise(states):
        if later.target != earlier.target:
            assert later.target == earlier.target + 1
            assert later.amount == 0.0
    assert states[-1].target >= 4


def test_the_next_target_by_hand_returns_to_the_reflection_first():
    visit = Visit(TIMES)
    states = play(visit, [(6, True)])
    assert states[-1][1].stage is Stage.MORPH
    visit.next_target()
    state = visit.step(6.0, True)
    assert state.stage is Stage.REFLECT
    assert state.target == states[-1][1].target + 1


script = st.lists(st.tuples(st.floats(0.01, 5.0), st.booleans()), min_size=1, max_size=60)


@given(script)
def test_levels_never_jump_and_never_leave_their_range(steps):
    visit, now, last = Visit(TIMES), 0.0, None
    for dt, face in steps:
        now += dt
        state = visit.step(now, face)
        assert 0.0 <= state.presence <= 1.0
        assert 0.0 <= state.amount <= 1.0
        if last is not None:
            assert abs(state.presence - last.presence) <= dt / TIMES.approach_s + 1e-9
            if state.stage is not Stage.NOBODY:
                assert abs(state.amount - last.amount) <= 1.5 * dt / TIMES.return_s + 1e-9
        last = state


@given(script)
def test_time_that_goes_backwards_is_no_time(steps):
    visit = Visit(TIMES)
    visit.step(100.0, True)
    before = visit.step(101.0, True)
    for dt, face in steps:
        state = visit.step(101.0 - dt, face)
    assert state.presence == before.presence
    assert state.amount == before.amount
