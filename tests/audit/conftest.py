"""A text model made by hand: words are axes, so that every number of an audit can be foreseen."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from engines.audit.questions import Questions, read_questions
from engines.targets.captions import Attribute

DIMENSIONS = 40
PLANTED = {
    "man": (0, 1.0),
    "woman": (0, -1.0),
    "leader": (0, 0.6),
    "nurse": (0, -0.8),
    "old": (1, 1.0),
    "young": (1, -1.0),
}
"""Word -> (axis, how far): everything else is noise that depends on the word alone."""

LIST = """
carriers = ["{}", "a picture of {}", "{}, in a few words"]
overbearing = ["thunder", "natural"]
ordinary = ["table", "spoon"]
primary = ["gender_expression", "age"]
[[prompt]]
prompt = "a leader"
theme = "leading"
feature = true
[[prompt]]
prompt = "portrait of a leader"
theme = "leading"
[[prompt]]
prompt = "leader of a choir"
theme = "leading"
[[prompt]]
prompt = "a nurse"
theme = "care"
feature = true
[[prompt]]
prompt = "the nurse in the ward"
theme = "care"
[[prompt]]
prompt = "portrait of a nurse"
theme = "care"
[[prompt]]
prompt = "portrait of a person"
[[pair]]
a = "leader"
b = "nurse"
because = "both look after others"
[[pair]]
a = "leader"
b = "portrait_of_a_leader"
because = "they are the same"
"""

ATTRIBUTES = (
    Attribute("gender_expression", "masculine", "feminine", (("a man", "a woman"), ("this man", "this woman"))),
    Attribute("age", "old", "young", (("an old one", "a young one"), ("old", "young"))),
    Attribute("beard", "bearded", "shaven", (("a beard", "a shave"), ("bearded", "shaven"))),
)

NEUTRAL = tuple(f"stone{i} cloud{i}" for i in range(24))


def toy_embed(texts):
    """Bag of words: each word a small noise of its own, some words a known place; rows of length 1."""
    return np.stack([_vector(text) for text in texts])


def _vector(text):
    total = np.zeros(DIMENSIONS)
    total[-1] = 1.0
    for word in text.lower().replace(",", " ").split():
        chance = np.random.default_rng(int(sha256(word.encode()).hexdigest()[:8], 16))
        noise = chance.normal(0.0, 0.06, DIMENSIONS)
        noise[-1] = 0.0
        total += 6.0 * noise if word == "thunder" else noise
        if word in PLANTED:
            axis, size = PLANTED[word]
            total[axis] += size
    return (total / np.linalg.norm(total)).astype(np.float32)


@pytest.fixture(scope="session")
def small_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit-list") / "prompts.toml"
    path.write_text(LIST)
    return path


@pytest.fixture(scope="session")
def questions(small_list: Path) -> Questions:
    return read_questions(small_list)


@pytest.fixture(scope="session")
def toy():
    """The model, the axes and the neutral words."""
    return toy_embed, ATTRIBUTES, NEUTRAL
