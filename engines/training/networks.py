"""The networks of the default pack: row mapping, generator, readout.

The generator is StyleGAN2's skip architecture, small. Modulation is by activation,
`conv(x * s) * rsqrt((W^2 summed over taps) @ s^2 + eps)`, the same function as modulated weights.
*Split codes*: each row of W+ comes from a small network of its own, the rows up to 16 px from geometry
and expression, the others from appearance, so that style mixing is disentangled by construction.

Sources: StyleGAN2 (Karras et al., CVPR 2020), sections 2.2 (demodulation) and 4.1 (skip architecture); equalised
learning rate from "Progressive Growing of GANs" (ICLR 2018), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
DEMOD_EPS = 1e-8
BASE_RESOLUTION = 8


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of a generator and its mapping.

    Attributes:
        channels: Channels at 8, 16, 32 ... px; the last entry is the picture's resolution.
        w_dim: Width of one row of W+.
        hidden: Width of a row network's hidden layer.
        coarse_rows: Rows that geometry feeds; the others are fed by appearance. Not 4: that row is also the 16 px RGB
            layer's, and colour is then learnt late (17.0 dB instead of 19.9 after 400 steps).
    """

    channels: tuple[int, ...] = (160, 160, 96, 48, 24)
    w_dim: int = 64
    hidden: int = 256
    coarse_rows: int = 3

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return BASE_RESOLUTION << (len(self.channels) - 1)

    @property
    def num_ws(self) -> int:
        """Rows of W+: one per convolution and one for the last RGB layer, as StyleGAN2 lays them out."""
        return 2 * len(self.channels)


def lrelu(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance of its input."""
    return F.leaky_relu(x, LRELU_SLOPE) * LRELU_GAIN


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate; `lr_multiplier` slows it further."""

    def __init__(self, fan_in: int, fan_out: int, *, bias: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((fan_out,), bias / lr_multiplier))
        self.gain = lr_multiplier / math.sqrt(fan_in)
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias * self.lr_multiplier)


class RowNetworks(nn.Module):
    """One two-layer network per row of W+: (n, features) -> (n, rows, w_dim), all rows in two batched products."""

    def __init__(self, features: int, rows: int, arch: Architecture, lr_multiplier: float = 0.5) -> None:
        super().__init__()
        self.lr_multiplier = lr_multiplier
        self.weight1 = nn.Parameter(torch.randn(rows, features, arch.hidden) / lr_multiplier)
        self.bias1 = nn.Parameter(torch.randn(rows, 1, arch.hidden) * 0.5 / lr_multiplier)
        self.weight2 = nn.Parameter(torch.randn(rows, arch.hidden, arch.w_dim) / lr_multiplier)
        self.bias2 = nn.Parameter(torch.zeros(rows, 1, arch.w_dim))

    def forward(self, x: Tensor) -> Tensor:
        gain1 = self.lr_multiplier / math.sqrt(self.weight1.shape[1])
        gain2 = self.lr_multiplier / math.sqrt(self.weight2.shape[1])
        hidden = torch.matmul(x.unsqueeze(0), self.weight1 * gain1) + self.bias1 * self.lr_multiplier
        out = torch.matmul(lrelu(hidden), self.weight2 * gain2) + self.bias2 * self.lr_multiplier
        return out.transpose(0, 1)


class Mapping(nn.Module):
    """Portrait features -> W+, by split codes.

    Args:
        arch: The generator's shape.
        coarse: Which features (columns) the coarse rows see.
        fine: Which features the other rows see.
    """

    coarse: Tensor
    fine: Tensor

    def __init__(self, arch: Architecture, coarse: Sequence[int], fine: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("coarse", torch.tensor(list(coarse)), persistent=False)
        self.register_buffer("fine", torch.tensor(list(fine)), persistent=False)
        self.coarse_rows = RowNetworks(len(coarse), arch.coarse_rows, arch)
        self.fine_rows = RowNetworks(len(fine), arch.num_ws - arch.coarse_rows, arch)

    def forward(self, features: Tensor) -> Tensor:
        """(n, features) float32, each about unit variance -> (n, num_ws, w_dim)."""
        coarse = self.coarse_rows(features[:, self.coarse])
        fine = self.fine_rows(features[:, self.fine])
        return torch.cat([coarse, fine], dim=1)


class ModulatedConv(nn.Module):
    """Convolution whose input channels are scaled by a style, then demodulated."""

    def __init__(self, fan_in: int, fan_out: int, w_dim: int, kernel: int, *, demodulate: bool = True) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, fan_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.gain = 1.0 / math.sqrt(fan_in * kernel * kernel)
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(n, fan_in, h, w), (n, w_dim) -> (n, fan_out, h, w) without activation."""
        style = self.affine(w)
        weight = self.weight * self.gain
        out = F.conv2d(x * style[:, :, None, None].to(x.dtype), weight.to(x.dtype), padding=self.weight.shape[-1] // 2)
        if self.demodulate:
            power = weight.square().sum(dim=(2, 3))
            scale = torch.rsqrt(style.square() @ power.T + DEMOD_EPS)
            out = out * scale[:, :, None, None].to(x.dtype)
        return out + self.bias[None, :, None, None].to(x.dtype)


def upsample(x: Tensor) -> Tensor:
    """Double the size with StyleGAN2's FIR kernel [1, 3, 3, 1], which is bilinear interpolation."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """One resolution: two convolutions (one at 8 px) and an RGB layer that adds to the skip."""

    def __init__(self, fan_in: int, fan_out: int, w_dim: int, *, first: bool) -> None:
        super().__init__()
        # The first convolution runs before the up-sampling: a quarter of the work, and the FIR kernel follows it
        # as it follows StyleGAN2's transposed convolution.
        self.conv0 = None if first else ModulatedConv(fan_in, fan_out, w_dim, 3)
        self.conv1 = ModulatedConv(fan_out, fan_out, w_dim, 3)
        self.to_rgb = ModulatedConv(fan_out, 3, w_dim, 1, demodulate=False)

    def forward(self, x: Tensor, rgb: Tensor | None, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """`rows`: one (n, w_dim) per layer of this block, the RGB layer's last."""
        if self.conv0 is not None:
            x = lrelu(upsample(self.conv0(x, rows[0])))
        x = lrelu(self.conv1(x, rows[-2]))
        colour = self.to_rgb(x, rows[-1]).float()
        return x, colour if rgb is None else upsample(rgb) + colour


class Generator(nn.Module):
    """Synthesis network: W+ -> picture."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.arch = arch
        self.const = nn.Parameter(torch.randn(1, arch.channels[0], BASE_RESOLUTION, BASE_RESOLUTION))
        pairs = zip((0, *arch.channels), arch.channels, strict=False)
        self.blocks = nn.ModuleList(
            Block(fan_in, fan_out, arch.w_dim, first=i == 0) for i, (fan_in, fan_out) in enumerate(pairs)
        )
        for block in self.blocks[1:]:
            assert isinstance(block, Block)
            # A resolution that joins late begins by repeating the one below it.
            nn.init.zeros_(block.to_rgb.weight)

    def forward(self, w_plus: Tensor, resolution: int | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """(n, num_ws, w_dim) -> (n, 3, r, r) float32, RGB in about [-1, 1].

        Args:
            w_plus: Latent rows; those above `resolution` are ignored.
            resolution: Stop at this resolution (progressive training); the full one if None.
            dtype: Of the convolutions; colour is summed in float32.
        """
        x = self.const.to(dtype).expand(w_plus.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        rgb: Tensor | None = None
        for i, block in enumerate(self.blocks):
            first = max(2 * i - 1, 0)
            x, rgb = block(x, rgb, w_plus[:, first : 2 * i + 2].unbind(1))
            if x.shape[-1] == resolution:
                break
        assert rgb is not None
        return rgb


class Readout(nn.Module):
    """W+ -> portrait features, the mapping's inverse: two networks, so that coarse rows alone tell geometry."""

    order: Tensor

    def __init__(self, arch: Architecture, coarse: Sequence[int], fine: Sequence[int], hidden: int = 256) -> None:
        super().__init__()
        self.split = arch.coarse_rows
        self.register_buffer("order", torch.tensor([*coarse, *fine]).argsort(), persistent=False)
        self.coarse = perceptron(arch.coarse_rows * arch.w_dim, hidden, len(coarse))
        self.fine = perceptron((arch.num_ws - arch.coarse_rows) * arch.w_dim, hidden, len(fine))

    def forward(self, w_plus: Tensor) -> Tensor:
        """(n, num_ws, w_dim) -> (n, features)."""
        coarse = self.coarse(w_plus[:, : self.split].flatten(1))
        fine = self.fine(w_plus[:, self.split :].flatten(1))
        return torch.cat([coarse, fine], dim=1)[:, self.order]


def perceptron(fan_in: int, hidden: int, fan_out: int) -> nn.Sequential:
    """Make a plain network of two hidden layers."""
    return nn.Sequential(
        nn.Linear(fan_in, hidden),
        nn.LeakyReLU(LRELU_SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(LRELU_SLOPE),
        nn.Linear(hidden, fan_out),
    )
