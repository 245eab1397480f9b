"""Finish a target: from what a route found to what is stored. Every route ends here.

A route gives a `Draft`: an edit in W+ with its reasons. Here the curator's weights are applied, and the target
learns which W+ space it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from engines.runtime.targets import ModelUsed, Provenance, Target, space_id
from engines.targets.captions import Attribute, Prompt, attributes_of
from engines.targets.curation import Curation, curate, project, weights_for
from engines.targets.words import (
    BUDGET,
    DEAD_ZONE,
    FAINT,
    SOFTNESS,
    Axis,
    Embeddings,
    Yardstick,
    edit_from,
    moves_from,
)
from installation.core.latents import Bands, Latent


class TargetPack(Protocol):
    """What making targets needs of a model pack; `engines.runtime.Pack` has it."""

    @property
    def name(self) -> str: ...
    @property
    def w_avg(self) -> Latent: ...
    @property
    def directions(self) -> Mapping[str, Axis]: ...
    @property
    def bands(self) -> Bands: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """What a route found, before the curator.

    Attributes:
        edit: (num_ws, w_dim) float32, relative to `w_avg`.
        moves: Direction -> part of its useful range in the edit; None lets least squares find it.
        route, models, scores, doubts, seeds, steps, settings: See `Provenance`.
        label: One of the five labels, where the curator gave one to the picture it came from.
    """

    edit: Latent
    route: str
    moves: Mapping[str, float] | None = None
    models: tuple[ModelUsed, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, float] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    steps: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""


def draft_from_words(
    embedding: Embeddings, yardstick: Yardstick, pack: TargetPack, *, model: ModelUsed, note: str = ""
) -> Draft:
    """Make a draft from words alone: score the prompt, turn the scores into a move along the pack's directions.

    Args:
        embedding: (d,) of the prompt.
        yardstick: The attributes and neutral words, embedded by the same model.
        pack: Where the directions come from.
        model: The text model.
        note: What keeps the model from reading this prompt well, if anything.
    """
    scores = {score.attribute: score for score in yardstick.measure(embedding)}
    named = attributes_of(pack.directions, yardstick.attributes)
    moves = moves_from(scores.values(), named)
    settings: dict[str, Any] = {
        "budget": BUDGET,
        "dead_zone": DEAD_ZONE,
        "faint": FAINT,
        "softness": SOFTNESS,
        "questions_sha256": yardstick.fingerprint,
    }
    num_ws, w_dim = pack.w_avg.shape
    return Draft(
        edit=edit_from(moves, pack.directions, (num_ws, w_dim)),
        route="text",
        moves=moves,
        models=(model,),
        scores={name: sign * scores[attribute.name].effect for name, (attribute, sign) in named.items()},
        doubts={name: scores[attribute.name].doubt for name, (attribute, _) in named.items()},
        settings=settings | ({"note": note} if note else {}),
    )


def finish(
    draft: Draft,
    prompt: Prompt,
    pack: TargetPack,
    *,
    attributes: Sequence[Attribute],
    curation: Curation,
    date: str,
) -> Target:
    """Apply the curator's weights and sign the target.

    Args:
        draft: What a route found.
        prompt: Name, words, caption and place.
        pack: Where it belongs.
        attributes: They say what is left alone where the curator is silent.
        curation: The curator's file.
        date: UTC, ISO 8601.

    Raises:
        ConfigError: If the curator weighs what the pack does not have.
    """
    named = attributes_of(pack.directions, attributes)
    defaults = {name: named[name][0].by_default if name in named else 1.0 for name in pack.directions}
    choice = curation.target(prompt.name)
    weights = weights_for(choice, defaults, pack.bands)
    moves = project(draft.edit, pack.directions) if draft.moves is None else dict(draft.moves)
    edit = curate(draft.edit, moves, weights, pack.directions, pack.bands)
    return Target(
        name=prompt.name,
        caption=choice.caption or prompt.caption,
        w_plus=(pack.w_avg + edit).astype(np.float32),
        edit=edit,
        uncurated=draft.edit.astype(np.float32),
        provenance=Provenance(
            prompt=prompt.text,
            route=draft.route,
            models=draft.models,
            scores=dict(draft.scores),
            doubts=dict(draft.doubts),
            moves=moves,
            curation=weights,
            seeds=draft.seeds,
            steps=draft.steps,
            settings=dict(draft.settings),
            pack=pack.name,
            space=space_id(pack.w_avg),
            date=date,
        ),
        order=prompt.order if choice.order is None else choice.order,
        label=choice.label or draft.label,
    )
