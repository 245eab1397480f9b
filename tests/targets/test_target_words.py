"""From embeddings to a move: known values, and what must hold for any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.targets.captions import Attribute
from engines.targets.words import BUDGET, DEAD_ZONE, FAINT, Score, Yardstick, amount_of, edit_from, moves_from, pull


@dataclass(frozen=True)
class Line:
    vector: np.ndarray
    low: float
    high: float


class Table:
    """An embedding that is written down: text -> unit vector in the plane, by its angle in degrees."""

    def __init__(self, angles: dict[str, float]) -> None:
        self.angles = angles

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        turn = np.radians([self.angles[text] for text in texts])
        return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


def attribute(name: str, by_default: float = 1.0) -> Attribute:
    return Attribute(name, "high", "low", (("up", "down"), ("UP", "DOWN")), by_default=by_default)


def test_a_score_is_the_distance_from_neutral_words_in_their_spread() -> None:
    table = Table({"up": 0, "down": 180, "UP": 0, "DOWN": 180, "n1": 60, "n2": 90, "n3": 120, "n4": 90, "word": 30})
    yardstick = Yardstick(table, [attribute("age")], ["n1", "n2", "n3", "n4"])
    (score,) = yardstick.measure(table(["word"])[0])
    # cos - (-cos) = 2 cos: the word 1.7321; neutral 1, 0, -1, 0 with mean 0 and deviation sqrt(2 / 3)
    assert score.effect == pytest.approx(2 * math.cos(math.radians(30)) / math.sqrt(2 / 3), abs=1e-4)
    assert score.doubt == 0.0
    assert score.effect == round(score.effect, 4)


def test_the_doubt_is_the_disagreement_of_the_pairs() -> None:
    table = Table({"up": 0, "down": 180, "UP": 90, "DOWN": 270, "n1": 40, "n2": 50, "n3": 220, "n4": 230, "word": 0})
    (score,) = Yardstick(table, [attribute("age")], ["n1", "n2", "n3", "n4"]).measure(table(["word"])[0])
    spread = math.sqrt(4 / 3 * np.mean([(2 * math.cos(math.radians(a))) ** 2 for a in (40, 50, 220, 230)]))
    each = np.array([2.0 / spread, 0.0])  # one pair says 2 cosines, the other none
    assert score.doubt == pytest.approx(each.std(ddof=1) / math.sqrt(2), abs=1e-3)


def test_the_fingerprint_names_every_question() -> None:
    table = Table({"up": 0, "down": 180, "UP": 0, "DOWN": 180, "a": 10, "b": 80, "c": 90})
    one = Yardstick(table, [attribute("age")], ["a", "b"]).fingerprint
    assert one == Yardstick(table, [attribute("age")], ["a", "b"]).fingerprint
    assert one != Yardstick(table, [attribute("age")], ["a", "c"]).fingerprint


@given(st.floats(-20, 20), st.floats(0, 5))
def test_a_pull_is_odd_bounded_and_never_against_the_score(effect: float, doubt: float) -> None:
    value = pull(Score("x", effect, doubt))
    assert -1.0 <= value <= 1.0
    assert value * effect >= 0.0
    assert value == -pull(Score("x", -effect, doubt))
    if abs(effect) <= DEAD_ZONE:
        assert value == 0.0


@given(st.floats(0, 20), st.floats(0, 20), st.floats(0, 5))
def test_a_pull_grows_with_the_effect_and_shrinks_with_the_doubt(a: float, b: float, doubt: float) -> None:
    low, high = sorted((a, b))
    assert pull(Score("x", low, doubt)) <= pull(Score("x", high, doubt))
    assert pull(Score("x", high, doubt)) <= pull(Score("x", high, 0.0))


NAMES = ("age", "smile", "jaw", "skin")


@given(st.lists(st.floats(-8, 8), min_size=4, max_size=4))
def test_a_move_keeps_to_its_budget(effects: list[float]) -> None:
    named = {name: (attribute(name, 0.0 if name == "skin" else 1.0), 1) for name in NAMES}
    scores = [Score(name, effect, 0.0) for name, effect in zip(NAMES, effects, strict=True)]
    moves = moves_from(scores, named)
    length = math.sqrt(sum(moves[name] ** 2 for name in NAMES if name != "skin"))
    pulled = math.sqrt(sum(pull(s) ** 2 for s in scores if s.attribute != "skin"))
    assert length <= BUDGET + 1e-3
    assert all(-1.0 <= move <= 1.0 for move in moves.values())
    if pulled < FAINT / 4:
        assert length <= BUDGET / 4 + 1e-3  # a faint word is not blown up


def test_what_a_curator_must_switch_on_is_measured_but_spends_nothing() -> None:
    named = {"age": (attribute("age"), 1), "skin": (attribute("skin", 0.0), 1)}
    alone = moves_from([Score("age", 2.0, 0.0), Score("skin", 0.0, 0.0)], named)
    beside = moves_from([Score("age", 2.0, 0.0), Score("skin", 5.0, 0.0)], named)
    assert alone["age"] == beside["age"]
    assert beside["skin"] == 1.0


def test_a_direction_that_runs_the_other_way_moves_the_other_way() -> None:
    here = moves_from([Score("age", 3.0, 0.0)], {"age": (attribute("age"), 1)})
    there = moves_from([Score("age", 3.0, 0.0)], {"youth": (attribute("age"), -1)})
    assert here["age"] == -there["youth"] > 0


def test_an_edit_reaches_the_ends_of_the_useful_range() -> None:
    up, side = np.zeros((2, 3)), np.zeros((2, 3))
    up[0, 0], side[1, 2] = 1.0, 1.0
    lines = {"age": Line(up, -1.0, 3.0), "smile": Line(side, -0.5, 2.0)}
    edit = edit_from({"age": 1.0, "smile": -1.0}, lines, (2, 3))
    assert edit.dtype == np.float32
    assert edit[0, 0] == 3.0
    assert edit[1, 2] == -0.5
    assert np.count_nonzero(edit) == 2
    assert amount_of(0.5, lines["age"]) == 1.5
    assert amount_of(-0.5, lines["smile"]) == -0.25
