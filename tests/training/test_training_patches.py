"""Colour patches: Lab by the book, and places that follow the face."""

import numpy as np
import pytest
import torch

from engines.training.patches import LAB_CENTRE, LAB_SCALE, NUM_PATCHES, ColourPatches, lab_from_rgb, patch_places


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    made = lab_from_rgb(torch.tensor([[rgb]]))[0, 0]
    np.testing.assert_allclose(made.numpy(), lab, atol=0.05)


def test_a_plain_picture_gives_its_colour_everywhere():
    crop = torch.tensor([0.6, 0.1, -0.2])[None, :, None, None].expand(1, 3, 128, 128)
    landmarks = torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(0))
    patches = ColourPatches()(crop, landmarks)
    assert patches.shape == (1, NUM_PATCHES, 3)
    lab = patches * torch.tensor(LAB_SCALE) + torch.tensor(LAB_CENTRE)
    expected = lab_from_rgb(torch.tensor([[[0.8, 0.55, 0.4]]]))
    torch.testing.assert_close(lab, expected.expand_as(lab), rtol=1e-4, atol=1e-2)


def test_places_move_with_the_face():
    landmarks = torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(1))
    moved = landmarks.clone()
    moved[..., 0] += 0.1
    shift = patch_places(moved) - patch_places(landmarks)
    torch.testing.assert_close(shift[:, :-7, 0], torch.full((1, NUM_PATCHES - 7), 0.1))
    torch.testing.assert_close(shift[:, -7:], torch.zeros(1, 7, 2))
