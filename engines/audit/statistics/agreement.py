"""Agreement of two people who labelled the same pictures: Cohen's kappa.

Sources: Cohen, "A coefficient of agreement for nominal scales", EPM 20 (1960); "Weighted kappa", Psych. Bulletin 70
(1968).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.audit.statistics.intervals import RESAMPLES, SEED

Numbers = NDArray[np.float64]


def confusion(first: Sequence[int], second: Sequence[int], labels: int) -> Numbers:
    """Count pairs of labels: (labels, labels) float64, rows are the first person's.

    Raises:
        ValueError: If the two did not label the same number of things.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels against {len(second)}: both must be about the same pictures")
    table = np.zeros((labels, labels))
    np.add.at(table, (np.asarray(first, np.intp), np.asarray(second, np.intp)), 1.0)
    return table


def cohens_kappa(table: Numbers, *, ordered: bool = False) -> float:
    """Agreement beyond chance: 1 is perfect, 0 what chance gives, negative less than chance.

    Args:
        table: From `confusion`.
        ordered: Whether labels lie on a scale, so that neighbours count as half-agreement (linear weights).

    Returns:
        Not a number where chance alone agrees wholly: both used one and the same label throughout.
    """
    total = table.sum()
    if total == 0:
        return float("nan")
    steps = np.abs(np.subtract.outer(np.arange(len(table)), np.arange(len(table)))).astype(np.float64)
    weight = steps if ordered else (steps > 0).astype(np.float64)
    chance = (weight * np.outer(table.sum(axis=1), table.sum(axis=0))).sum() / total
    return float(1.0 - (weight * table).sum() / chance) if chance > 0 else float("nan")


def kappa_interval(
    first: Sequence[int], second: Sequence[int], labels: int, *, ordered: bool = False, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The middle 95 % of kappa over resampled pictures; resamples without a kappa are left out."""
    rng = np.random.default_rng(SEED)
    a, b = np.asarray(first, np.intp), np.asarray(second, np.intp)
    found = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(a), len(a))
        found.append(cohens_kappa(confusion(a[drawn].tolist(), b[drawn].tolist(), labels), ordered=ordered))
    known = np.array([k for k in found if not np.isnan(k)])
    if not len(known):
        return float("nan"), float("nan")
    return float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975))
