"""The questions: caption pairs, neutral words, prompts, and the names made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.runtime.targets import check_name
from engines.targets.captions import (
    MAX_PROMPT_CHARACTERS,
    attributes_of,
    clean_prompt,
    name_for,
    read_attributes,
    read_neutral,
    read_prompts,
)
from installation.errors import ConfigError

FIFTEEN = (
    "age", "eye_distance", "eye_eyebrow_distance", "eye_ratio", "eyes_open", "gender_expression", "lip_ratio",
    "mouth_open", "nose_mouth_distance", "nose_ratio", "nose_tip", "pitch", "roll", "smile", "yaw",
)  # fmt: skip
PORTRAIT = ("jaw", "hair_length", "hair_curl", "hair_darkness", "beard", "brow", "glasses", "skin_tone", "light")
LOADED = {"strong", "weak", "powerful", "beautiful", "leader", "success", "best", "successful", "beauty", "power"}


def test_every_feature_of_the_seed_system_and_of_the_portrait_has_captions() -> None:
    named = attributes_of([*FIFTEEN, *PORTRAIT], read_attributes())
    assert set(named) == {*FIFTEEN, *PORTRAIT}
    assert all(sign == 1 for _, sign in named.values())


def test_no_direction_means_two_attributes() -> None:
    attributes = read_attributes()
    names = [name.removeprefix("-") for a in attributes for name in (a.name, *a.also)]
    assert len(names) == len(set(names))


def test_captions_use_no_word_that_a_prompt_is_made_of() -> None:
    for attribute in read_attributes():
        words = {word for pair in attribute.pairs for caption in pair for word in caption.lower().split()}
        assert not words & LOADED, attribute.name


def test_what_is_left_alone_by_default() -> None:
    weights = {a.name: a.by_default for a in read_attributes()}
    assert {n for n in weights if weights[n] == 0.0} >= {"skin_tone", "skin_warmth", "yaw", "pitch", "roll"}
    assert 0.0 < weights["eyes_open"] < 1.0
    assert weights["gender_expression"] == weights["age"] == weights["smile"] == 1.0


def test_a_name_after_a_minus_sign_runs_the_other_way() -> None:
    named = attributes_of(["femininity", "Gender", "nobody"], read_attributes())
    assert {name: sign for name, (_, sign) in named.items()} == {"femininity": -1, "Gender": 1}


def test_the_words_of_the_work_come_first_and_twenty_follow() -> None:
    prompts = read_prompts()
    assert [p.name for p in prompts[:5]] == ["strength", "leadership", "power", "femininity", "beauty"]
    assert len(prompts) >= 25
    assert {"a successful lawyer", "a nurse", "a thug", "the weak gender"} <= {p.text for p in prompts}
    assert [p.order for p in prompts] == list(range(len(prompts)))
    for prompt in prompts:
        check_name(prompt.name)


def test_neutral_words_name_people_and_things() -> None:
    words = read_neutral()
    assert "a person" in words
    assert "the weather" in words
    assert len(words) == len(set(words)) >= 40


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "\u200b", "?!"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the prompt is empty"):
        clean_prompt(text)


def test_a_prompt_of_ten_thousand_characters_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"10000 characters.*at most {MAX_PROMPT_CHARACTERS}"):
        clean_prompt("x" * 10_000)


def test_a_prompt_is_put_on_one_line() -> None:
    assert clean_prompt("  the best\n professor\t ") == "the best professor"
    assert clean_prompt("e\u0301te\u0301") == "été"


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("strength", "strength"),
        ("a nurse", "nurse"),
        ("The strong gender", "strong_gender"),
        ("l'été éternel", "l_ete_eternel"),
        ("3 kings", "prompt_3_kings"),
        ("力", "prompt_5c179fce"),
        ("a", "prompt_ca978112"),
    ],
)
def test_names_for_prompts(prompt: str, name: str) -> None:
    assert name_for(prompt) == name


@given(st.text(min_size=1, max_size=200))
def test_every_prompt_has_a_name_that_can_be_an_address(prompt: str) -> None:
    check_name(name_for(prompt))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("[age]\nhigh = 'old'\n", ["[age] needs high, low and pairs"]),
        (
            "[age]\nhigh='a'\nlow='b'\npairs=[['x','y']]\n[b]\nhigh='a'\nlow='b'\npairs=3",
            ["[age] needs at least 2", "[b]"],
        ),
        ("[age]\nhigh='a'\nlow='b'\npairs=[['x','x'],['y','z']]", ["two different captions"]),
        ("[age]\nhigh='a'\nlow='b'\nby_default=2\npairs=[['x','y'],['y','z']]", ["by_default = 2.0: must be between"]),
        ("[age", ["is not TOML"]),
    ],
)
def test_wrong_captions_are_told_all_at_once(tmp_path: Path, text: str, sentences: list[str]) -> None:
    path = tmp_path / "captions.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_attributes(path)
    for sentence in sentences:
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no .*prompt.* in the file"),
        ("[[prompt]]\nprompt = ''", "prompt 1: the prompt is empty"),
        ("[[prompt]]\nprompt = 'a nurse'\n[[prompt]]\nprompt = 'the nurse'", "the name 'nurse' is used twice"),
        ("[[prompt]]\nprompt = 'x'\nweight = 3", "unknown key weight"),
    ],
)
def test_wrong_prompt_lists(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_prompts(path)


def test_too_few_neutral_words_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "neutral.toml"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_neutral(path)
    path.write_text("people = ['a', 'b', 'b']")
    with pytest.raises(ConfigError, match="2 neutral words; at least 8"):
        read_neutral(path)
