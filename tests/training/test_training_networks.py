"""Generator, mapping and readout: the algebra they promise."""

import pytest
import torch
import torch.nn.functional as F

from engines.training.generator import PortraitModel
from engines.training.networks import Architecture, Generator, ModulatedConv

TINY = Architecture(channels=(12, 10, 8), w_dim=6, hidden=16, coarse_rows=3)


def test_activation_modulation_is_weight_modulation():
    torch.manual_seed(0)
    layer = ModulatedConv(5, 7, 4, 3)
    layer.bias.data.normal_()
    x, w = torch.randn(3, 5, 9, 9), torch.randn(3, 4)
    style = layer.affine(w)
    made = layer(x, w)
    for i in range(3):
        weight = layer.weight * layer.gain * style[i][None, :, None, None]
        weight = weight * torch.rsqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        torch.testing.assert_close(made[i : i + 1], F.conv2d(x[i : i + 1], weight, layer.bias, padding=1))


def test_rows_follow_stylegan2s_layout():
    generator = Generator(TINY)
    assert TINY.resolution == 32
    assert TINY.num_ws == 6
    w_plus = torch.randn(2, TINY.num_ws, TINY.w_dim, requires_grad=True)
    assert generator(w_plus).shape == (2, 3, 32, 32)
    for block in generator.blocks:
        torch.nn.init.normal_(block.to_rgb.weight)
    generator(w_plus, 16).square().sum().backward()
    used = w_plus.grad.abs().sum(dim=(0, 2)) > 0
    # At 16 px: one layer at 8, two at 16, and 16 px's RGB, which shares row 3 with the next block.
    assert used.tolist() == [True, True, True, True, False, False]


def test_a_new_resolution_begins_by_repeating_the_one_below():
    generator = Generator(TINY)
    w_plus = torch.randn(1, TINY.num_ws, TINY.w_dim)
    small = generator(w_plus, 16)
    large = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(generator(w_plus, 32), large)


def test_coarse_rows_do_not_know_appearance_nor_fine_rows_geometry():
    from engines.faces.parameters import default

    model = PortraitModel(TINY)
    rest = torch.from_numpy(default())[None]
    skin = torch.from_numpy(default(skin_tone=0.9, hair_length=1.0))[None]
    smile = torch.from_numpy(default(smile=0.9, yaw=20.0))[None]
    split = TINY.coarse_rows
    torch.testing.assert_close(model.latents(rest)[:, :split], model.latents(skin)[:, :split])
    torch.testing.assert_close(model.latents(rest)[:, split:], model.latents(smile)[:, split:])
    assert not torch.allclose(model.latents(rest)[:, split:], model.latents(skin)[:, split:])
    assert not torch.allclose(model.latents(rest)[:, :split], model.latents(smile)[:, :split])


@pytest.mark.parametrize("batch", [1, 5])
def test_batches_do_not_mix(batch):
    model = PortraitModel(TINY)
    from engines.training.portrait import portrait_samples

    people = torch.from_numpy(portrait_samples()[:batch])
    together = model(people)
    apart = torch.cat([model(person[None]) for person in people])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
