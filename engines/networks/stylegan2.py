"""StyleGAN2's generator in plain PyTorch: mapping, synthesis, skip connections of RGB.

The reference of this project: the ONNX graphs and every back-end are compared with it. Tensors are called as in
`engines.networks.architecture`. Convolutions use the modulation of activations, `conv(x * s) * d`, which is the same
function as modulated weights and needs no grouped convolution.

Sources: StyleGAN2 (Karras et al., CVPR 2020), section 2.2 (modulation, demodulation) and 4.1 (skip generator);
StyleGAN2-ADA (NeurIPS 2020), appendix D (`conv_clamp`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.architecture import (
    DEMODULATION_EPS,
    FIR_TAPS,
    LRELU_GAIN,
    LRELU_SLOPE,
    MAPPING_LR_MULTIPLIER,
    NORMALISATION_EPS,
    GeneratorArchitecture,
)

NOISE_MODES = ("const", "random", "none")


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate: stored weights are used times `lr_multiplier`/sqrt(fan_in)."""

    def __init__(self, fan_in: int, fan_out: int, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(fan_out, fan_in))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.weight_gain = lr_multiplier / math.sqrt(fan_in)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class Mapping(nn.Module):
    """z -> w, repeated over the rows and truncated toward `w_avg`."""

    w_avg: Tensor

    def __init__(self, arch: GeneratorArchitecture) -> None:
        super().__init__()
        self.num_ws = arch.num_ws
        self.depth = arch.mapping_layers
        for index in range(self.depth):
            fan_in = arch.w_dim if index else arch.z_dim
            self.add_module(f"fc{index}", EqualLinear(fan_in, arch.w_dim, MAPPING_LR_MULTIPLIER))
        self.register_buffer("w_avg", torch.zeros(arch.num_ws, arch.w_dim))

    def forward(self, z: Tensor, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """(n, z_dim) -> (n, num_ws, w_dim); `psi` acts on the first `cutoff` rows (all if None)."""
        x = z.to(torch.float32)
        x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + NORMALISATION_EPS)
        for index in range(self.depth):
            x = F.leaky_relu(self.get_submodule(f"fc{index}")(x), LRELU_SLOPE) * LRELU_GAIN
        w_plus = x.unsqueeze(1).repeat(1, self.num_ws, 1)
        if psi != 1.0:
            w_plus[:, :cutoff] = self.w_avg[:cutoff].lerp(w_plus[:, :cutoff], psi)
        return w_plus


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution (up-sampling or not), noise, bias, activation."""

    noise_const: Tensor
    taps: Tensor

    def __init__(self, arch: GeneratorArchitecture, fan_in: int, fan_out: int, resolution: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.clamp = arch.conv_clamp
        self.weight_gain = 1.0 / math.sqrt(fan_in * 9)
        self.eps = DEMODULATION_EPS * (1.0 if arch.eps_after_gain else self.weight_gain**2)
        self.affine = EqualLinear(arch.w_dim, fan_in)
        self.weight = nn.Parameter(torch.zeros(fan_out, fan_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.zeros(resolution, resolution))
        if up:
            self.register_buffer("taps", fir_taps(), persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "const") -> Tensor:
        """(n, fan_in, h, h), (n, w_dim) -> (n, fan_out, r, r)."""
        style = self.affine(w)
        weight = self.weight * self.weight_gain
        x = x * style[:, :, None, None]
        if self.up:
            x = fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), self.taps, padding=(1, 1))
        else:
            x = F.conv2d(x, weight, padding=1)
        power = weight.square().sum(dim=(2, 3))
        x = x * torch.rsqrt(style.square() @ power.T + self.eps)[:, :, None, None]
        if noise_mode == "const":
            x = x + self.noise_const * self.noise_strength
        elif noise_mode == "random":
            x = x + torch.randn_like(x[:, :1]) * self.noise_strength
        x = F.leaky_relu(x + self.bias[:, None, None], LRELU_SLOPE) * LRELU_GAIN
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colour, without demodulation."""

    def __init__(self, arch: GeneratorArchitecture, width: int) -> None:
        super().__init__()
        self.clamp = arch.conv_clamp
        self.weight_gain = 1.0 / math.sqrt(width)
        self.affine = EqualLinear(arch.w_dim, width)
        self.weight = nn.Parameter(torch.zeros(3, width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(n, width, r, r), (n, w_dim) -> (n, 3, r, r)."""
        style = self.affine(w) * self.weight_gain
        x = F.conv2d(x * style[:, :, None, None], self.weight) + self.bias[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution: up-sampling convolution (not at 4 px), convolution, RGB."""

    taps: Tensor

    def __init__(self, arch: GeneratorArchitecture, level: int) -> None:
        super().__init__()
        resolution, width = arch.resolutions[level], arch.channels[level]
        self.first_row = max(2 * level - 1, 0)
        self.conv0: SynthesisLayer | None = None
        if level == 0:
            self.const = nn.Parameter(torch.zeros(width, 4, 4))
        else:
            self.conv0 = SynthesisLayer(arch, arch.channels[level - 1], width, resolution, up=True)
        self.conv1 = SynthesisLayer(arch, width, width, resolution, up=False)
        self.torgb = ToRGB(arch, width)
        self.register_buffer("taps", fir_taps(), persistent=False)

    def forward(self, x: Tensor | None, image: Tensor | None, w_plus: Tensor, noise_mode: str) -> tuple[Tensor, Tensor]:
        """Take and give the features and the running picture; rows of `w_plus` are picked here."""
        row = self.first_row
        if x is None or self.conv0 is None:
            x = self.const.expand(w_plus.shape[0], -1, -1, -1)
        else:
            x = self.conv0(x, w_plus[:, row], noise_mode)
            row += 1
        x = self.conv1(x, w_plus[:, row], noise_mode)
        colour = self.torgb(x, w_plus[:, row + 1])
        return x, colour if image is None else upsample(image, self.taps) + colour


class Synthesis(nn.Module):
    """W+ -> picture."""

    def __init__(self, arch: GeneratorArchitecture) -> None:
        super().__init__()
        self.num_ws, self.w_dim = arch.num_ws, arch.w_dim
        self.names = [f"b{resolution}" for resolution in arch.resolutions]
        for level, name in enumerate(self.names):
            self.add_module(name, SynthesisBlock(arch, level))

    def forward(self, w_plus: Tensor, noise_mode: str = "const") -> Tensor:
        """(n, num_ws, w_dim) -> (n, 3, r, r) float32, nominally [-1, 1], not clamped.

        Args:
            w_plus: Latent rows, the coarsest first.
            noise_mode: "const" (the stored noise), "random", or "none".

        Raises:
            ValueError: On another shape or noise mode.
        """
        if w_plus.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"expected W+ as (n, {self.num_ws}, {self.w_dim}); got {tuple(w_plus.shape)}")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode is one of {NOISE_MODES}; got {noise_mode!r}")
        x: Tensor | None = None
        image: Tensor | None = None
        for name in self.names:
            x, image = self.get_submodule(name)(x, image, w_plus, noise_mode)
        assert image is not None
        return image


class Generator(nn.Module):
    """A StyleGAN2 generator: `mapping` and `synthesis`."""

    def __init__(self, arch: GeneratorArchitecture) -> None:
        super().__init__()
        self.arch = arch
        self.mapping = Mapping(arch)
        self.synthesis = Synthesis(arch)

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """(n, z_dim) -> (n, 3, r, r)."""
        image: Tensor = self.synthesis(self.mapping(z, psi))
        return image


def fir_taps() -> Tensor:
    """Taps of one direction of the up-sampling filter: [1, 3, 3, 1], normalised, gain 4 over both directions.

    Modules keep them as a buffer: a tensor made from numbers in a forward pass is a copy from the host, which a CUDA
    graph cannot capture.
    """
    taps = torch.tensor(FIR_TAPS)
    return taps / taps.sum() * math.sqrt(4.0)


def fir(x: Tensor, taps: Tensor, padding: tuple[int, int]) -> Tensor:
    """Filter each channel with the outer product of `taps`.

    Depthwise and separable: one-channel convolutions over n * c pictures are 2.6 times slower on a CPU.
    """
    channels = x.shape[1]
    x = F.pad(x, (*padding, *padding))
    x = F.conv2d(x, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def upsample(image: Tensor, taps: Tensor) -> Tensor:
    """Double the size: zeros between the pixels, then the FIR filter with gain 4 (section 4.1)."""
    n, channels, height, width = image.shape
    spread = image.new_zeros(n, channels, 2 * height, 2 * width)
    spread[:, :, ::2, ::2] = image
    return fir(spread, taps, padding=(2, 1))


def image_to_u8(image: Tensor) -> Tensor:
    """Convert [-1, 1] to 8 bits as NVIDIA's tools do: x * 127.5 + 128, clamped, truncated."""
    return (image * 127.5 + 128.0).clamp(0, 255).to(torch.uint8)


def image_to_u8_psp(image: Tensor) -> Tensor:
    """Convert [-1, 1] to 8 bits as pSp and e4e do: half a level lower than `image_to_u8`."""
    return (((image + 1.0) / 2.0).clamp(0, 1) * 255.0).to(torch.uint8)
