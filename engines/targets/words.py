"""From embeddings to a move: how far words lie toward each attribute, and where that leads in W+.

Pure arithmetic on arrays; which text model made the embeddings is the caller's business. In four steps:

1. *Score.* For each caption pair, cos(prompt, high) - cos(prompt, low); the attribute's score is the mean over
   its pairs, relative to the mean over neutral words and divided by their spread. It is an effect size: +2 means two
   spreads further toward the high end than words that say nothing. The pairs' disagreement is its doubt.
2. *Pull.* An effect is shrunk as its doubt grows (positive-part James-Stein: 1 - (doubt / effect)^2); less than
   `DEAD_ZONE` counts as nothing; the rest is squashed by tanh, so that no word pulls beyond a direction's range.
3. *Budget.* All pulls of a prompt are scaled so that their Euclidean length is `BUDGET`: each target is a plain move,
   and none leaves the faces the generator knows. A prompt that pulls less than `FAINT` in all moves less in proportion.
4. *Edit.* The sum of the directions, each times its part of its useful range.

Sources: the difference of two captions is the text direction of StyleCLIP (Patashnik et al., ICCV 2021, section 6);
measuring against neutral words follows the WEAT effect size (Caliskan et al., Science 356, 2017).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.targets.captions import Attribute
from installation.core.latents import Latent

DEAD_ZONE = 0.5
"""Half the scatter of the neutral words themselves; an effect no larger than that says nothing."""

SOFTNESS = 2.0
"""Effect size beyond the dead zone at which a pull reaches tanh(1) = 0.76 of a range."""

BUDGET = 2.0
"""Length of a whole move, each direction counted in parts of its useful range."""

FAINT = 0.8
"""A length below which words pull too little to be blown up to the whole budget."""

DECIMALS = 4
"""Scores are rounded to what is shown, and what is shown is what is used: a target then does not depend on the
last bits of a matrix product, which differ between machines."""

Embeddings = NDArray[np.float32]
"""(n, d), rows of length 1."""


class Embed(Protocol):
    """A text model, as far as this module cares."""

    def __call__(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts: (n, d) float32, each row of length 1; the same call gives the same bits."""


class Axis(Protocol):
    """A direction of a pack: add `amount * vector`, amount in low..high."""

    @property
    def vector(self) -> Latent: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Score:
    """How far a prompt lies toward an attribute's high end.

    Attributes:
        attribute: Which one.
        effect: Effect size against the neutral words.
        doubt: Standard error of the effect over the caption pairs.
    """

    attribute: str
    effect: float
    doubt: float


class Yardstick:
    """Attributes and neutral words, embedded once; measures any number of prompts.

    Attributes:
        attributes: What is measured.
        fingerprint: sha256 of all captions and neutral words, so that a target can name the questions it answered.
    """

    def __init__(self, embed: Embed, attributes: Sequence[Attribute], neutral: Sequence[str]) -> None:
        self.attributes = tuple(attributes)
        questions = "\n".join([*(caption for a in attributes for pair in a.pairs for caption in pair), *neutral])
        self.fingerprint = hashlib.sha256(questions.encode()).hexdigest()
        self._neutral = embed(neutral).astype(np.float64)
        self._axes: list[NDArray[np.float64]] = []
        for attribute in attributes:
            captions = embed([caption for pair in attribute.pairs for caption in pair]).astype(np.float64)
            self._axes.append(captions[::2] - captions[1::2])

    def measure(self, prompt: Embeddings) -> tuple[Score, ...]:
        """Score one prompt's embedding (d,) on every attribute, in their order."""
        return tuple(
            _score(attribute.name, axes @ np.asarray(prompt, np.float64), np.asarray(self._neutral @ axes.T))
            for attribute, axes in zip(self.attributes, self._axes, strict=True)
        )


def _score(name: str, prompt: NDArray[np.float64], neutral: NDArray[np.float64]) -> Score:
    """`prompt` (pairs,) and `neutral` (words, pairs) are differences of cosines."""
    baseline = neutral.mean(axis=1)
    effect = (prompt.mean() - baseline.mean()) / baseline.std(ddof=1)
    each = (prompt - neutral.mean(axis=0)) / neutral.std(axis=0, ddof=1)
    doubt = each.std(ddof=1) / math.sqrt(len(each))
    return Score(name, round(float(effect), DECIMALS), round(float(doubt), DECIMALS))


def pull(score: Score) -> float:
    """Squash a score to -1..1; 0 inside the dead zone or where the caption pairs disagree."""
    size = abs(score.effect)
    if size <= DEAD_ZONE:
        return 0.0
    sure = size - score.doubt**2 / size
    return math.copysign(math.tanh(max(0.0, sure - DEAD_ZONE) / SOFTNESS), score.effect)


def moves_from(
    scores: Iterable[Score], named: Mapping[str, tuple[Attribute, int]], *, budget: float = BUDGET
) -> dict[str, float]:
    """Turn scores into moves along a pack's directions, -1..1 of each useful range.

    What a curator must switch on (skin tone, pose) gets its move too, but does not spend the budget of the others.

    Args:
        scores: Of one prompt.
        named: Direction -> (attribute, sign), from `attributes_of`.
        budget: Length of the whole move.
    """
    by_attribute = {score.attribute: pull(score) for score in scores}
    pulls = {name: sign * by_attribute[attribute.name] for name, (attribute, sign) in named.items()}
    length = math.sqrt(sum((named[name][0].by_default * p) ** 2 for name, p in pulls.items()))
    scale = budget / max(length, FAINT)
    return {name: round(min(max(scale * p, -1.0), 1.0), DECIMALS) for name, p in pulls.items()}


def edit_from(moves: Mapping[str, float], directions: Mapping[str, Axis], shape: tuple[int, int]) -> Latent:
    """Add up the directions: (num_ws, w_dim) float32, the edit relative to `w_avg`.

    A move of +1 reaches a direction's `high`, -1 its `low`.
    """
    edit = np.zeros(shape, np.float64)
    for name, move in moves.items():
        axis = directions[name]
        edit += amount_of(move, axis) * np.asarray(axis.vector, np.float64)
    return edit.astype(np.float32)


def amount_of(move: float, axis: Axis) -> float:
    """Give a move of -1..1 in the direction's own unit."""
    return move * axis.high if move >= 0.0 else -move * axis.low
