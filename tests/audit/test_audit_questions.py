"""What is asked: the shipped list, lists of one's own, and the variants of a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.audit.questions import PROMPTS, read_questions
from engines.audit.variants import (
    AS_IS,
    GENDER,
    KINDS,
    MAN,
    ORDER,
    OVERBEARING,
    PERSON,
    REALISTIC,
    SLUGS,
    WOMAN,
    sign,
    variants_of,
)
from engines.targets.captions import PROMPTS as TARGET_PROMPTS
from engines.targets.captions import read_attributes, read_neutral
from installation.errors import ConfigError


def test_the_shipped_list_has_129_prompts_and_holds_together():
    questions = read_questions()
    assert len(questions.prompts) == 129
    assert len({prompt.text for prompt in questions.prompts}) == 129
    assert list(questions.themes)[:5] == ["strength", "leadership", "power", "femininity", "beauty"]
    assert all(len(places) >= 4 for places in questions.themes.values())
    names = {prompt.name for prompt in questions.prompts}
    assert {"portrait_of_a_person", "weak_gender", "strong_gender", "best_professor", "best_teacher"} <= names
    assert set(questions.primary) <= {attribute.name for attribute in read_attributes()}
    assert not {prompt.text for prompt in questions.prompts} & set(read_neutral()), "a prompt measured against itself"
    assert not set(questions.overbearing) & set(questions.ordinary)


def test_a_list_of_targets_can_be_audited():
    assert len(read_questions(TARGET_PROMPTS).prompts) == 25


def test_all_problems_of_a_list_are_told(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text(
        'carriers = ["no place"]\n[[prompt]]\nprompt = "a nurse"\n[[prompt]]\nprompt = "the nurse"\n'
        '[[prompt]]\nprompt = "  "\n[[pair]]\na = "nurse"\nb = "doctor"\n[[pair]]\na = "nurse"\nb = "nurse"\n'
    )
    with pytest.raises(ConfigError) as caught:
        read_questions(path)
    said = str(caught.value)
    for part in ("'nurse' is used twice", "prompt 3: the prompt is empty", "no prompt doctor", "twice", "needs one {}"):
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [("[[prompt]]\nprompt = 'a'\ncolour = 1\n", "colour"), ("not toml", "is not TOML"), ("pair = []", "prompt")],
)
def test_a_file_that_is_no_list(tmp_path, text, said):
    path = tmp_path / "list.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_questions(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_questions(tmp_path / "nowhere.toml")


def test_some_prompts_keep_their_pairs():
    questions = read_questions()
    fewer = questions.only({"best_professor", "best_teacher", "nurse"})
    assert [prompt.name for prompt in fewer.prompts] == ["best_professor", "nurse", "best_teacher"]
    assert [(pair.a, pair.b) for pair in fewer.pairs] == [("best_professor", "best_teacher")]
    assert fewer.place("best_teacher") == 2


@pytest.mark.parametrize(
    ("prompt", "kind", "text"),
    [
        ("portrait of a person", WOMAN, "portrait of a person, woman"),
        ("portrait of a person", PERSON, "portrait"),
        ("a strong person", PERSON, "strong"),
        ("portrait of a strong person", PERSON, "portrait, strong"),
        ("the strongest person in the world", PERSON, "the strongest in the world"),
        ("a person who decides", PERSON, "who decides"),
        ("strength", PERSON, "strength, person"),
        ("portrait of a person", ORDER, "a person, portrait"),
        ("the weak gender", ORDER, "gender, weak"),
        ("the best professor in the world", ORDER, "the world, the best professor"),
        ("portrait of a person", REALISTIC, "realistic portrait of a person"),
        ("beauty", REALISTIC, "realistic portrait of beauty"),
        ("beauty", OVERBEARING, "beauty, natural"),
        ("beauty", MAN, "beauty, man"),
    ],
)
def test_variants_say_what_their_names_say(prompt, kind, text):
    assert variants_of(prompt, "natural")[kind] == text


def test_a_variant_that_changes_nothing_is_left_out():
    assert GENDER not in variants_of("the weak gender")
    assert ORDER not in variants_of("strength")
    assert OVERBEARING not in variants_of("strength")
    assert PERSON not in variants_of("a person")


def test_without_person_is_turned_round_where_the_prompt_lacks_it():
    assert sign("a strong person", PERSON) == 1
    assert sign("strength", PERSON) == -1
    assert sign("strength", WOMAN) == 1


@given(
    st.lists(
        st.sampled_from(["a", "the", "strong", "person", "of", "in", "world", "woman", "gender", "portrait"]),
        min_size=1,
        max_size=7,
    )
)
def test_variants_of_anything_differ_from_it_and_stay_words(words):
    prompt = " ".join(words)
    found = variants_of(prompt, "earth")
    assert found[AS_IS] == prompt
    assert set(found) <= set(KINDS) == set(SLUGS)
    for kind, text in found.items():
        assert text.strip() == text != ""
        assert "  " not in text
        assert kind == AS_IS or text != prompt


def test_the_shipped_list_lies_beside_the_code():
    assert PROMPTS.is_file()
