"""The instrument: priorities, holds, smoothing, glides, cues, panic; on a clock that is handed in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.core.controls import control_table
from installation.core.cues import Cue, CueList, format_cues, parse_cues
from installation.core.glide import EASING_NAMES, Glide, ease
from installation.core.instrument import Instrument, Verdict
from installation.errors import ConfigError

TABLE = control_table(("strength", "beauty"), ("age",), looks=("plain", "ink"))
A, B = "/mirror/amount", "/mirror/morph/beauty"
LONG = 100.0


def instrument(hold_s: float = 5.0) -> Instrument:
    return Instrument(TABLE, hold_s=hold_s)


def test_at_the_start_everything_is_at_its_default() -> None:
    snapshot = instrument().tick(0.0)
    assert dict(snapshot) == {row.address: row.present(row.default) for row in TABLE.stateful}
    assert snapshot.changes == 0
    assert snapshot.changed_at == -math.inf


def test_a_value_reaches_the_next_tick_and_ends_exactly() -> None:
    player = instrument()
    assert player.set(B, 0.75, now=1.0).verdict is Verdict.APPLIED
    assert player.tick(1.0).goal(B) == 0.75
    assert player.tick(1.05)[B] == pytest.approx(0.375)  # one half-life
    snapshot = player.tick(3.0)
    assert snapshot[B] == 0.75
    assert (snapshot.changes, snapshot.changed_at) == (1, 1.0)


def test_toggles_and_choices_are_at_once() -> None:
    player = instrument()
    player.set("/mirror/view", "split", now=1.0)
    assert player.command("/mirror/freeze", [], now=1.0).heard
    snapshot = player.tick(1.0)
    assert snapshot["/mirror/view"] == "split"
    assert snapshot["/mirror/freeze"] is True


def test_operator_over_mapping_over_visit_with_a_hold() -> None:
    player = instrument(hold_s=5.0)
    player.set(A, 0.1, "visit", 0.0)
    assert player.tick(0.0).goal(A) == 0.1
    player.set(A, 0.2, "audio", 1.0)
    assert player.tick(1.0).goal(A) == 0.2
    player.set(A, 0.3, "osc", 1.1)
    player.set(A, 0.25, "audio", 1.2)
    assert player.tick(1.2).goal(A) == 0.3
    player.set(A, 0.22, "mapping", 6.0)
    assert player.tick(6.05).goal(A) == 0.3
    assert player.tick(6.11).goal(A) == 0.22  # the hold has ended, the mapping is live
    assert player.tick(6.6).goal(A) == 0.1  # the mapping is silent, the visit goes on
    player.release("visit", A, now=7.0)
    assert player.tick(7.0).goal(A) == 0.3  # nobody plays: the operator's value stays


def test_what_operators_set_stands_whoever_plays_over_or_under_it() -> None:
    made = instrument(hold_s=1.0)
    made.set("/mirror/psi", 0.25, "osc", 0.0)
    made.set("/mirror/view", "series", "midi", 0.0)
    made.set("/mirror/breath", 0.5, "mapping", 0.0)
    made.set("/mirror/psi", 0.75, "mapping", 5.0)
    assert made.tick(5.1).goal("/mirror/psi") == 0.75, "the hold is over"
    assert made.standing() == {"/mirror/psi": 0.25, "/mirror/view": "series"}
    made.set("/mirror/psi", 1.0, "osc", 6.0)
    assert made.standing() == {"/mirror/view": "series"}, "at its default nothing need be said"
    made.set("/mirror/panic", True, "osc", 7.0)
    assert made.standing() == {"/mirror/panic": True}


def test_refusals_say_why_and_change_nothing() -> None:
    player = instrument()
    before = player.tick(0.0).goals.copy()
    assert player.set("/mirror/nothing", 1.0).verdict is Verdict.UNKNOWN
    assert player.set("/mirror/cue/next", 1.0).verdict is Verdict.UNKNOWN
    assert player.command("/mirror/subscribe", [9000]).verdict is Verdict.UNKNOWN
    for args in ([], ["x"], [math.nan], [1.0, 2.0, 3.0], [1.0, "soon"], [1.0, -1.0], [1.0, math.inf], [None]):
        outcome = player.command(B, args)
        assert outcome.verdict is Verdict.REFUSED, args
        assert outcome.reason
    assert player.set("/mirror/panic", 1.0, "audio").verdict is Verdict.REFUSED
    assert np.array_equal(player.tick(0.0).goals, before)
    assert player.tick(0.0).changes == 0


def test_clamping_is_told() -> None:
    player = instrument()
    assert player.set(A, -4.0).verdict is Verdict.CLAMPED
    assert player.set("/mirror/style/last", 99).verdict is Verdict.CLAMPED
    assert player.set("/mirror/style/last", 3.2).verdict is Verdict.APPLIED
    assert player.tick(0.0).goal(A) == 0.0


def test_panic_rests_everything_and_shuts_the_others_out() -> None:
    player = instrument()
    player.set(A, 0.4, "visit", 0.0)
    player.set(B, 1.0, "osc", 0.0, glide_s=8.0)
    player.set("/mirror/blackout", 1, "osc", 0.0)
    player.tick(1.0)
    player.command("/mirror/panic", [], now=2.0)
    snapshot = player.tick(2.0)
    assert snapshot["/mirror/panic"] is True
    rest = {row.address: row.present(row.default) for row in TABLE.stateful} | {"/mirror/panic": True}
    assert dict(snapshot) == rest
    assert player.set(B, 1.0, "osc", 2.1).verdict is Verdict.REFUSED
    player.set(A, 0.6, "visit", 2.2)
    assert dict(player.tick(2.3)) == rest
    player.set("/mirror/panic", 0, "osc", 3.0)
    snapshot = player.tick(4.0)
    assert snapshot.goal(A) == 0.6  # the visit plays again
    assert snapshot.goal(B) == 0.0  # the operator starts from rest
    assert snapshot["/mirror/panic"] is False


events = st.lists(
    st.tuples(
        st.floats(0.0, 12.0),
        st.sampled_from([A, B, "/mirror/psi", "/mirror/glide", "/mirror/view", "/mirror/panic", "/mirror/breath"]),
        st.floats(0.0, 1.0),
        st.sampled_from(["osc", "osc", "audio", "visit"]),
        st.sampled_from([None, None, 0.5, 3.0]),
    ),
    max_size=12,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@settings(max_examples=150)
@given(events, st.lists(st.floats(0.0, 12.0), max_size=40))
def test_splitting_dt_changes_nothing(
    played: list[tuple[float, str, float, str, float | None]], ticks: list[float]
) -> None:
    rare, often = instrument(hold_s=2.0), instrument(hold_s=2.0)
    moments = sorted([(when, 1, None) for when in ticks] + [(row[0], 0, row) for row in played], key=lambda m: m[:2])
    for when, _, row in moments:
        if row is None:
            often.tick(when)
            continue
        for player in (rare, often):
            player.set(row[1], row[2], row[3], row[0], glide_s=row[4])
        often.tick(when)
    first, second = rare.tick(12.5), often.tick(12.5)
    np.testing.assert_allclose(first.numbers, second.numbers, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(first.goals, second.goals)


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.floats(-2, 3)), min_size=1, max_size=30))
def test_values_never_leave_the_range(played: list[tuple[str, float]]) -> None:
    player = instrument()
    for step, (address, value) in enumerate(played):
        player.set(address, value, now=step * 0.03, glide_s=0.1 * (step % 3))
        for row, number in zip(TABLE.stateful, player.tick(step * 0.03 + 0.01).numbers, strict=True):
            assert row.low <= number <= row.high


def test_the_last_writer_wins_whoever_it_was() -> None:
    first, second = instrument(), instrument()
    for value in (0.1, 0.9, 0.4):
        first.set(A, value, "osc", 1.0)
    for value in (0.9, 0.1, 0.4):
        second.set(A, value, "midi", 1.0)
    assert first.tick(2.0).goal(A) == second.tick(2.0).goal(A) == 0.4


@pytest.mark.parametrize("name", EASING_NAMES)
def test_easing_is_monotonic_with_exact_ends(name: str) -> None:
    steps = [ease(name, x / 200) for x in range(-10, 220)]
    assert steps == sorted(steps)
    assert (ease(name, 0.0), ease(name, 1.0)) == (0.0, 1.0)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 60), st.sampled_from(EASING_NAMES))
def test_a_glide_starts_and_ends_exactly(start: float, end: float, seconds: float, name: str) -> None:
    glide = Glide(start, end, 10.0, seconds, name)
    assert glide.value(10.0) == start
    assert glide.value(10.0 + seconds) == end


def test_a_glide_takes_its_time() -> None:
    player = instrument()
    player.set(A, 0.0, now=0.0)
    player.tick(5.0)
    player.command(A, [1.0, 4.0], now=10.0)
    assert player.tick(11.0)[A] == pytest.approx(0.25)
    assert player.tick(13.0)[A] == pytest.approx(0.75)
    assert player.tick(14.0)[A] == 1.0
    player.set("/mirror/glide", 2.0, now=20.0)
    player.set("/mirror/easing", "smooth", now=20.0)
    player.set(A, 0.0, now=20.0)
    assert player.tick(21.0)[A] == pytest.approx(0.5)
    assert player.tick(22.0)[A] == 0.0


def test_the_same_value_again_does_not_start_a_glide_again() -> None:
    player = instrument()
    player.command(B, [1.0, 4.0], now=0.0)
    player.command(B, [1.0, 4.0], now=2.0)
    assert player.tick(4.0)[B] == 1.0


def test_cues_are_stored_recalled_and_walked() -> None:
    player = instrument()
    player.set(B, 0.8, now=0.0)
    player.set("/mirror/look", "ink", now=0.0)
    assert player.command("/mirror/cue/storm/store", [2.0], now=0.0).heard
    player.set(B, 0.2, now=1.0)
    player.set("/mirror/look", "plain", now=1.0)
    assert player.command("/mirror/cue/calm/store", [], now=1.0).heard
    assert [cue.id for cue in player.cues] == ["storm", "calm"]
    player.tick(9.0)
    assert player.command("/mirror/cue/storm/go", [], now=10.0).heard
    snapshot = player.tick(11.0)
    assert 0.2 < float(snapshot[B]) < 0.8
    assert (snapshot["/mirror/look"], snapshot.cue) == ("ink", "storm")
    assert player.tick(12.0)[B] == 0.8
    player.command("/mirror/cue/next", [], now=12.0)
    assert player.tick(13.0).goal(B) == 0.2
    assert player.command("/mirror/cue/next", [], now=13.0).verdict is Verdict.REFUSED
    player.command("/mirror/cue/previous", [], now=13.0)
    assert player.tick(13.0).cue == "storm"
    player.command("/mirror/cue/go", [2], now=14.0)
    assert player.tick(14.0).cue == "calm"
    player.command("/mirror/cue/go", ["storm"], now=14.0)
    assert player.tick(14.0).cue == "storm"
    assert player.command("/mirror/cue/storm/delete", [], now=14.0).heard
    assert [cue.id for cue in player.cues] == ["calm"]
    assert player.command("/mirror/cue/storm/go", [], now=14.0).verdict is Verdict.REFUSED
    assert player.command("/mirror/cue/calm/go", ["x"], now=14.0).verdict is Verdict.REFUSED


def test_a_cue_of_another_pack_still_plays_what_is_known() -> None:
    player = instrument()
    skipped = player.go(Cue("x", {"/mirror/morph/gone": 1.0, B: 0.5, "/mirror/look": "unheard-of"}), 1.0)
    assert skipped == ("/mirror/morph/gone", "/mirror/look")
    assert player.tick(2.0).goal(B) == 0.5


def test_no_cue_touches_panic_freeze_or_blackout() -> None:
    player = instrument()
    player.command("/mirror/cue/a/store")
    values = player.cues.cues[0].values
    assert not {"/mirror/panic", "/mirror/freeze", "/mirror/blackout", "/mirror/glide"} & set(values)


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-.", min_size=1, max_size=40)
values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.integers(-9, 9), st.text())
cue_lists = st.lists(
    st.builds(
        Cue, names, st.dictionaries(st.text(min_size=1), values), st.floats(0, 3600), st.sampled_from(EASING_NAMES)
    ),
    unique_by=lambda cue: cue.id,
).map(lambda cues: CueList(tuple(cues)))


@given(cue_lists)
def test_a_cue_list_survives_its_file(cues: CueList) -> None:
    assert parse_cues(format_cues(cues)) == cues


def test_every_mistake_in_a_cue_list_is_named() -> None:
    text = """
        [[cue]]
        id = "a b"
        seconds = -1
        colour = 3
        [[cue]]
        id = "x"
        easing = "wobbly"
        [cue.values]
        "/mirror/amount" = [1]
        "/mirror/psi" = nan
    """
    with pytest.raises(ConfigError) as caught:
        parse_cues(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    for words in ("'a b'", "seconds = -1", "'colour'", "'wobbly'", "/mirror/amount = [1]", "/mirror/psi = nan"):
        assert any(words in line for line in lines), words
    with pytest.raises(ConfigError, match="twice"):
        parse_cues('[[cue]]\nid = "x"\n[[cue]]\nid = "x"\n')
    with pytest.raises(ConfigError, match="not TOML"):
        parse_cues("[[cue")


def test_the_list_of_cues_is_bounded() -> None:
    player = instrument()
    for number in range(500):
        assert player.command(f"/mirror/cue/c{number}/store").heard
    assert player.command("/mirror/cue/one-more/store").verdict is Verdict.REFUSED
    assert player.command("/mirror/cue/c7/store").heard
    assert len(player.cues) == 500
