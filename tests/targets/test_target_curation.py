"""The curator's word: weights, labels, and a file that is only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.runtime.targets import LABELS
from engines.targets.curation import (
    Curation,
    TargetChoice,
    add_pictures,
    curate,
    project,
    read_curation,
    weights_for,
)
from engines.targets.words import edit_from
from installation.errors import ConfigError

BANDS = {"coarse": (0, 1), "middle": (1, 2), "fine": (2, 4)}


@dataclass(frozen=True)
class Line:
    vector: np.ndarray
    low: float = -1.0
    high: float = 2.0


def lines(seed: int = 0) -> dict[str, Line]:
    rng = np.random.default_rng(seed)
    return {name: Line(rng.normal(size=(4, 5)).astype(np.float32)) for name in ("age", "smile", "skin_tone")}


@given(
    st.fixed_dictionaries({name: st.floats(-1, 1) for name in ("age", "smile", "skin_tone")}),
    st.floats(-2, 2),
)
def test_a_weight_scales_its_own_direction_and_no_other(moves: dict[str, float], weight: float) -> None:
    axes = lines()
    curated = curate(edit_from(moves, axes, (4, 5)), moves, {"direction.smile": weight}, axes, BANDS)
    smile = edit_from({"smile": moves["smile"]}, axes, (4, 5))
    others = edit_from({**moves, "smile": 0.0}, axes, (4, 5))
    np.testing.assert_allclose(curated, others + weight * smile, atol=1e-5)


def test_a_band_weight_scales_its_rows() -> None:
    edit = np.ones((4, 5), np.float32)
    out = curate(edit, {}, {"band.fine": 0.0, "band.coarse": 0.5}, {}, BANDS)
    assert out[:, 0].tolist() == [0.5, 1.0, 0.0, 0.0]
    assert curate(edit, {}, {}, {}, {"coarse": (0, 1)}).tolist() == edit.tolist()  # rows in no band stay


@given(st.fixed_dictionaries({name: st.floats(-1, 1) for name in ("age", "smile", "skin_tone")}))
def test_a_projection_finds_the_moves_an_edit_was_made_of(moves: dict[str, float]) -> None:
    axes = lines()
    found = project(edit_from(moves, axes, (4, 5)), axes)
    assert found == pytest.approx(moves, abs=2e-4)


def test_skin_tone_can_be_taken_out_of_an_edit_that_words_did_not_make() -> None:
    axes = lines()
    edit = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    moves = project(edit, axes)
    assert abs(moves["skin_tone"]) > 0.01
    clean = curate(edit, moves, {"direction.skin_tone": 0.0}, axes, BANDS)
    assert project(clean, axes)["skin_tone"] == pytest.approx(0.0, abs=2e-3)
    assert project(clean, axes)["age"] == pytest.approx(moves["age"], abs=2e-3)
    assert project(edit, {}) == {}


def test_the_curator_overrides_the_defaults() -> None:
    defaults = {"age": 1.0, "skin_tone": 0.0, "smile": 1.0}
    silent = weights_for(TargetChoice(), defaults, BANDS)
    assert silent == {"direction.skin_tone": 0.0}
    choice = TargetChoice(directions={"skin_tone": 1.0, "smile": 0.5}, bands={"fine": 0.0})
    assert weights_for(choice, defaults, BANDS) == {"direction.smile": 0.5, "band.fine": 0.0}


def test_a_weight_for_what_the_pack_does_not_have() -> None:
    with pytest.raises(ConfigError, match="this pack has no direction beard; it has age"):
        weights_for(TargetChoice(directions={"beard": 1.0}), {"age": 1.0}, BANDS)


FILE = """# mine
[targets.strength]
caption = "Strength"
label = "more masculine"
order = 2
directions = { skin_tone = 1.0 }   # on purpose

[pictures.strength."leader 03.png"]
keep = false
"""


def test_a_curation_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "curation.toml"
    path.write_text(FILE)
    curation = read_curation(path)
    choice = curation.target("strength")
    assert (choice.caption, choice.label, choice.order) == ("Strength", LABELS[1], 2)
    assert choice.directions == {"skin_tone": 1.0}
    assert not curation.picture("strength", "leader 03.png").keep
    assert curation.picture("strength", "other.png").keep
    assert curation.target("power") == TargetChoice()
    assert read_curation(tmp_path / "none.toml") == Curation()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[targets.a]\nlabel = 'pretty'", "targets.a.label: .*choose one of: dominantly masculine"),
        ("[targets.a]\ncaptain = 'x'", "targets.a.captain: Extra inputs"),
        ("[targets.a]\ndirections = { age = 3 }", "targets.a.directions.age: .*less than or equal to 2"),
        ("[targets.a]\ndirections = { age = nan }", "targets.a.directions.age"),
        ("[targets.a]\nbands = { top = 1 }", "targets.a.bands.top"),
        ("[targets.a", "cannot be read"),
    ],
)
def test_a_wrong_curation_is_told_by_key(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "curation.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_curation(path)


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=30)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_any_file_name_can_be_curated(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("curation") / "curation.toml"
    assert add_pictures(path, "power", names) == len(names)
    assert set(read_curation(path).pictures["power"]) == set(names)
    assert add_pictures(path, "power", names) == 0


def test_choices_and_comments_survive_a_new_run(tmp_path: Path) -> None:
    path = tmp_path / "curation.toml"
    path.write_text(FILE)
    assert add_pictures(path, "strength", ["leader 03.png", "group.jpg#1", "group.jpg#2"]) == 2
    assert path.read_text().startswith(FILE)
    assert not read_curation(path).picture("strength", "leader 03.png").keep
    assert read_curation(path).picture("strength", "group.jpg#2").keep
