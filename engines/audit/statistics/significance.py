"""Tests, and what is left of them when there are many.

Permutation tests assume nothing but that labels could have been dealt otherwise. Where there is one number against a
sample, a prediction test asks whether that sample could have brought it forth; it assumes a normal scatter.

Sources: Phipson and Smyth, "Permutation p-values should never be zero", SAGMB 9 (2010); Benjamini and Hochberg, JRSS B
57 (1995); Holm, Scand. J. Statistics 6 (1979); Abramowitz and Stegun 26.5.8 for Student's t.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SHUFFLES = 20_000
SEED = 9
_CHUNK = 2_000
"""Shuffles held in memory at once."""

_CLOSE = 1e-9
"""A shuffle that differs from the data by no more than rounding counts as equal to it."""


def two_sample_p(group: Numbers, reference: Numbers, *, shuffles: int = SHUFFLES, seed: int = SEED) -> Numbers:
    """Permutation test of the difference of two means, two-sided.

    Args:
        group: (n, k).
        reference: (m, k).
        shuffles: How often the labels are dealt anew.
        seed: Of the deals; all k columns share them.

    Returns:
        (k,) p-values, at least 1 / (shuffles + 1).
    """
    pooled = np.concatenate([group, reference])
    pooled = pooled - pooled.mean(axis=0)
    n, total = len(group), len(pooled)
    # The sum of one group decides: the other's is its negative once the grand mean is taken out.
    found = np.abs(pooled[:n].sum(axis=0))
    rng = np.random.default_rng(seed)
    beyond = np.zeros(pooled.shape[1])
    for start in range(0, shuffles, _CHUNK):
        count = min(_CHUNK, shuffles - start)
        order = rng.random((count, total)).argpartition(n - 1, axis=1)[:, :n] if n < total else None
        chosen = np.zeros((count, total))
        np.put_along_axis(chosen, order, 1.0, axis=1) if order is not None else chosen.fill(1.0)
        beyond += (np.abs(chosen @ pooled) >= found * (1.0 - _CLOSE)).sum(axis=0)
    return (beyond + 1.0) / (shuffles + 1.0)


def sign_flip_p(differences: Numbers, *, shuffles: int = SHUFFLES, seed: int = SEED) -> Numbers:
    """Permutation test of paired differences (n, k) against no difference: (k,) two-sided p-values.

    If the pair's order says nothing, every difference could as well have had the other sign.
    """
    found = np.abs(differences.sum(axis=0))
    rng = np.random.default_rng(seed)
    beyond = np.zeros(differences.shape[1])
    for start in range(0, shuffles, _CHUNK):
        signs = rng.integers(0, 2, (min(_CHUNK, shuffles - start), len(differences))) * 2.0 - 1.0
        beyond += (np.abs(signs @ differences) >= found * (1.0 - _CLOSE)).sum(axis=0)
    return (beyond + 1.0) / (shuffles + 1.0)


def prediction_p(effect: Numbers, error: Numbers, reference: int, *, words: int = 1) -> Numbers:
    """Could one more draw from the reference sample lie as far out? Two-sided p, Student's t.

    Args:
        effect: Distance from the reference mean (or of two draws from each other), in the reference's deviations.
        error: Standard error of `effect` from how it was asked, in the same unit.
        reference: Size of the reference sample, at least 2.
        words: 1 for one draw against the sample, 2 for the difference of two draws.
    """
    spread = 1.0 + 1.0 / reference if words == 1 else 2.0
    t = np.abs(effect) / np.sqrt(spread + np.square(error))
    p = [student_p(float(x), reference - 1) for x in t.ravel()]
    return np.array(p, np.float64).reshape(t.shape)


def student_p(t: float, freedom: int) -> float:
    """Two-sided p of Student's t: the regularised incomplete beta function I_x(freedom / 2, 1 / 2)."""
    if math.isinf(t):
        return 0.0
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)


def holm(p: Numbers) -> Numbers:
    """Adjust p-values so that the chance of even one false finding stays at the level: any shape, same shape."""
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")
    scaled = np.maximum.accumulate(flat[order] * (len(flat) - np.arange(len(flat))))
    return _back(np.minimum(scaled, 1.0), order).reshape(p.shape)


def benjamini_hochberg(p: Numbers) -> Numbers:
    """Adjust p-values so that the expected part of false ones among the findings stays at the level."""
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")
    scaled = flat[order] * len(flat) / (np.arange(len(flat)) + 1.0)
    return _back(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0), order).reshape(p.shape)


def _back(values: Numbers, order: NDArray[np.intp]) -> Numbers:
    placed = np.empty_like(values)
    placed[order] = values
    return placed


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) by its continued fraction, on the side where that converges fast."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's way to evaluate the continued fraction, to machine precision."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(1.0 - (a + b) * x / (a + 1.0), tiny)
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / (_away(1.0 + term * d, tiny))
            c = _away(1.0 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
