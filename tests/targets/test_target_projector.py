"""The projector: an encoder's guess becomes the picture that was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [prompts]")

import torch

from engines.runtime import load_pack
from engines.targets.clip import latent_spread
from engines.targets.projector import project, pyramid_distance, resized
from engines.targets.studio import sample_faces
from engines.targets.torch_draw import torch_generator


@pytest.mark.parametrize("perceptual", [False, True])
def test_the_picture_comes_nearer(standin: Path, perceptual: bool) -> None:
    def features(images: torch.Tensor) -> torch.Tensor:
        patches = torch.nn.functional.unfold(images, 8, stride=8).transpose(1, 2)
        return torch.nn.functional.normalize(patches, dim=2)

    with load_pack(standin) as pack:
        draw = torch_generator(pack)
        spread = latent_spread(sample_faces(pack, 64, psi=1.0), pack.w_avg)
        goal, start = sample_faces(pack, 2, psi=1.0, seed=5)
        picture = pack.synthesize(goal[None])[0]
        losses: list[float] = []
        found = project(
            picture,
            start,
            draw,
            spread,
            steps=120,
            perceptual=features if perceptual else None,
            every_step=lambda point: losses.append(point.loss),
        )
        before, after = (np.abs(pack.synthesize(w[None])[0] - picture).mean() for w in (start, found))
    assert after < 0.35 * before
    assert losses[-1] < 0.5 * losses[0]
    assert found.shape == start.shape


def test_a_latent_that_is_right_stays(standin: Path) -> None:
    with load_pack(standin) as pack:
        (goal,) = sample_faces(pack, 1, psi=1.0, seed=5)
        spread = np.ones_like(goal)
        found = project(pack.synthesize(goal[None])[0], goal, torch_generator(pack), spread, steps=0)
    np.testing.assert_array_equal(found, goal)


def test_the_pyramid_sees_a_shift_of_brightness_and_a_fine_grain() -> None:
    flat, grain = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    grain[..., ::2] = 0.2
    assert float(pyramid_distance(flat, flat)) == 0.0
    assert float(pyramid_distance(flat, flat + 0.1)) == pytest.approx(0.1, abs=1e-5)
    assert float(pyramid_distance(flat, grain)) > 0.15
    assert resized(flat, 16).shape == (1, 3, 16, 16)
    assert resized(flat, 32) is flat
