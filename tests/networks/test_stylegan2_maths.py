"""StyleGAN2 and the encoders against the formulas of their papers, written out once more and slowly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engines.networks.architecture import (
    E4E,
    PSP,
    EncoderArchitecture,
    GeneratorArchitecture,
    encoder_from_json,
    encoder_shapes,
    generator_from_json,
    generator_shapes,
)
from engines.networks.fill_rule import filled, filled_lazily, image_input
from engines.networks.psp import Encoder
from engines.networks.stylegan2 import Generator, fir_taps, image_to_u8, image_to_u8_psp, upsample
from installation.errors import EngineError

ARCH = GeneratorArchitecture(16, 8, 12, (16, 16, 8), 2)
ENCODER = EncoderArchitecture(PSP, 8, True, ((16, 1), (24, 1), (32, 1), (48, 2)))
FIR = torch.tensor([1.0, 3.0, 3.0, 1.0])


def generator(arch: GeneratorArchitecture = ARCH) -> Generator:
    module = Generator(arch).eval()
    shapes = generator_shapes(arch)
    module.load_state_dict({name: torch.from_numpy(np.array(filled(name, shape))) for name, shape in shapes.items()})
    return module.requires_grad_(False)


def encoder(arch: EncoderArchitecture = ENCODER) -> Encoder:
    module = Encoder(arch).eval()
    tensors = filled_lazily(encoder_shapes(arch), "encoder.")
    module.load_state_dict({k: torch.from_numpy(np.array(v.load())) for k, v in tensors.items()}, strict=False)
    return module.requires_grad_(False)


def textbook(module: Generator, w_plus: Tensor, eps_after_gain: bool, noise: bool = True) -> Tensor:
    """StyleGAN2 with modulated weights, in float64, one sample at a time, every operation by its definition."""
    state = {name: value.double() for name, value in module.synthesis.state_dict().items()}
    pictures = []
    for rows in w_plus.double():
        x, image, row = state["b4.const"][None], None, 0
        for side in (4, 8, 16):
            for layer in ("conv1",) if side == 4 else ("conv0", "conv1"):
                x = textbook_layer(state, f"b{side}.{layer}", x, rows[row], eps_after_gain, noise)
                row += 1
            name = f"b{side}.torgb"
            style = rows[row] @ state[f"{name}.affine.weight"].T / 12**0.5 + state[f"{name}.affine.bias"]
            colour = F.conv2d(x, state[f"{name}.weight"] / x.shape[1] ** 0.5 * style[None, :, None, None])
            colour = colour + state[f"{name}.bias"][:, None, None]
            image = colour if image is None else upfirdn(image, 2, 1) + colour
        pictures.append(image[0])
    return torch.stack(pictures)


def textbook_layer(state: dict[str, Tensor], name: str, x: Tensor, w: Tensor, after: bool, noise: bool) -> Tensor:
    style = w @ state[f"{name}.affine.weight"].T / 12**0.5 + state[f"{name}.affine.bias"]
    weight = state[f"{name}.weight"]
    weight = (weight / weight[0].numel() ** 0.5 if after else weight) * style[None, :, None, None]
    weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
    if name.endswith("conv0"):
        spread = x.new_zeros(1, x.shape[1], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
        spread[:, :, ::2, ::2] = x
        x = F.conv2d(F.pad(spread, (2, 2, 2, 2)), weight.flip(2, 3))
        x = fir(x, 1, 1)
    else:
        x = F.conv2d(x, weight, padding=1)
    if noise:
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    return F.leaky_relu(x + state[f"{name}.bias"][:, None, None], 0.2) * 2**0.5


def fir(x: Tensor, before: int, behind: int) -> Tensor:
    kernel = torch.outer(FIR, FIR).to(x.dtype) / 64 * 4
    flat = F.pad(x, (before, behind, before, behind)).flatten(0, 1)[:, None]
    return F.conv2d(flat, kernel[None, None])[:, 0].unflatten(0, x.shape[:2])


def upfirdn(image: Tensor, before: int, behind: int) -> Tensor:
    spread = image.new_zeros(*image.shape[:2], 2 * image.shape[2], 2 * image.shape[3])
    spread[:, :, ::2, ::2] = image
    return fir(spread, before, behind)


@pytest.mark.parametrize("eps_after_gain", [True, False])
def test_generator(eps_after_gain: bool) -> None:
    module = generator(replace(ARCH, eps_after_gain=eps_after_gain))
    w_plus = torch.randn(3, 6, 12, generator=torch.Generator().manual_seed(0))
    expected = textbook(module, w_plus, eps_after_gain)
    torch.testing.assert_close(module.synthesis(w_plus).double(), expected, atol=5e-6, rtol=0)


def test_the_two_conventions_of_epsilon_differ_on_tiny_weights() -> None:
    w_plus = torch.ones(1, 6, 12)
    pictures = []
    for eps_after_gain in (True, False):
        module = generator(replace(ARCH, eps_after_gain=eps_after_gain))
        module.synthesis.get_submodule("b16.conv1").weight.mul_(1e-5)
        pictures.append(module.synthesis(w_plus))
        expected = textbook(module, w_plus, eps_after_gain)
        torch.testing.assert_close(pictures[-1].double(), expected, atol=5e-6, rtol=0)
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3


def test_noise_modes() -> None:
    module = generator()
    w_plus = torch.ones(1, 6, 12)
    silent = module.synthesis(w_plus, noise_mode="none")
    torch.testing.assert_close(silent.double(), textbook(module, w_plus, True, noise=False), atol=5e-6, rtol=0)
    assert (silent - module.synthesis(w_plus)).abs().max() > 0.01
    torch.manual_seed(0)
    one, two = (module.synthesis(w_plus, noise_mode="random") for _ in range(2))
    assert (one - two).abs().max() > 0.01
    with pytest.raises(ValueError, match="noise_mode"):
        module.synthesis(w_plus, noise_mode="loud")


def test_clamp_limits_every_layer() -> None:
    module = generator(replace(ARCH, conv_clamp=0.3))
    seen = []
    for name, layer in module.synthesis.named_modules():
        if name.endswith(("conv0", "conv1", "torgb")):
            layer.register_forward_hook(lambda module, inputs, out: seen.append(float(out.abs().max())))
    module.synthesis(torch.ones(1, 6, 12) * 5)
    assert len(seen) == 8
    assert max(seen) == pytest.approx(0.3)


def test_mapping_by_hand() -> None:
    module = generator()
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    x = z.double() / (z.double().square().mean(1, keepdim=True) + 1e-8).sqrt()
    for name in ("fc0", "fc1"):
        layer = module.mapping.get_submodule(name)
        x = x @ (layer.weight.double() * 0.01 / x.shape[1] ** 0.5).T + layer.bias.double() * 0.01
        x = torch.where(x < 0, 0.2 * x, x) * 2**0.5
    w_plus = module.mapping(z)
    torch.testing.assert_close(w_plus.double(), x[:, None].repeat(1, 6, 1), atol=1e-6, rtol=0)
    average = module.mapping.w_avg
    half = module.mapping(z, 0.5, cutoff=2)
    torch.testing.assert_close(half[:, 2:], w_plus[:, 2:])
    torch.testing.assert_close(half[:, :2], average[:2] + 0.5 * (w_plus[:, :2] - average[:2]))
    torch.testing.assert_close(module.mapping(z, 0.0), average.expand(4, -1, -1))


def test_skip_upsampling() -> None:
    image = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upsample(image, fir_taps()), upfirdn(image, 2, 1), atol=1e-6, rtol=0)


def test_e4e_reads_the_rows_as_offsets() -> None:
    crop = torch.from_numpy(image_input(0))
    rows = encoder()(crop)
    e4e = encoder(replace(ENCODER, kind=E4E))
    codes = e4e(crop)
    torch.testing.assert_close(codes[:, 0], rows[:, 0])
    torch.testing.assert_close(codes[:, 1:], rows[:, 1:] + rows[:, :1])
    torch.testing.assert_close(e4e(crop, stage=0), rows[:, :1].expand(-1, 8, -1))
    early = e4e(crop, stage=3)
    torch.testing.assert_close(early[:, :4], codes[:, :4])
    torch.testing.assert_close(early[:, 4:], rows[:, :1].expand(-1, 4, -1))


def test_pyramid_and_heads() -> None:
    module = encoder()
    c1, c2, c3, p2, p1 = module.levels(torch.from_numpy(image_input(0)))
    assert [tuple(x.shape[1:]) for x in (c1, c2, c3, p2, p1)] == [
        (24, 64, 64), (32, 32, 32), (48, 16, 16), (48, 32, 32), (48, 64, 64)
    ]  # fmt: skip
    corners = (p2 - module.latlayer1(c2))[:, :, :: p2.shape[2] - 1, :: p2.shape[3] - 1]
    torch.testing.assert_close(corners, c3[:, :, ::15, ::15], msg="corners lie on corners")
    for row, level in ((0, c3), (3, p2), (7, p1)):
        head = module.styles[row]
        expected = head.convs(level).flatten(1) @ head.linear.weight.T / 48**0.5 + head.linear.bias
        torch.testing.assert_close(head(level), expected)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="256"):
        encoder()(torch.zeros(1, 3, 512, 512))
    with pytest.raises(ValueError, match=r"\(n, 6, 12\)"):
        generator().synthesis(torch.zeros(1, 5, 12))


def test_eight_bits() -> None:
    values = torch.tensor([-2.0, -1.0, -1e-4, 0.0, 0.999, 1.0, 3.0]).expand(1, 3, 1, 7)
    assert image_to_u8(values)[0, 0, 0].tolist() == [0, 0, 127, 128, 255, 255, 255]
    assert image_to_u8_psp(values)[0, 0, 0].tolist() == [0, 0, 127, 127, 254, 255, 255]


def test_architectures_survive_a_manifest() -> None:
    assert generator_from_json(ARCH.as_json()) == ARCH
    assert encoder_from_json(ENCODER.as_json()) == ENCODER
    with pytest.raises(EngineError, match="power of two"):
        GeneratorArchitecture(24, 8, 12, (16, 16, 8), 2)
    with pytest.raises(EngineError, match="not complete"):
        generator_from_json({"kind": "stylegan2", "resolution": 16})
    with pytest.raises(EngineError, match="kind"):
        generator_from_json({"kind": "other"})
    with pytest.raises(EngineError, match="not complete"):
        encoder_from_json({"kind": "psp"})
