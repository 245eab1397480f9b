"""Bootstrap intervals: how far a number would move if other wordings or other prompts had been drawn.

Every resample draws one fewer than there are (Rao and Wu, "Resampling inference with complex survey data", JASA 83,
1988): the plain bootstrap of a handful of caption pairs would be too sure of itself, by half for two pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
SEED = 9


def resampling_weights(count: int, resamples: int, rng: np.random.Generator) -> Numbers:
    """Draw (resamples, count) weights, each row of sum 1: how often each item was drawn in count - 1 draws.

    One item alone always weighs 1: nothing can be learnt about its scatter, and the interval has no width.
    """
    draws = max(count - 1, 1)
    return np.asarray(rng.multinomial(draws, np.full(count, 1.0 / count), size=resamples), np.float64) / draws


def percentile_interval(replicates: Numbers, level: float = LEVEL) -> tuple[Numbers, Numbers]:
    """The middle `level` of the replicates (resamples, ...): (low, high), each of shape (...)."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail], axis=0)
    return low, high


def mean_interval(values: Numbers, *, resamples: int = RESAMPLES, seed: int = SEED) -> tuple[Numbers, Numbers]:
    """Interval of the mean over the first axis: (n, ...) -> (low, high), each (...)."""
    weights = resampling_weights(len(values), resamples, np.random.default_rng(seed))
    return percentile_interval(np.tensordot(weights, values, axes=1))


def delta_interval(
    group: Numbers, reference: Numbers, *, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[Numbers, Numbers]:
    """Interval of Glass's delta, both samples resampled: (n, k) and (m, k) -> (low, high), each (k,)."""
    rng = np.random.default_rng(seed)
    one = resampling_weights(len(group), resamples, rng) @ group
    weights = resampling_weights(len(reference), resamples, rng)
    mean = weights @ reference
    square = weights @ np.square(reference) - np.square(mean)
    scatter = np.sqrt(np.maximum(square * len(reference) / (len(reference) - 1), 0.0))
    return percentile_interval((one - mean) / np.maximum(scatter, 1e-12))
