"""The distribution: reproducible, inside the table, uniform where promised, and free of hidden correlations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.faces.parameters import HIGH, INDEX, LOW, NAMES, PARAMETERS
from engines.faces.sampler import sample

PEOPLE = 3000
NOISE = 4.5 / np.sqrt(PEOPLE)
"""A correlation of independent values stays below this: 4.5 sigma, for some 3,000 pairs."""

COUPLED = {("gaze_x", "yaw"), ("gaze_y", "pitch"), ("beard", "moustache")}


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    rng = np.random.default_rng(7)
    return np.stack([sample(rng) for _ in range(PEOPLE)])


@given(st.integers(0, 2**32 - 1))
def test_same_seed_same_person_inside_the_table(seed: int) -> None:
    p = sample(np.random.default_rng(seed))
    np.testing.assert_array_equal(p, sample(np.random.default_rng(seed)))
    assert p.dtype == np.float32
    assert ((p >= LOW) & (p <= HIGH)).all()


def test_everything_varies(people: np.ndarray) -> None:
    spread = people.std(axis=0) / (HIGH - LOW)
    assert [name for name, s in zip(NAMES, spread, strict=True) if s < 0.05] == []


@pytest.mark.parametrize("name", ["skin_tone", "age"])
def test_uniform_over_its_range(people: np.ndarray, name: str) -> None:
    i = INDEX[name]
    u = np.sort((people[:, i] - LOW[i]) / (HIGH[i] - LOW[i]))
    distance = np.abs(u - (np.arange(PEOPLE) + 0.5) / PEOPLE).max()
    assert distance < 1.95 / np.sqrt(PEOPLE), "Kolmogorov-Smirnov, one in a thousand"


def test_only_the_named_couples_are_coupled(people: np.ndarray) -> None:
    correlation = np.corrcoef(people.T.astype(np.float64))
    np.fill_diagonal(correlation, 0.0)
    found = {(NAMES[i], NAMES[j]) for i, j in np.argwhere(np.triu(np.abs(correlation) > NOISE))}
    assert found == COUPLED


def test_bones_stay_within_the_likely(people: np.ndarray) -> None:
    bones = [
        INDEX[row.name] for row in PARAMETERS if row.group == "identity" and row.low == -1 and row.name != "masculinity"
    ]
    assert (people[:, bones].std(axis=0) < 0.42).all()
