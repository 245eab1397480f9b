"""The picture routes: faces of each text, as points in W+, placed on the pack's directions.

Whether an artist's pictures, a text-to-image model's or CLIP's guidance made the faces: each is an edit in W+, and its
moves along the pack's directions (least squares, all together) are counted in the scatter of random faces of the same
space. n counts faces. The interval comes from drawing the faces anew; fewer than `LEAST_FACES` are as unsure as random
faces are. The p-value is that of a permutation test against the random faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.audit.measured import AxisName, Cells, Measured, Numbers, Text
from engines.audit.questions import Questions
from engines.audit.statistics.intervals import RESAMPLES, SEED, mean_interval, percentile_interval, resampling_weights
from engines.audit.statistics.significance import two_sample_p
from engines.audit.variants import AS_IS, KINDS, SLUGS, variants_of
from engines.runtime import Pack
from engines.runtime.targets import ModelUsed
from engines.targets.captions import Attribute, attributes_of
from engines.targets.studio import sample_faces
from installation.core.latents import Latent
from installation.errors import ConfigError

REFERENCE_FACES = 256
LEAST_FACES = 3
SHUFFLES = 2_000
_NORMAL = 1.96


@dataclass(frozen=True, slots=True, eq=False)
class Ruler:
    """The pack's directions as axes, and how random faces lie on them.

    Attributes:
        axes: Those that captions describe.
        inverse: (num_ws * w_dim, k) from an edit to moves.
        mean, scatter: (k,) of random faces' moves.
        reference: (m, k) random faces' effects.
    """

    axes: tuple[AxisName, ...]
    inverse: Numbers
    mean: Numbers
    scatter: Numbers
    reference: Numbers

    def place(self, edits: Latent) -> Numbers:
        """Effects of edits (n, num_ws, w_dim): (n, k)."""
        moves = edits.reshape(len(edits), -1).astype(np.float64) @ self.inverse
        return np.asarray((moves - self.mean) / self.scatter, np.float64)


def ruler_for(pack: Pack, attributes: Sequence[Attribute]) -> Ruler:
    """Measure random faces of a pack along its directions.

    Raises:
        ConfigError: If no direction of the pack is described by captions.
        EngineError: If the pack has no mapping network.
    """
    named = attributes_of(pack.directions, attributes)
    if not named:
        raise ConfigError(f"the pack {pack.name!r} has no direction that the captions describe; import directions")
    basis = np.stack([pack.directions[name].vector.ravel() for name in named], axis=1).astype(np.float64)
    signs = np.array([sign for _, sign in named.values()], np.float64)
    inverse = np.linalg.pinv(basis).T * signs
    random = (sample_faces(pack, REFERENCE_FACES, psi=1.0) - pack.w_avg).reshape(REFERENCE_FACES, -1)
    moves = random.astype(np.float64) @ inverse
    mean, scatter = moves.mean(axis=0), np.maximum(moves.std(axis=0, ddof=1), 1e-9)
    axes = tuple(AxisName(a.name, a.high, a.low) for a, _ in named.values())
    return Ruler(axes, inverse, mean, scatter, (moves - mean) / scatter)


def texts_of(questions: Questions, slugs: frozenset[str] | None) -> list[tuple[int, str, str]]:
    """All (place of the prompt, kind, words) to be made, of the kinds asked for; all kinds if None."""
    overbearing = questions.overbearing[0] if questions.overbearing else ""
    return [
        (place, kind, words)
        for place, prompt in enumerate(questions.prompts)
        for kind, words in variants_of(prompt.text, overbearing).items()
        if slugs is None or SLUGS[kind] in slugs
    ]


def measure_faces(
    edits: Mapping[tuple[int, str], Latent],
    questions: Questions,
    ruler: Ruler,
    *,
    route: str,
    models: tuple[ModelUsed, ...],
    settings: Mapping[str, object],
    notes: tuple[str, ...] = (),
) -> Measured:
    """Place the faces of each text.

    Args:
        edits: (place of the prompt, kind) -> (n, num_ws, w_dim) edits; every prompt has `AS_IS` among them.
        questions: The prompts that have faces.
        ruler: Of the pack that encoded or drew them.
        route, models, settings, notes: For the record.
    """
    words = {(place, kind): text for place, kind, text in texts_of(questions, None)}
    order = sorted(edits, key=lambda key: (key[0], KINDS.index(key[1])))
    faces = {key: ruler.place(edits[key]) for key in order}
    columns = [_of_faces(faces[key], ruler.reference) for key in order]
    pairs = []
    for pair in questions.pairs:
        one, two = (faces[questions.place(name), AS_IS] for name in (pair.a, pair.b))
        pairs.append(_of_two(one, two))
    return Measured(
        route=route,
        models=models,
        prompts=questions.prompts,
        axes=ruler.axes,
        texts=tuple(Text(place, kind, words[place, kind], len(faces[place, kind])) for place, kind in order),
        cells=_cells(columns, len(ruler.axes)),
        pairs=_cells(pairs, len(ruler.axes)),
        reference=ruler.reference,
        vectors=np.stack([edits[key].mean(axis=0).ravel().astype(np.float64) for key in order]),
        unit="standard deviation of random faces of the pack",
        observation="faces",
        settings={"resamples": RESAMPLES, "seed": SEED, "random_faces": len(ruler.reference), **settings},
        notes=notes,
    )


_Row = tuple[Numbers, Numbers, Numbers, Numbers]


def _of_faces(found: Numbers, reference: Numbers) -> _Row:
    mean = found.mean(axis=0)
    low, high = mean_interval(found) if len(found) >= LEAST_FACES else _unsure(mean, 1.0 / len(found))
    return mean, low, high, two_sample_p(found, reference, shuffles=SHUFFLES)


def _of_two(one: Numbers, two: Numbers) -> _Row:
    apart = one.mean(axis=0) - two.mean(axis=0)
    if min(len(one), len(two)) < LEAST_FACES:
        low, high = _unsure(apart, 1.0 / len(one) + 1.0 / len(two))
    else:
        rng = np.random.default_rng(SEED)
        drawn = [resampling_weights(len(faces), RESAMPLES, rng) @ faces for faces in (one, two)]
        low, high = percentile_interval(drawn[0] - drawn[1])
    return apart, low, high, two_sample_p(one, two, shuffles=SHUFFLES)


def _unsure(mean: Numbers, variance: float) -> tuple[Numbers, Numbers]:
    reach = _NORMAL * float(np.sqrt(variance))
    return mean - reach, mean + reach


def _cells(rows: Sequence[_Row], axes: int) -> Cells:
    if not rows:
        return Cells(*(np.zeros((0, axes)) for _ in range(4)))
    return Cells(*(np.stack([row[i] for row in rows]) for i in range(4)))


Faces = dict[tuple[int, str], NDArray[np.float32]]
"""(place of the prompt, kind) -> (n, num_ws, w_dim) edits."""
