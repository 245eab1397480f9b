"""Mappings: the arithmetic, the rules, and every mistake named."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.control import Curve
from installation.core.controls import control_table
from installation.core.mappings import COMBINE, LFO_SHAPES, Binding, Lfo, MappingEngine, check_bindings

TABLE = control_table(("strength",), ("age",))
A, B, AGE = "/mirror/amount", "/mirror/breath", "/mirror/direction/age"


def play(bindings: list[Binding], values: dict[str, float], now: float = 0.0) -> dict[str, float]:
    return dict(MappingEngine(bindings, TABLE).step(values, now))


@pytest.mark.parametrize(
    ("binding", "value", "wanted"),
    [
        (Binding("x", A), 0.3, 0.3),
        (Binding("x", A), 7.0, 1.0),
        (Binding("x", A, low=-60, high=-20), -40.0, 0.5),
        (Binding("x", A, low=1, high=0), 0.25, 0.75),
        (Binding("x", A, gain=3.0), 0.25, 0.75),
        (Binding("x", A, curve=Curve.SQUARE), 0.5, 0.25),
        (Binding("x", AGE), 0.25, -0.5),
        (Binding("x", AGE, out_low=0.0, out_high=0.5), 0.5, 0.25),
        (Binding("x", AGE, out_low=1.0, out_high=-1.0), 0.0, 1.0),
        (Binding("x", "/mirror/freeze"), 0.7, 1.0),
        (Binding("x", "/mirror/freeze"), 0.3, 0.0),
        (Binding("x", "/mirror/view"), 1.0, 3.0),
    ],
)
def test_one_binding(binding: Binding, value: float, wanted: float) -> None:
    assert play([binding], {"x": value})[binding.address] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("rule", "wanted"), [("max", 0.75), ("add", 1.0), ("mean", 0.625), ("multiply", 0.375), ("last", 0.5)]
)
def test_rules(rule: str, wanted: float) -> None:
    rows = [Binding("x", A, combine=rule), Binding("y", A)]
    assert play(rows, {"x": 0.75, "y": 0.5}) == {A: pytest.approx(wanted)}


def test_a_silent_source_contributes_nothing() -> None:
    rows = [Binding("x", A, combine="multiply"), Binding("y", A), Binding("y", B)]
    assert play(rows, {"x": 0.5}) == {A: 0.5}
    assert play(rows, {"x": 0.5, "y": math.nan}) == {A: 0.5}
    assert play(rows, {}) == {}


@given(st.lists(st.floats(0.001, 0.3), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_smoothing_depends_on_time_alone(steps: list[float], first: float, second: float) -> None:
    rows = [Binding("x", A, smoothing_s=0.4)]
    often, once = MappingEngine(rows, TABLE), MappingEngine(rows, TABLE)
    for engine in (often, once):
        list(engine.step({"x": first}, 0.0))
    now = 0.0
    for step in steps:
        now += step
        result = dict(often.step({"x": second}, now))
    assert result[A] == pytest.approx(dict(once.step({"x": second}, now))[A], abs=1e-9)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=3),
    st.sampled_from(list(COMBINE)),
    st.floats(-10, 10),
)
def test_a_control_never_leaves_its_range(values: list[float], rule: str, gain: float) -> None:
    rows = [Binding(name, address, gain=gain, combine=rule) for name in "xyz" for address in (A, AGE)]
    for address, number in play(rows, dict(zip("xyz", values, strict=True))).items():
        assert TABLE[address].low <= number <= TABLE[address].high


@pytest.mark.parametrize("shape", LFO_SHAPES)
@given(now=st.floats(0, 1e5), period=st.floats(0.05, 1e4))
def test_waves_stay_between_0_and_1(shape: str, now: float, period: float) -> None:
    lfo = Lfo("slow", shape, period)
    assert 0.0 <= lfo.value(now) <= 1.0


def test_waves_have_their_shapes() -> None:
    for shape, values in {"sine": (0, 0.5, 1, 0.5), "triangle": (0, 0.5, 1, 0.5), "saw": (0, 0.25, 0.5, 0.75)}.items():
        assert [Lfo("x", shape, 4.0).value(t) for t in range(4)] == pytest.approx(values)
    assert [Lfo("x", "square", 4.0).value(t) for t in range(4)] == [1, 1, 0, 0]
    walk = [Lfo("x", "random", 1.0).value(t / 50) for t in range(3000)]
    assert max(abs(a - b) for a, b in pairwise(walk)) < 0.06
    assert max(walk) - min(walk) > 0.5


def test_an_lfo_is_a_source() -> None:
    engine = MappingEngine([Binding("lfo.slow", A)], TABLE, [Lfo("slow", "saw", 10.0)])
    assert dict(engine.step({}, 2.5)) == {A: 0.25}


def test_all_mistakes_are_listed() -> None:
    rows = [
        Binding("audio.level", A),
        Binding("audio.lvel", "/mirror/amout"),
        Binding("telepathy", A, out_high=2.0),
        Binding("audio.level", "/mirror/panic"),
        Binding("audio.level", "/mirror/cue/next"),
    ]
    problems = check_bindings(rows, TABLE, {"audio.level", "audio.bass"})
    assert len(problems) == 6
    for number, words in (
        (2, "audio.lvel"),
        (2, "amout"),
        (3, "telepathy"),
        (3, "out_high = 2"),
        (4, "panic"),
        (5, "cue"),
    ):
        assert any(text.startswith(f"row {number}:") and words in text for text in problems), words
    assert check_bindings(rows[:1], TABLE, {"audio.level"}) == []
