"""The control table: rows, what they accept, and how faders map."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.control import STATEFUL, Control, Curve, Kind, ValueRefused, is_name
from installation.core.controls import ControlTable, control_table, uniform_control

TABLE = control_table(("strength", "beauty"), ("age", "smile"), looks=("plain", "ink"), num_ws=14)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def test_rows_of_the_design_are_there() -> None:
    wanted = ["morph/strength", "morph/beauty", "amount", "mix/coarse", "mix/middle", "mix/fine", "direction/age"]
    wanted += ["direction/smile", "psi", "breath", "feedback", "look", "view", "freeze", "blackout", "panic"]
    wanted += ["cue/<id>/go", "cue/<id>/store", "subscribe", "state", "ping"]
    assert [path for path in wanted if f"/mirror/{path}" not in TABLE] == []


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.address)
def test_every_row_has_a_sentence_and_a_sound_range(row: Control) -> None:
    assert (row.help.endswith((".", ")")) and row.help[0].isupper()) or row.help.startswith("replace")
    assert row.low <= row.default <= row.high
    if row.kind in STATEFUL:
        assert row.accept(row.present(row.default)) == row.default


@pytest.mark.parametrize(
    ("address", "value", "number"),
    [
        ("/mirror/amount", 0.25, 0.25),
        ("/mirror/amount", 1, 1.0),
        ("/mirror/amount", True, 1.0),
        ("/mirror/amount", 7.5, 1.0),
        ("/mirror/direction/age", -3.0, -1.0),
        ("/mirror/style/last", 3.6, 4.0),
        ("/mirror/style/last", 99, 13.0),
        ("/mirror/view", "series", 3.0),
        ("/mirror/view", 1, 1.0),
        ("/mirror/look", "ink", 1.0),
        ("/mirror/freeze", 0.2, 1.0),
        ("/mirror/freeze", 0, 0.0),
        ("/mirror/freeze", False, 0.0),
    ],
)
def test_accepts(address: str, value: object, number: float) -> None:
    assert TABLE[address].accept(value) == number


@pytest.mark.parametrize(
    ("address", "value", "words"),
    [
        ("/mirror/amount", "0.5", "takes a number, not str"),
        ("/mirror/amount", b"\0", "not bytes"),
        ("/mirror/amount", None, "not NoneType"),
        ("/mirror/amount", [1.0], "not list"),
        ("/mirror/amount", math.nan, "finite"),
        ("/mirror/amount", -math.inf, "finite"),
        ("/mirror/amount", 10**400, "too large"),
        ("/mirror/view", "sideways", "portrait, mirror, split, series"),
        ("/mirror/view", 4, "counted from 0"),
        ("/mirror/view", -1, "counted from 0"),
        ("/mirror/freeze", math.nan, "finite"),
    ],
)
def test_refuses_with_a_sentence(address: str, value: object, words: str) -> None:
    with pytest.raises(ValueRefused, match=words):
        TABLE[address].accept(value)


def test_a_row_may_refuse_instead_of_clamping() -> None:
    row = Control("/mirror/x", Kind.FLOAT, "A row.", high=2.0, clamp=False)
    assert row.accept(2) == 2.0
    with pytest.raises(ValueRefused, match="0 to 2"):
        row.accept(2.5)


@given(st.sampled_from(list(Curve)), st.floats(-50, 50), st.floats(0.01, 50), st.lists(st.floats(0, 1), min_size=2))
def test_a_fader_is_monotonic_keeps_its_ends_and_returns(
    curve: Curve, low: float, span: float, ways: list[float]
) -> None:
    row = Control("/mirror/x", Kind.FLOAT, "A row.", low=low, high=low + span, default=low, curve=curve)
    values = [row.from_fader(way) for way in sorted(ways)]
    assert values == sorted(values)
    assert all(row.low <= value <= row.high for value in values)
    assert row.from_fader(0.0) == row.low
    assert math.isclose(row.from_fader(1.0), row.high, abs_tol=1e-9)
    for value in values:
        assert math.isclose(row.from_fader(row.to_fader(value)), value, abs_tol=1e-6 * span)


@given(FLOATS)
def test_whatever_is_accepted_lies_in_the_range(value: float) -> None:
    for row in TABLE.stateful:
        try:
            number = row.accept(value)
        except ValueRefused:
            continue
        assert row.low <= number <= row.high


def test_find_takes_exact_addresses_and_ids_only() -> None:
    found = TABLE.find("/mirror/cue/storm/go")
    assert found is not None
    assert (found[0].address, found[1]) == ("/mirror/cue/<id>/go", "storm")
    exact = TABLE.find("/mirror/cue/go")
    assert exact is not None
    assert exact[0].address == "/mirror/cue/go"
    for wrong in (
        "/mirror/*", "/mirror/amoun?", "/mirror/{amount,psi}", "/mirror/cue/<id>/go", "/mirror/cue//go",
        "/mirror/cue/a b/go", "/mirror/cue/a/b/go", "/mirror/cue/" + "x" * 41 + "/go", "/mirror", "", "/mirror/amount/",
    ):  # fmt: skip
        assert TABLE.find(wrong) is None, wrong


def test_names_that_cannot_be_addresses_are_refused() -> None:
    assert not is_name("femininité")
    for wrong in ("a b", "", "a/b", "*", "x" * 41):
        with pytest.raises(ValueError, match="part of an address"):
            control_table((wrong,), ())
    with pytest.raises(ValueError, match="share the address"):
        control_table((), ("age", "age"))
    with pytest.raises(ValueError, match="each once"):
        control_table((), (), looks=())


def test_uniforms_are_rows() -> None:
    row = uniform_control("grain", 0.0, 2.0, 0.5, "Size of the grain.", unit="px")
    table = control_table((), (), uniforms=[row])
    assert table["/mirror/uniform/grain"].high == 2.0
    assert table.names_under("uniform") == ("grain",)
    more = table.with_rows([uniform_control("tint", 0.0, 1.0, 0.0, "Tint.")])
    assert isinstance(more, ControlTable)
    assert more.names_under("uniform") == ("grain", "tint")
