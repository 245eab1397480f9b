"""Zero-shot category tables: what a vision-language model calls the project's own portraits, by group.

In the manner of the probe of "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al.,
ICML 2021, section 7.1), with one difference: the portraits are drawn, so the same person can be drawn again with
another skin, another age and another gender expression, and nothing else changed (`engines.audit.sitters`). What
differs among groups is the model's, not the pictures'.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.audit.sitters import FACTORS, Sitter, shown
from engines.audit.statistics.intervals import mean_interval
from engines.audit.statistics.significance import benjamini_hochberg
from engines.runtime.targets import ModelUsed
from installation.errors import ConfigError

Numbers = np.ndarray[Any, np.dtype[np.float64]]

CATEGORIES = Path(__file__).with_name("categories.toml")
SHUFFLES = 5_000
SEED = 9


@dataclass(frozen=True, slots=True)
class Categories:
    """Groups of words to choose among, and the words around each."""

    groups: dict[str, tuple[str, ...]]
    template: str

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in order."""
        return tuple(word for words in self.groups.values() for word in words)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one group of sitters was given one group of categories.

    Attributes:
        factor, level: Of the sitters: ("skin tone", "dark").
        category: Group of words.
        rate, low, high: Part of the portraits, with its bootstrap interval over people.
        n: Portraits.
    """

    factor: str
    level: str
    category: str
    rate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The table.

    Attributes:
        model: The vision-language model.
        rates: For every factor, level and category.
        tests: (factor, category, widest difference of rates, p, q).
        chosen: Word -> portraits that got it, most first.
        portraits: How many there were.
        examples: Category -> portraits that the model was surest of.
        shown: Portrait of one person -> what was changed, for people to see.
    """

    model: ModelUsed
    rates: tuple[Rate, ...]
    tests: tuple[tuple[str, str, float, float, float], ...]
    chosen: dict[str, int]
    portraits: int
    examples: dict[str, tuple[int, ...]]
    shown: dict[int, str]

    def table(self) -> list[Iterable[object]]:
        """For CSV."""
        head: tuple[object, ...] = ("factor", "level", "category", "rate", "low", "high", "n")
        return [head, *((r.factor, r.level, r.category, r.rate, r.low, r.high, r.n) for r in self.rates)]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "model": {"name": self.model.name, "sha256": self.model.sha256},
            "portraits": self.portraits,
            "chosen": self.chosen,
            "rates": [list(row) for row in self.table()[1:]],
            "tests": [list(test) for test in self.tests],
        }


def read_categories(path: Path = CATEGORIES) -> Categories:
    """Read the categories.

    Raises:
        ConfigError: If the file is not readable, or has fewer than two words.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    template = str(found.pop("template", "a photo of {}"))
    try:
        groups = {name: tuple(map(str, row["words"])) for name, row in found.items()}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: each group needs words = [...] ({error})") from error
    if template.count("{}") != 1 or sum(map(len, groups.values())) < 2:
        raise ConfigError(f"{path}: needs two words at least, and a template with one {{}}")
    return Categories(groups, template)


def zero_shot(
    likeness: Callable[[Sequence[str]], Numbers], sitters: Sequence[Sitter], categories: Categories, model: ModelUsed
) -> ZeroShot:
    """Let the model choose a word for every portrait.

    Args:
        likeness: Texts (t,) -> (portraits, t) cosine of each portrait with each text.
        sitters: Who is on each portrait.
        categories: The choice.
        model: For the record.
    """
    words = categories.words
    scores = likeness([categories.template.format(word) for word in words])
    choice = scores.argmax(axis=1)
    group_of = [group for group, found in categories.groups.items() for _ in found]
    chosen_group = np.array([group_of[i] for i in choice])
    people = np.array([sitter.person for sitter in sitters])
    rates: list[Rate] = []
    tests: list[tuple[str, str, float, float]] = []
    rng = np.random.default_rng(SEED)
    for factor, levels in FACTORS.items():
        place = np.array([levels.index(sitter.level(factor)) for sitter in sitters])
        for category in categories.groups:
            given = (chosen_group == category).astype(np.float64)
            for i, level in enumerate(levels):
                mine = place == i
                each = np.array([given[mine & (people == person)].mean() for person in np.unique(people)])
                low, high = mean_interval(each[:, None])
                rates.append(
                    Rate(factor, level, category, float(each.mean()), float(low[0]), float(high[0]), int(mine.sum()))
                )
            spread, p = _shuffle_test(given, place, len(levels), people, rng)
            tests.append((factor, category, spread, p))
    q = benjamini_hochberg(np.array([test[3] for test in tests]))
    names, counts = np.unique(choice, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    best = {
        group: tuple(
            int(i) for i in np.argsort(-scores[:, [j for j, g in enumerate(group_of) if g == group]].max(axis=1))[:5]
        )
        for group in categories.groups
    }
    return ZeroShot(
        model,
        tuple(rates),
        tuple((*test, float(x)) for test, x in zip(tests, q, strict=True)),
        {words[names[i]]: int(counts[i]) for i in order},
        len(sitters),
        best,
        {i: f"{sitters[i].skin_tone}, {sitters[i].gender_expression}" for i in shown(tuple(sitters))},
    )


def _shuffle_test(
    given: Numbers, place: Numbers, levels: int, people: Numbers, rng: np.random.Generator
) -> tuple[float, float]:
    """Widest difference of rates among levels; p from dealing the levels anew within each person."""
    member = np.stack([(place == i).astype(np.float64) for i in range(levels)], axis=1)
    counts = member.sum(axis=0)

    def widest(values: Numbers) -> Numbers:
        rates = values @ member / counts
        return np.asarray(rates.max(axis=-1) - rates.min(axis=-1), np.float64)

    found = float(widest(given))
    shuffled = np.tile(given, (SHUFFLES, 1))
    for person in np.unique(people):
        mine = np.flatnonzero(people == person)
        shuffled[:, mine] = rng.permuted(shuffled[:, mine], axis=1)
    return found, float(((widest(shuffled) >= found - 1e-12).sum() + 1.0) / (SHUFFLES + 1.0))
