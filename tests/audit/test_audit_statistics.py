"""The arithmetic of the audit against known values, and against what it must and must not find."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.audit.statistics.agreement import cohens_kappa, confusion, kappa_interval
from engines.audit.statistics.effects import cosine_distance, glass_delta
from engines.audit.statistics.intervals import delta_interval, mean_interval, resampling_weights
from engines.audit.statistics.significance import (
    benjamini_hochberg,
    holm,
    prediction_p,
    sign_flip_p,
    student_p,
    two_sample_p,
)

P_VALUES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0.0, 1.0))


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (2.2281388520, 10, 0.05),
        (12.7062047364, 1, 0.05),
        (2.0117405137, 47, 0.05),
        (0.0, 5, 1.0),
        (3.1692726726, 10, 0.01),
    ],
)
def test_students_t_is_that_of_the_tables(t, freedom, p):
    assert student_p(t, freedom) == pytest.approx(p, abs=1e-9)
    assert student_p(float("inf"), freedom) == 0.0


def test_holm_and_benjamini_hochberg_by_hand():
    p = np.array([[0.01, 0.04], [0.03, 0.005]])
    np.testing.assert_allclose(holm(p), [[0.03, 0.06], [0.06, 0.02]])
    np.testing.assert_allclose(benjamini_hochberg(p), [[0.02, 0.04], [0.04, 0.02]])


@given(P_VALUES)
def test_corrections_never_help_a_test_and_keep_the_order(p):
    for correct in (holm, benjamini_hochberg):
        q = correct(p)
        assert np.all(q >= p - 1e-12)
        assert np.all(q <= 1.0)
        assert np.all(np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12)
    assert np.all(holm(p) >= benjamini_hochberg(p) - 1e-12)


def test_exact_permutations_of_a_small_sample():
    """Three against three, wholly apart: 2 of the 20 ways to deal them are as extreme."""
    p = two_sample_p(np.array([[4.0], [5.0], [6.0]]), np.array([[1.0], [2.0], [3.0]]), shuffles=20_000)
    assert p[0] == pytest.approx(0.1, abs=0.01)
    flips = sign_flip_p(np.array([[1.0], [2.0], [3.0], [4.0]]), shuffles=20_000)
    assert flips[0] == pytest.approx(2 / 16, abs=0.01)


def test_nothing_is_never_a_finding():
    same = np.zeros((5, 2))
    np.testing.assert_allclose(two_sample_p(same, np.zeros((7, 2)), shuffles=100), 1.0)
    np.testing.assert_allclose(sign_flip_p(same, shuffles=100), 1.0)
    np.testing.assert_allclose(glass_delta(same, np.zeros((7, 2))), 0.0)


@pytest.mark.parametrize("test", ["two samples", "sign flip", "prediction"])
def test_without_an_effect_one_test_in_twenty_is_positive(test):
    rng = np.random.default_rng(4)
    k = 2000
    if test == "two samples":
        p = two_sample_p(rng.normal(size=(10, k)), rng.normal(size=(48, k)), shuffles=999)
    elif test == "sign flip":
        p = sign_flip_p(rng.normal(size=(20, k)), shuffles=999)
    else:
        reference, error = rng.normal(size=(24, k)), 0.5
        new = rng.normal(size=k) + error * reference.std(axis=0, ddof=1) * rng.normal(size=k)
        effect = (new - reference.mean(axis=0)) / reference.std(axis=0, ddof=1)
        p = prediction_p(effect, np.full(k, error), 24)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.015)  # three standard errors of 2000 tests


def test_two_neutral_words_differ_more_than_one_differs_from_their_mean():
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(48, 3000))
    scatter = reference.std(axis=0, ddof=1)
    apart = (rng.normal(size=3000) - rng.normal(size=3000)) / scatter
    p = prediction_p(apart, np.zeros(3000), 48, words=2)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(("planted", "power"), [(1.0, 0.75), (1.5, 0.97)])
def test_planted_effects_are_found_at_the_stated_power(planted, power):
    """Ten prompts against 48 neutral words: a t-test has power 0.80 and 0.99 here; the permutation test nearly that."""
    rng = np.random.default_rng(6)
    p = two_sample_p(rng.normal(planted, 1.0, (10, 1000)), rng.normal(size=(48, 1000)), shuffles=999)
    assert (p <= 0.05).mean() >= power


def test_intervals_cover_the_truth_nineteen_times_in_twenty():
    rng = np.random.default_rng(7)
    low, high = mean_interval(rng.normal(3.0, 2.0, (20, 2000)), resamples=500)
    assert ((low <= 3.0) & (high >= 3.0)).mean() == pytest.approx(0.94, abs=0.02)
    low, high = delta_interval(rng.normal(1.0, 1.0, (20, 1000)), rng.normal(size=(48, 1000)), resamples=500)
    assert ((low <= 1.0) & (high >= 1.0)).mean() == pytest.approx(0.93, abs=0.03)


def test_of_two_values_the_interval_spans_both():
    """The plain bootstrap would be too sure: it draws both in half of the resamples."""
    low, high = mean_interval(np.array([[1.0], [3.0]]))
    assert (low[0], high[0]) == (1.0, 3.0)
    low, high = mean_interval(np.array([[2.0]]))
    assert (low[0], high[0]) == (2.0, 2.0)


@given(st.integers(1, 30), st.integers(0, 100))
def test_resampling_weights_sum_to_one(count, seed):
    weights = resampling_weights(count, 20, np.random.default_rng(seed))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights.shape == (20, count)


def test_resampling_has_the_variance_of_a_mean():
    values = np.random.default_rng(1).normal(size=12)
    means = resampling_weights(12, 40_000, np.random.default_rng(2)) @ values
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=0.02)


def test_glass_delta_counts_in_the_scatter_of_the_reference():
    reference = np.array([[-1.0, 5.0], [0.0, 5.0], [1.0, 5.0]])
    np.testing.assert_allclose(glass_delta(np.array([[2.0, 5.0], [4.0, 5.0]]), reference), [3.0, 0.0])
    assert glass_delta(np.array([[0.0, 6.0]]), reference)[1] == np.inf


def test_cosine_distance_of_known_vectors():
    a = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    b = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [3.0, 3.0]])
    np.testing.assert_allclose(cosine_distance(a, b), [0.0, 1.0, 2.0, 1.0 - np.sqrt(0.5)])


def test_kappa_of_known_tables():
    """Cohen's own kind of example: 20 both yes, 15 both no, 10 and 5 apart: observed .7, by chance .5."""
    assert cohens_kappa(np.array([[20.0, 5.0], [10.0, 15.0]])) == pytest.approx(0.4)
    assert cohens_kappa(np.eye(5) * 3) == 1.0
    assert cohens_kappa(np.ones((5, 5))) == pytest.approx(0.0)
    near = np.zeros((5, 5))
    near[0, 1] = near[1, 0] = near[3, 4] = near[4, 3] = 5.0
    assert cohens_kappa(near, ordered=True) > cohens_kappa(near)
    assert np.isnan(cohens_kappa(np.diag([9.0, 0, 0, 0, 0])))
    assert np.isnan(cohens_kappa(np.zeros((5, 5))))


def test_two_who_guess_agree_by_chance_and_the_interval_says_so():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 5, 400).tolist(), rng.integers(0, 5, 400).tolist()
    low, high = kappa_interval(first, second, 5, resamples=400)
    assert low < 0.0 < high
    assert high - low < 0.15
    with pytest.raises(ValueError, match="3 labels against 2"):
        confusion([1, 2, 3], [1, 2], 5)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.lists(st.integers(0, 4), min_size=30, max_size=30))
def test_kappa_does_not_depend_on_who_came_first(first, second):
    table = confusion(first, second[: len(first)], 5)
    for ordered in (False, True):
        one, other = cohens_kappa(table, ordered=ordered), cohens_kappa(table.T, ordered=ordered)
        assert one == pytest.approx(other, nan_ok=True)
        assert np.isnan(one) or one <= 1.0
