"""What every route gives: where each text lies on every axis, how sure that is, and how neutral things lie there.

An effect is counted in the scatter of the reference: neutral words for a text model, random faces for pictures. So all
that follows (themes, added words, pairs, the report) is the same for words, guidance and pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.audit.questions import AuditPrompt
from engines.audit.variants import AS_IS
from engines.runtime.targets import ModelUsed

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AxisName:
    """One attribute axis: identifier, and its ends in a word or two."""

    name: str
    high: str
    low: str

    def end(self, effect: float) -> str:
        """The end that an effect points to."""
        return self.high if effect >= 0.0 else self.low


@dataclass(frozen=True, slots=True)
class Text:
    """One variant of one prompt: the place of the prompt, the kind, the words, and how many observations."""

    prompt: int
    kind: str
    words: str
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Effects with their doubts, a row per text (or pair of texts) and a column per axis.

    Attributes:
        effects: (t, k) in scatters of the reference; positive toward the axis' high end.
        low, high: (t, k) bootstrap interval of `effects`.
        p: (t, k) before any correction.
    """

    effects: Numbers
    low: Numbers
    high: Numbers
    p: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One model's answers.

    Attributes:
        route: words, clip, images or diffusers.
        models: Every model that had a say, with hashes.
        prompts: As asked.
        axes: k of them.
        texts: t variants; every prompt's own words come first among its variants.
        cells: A row per text; p asks whether one more neutral thing could lie as far out.
        pairs: A row per pair of the questions; p asks whether two neutral things could lie as far apart.
        reference: (m, k) effects of the neutral things themselves.
        vectors: (t, d) what the model makes of each text as a whole: an embedding, or a mean edit in W+.
        unit: What one scatter is, for people.
        observation: What is counted by n, for people.
        settings: What else a remake needs.
        notes: What kept the model from reading something well.
    """

    route: str
    models: tuple[ModelUsed, ...]
    prompts: tuple[AuditPrompt, ...]
    axes: tuple[AxisName, ...]
    texts: tuple[Text, ...]
    cells: Cells
    pairs: Cells
    reference: Numbers
    vectors: Numbers
    unit: str
    observation: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def own(self) -> list[int]:
        """Rows of the prompts as they are, in the prompts' order."""
        return [i for i, text in enumerate(self.texts) if text.kind == AS_IS]

    def row(self, prompt: int, kind: str) -> int | None:
        """Where a variant stands among the texts; None if the prompt has no such variant."""
        return next((i for i, t in enumerate(self.texts) if t.prompt == prompt and t.kind == kind), None)

    def axis(self, name: str) -> int | None:
        """Where an axis stands; None if it was not measured."""
        return next((i for i, axis in enumerate(self.axes) if axis.name == name), None)
