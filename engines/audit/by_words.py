"""The words route: a text model is asked where every text lies between the two captions of each pair.

The arithmetic of `engines.targets.words`, for a thousand texts at once and with intervals. Every text is put into
several carriers ("a picture of {}"), and so are the neutral words. An effect is the mean over carriers and caption
pairs of cos(text, high) - cos(text, low), less the same mean over the neutral words, in their standard deviations. With
the bare carrier alone it is the score that `mirror targets` gives.

The interval comes from drawing carriers, caption pairs and neutral words anew: it is the doubt about how was asked. The
p-value asks whether one more neutral word could lie as far out (`prediction_p`), the doubt about the wording added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.audit.measured import AxisName, Cells, Measured, Numbers, Text
from engines.audit.questions import Questions
from engines.audit.statistics.intervals import RESAMPLES, SEED, percentile_interval, resampling_weights
from engines.audit.statistics.significance import prediction_p
from engines.audit.variants import AS_IS, variants_of
from engines.runtime.targets import ModelUsed
from engines.targets.captions import Attribute
from engines.targets.words import Embed

BATCH = 256
"""Texts embedded in one call; the same calls give the same bits whoever makes them."""

EmbedAll = Callable[[Sequence[str]], Numbers]
"""Embed any number of texts: (n, d) float64."""

_LEAST_SCATTER = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Yard:
    """The questions, embedded: what texts are held against.

    Attributes:
        axes: Per attribute (d, pairs): caption of the high end less caption of the low end.
        neutral: (m, carriers, d).
    """

    axes: tuple[Numbers, ...]
    neutral: Numbers

    def bare(self, vectors: Numbers) -> Numbers:
        """Place vectors (n, d) on every axis by the first carrier alone, as `mirror targets` does: (n, k)."""
        zero = [self.neutral[:, 0] @ axis.mean(axis=1) for axis in self.axes]
        found = [vectors @ axis.mean(axis=1) for axis in self.axes]
        pairs = zip(found, zero, strict=True)
        return np.stack([(f - z.mean()) / max(z.std(ddof=1), _LEAST_SCATTER) for f, z in pairs], axis=1)


def measure_words(
    embed_all: EmbedAll,
    questions: Questions,
    attributes: Sequence[Attribute],
    neutral: Sequence[str],
    *,
    models: tuple[ModelUsed, ...],
    resamples: int = RESAMPLES,
    notes: tuple[str, ...] = (),
) -> tuple[Measured, Yard]:
    """Ask a text model.

    Args:
        embed_all: The text model.
        questions: Prompts, carriers and added words.
        attributes: The axes and their caption pairs.
        neutral: Words that should pull nothing, at least two.
        models: For the record.
        resamples: Of the bootstrap.
        notes: What kept the model from reading something well.
    """
    overbearing = questions.overbearing[0] if questions.overbearing else ""
    texts = [
        (place, kind, words)
        for place, prompt in enumerate(questions.prompts)
        for kind, words in variants_of(prompt.text, overbearing).items()
    ]
    own = {place: row for row, (place, kind, _) in enumerate(texts) if kind == AS_IS}
    pairs = np.array([[own[questions.place(p.a)], own[questions.place(p.b)]] for p in questions.pairs], np.intp)
    carriers = questions.carriers
    captions = [caption for attribute in attributes for pair in attribute.pairs for caption in pair]
    plain = [carrier.format(word) for word in neutral for carrier in carriers]
    carried = [carrier.format(words) for _, _, words in texts for carrier in carriers]
    rows = embed_all([*captions, *plain, *carried])
    ends, rest = rows[: len(captions)], rows[len(captions) :]
    asked = rest[len(plain) :].reshape(len(texts), len(carriers), -1)
    lengths = np.cumsum([0, *(2 * len(attribute.pairs) for attribute in attributes)])
    axes = tuple((ends[a:b:2] - ends[a + 1 : b : 2]).T for a, b in pairwise(lengths))
    yard = Yard(axes, rest[: len(plain)].reshape(len(neutral), len(carriers), -1))
    columns = [_column(asked @ axis, yard.neutral @ axis, pairs.reshape(-1, 2), resamples) for axis in axes]
    measured = Measured(
        route="words",
        models=models,
        prompts=questions.prompts,
        axes=tuple(AxisName(a.name, a.high, a.low) for a in attributes),
        texts=tuple(Text(place, kind, words, len(carriers)) for place, kind, words in texts),
        cells=_cells([column[0] for column in columns]),
        pairs=_cells([column[1] for column in columns]),
        reference=np.stack([column[2] for column in columns], axis=1),
        vectors=asked.mean(axis=1),
        unit="standard deviation of neutral words",
        observation="carrier sentences",
        settings={"resamples": resamples, "seed": SEED, "carriers": list(carriers), "neutral": len(neutral)},
        notes=notes,
    )
    return measured, yard


def in_batches(embed: Embed) -> EmbedAll:
    """Embed with a text model in batches of one size, each different text once."""

    def embed_all(texts: Sequence[str]) -> Numbers:
        order = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        once = list(order)
        rows = np.concatenate([embed(once[i : i + BATCH]) for i in range(0, len(once), BATCH)]).astype(np.float64)
        return rows[[order[text] for text in texts]]

    return embed_all


_Column = tuple[Numbers, Numbers, Numbers, Numbers]
"""Effects, low, high and p on one axis."""


def _column(asked: Numbers, zero: Numbers, pairs: NDArray[np.intp], resamples: int) -> tuple[_Column, _Column, Numbers]:
    """One axis: `asked` (t, carriers, pairs) and `zero` (m, carriers, pairs) are differences of cosines.

    Returns:
        The texts, the pairs of texts (rows of `pairs`), and the effects of the neutral words (m,).
    """
    rng = np.random.default_rng(SEED)
    count, carriers, captions = zero.shape
    plain, neutral = asked.mean(axis=(1, 2)), zero.mean(axis=(1, 2))
    scatter = max(float(neutral.std(ddof=1)), _LEAST_SCATTER)
    weights = np.einsum(
        "bc,bp->bcp", resampling_weights(carriers, resamples, rng), resampling_weights(captions, resamples, rng)
    ).reshape(resamples, -1)
    texts = weights @ asked.reshape(len(asked), -1).T
    words = weights @ zero.reshape(count, -1).T
    # The doubt about the wording, in a fixed unit: what the unit itself is unsure of is in Student's t.
    error = ((texts - words.mean(axis=1, keepdims=True)) / scatter).std(axis=0, ddof=1)
    pair_error = ((texts[:, pairs[:, 0]] - texts[:, pairs[:, 1]]) / scatter).std(axis=0, ddof=1)
    drawn = resampling_weights(count, resamples, rng)
    mean = (drawn * words).sum(axis=1, keepdims=True)
    square = (drawn * np.square(words - mean)).sum(axis=1, keepdims=True) * count / (count - 1)
    found = (texts - mean) / np.maximum(np.sqrt(square), _LEAST_SCATTER)
    effects = (plain - neutral.mean()) / scatter
    apart = effects[pairs[:, 0]] - effects[pairs[:, 1]]
    return (
        (effects, *percentile_interval(found), prediction_p(effects, error, count)),
        (
            apart,
            *percentile_interval(found[:, pairs[:, 0]] - found[:, pairs[:, 1]]),
            prediction_p(apart, pair_error, count, words=2),
        ),
        (neutral - neutral.mean()) / scatter,
    )


def _cells(columns: Sequence[_Column]) -> Cells:
    return Cells(*(np.stack([column[i] for column in columns], axis=1) for i in range(4)))
