"""Skin, light and hair by the colours seen: found where they can be told, left alone where not."""

import pytest
import torch

from engines.faces.parameters import INDEX
from engines.training.colour_match import (
    HAIR,
    HAIR_PATCHES,
    SHORTER,
    TONE,
    hair_match,
    hair_weights,
    tone_match,
    tone_weights,
)
from engines.training.encoder import Surrogate
from engines.training.patches import NUM_SKIN
from engines.training.portrait import portrait_features, portrait_samples

PEOPLE = 8


@pytest.fixture(scope="module")
def features():
    return portrait_features()


@pytest.fixture(scope="module")
def surrogate(features):
    """Random, and as much moved by its features as a trained one."""
    torch.manual_seed(2)
    made = Surrogate(range(4), features.count).requires_grad_(False)
    made.colours[-1].weight *= 12.0
    return made.eval()


@pytest.fixture(scope="module")
def people(features):
    return features(torch.from_numpy(portrait_samples()[:PEOPLE]))


def columns(features, names):
    return features.columns([INDEX[name] for name in names])


def shown(surrogate, people):
    return surrogate.colours(people).unflatten(1, (-1, 3))


def off(match, surrogate, people, seen, weights):
    """(n,) squared distance of the colours that are compared."""
    patches = shown(surrogate, people)[:, match.patches] - seen[:, match.patches]
    return (weights @ patches).square().sum((1, 2))


@pytest.mark.parametrize(("names", "make"), [(TONE, tone_match), (HAIR, hair_match)])
def test_it_finds_what_was_changed_and_changes_nothing_else(features, surrogate, people, names, make):
    match, own = make(features, surrogate), columns(features, names)
    truth = people.clone()
    truth[:, own] += 0.6 * torch.randn(PEOPLE, len(own), generator=torch.Generator().manual_seed(1)).abs()
    truth[:, own] = truth[:, own].clamp(match.low, match.high)
    seen = shown(surrogate, truth)
    weights = tone_weights() if names == TONE else hair_weights(seen)
    found = match(people, seen, weights)
    before, after = off(match, surrogate, people, seen, weights), off(match, surrogate, found, seen, weights)
    assert (after <= before + 1e-4).all()
    assert after.sum() < 0.6 * before.sum()
    others = [i for i in range(features.count) if i not in own]
    torch.testing.assert_close(found[:, others], people[:, others], rtol=0, atol=0)


def test_nothing_leaves_its_range_and_hair_is_not_cut_short(features, surrogate, people):
    match, own = hair_match(features, surrogate), columns(features, HAIR)
    generator = torch.Generator().manual_seed(3)
    seen = 6.0 * torch.randn(shown(surrogate, people).shape, generator=generator)
    found, first = match(people, seen, hair_weights(seen))[:, own], people[:, own]
    assert (found >= torch.minimum(first, match.low) - 1e-5).all()
    assert (found <= torch.maximum(first, match.high) + 1e-5).all()
    length = HAIR.index("hair_length")
    assert (found[:, length] >= first[:, length] - SHORTER - 1e-5).all()
    assert not torch.allclose(found, first)


def test_a_place_that_looks_like_skin_tells_nothing_of_hair():
    seen = torch.zeros(1, 60, 3)
    seen[:, :NUM_SKIN] = torch.tensor([0.4, 0.2, 0.1])
    seen[:, list(HAIR_PATCHES)] = torch.tensor([0.4, 0.2, 0.1])
    seen[:, HAIR_PATCHES[1]] = torch.tensor([-1.6, 0.0, 0.0])
    weights = hair_weights(seen)[0]
    assert weights.count_nonzero() == 1
    assert weights[1, 1] > 3.0


def test_a_wall_beside_the_head_is_given_up(features, surrogate, people):
    """A colour that no hair has, at one place beside the jaw, changes less than the same at a place that counts."""
    match = hair_match(features, surrogate)
    seen = shown(surrogate, people)
    seen[:, list(HAIR_PATCHES)] += 1.0  # unlike skin
    calm = match(people, seen, hair_weights(seen))
    walled = seen.clone()
    walled[:, HAIR_PATCHES[-1]] += 40.0
    moved = (match(people, walled, hair_weights(walled)) - calm).norm(dim=1)
    topped = seen.clone()
    topped[:, HAIR_PATCHES[1]] += 4.0
    lifted = (match(people, topped, hair_weights(topped)) - calm).norm(dim=1)
    assert moved.mean() < 0.5 * lifted.mean()
