"""What stands under a picture, for every view and moment of a visit."""

import pytest

from installation.core.latents import BAND_NAMES
from installation.core.visit import Stage, VisitState
from installation.display.scene import Scene
from installation.wish import Wish
from installation.words import SERIES, Words

NAMES = {f"t{n}": f"Target {n}" for n in range(7)}


def visit(amount=1.0, presence=1.0, target=0):
    return VisitState(Stage.MORPH, presence, amount, target, (), 1)


def test_one_word_names_what_is_morphed_toward_and_comes_with_it():
    words = Words(NAMES)
    shown = [words.caption(Scene(), visit(amount), None, 0.8) for amount in (0.0, 0.15, 0.45, 0.75, 1.0)]
    assert {scene.captions for scene in shown} == {("Target 0",)}
    assert [scene.caption_alpha for scene in shown] == [0.0, 0.0, pytest.approx(0.4), 0.8, 0.8]
    assert words.caption(Scene(), visit(presence=0.5), None, 0.8).caption_alpha == pytest.approx(0.4)


def test_visits_go_round_the_targets():
    words = Words(NAMES)
    assert [words.target(visit(target=n)) for n in (0, 6, 7)] == ["t0", "t6", "t0"]


def test_a_series_names_all_of_its_pictures_at_once_if_it_is_what_was_drawn():
    words, scene = Words(NAMES), Scene(view="series")
    drawn = words.caption(scene, visit(0.0), Wish(series=True), 1.0)
    assert drawn.captions == tuple(NAMES.values())[:SERIES]
    assert drawn.caption_alpha == 1.0
    assert words.caption(scene, visit(), None, 1.0).captions == ("Target 0",), "one picture has come so far"


def test_a_ladder_names_its_bands():
    drawn = Words(NAMES).caption(Scene(view="strip"), visit(target=2), Wish(ladder=True), 1.0)
    assert drawn.captions == ("", *BAND_NAMES, "Target 2")


def test_a_pack_without_targets_has_no_words():
    words = Words({})
    assert words.target(visit()) == ""
    assert words.caption(Scene(view="series"), visit(), None, 1.0) == Scene(view="series")
