"""The midway: known cases, and what must hold for any morph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.midway import find_midway, landmark_distance, shares

AMOUNTS = np.linspace(0.0, 1.0, 11)


def face(mouth: float = 0.0, seed: int = 0) -> np.ndarray:
    """Landmarks of a face whose lower half hangs by `mouth`."""
    points = np.random.default_rng(seed).uniform(0.0, 1.0, (478, 3))
    points[468], points[473] = (0.3, 0.4, 0.0), (0.7, 0.4, 0.0)
    points[100:200, 1] += mouth
    return points


def straight(v: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.stack([v + a * (end - v) for a in AMOUNTS])


LATENTS = straight(np.zeros((4, 8)), np.ones((4, 8)))


def test_an_even_morph_is_midway_at_one_half():
    found = find_midway(AMOUNTS, LATENTS, [face(0.3 * a) for a in AMOUNTS])
    assert found.amount == pytest.approx(0.5)
    assert found.latent_share == pytest.approx(0.5)
    assert found.landmark_share == pytest.approx(0.5, abs=0.01)
    assert found.seen


def test_a_face_that_changes_at_once_is_midway_early_and_one_that_changes_late_is_midway_late():
    early = find_midway(AMOUNTS, LATENTS, [face(0.3 * a**0.3) for a in AMOUNTS]).amount
    late = find_midway(AMOUNTS, LATENTS, [face(0.3 * a**3) for a in AMOUNTS]).amount
    assert early < 0.4
    assert late > 0.6


def test_known_shares():
    assert shares(np.array([0.0, 1.0, 3.0, 0.0]), np.array([2.0, 1.0, 1.0, 0.0])).tolist() == [0.0, 0.5, 0.75, 0.5]


def test_faces_that_were_not_seen_have_no_say():
    blind = find_midway(AMOUNTS, LATENTS, [None] * 11)
    assert blind.amount == pytest.approx(0.5)
    assert not blind.seen
    assert np.isnan(blind.landmark_shares).all()
    gap = [face(0.3 * a**3) if a != 0.5 else None for a in AMOUNTS]
    whole = [face(0.3 * a**3) for a in AMOUNTS]
    assert find_midway(AMOUNTS, LATENTS, gap).amount == pytest.approx(
        find_midway(AMOUNTS, LATENTS, whole).amount, abs=0.03
    )


def test_a_target_that_changes_nothing_is_midway_at_one_half():
    still = np.zeros((11, 4, 8))
    assert find_midway(AMOUNTS, still, [face()] * 11).amount == 0.5


@given(st.integers(0, 50), st.floats(0.3, 3.0), st.floats(0.2, 40.0), st.floats(-9.0, 9.0))
def test_the_midway_lies_inside_and_does_not_depend_on_place_or_size(seed, bend, scale, shift):
    faces = [face(0.2 * a**bend, seed) for a in AMOUNTS]
    found = find_midway(AMOUNTS, LATENTS, faces)
    assert 0.0 < found.amount < 1.0
    moved = find_midway(AMOUNTS, LATENTS, [f * scale + shift for f in faces])
    assert moved.amount == pytest.approx(found.amount, abs=1e-6)
    assert (found.latent_share + found.landmark_share) / 2 == pytest.approx(0.5, abs=1e-6)


def test_distances_are_in_inter_ocular_distances():
    moved = face()
    moved[:, 0] += 5.0
    assert landmark_distance(face(), moved) == pytest.approx(0.0, abs=1e-12)
    assert landmark_distance(face(), face(0.4)) > 0.3


@pytest.mark.parametrize("amounts", [[0.0], [0.0, 0.5], [0.1, 1.0], [0.0, 0.7, 0.6, 1.0]])
def test_amounts_must_rise_from_nothing_to_all(amounts):
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        find_midway(amounts, np.zeros((len(amounts), 2, 2)), [None] * len(amounts))
