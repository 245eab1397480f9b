"""The encoder's parts: landmark space, realignment, augmentations, and what training promises."""

import numpy as np
import pytest
import torch

from engines.training.disturbances import bend, degrade, recolour
from engines.training.encoder import COMPONENTS, Encoder, LandmarkSpace
from engines.training.encoder_training import (
    DAMPING,
    EncoderData,
    EncoderRecipe,
    EncoderTrainer,
    damping_vector,
)
from engines.training.generator import PortraitModel
from engines.training.landmark_loss import landmark_distance, landmark_weights, realigned
from engines.training.networks import Architecture
from engines.training.patches import NUM_PATCHES
from engines.training.portrait import portrait_samples
from installation.core.measures import ffhq_quad

TINY = Architecture(channels=(12, 10), w_dim=6, hidden=16)


def faces(n, seed=0):
    rng = torch.Generator().manual_seed(seed)
    shape = torch.rand(478, 3, generator=rng) * 0.5 + 0.25
    shape[[33, 133, 145, 159], 0], shape[[362, 263, 374, 386], 0] = 0.3, 0.7
    modes = torch.randn(20, 478, 3, generator=rng) * 0.01
    return shape + torch.einsum("nk,kpc->npc", torch.randn(n, 20, generator=rng), modes)


def test_landmark_space_inverts_what_it_has_seen():
    seen = faces(300)
    space = LandmarkSpace(seen)
    back = space.invert(space(seen))
    depth = seen[..., 2:] - seen[..., 2:].mean(1, keepdim=True)
    torch.testing.assert_close(back, torch.cat([seen[..., :2], depth], -1), atol=2e-3, rtol=0)


def test_a_strange_face_is_limited():
    space = LandmarkSpace(faces(300))
    assert space(100.0 * torch.randn(4, 478, 3)).abs().max() <= 4.0


def test_realigned_landmarks_have_the_unit_square_as_their_crop():
    aligned = realigned(faces(5) * 3.0 + 1.0)
    for face in aligned.numpy():
        quad = ffhq_quad(face)
        assert np.hypot(*(quad[3] - quad[0])) == pytest.approx(1.0, abs=0.03)
        np.testing.assert_allclose(quad.mean(axis=0), [0.5, 0.5], atol=1e-3)


def test_distance_is_zero_for_the_same_face_and_ignores_depth_offsets():
    face = faces(2)
    centred = torch.cat([face[..., :2], face[..., 2:] - face[..., 2:].mean(1, keepdim=True)], -1)
    deeper = face + torch.tensor([0.0, 0.0, 0.3])
    weights = landmark_weights()
    assert landmark_distance(centred, deeper, weights).item() < 2e-3
    assert landmark_distance(centred + 0.02, deeper, weights).item() > 0.01


@pytest.mark.parametrize("change", [recolour, degrade])
def test_disturbed_crops_stay_pictures(change):
    torch.manual_seed(0)
    crop = torch.rand(4, 3, 128, 128) * 2 - 1
    changed = change(crop)
    assert changed.shape == crop.shape
    assert changed.abs().max() <= 1.0
    assert not torch.equal(changed, crop)


def test_bending_is_small_and_smooth():
    torch.manual_seed(0)
    face = faces(64)
    moved = (bend(face) - face)[..., :2].norm(dim=-1)
    assert 0.002 < moved.mean() < 0.06


def test_training_beats_the_mean_and_damps_what_cannot_be_known():
    rng = torch.Generator().manual_seed(1)
    model = PortraitModel(TINY)
    people = torch.from_numpy(portrait_samples()[:400])
    features = model.features(people)
    modes = torch.randn(len(model.coarse_columns), 478, 3, generator=rng) * 0.004
    landmarks = realigned(faces(1) + torch.einsum("nk,kpc->npc", features[:, model.coarse_columns], modes))
    data = EncoderData(
        pictures=torch.randint(0, 256, (400, 3, 128, 128), dtype=torch.uint8, generator=rng),
        landmarks=landmarks,
        features=features,
        patches=torch.zeros(400, NUM_PATCHES, 3),
    )
    recipe = EncoderRecipe(
        surrogate_steps=150, geometry_steps=400, appearance_steps=2, vector_batch=64, picture_batch=4
    )
    encoder, _ = EncoderTrainer(model, data, recipe).train()
    assert isinstance(encoder, Encoder)
    with torch.no_grad():
        answer = encoder.geometry(encoder.space(landmarks))
    truth = features[:, model.coarse_columns]
    assert (answer - truth).square().mean() < 0.95 * truth.square().mean()
    damping = damping_vector(model.features)
    assert sorted(set(damping.tolist())) == pytest.approx(sorted({1.0, *DAMPING.values()}))
    assert COMPONENTS < 100
