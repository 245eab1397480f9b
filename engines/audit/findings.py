"""From measured texts to findings: themes, added words, pairs; each with its interval, its n and a corrected p.

The tests of the primary axes are one family, those of all other axes another; within a family p is corrected by
Benjamini and Hochberg (`q`). A finding has q <= 0.05. What keeps its sign in the interval but is no finding is a lean:
steady, yet no further out than some neutral word. Everything else is no effect, and is said to be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.audit.by_words import EmbedAll, Yard
from engines.audit.measured import Cells, Measured, Numbers
from engines.audit.questions import Questions
from engines.audit.statistics.effects import cosine_distance, glass_delta
from engines.audit.statistics.intervals import delta_interval, mean_interval
from engines.audit.statistics.significance import benjamini_hochberg, holm, sign_flip_p, two_sample_p
from engines.audit.variants import AS_IS, KINDS, added, sign

LEVEL = 0.05
FINDING, LEAN, NONE = "finding", "lean", "no effect"

LEAST_THEME = 3
"""Prompts of one theme below which nothing is said about it."""

CONTROL_ROUNDS = 200
CONTROL_SHUFFLES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Findings: a row per prompt, theme, kind, word or pair, a column per axis.

    Attributes:
        rows: What each row is about.
        n: Observations behind each row.
        effects, low, high, p, q: (r, k).
    """

    rows: tuple[str, ...]
    n: tuple[int, ...]
    effects: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    q: Numbers

    def verdict(self, row: int, axis: int) -> str:
        """Say which of `FINDING`, `LEAN` and `NONE` a cell is."""
        if self.q[row, axis] <= LEVEL:
            return FINDING
        return LEAN if self.low[row, axis] * self.high[row, axis] > 0.0 else NONE


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """How far one added word moves the whole vector.

    Attributes:
        words: The words, furthest first.
        suspected: Whether each was under suspicion, or an ordinary word.
        n: Prompts that each was added to.
        distance, low, high: Mean cosine distance and its interval.
        ratio: Distance over that of an ordinary word at the same prompts.
        p, q: Against the ordinary words at the same prompts; q by Holm. 1 for the ordinary words themselves.
        shifts: (w, k) mean shift on every axis.
    """

    words: tuple[str, ...]
    suspected: tuple[bool, ...]
    n: tuple[int, ...]
    distance: Numbers
    low: Numbers
    high: Numbers
    ratio: Numbers
    p: Numbers
    q: Numbers
    shifts: Numbers


@dataclass(frozen=True, slots=True)
class Control:
    """What the audit finds where there is nothing, and where something was planted.

    Attributes:
        false_tests: Part of the tests with p <= 0.05 after the themes' labels were shuffled.
        false_findings: Part of the tests that are findings then.
        any_finding: Part of the shuffled rounds with any finding in the primary family.
        power: Planted effect -> part of the rounds in which it was a finding.
        rounds: How many of each.
        n: Prompts of the planted theme.
    """

    false_tests: float
    false_findings: float
    any_finding: float
    power: dict[float, float]
    rounds: int
    n: int


def families(measured: Measured, primary: Sequence[str]) -> NDArray[np.bool_]:
    """Mark the primary axes: (k,)."""
    return np.array([axis.name in primary for axis in measured.axes])


def correct(p: Numbers, primary: NDArray[np.bool_]) -> Numbers:
    """Correct each family of columns for its own number of tests."""
    q = np.ones_like(p)
    for family in (primary, ~primary):
        if p[:, family].size:
            q[:, family] = benjamini_hochberg(p[:, family])
    return q


def of_prompts(measured: Measured, primary: NDArray[np.bool_]) -> Grid:
    """Each prompt by itself."""
    own = measured.own
    rows = tuple(measured.prompts[measured.texts[i].prompt].name for i in own)
    cells = measured.cells
    return _grid(
        rows,
        tuple(measured.texts[i].n for i in own),
        Cells(cells.effects[own], cells.low[own], cells.high[own], cells.p[own]),
        primary,
    )


def of_themes(measured: Measured, questions: Questions, primary: NDArray[np.bool_]) -> Grid:
    """Each theme's prompts against the neutral things: a permutation test, so one odd prompt makes no finding."""
    own = measured.cells.effects[measured.own]
    themes = {theme: places for theme, places in questions.themes.items() if len(places) >= LEAST_THEME}
    columns = []
    for places in themes.values():
        group = own[list(places)]
        low, high = delta_interval(group, measured.reference)
        columns.append((glass_delta(group, measured.reference), low, high, two_sample_p(group, measured.reference)))
    return _grid(tuple(themes), tuple(map(len, themes.values())), _stack(columns, len(measured.axes)), primary)


def of_kinds(measured: Measured, primary: NDArray[np.bool_]) -> Grid:
    """What each kind of variant does to a prompt, over all prompts that have it."""
    own = {measured.texts[i].prompt: i for i in measured.own}
    names, counts, columns = [], [], []
    for kind in KINDS:
        rows = [(i, t.prompt) for i, t in enumerate(measured.texts) if t.kind == kind and t.prompt in own]
        if kind == AS_IS or len(rows) < LEAST_THEME:
            continue
        effects = measured.cells.effects
        turned = np.array([[float(sign(measured.prompts[place].text, kind))] for _, place in rows])
        moved: Numbers = np.subtract(effects[[i for i, _ in rows]], effects[[own[place] for _, place in rows]])
        shift: Numbers = np.multiply(turned, moved)
        low, high = mean_interval(shift)
        names.append(kind)
        counts.append(len(rows))
        columns.append((shift.mean(axis=0), low, high, sign_flip_p(shift)))
    return _grid(tuple(names), tuple(counts), _stack(columns, len(measured.axes)), primary)


def of_pairs(measured: Measured, questions: Questions, primary: NDArray[np.bool_]) -> Grid:
    """Pairs of prompts that should not differ: how far apart they are."""
    own = measured.own
    names = tuple(f"{pair.a} / {pair.b}" for pair in questions.pairs)
    counts = tuple(measured.texts[own[questions.place(pair.a)]].n for pair in questions.pairs)
    return _grid(names, counts, measured.pairs, primary)


def of_added_words(embed_all: EmbedAll, yard: Yard, questions: Questions) -> Moves | None:
    """Rank added words by how far they move a prompt; None where no words are listed."""
    words = [*questions.overbearing, *(w for w in ("woman", "man", "gender", "person")), *questions.ordinary]
    words = list(dict.fromkeys(words))
    if not questions.ordinary or not questions.overbearing:
        return None
    prompts = [prompt.text for prompt in questions.prompts]
    changed = [[added(prompt, word) for prompt in prompts] for word in words]
    rows = embed_all([*prompts, *(text for row in changed for text in row)])
    before = rows[: len(prompts)]
    after = rows[len(prompts) :].reshape(len(words), len(prompts), -1)
    moved = np.array([[text != prompt for text, prompt in zip(row, prompts, strict=True)] for row in changed])
    distances = np.stack([cosine_distance(before, row) for row in after])
    common = np.array([word in questions.ordinary for word in words])
    usual = distances[common].mean(axis=0)
    placed = yard.bare(before)
    shifts = np.stack([(yard.bare(row)[m] - placed[m]).mean(axis=0) for row, m in zip(after, moved, strict=True)])
    mean = np.array([row[m].mean() for row, m in zip(distances, moved, strict=True)])
    low, high = np.array([mean_interval(row[m]) for row, m in zip(distances, moved, strict=True)]).T
    ratio = np.array([row[m].mean() / usual[m].mean() for row, m in zip(distances, moved, strict=True)])
    p = np.array(
        [
            1.0 if plain else float(sign_flip_p((row - usual)[m][:, None])[0])
            for row, m, plain in zip(distances, moved, common, strict=True)
        ]
    )
    q = np.ones_like(p)
    q[~common] = holm(p[~common])
    order = np.argsort(-ratio)
    return Moves(
        tuple(words[i] for i in order),
        tuple(not bool(common[i]) for i in order),
        tuple(int(moved[i].sum()) for i in order),
        *(column[order] for column in (mean, low, high, ratio, p, q, shifts)),
    )


def control(measured: Measured, questions: Questions, primary: NDArray[np.bool_], seed: int = 9) -> Control | None:
    """Shuffle the labels of themes and neutral things, and plant known effects; None without themes."""
    sizes = [len(places) for places in questions.themes.values() if len(places) >= LEAST_THEME]
    if not sizes:
        return None
    rng = np.random.default_rng(seed)
    own = measured.cells.effects[measured.own]
    pool = np.concatenate([own, measured.reference])
    count = len(measured.reference)
    tests = findings = any_finding = total = 0
    for _ in range(CONTROL_ROUNDS):
        dealt = rng.permutation(pool)
        reference, rest = dealt[:count], dealt[count:]
        starts = np.cumsum([0, *sizes[:-1]])
        p = np.stack(
            [
                two_sample_p(rest[a : a + n], reference, shuffles=CONTROL_SHUFFLES, seed=int(rng.integers(1 << 31)))
                for a, n in zip(starts, sizes, strict=True)
            ]
        )
        found = correct(p, primary) <= LEVEL
        tests += int((p <= LEVEL).sum())
        findings += int(found.sum())
        any_finding += int(found[:, primary].any())
        total += p.size
    n = int(np.median(sizes))
    family = max(len(sizes) * int(primary.sum()), 1)
    power = {}
    for planted in (0.5, 1.0, 1.5):
        hits = 0
        for _ in range(CONTROL_ROUNDS):
            dealt = rng.permutation(measured.reference[:, primary][:, :1])
            p = two_sample_p(dealt[:n] + planted, dealt[n:], shuffles=CONTROL_SHUFFLES, seed=int(rng.integers(1 << 31)))
            hits += int(p[0] * family <= LEVEL)
        power[planted] = hits / CONTROL_ROUNDS
    return Control(tests / total, findings / total, any_finding / CONTROL_ROUNDS, power, CONTROL_ROUNDS, n)


def _grid(rows: tuple[str, ...], n: tuple[int, ...], cells: Cells, primary: NDArray[np.bool_]) -> Grid:
    return Grid(rows, n, cells.effects, cells.low, cells.high, cells.p, correct(cells.p, primary))


def _stack(columns: Sequence[tuple[Numbers, Numbers, Numbers, Numbers]], axes: int) -> Cells:
    if not columns:
        return Cells(*(np.zeros((0, axes)) for _ in range(4)))
    return Cells(*(np.stack([column[i] for column in columns]) for i in range(4)))
