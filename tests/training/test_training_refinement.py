"""Gauss-Newton and the search over tone and light, on surrogates whose truth is known."""

import pytest
import torch

from engines.faces.parameters import INDEX
from engines.training.colour_match import HAIR, TONE
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.generator import PortraitModel
from engines.training.least_squares import damped_step, with_jacobian
from engines.training.networks import Architecture
from engines.training.portrait import portrait_samples
from engines.training.refinement import Likeness, held_features, landmark_root, lasting_features


@pytest.fixture(scope="module")
def likeness():
    torch.manual_seed(4)
    model = PortraitModel(Architecture(channels=(12, 10), w_dim=6, hidden=16))
    fine_only = [column for column in model.fine_columns if column not in model.coarse_columns]
    encoder = Encoder(model.features, model.mapping, model.coarse_columns, fine_only)
    encoder.space = LandmarkSpace(0.5 + 0.05 * torch.randn(300, 478, 3))
    surrogate = Surrogate(model.coarse_columns, model.features.count)
    surrogate.landmarks[-1].weight.data *= 10.0
    return Likeness(encoder, surrogate).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def people(likeness):
    features = PortraitModel(Architecture(channels=(12, 10), w_dim=6, hidden=16)).features
    return features(torch.from_numpy(portrait_samples()[:6]))


def seen_of(likeness, features):
    """Landmarks and skin that the surrogate says these features show."""
    return likeness.space.invert(likeness.surrogate.landmarks(features[:, likeness.geometry]))


def test_the_step_solves_small_systems(likeness):
    torch.manual_seed(0)
    slope, residual, away = torch.randn(3, 9, 5), torch.randn(3, 9), torch.randn(3, 5)
    normal = slope.mT @ slope + 0.5 * torch.eye(5)
    exact = -torch.linalg.solve(normal, (slope.mT @ residual.unsqueeze(2)).squeeze(2) + 0.5 * away)
    torch.testing.assert_close(damped_step(away, residual, slope, 0.5), exact, atol=1e-3, rtol=1e-3)


def test_the_jacobian_is_the_derivative(likeness):
    x = torch.randn(2, len(likeness.geometry))
    made, jacobian = with_jacobian(likeness.surrogate.landmarks, x)
    torch.testing.assert_close(made, likeness.surrogate.landmarks(x))
    exact = torch.autograd.functional.jacobian(lambda v: likeness.surrogate.landmarks(v).sum(0), x).permute(1, 0, 2)
    torch.testing.assert_close(jacobian, exact, atol=1e-5, rtol=1e-4)


def test_the_root_measures_landmarks(likeness):
    space, step = likeness.space, torch.zeros(1, 80)
    step[0, 3] = 1.0
    root = landmark_root(space)
    bigger = space.scale.clone()
    space.scale[3] *= 2.0
    assert (step @ landmark_root(space).T).norm() == pytest.approx(2.0 * float((step @ root.T).norm()), rel=1e-3)
    space.scale.copy_(bigger)


def test_an_arrival_finds_what_was_seen(likeness, people):
    truth, first = people, people + 0.3 * torch.randn(people.shape, generator=torch.Generator().manual_seed(1))
    landmarks = seen_of(likeness, truth)
    crop = torch.rand(len(people), 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 2 - 1
    found = likeness.arrive(first, crop, landmarks)
    before, after = likeness.landmark_residual(first, landmarks), likeness.landmark_residual(found, landmarks)
    assert (after < 0.7 * before).all()
    # The surrogate is no picture: the colours asked for cannot be met, but they are never made worse.
    changed = (found != first).any(0)
    colours = changed.clone()
    colours[likeness.geometry] = False
    assert set(colours.nonzero().flatten().tolist()) <= {*likeness.tone.columns, *likeness.hair.columns}
    assert (len(likeness.tone.columns), len(likeness.hair.columns)) == (len(TONE), len(HAIR))


def test_following_leaves_what_lasts_alone(likeness, people):
    landmarks = seen_of(likeness, people + 0.2)
    followed = likeness.follow(people, landmarks)
    lasting = likeness.lasting
    torch.testing.assert_close(followed[:, lasting], people[:, lasting], rtol=0, atol=0)
    assert (likeness.landmark_residual(followed, landmarks) < likeness.landmark_residual(people, landmarks)).all()


def test_hues_and_bones_last_but_no_smile():
    features = PortraitModel(Architecture(channels=(12, 10), w_dim=6, hidden=16)).features
    lasting = lasting_features(features)
    for name, lasts in (("jaw_width", True), ("background_hue", True), ("glasses", True), ("smile", False),
                        ("yaw", False), ("eyes_open", False)):  # fmt: skip
        assert lasting[features.columns([INDEX[name]])].all() == lasts


def test_what_lasts_is_held_and_only_that():
    features = PortraitModel(Architecture(channels=(12, 10), w_dim=6, hidden=16)).features
    held, lasting = held_features(features), lasting_features(features)
    assert torch.equal(held > 0.0, lasting)
    for name, part in (("hair_length", 1.0), ("skin_tone", 1.0), ("jaw_width", 0.7), ("background_hue", 0.7)):
        assert held[features.columns([INDEX[name]])].tolist() == pytest.approx([part] * (1 + ("hue" in name)))
