"""The words route on a model made by hand: what was planted is found, what was not is said to be none."""

import numpy as np
import pytest

from engines.audit.by_words import in_batches, measure_words
from engines.audit.findings import (
    FINDING,
    NONE,
    control,
    families,
    of_added_words,
    of_kinds,
    of_pairs,
    of_prompts,
    of_themes,
)
from engines.audit.remembered import Remembered
from engines.audit.variants import AS_IS, MAN, PERSON, WOMAN
from engines.runtime.targets import ModelUsed
from engines.targets.words import Yardstick
from installation.runtime.progress import Progress


@pytest.fixture(scope="module")
def found(questions, toy):
    embed, attributes, neutral = toy
    measured, yard = measure_words(
        in_batches(embed), questions, attributes, neutral, models=(ModelUsed("toy", "text model"),)
    )
    return measured, yard, families(measured, questions.primary)


def test_with_the_bare_carrier_an_effect_is_the_score_of_the_targets(questions, toy):
    import dataclasses

    embed, attributes, neutral = toy
    bare = dataclasses.replace(questions, carriers=("{}",))
    measured, yard = measure_words(in_batches(embed), bare, attributes, neutral, models=())
    yardstick = Yardstick(embed, attributes, neutral)
    for row, text in enumerate(measured.texts):
        vector = embed([text.words])[0]
        wanted = [score.effect for score in yardstick.measure(vector)]
        np.testing.assert_allclose(measured.cells.effects[row], wanted, atol=1e-3)
        np.testing.assert_allclose(yard.bare(vector[None].astype(np.float64))[0], wanted, atol=1e-3)


def test_planted_prompts_are_findings_and_the_empty_axis_is_none(found, questions):
    measured, _, primary = found
    grid = of_prompts(measured, primary)
    gender, age, beard = (measured.axis(name) for name in ("gender_expression", "age", "beard"))
    leader, nurse = questions.place("leader"), questions.place("nurse")
    assert grid.verdict(leader, gender) == grid.verdict(nurse, gender) == FINDING
    assert grid.effects[leader, gender] > 3.0 > -3.0 > grid.effects[nurse, gender]
    assert measured.axes[gender].end(grid.effects[nurse, gender]) == "feminine"
    assert FINDING not in {grid.verdict(row, axis) for row in range(len(grid.rows)) for axis in (age, beard)}
    assert grid.verdict(questions.place("portrait_of_a_person"), gender) != FINDING
    assert np.all(grid.low <= grid.high)
    assert np.all((grid.low <= grid.effects + 1e-9) & (grid.effects <= grid.high + 1e-9))


def test_themes_and_their_direction(found, questions):
    measured, _, primary = found
    grid = of_themes(measured, questions, primary)
    assert grid.rows == ("leading", "care")
    assert grid.n == (3, 3)
    gender, beard = measured.axis("gender_expression"), measured.axis("beard")
    assert grid.verdict(0, gender) == grid.verdict(1, gender) == FINDING
    assert grid.effects[0, gender] > 0 > grid.effects[1, gender]
    assert grid.q[:, beard].min() > 0.05


def test_an_added_word_shifts_every_prompt(found, questions):
    measured, _, primary = found
    grid = of_kinds(measured, primary)
    gender = measured.axis("gender_expression")
    woman, man = grid.rows.index(WOMAN), grid.rows.index(MAN)
    assert grid.n[woman] == len(questions.prompts)
    assert grid.effects[woman, gender] < -3.0
    assert grid.effects[man, gender] > 3.0
    assert grid.p[woman, gender] < 0.03  # seven prompts can hardly give less: 2 of 128 signs
    person = grid.rows.index(PERSON)
    shifts = []
    for place, prompt in enumerate(questions.prompts):
        own, other = measured.row(place, AS_IS), measured.row(place, PERSON)
        step = measured.cells.effects[other, gender] - measured.cells.effects[own, gender]
        shifts.append(step if "person" in prompt.text else -step)
    assert grid.effects[person, gender] == pytest.approx(np.mean(shifts))


def test_pairs(found, questions):
    measured, _, primary = found
    grid = of_pairs(measured, questions, primary)
    gender = measured.axis("gender_expression")
    assert grid.rows == ("leader / nurse", "leader / portrait_of_a_leader")
    assert grid.verdict(0, gender) == FINDING
    assert grid.verdict(1, gender) == NONE or grid.q[1, gender] > 0.05
    own = measured.cells.effects[measured.own]
    assert grid.effects[0, gender] == pytest.approx(own[0, gender] - own[3, gender])


def test_the_word_that_moves_most_comes_first(found, questions, toy):
    _, yard, _ = found
    moves = of_added_words(in_batches(toy[0]), yard, questions)
    assert moves.words.index("thunder") < moves.words.index("natural")
    place = moves.words.index("thunder")
    assert moves.suspected[place]
    assert moves.ratio[place] > 2.0
    assert moves.low[place] < moves.distance[place] < moves.high[place]
    ordinary = moves.words.index("spoon")
    assert not moves.suspected[ordinary]
    assert moves.q[ordinary] == 1.0
    assert moves.n[moves.words.index("person")] == len(questions.prompts) - 1


def test_shuffled_labels_give_no_more_than_one_in_twenty(found, questions):
    measured, _, primary = found
    told = control(measured, questions, primary)
    assert told.false_tests <= 0.065  # 0.05, and three standard errors of 1200 tests
    assert told.false_findings <= 0.05
    assert told.any_finding <= 0.10
    assert told.power[0.5] <= told.power[1.0] <= told.power[1.5]


def test_the_same_questions_give_the_same_bits(questions, toy):
    embed, attributes, neutral = toy
    one, other = (
        measure_words(in_batches(embed), questions, attributes, neutral, models=(), resamples=50)[0] for _ in range(2)
    )
    for part in ("effects", "low", "high", "p"):
        np.testing.assert_array_equal(getattr(one.cells, part), getattr(other.cells, part))


def test_a_model_that_says_nothing_gives_no_findings(questions, toy):
    """Noise alone: every text a random direction."""
    _, attributes, neutral = toy

    def noise(texts):
        rng = [np.random.default_rng(abs(hash(("noise", text))) % (1 << 32)) for text in texts]
        rows = np.stack([r.normal(size=64) for r in rng])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    measured, _ = measure_words(in_batches(noise), questions, attributes, neutral, models=())
    primary = families(measured, questions.primary)
    verdicts = [
        grid.verdict(row, axis)
        for grid in (of_prompts(measured, primary), of_themes(measured, questions, primary))
        for row in range(len(grid.rows))
        for axis in range(len(measured.axes))
    ]
    assert verdicts.count(FINDING) <= 1


def test_embeddings_are_remembered_and_those_of_another_model_forgotten(tmp_path, toy):
    asked = []

    def counting(chunks):
        for chunk in chunks:
            asked.extend(chunk)
            yield chunk, toy[0](chunk)

    with Progress(0, "texts") as progress:
        first = Remembered(counting, tmp_path, "one", progress)(["a nurse", "a leader", "a nurse"])
        again = Remembered(counting, tmp_path, "one", progress)(["a leader", "a nurse", "снег"])
        assert asked == ["a nurse", "a leader", "снег"]
        np.testing.assert_array_equal(first[0], again[1])
        Remembered(counting, tmp_path, "two", progress)(["a nurse"])
        assert asked[-1] == "a nurse"
        assert len(asked) == 4
