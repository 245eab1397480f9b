"""The small style network that is trained here: an encoder, AdaIN at four depths, a decoder.

It differs from the published one where a processor needs it to. The encoder is learnt together with the decoder
instead of being a classifier's, and halves the picture by rearranging pixels before its first convolution. AdaIN acts
at the picture itself in opponent colours (so a palette arrives without any learning) and at three depths of the
encoder, which the decoder takes up again on its way. A repertoire of marks (`engines.style.brushes`) is added to what
is normalised: AdaIN scales it with the style's deviation, so a flat cheek has something of which strokes can grow, and
a smooth style keeps it smooth. A small hand reads the style's statistics and turns the marks and the decoder's features
up and down, channel by channel: which kind of stroke a style asks for is decided there (conditional instance
normalisation, Ghiasi et al., BMVC 2017).

The decoder ends in a pixel shuffle and a [1 2 1] filter, whose zero lies at the Nyquist frequency: it cannot leave a
checkerboard of single pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.style.adain import adain, mean_std, modulate
from engines.style.brushes import brushes

WIDTHS = (32, 64, 80)
"""Channels at half, a quarter and an eighth of the picture's side."""

LEAK = 0.1
"""Slope below zero. With none, the decoder's last features died in the first hundred steps and never came back."""

HAND = 64
"""Width of the layer that reads a style's statistics."""

_OPPONENT = ((0.57735, 0.57735, 0.57735), (0.70711, -0.70711, 0.0), (0.40825, 0.40825, -0.81650))
"""Rows: grey, red against green, both against blue; orthonormal."""


def opponent(picture: Tensor) -> Tensor:
    """(n, 3, h, w) RGB -> opponent colours."""
    return F.conv2d(picture, torch.tensor(_OPPONENT)[:, :, None, None])


def back_to_rgb(colours: Tensor) -> Tensor:
    """The inverse of `opponent`."""
    return F.conv2d(colours, torch.tensor(_OPPONENT).T[:, :, None, None])


def recolour(content: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Give RGB (n, 3, h, w) the mean and deviation (n, 3) of a style's opponent colours."""
    return back_to_rgb(adain(opponent(content), mean, std, torch.ones(len(content), 1)))


class StyleNetwork(nn.Module):
    """Content and style statistics -> picture. Sides must be divisible by 8."""

    brushes: Tensor

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.widths = tuple(widths)
        self.corner = (0, 0)
        """Where a picture lies on the brushes, in pixels of half its side; training moves it."""
        self.register_buffer("brushes", torch.from_numpy(brushes().fields())[None])
        self.enter = _convolution(12, half)
        self.down = nn.ModuleList([_convolution(half, quarter, 2), _convolution(quarter, eighth, 2)])
        fields = self.brushes.shape[1]
        self.marks = nn.ModuleList(
            [nn.Conv2d(fields, width, 3, 2**depth, padding=1, bias=False) for depth, width in enumerate(widths)]
        )
        self.deep = nn.ModuleList([_convolution(eighth, eighth) for _ in range(4)])
        self.up = nn.ModuleList([nn.Conv2d(eighth, quarter, 1), nn.Conv2d(quarter, half, 1)])
        self.middle = nn.ModuleList([_convolution(quarter, quarter) for _ in range(2)])
        self.shallow = nn.ModuleList([_convolution(half, half) for _ in range(2)])
        self.steps = [*([fields] * 3), *([eighth] * 4), *([quarter] * 2), *([half] * 2)]
        last = nn.Linear(HAND, 2 * sum(self.steps), bias=False)
        self.hand = nn.Sequential(nn.Linear(2 * self.channels, HAND), nn.ReLU(), last)
        with torch.no_grad():
            last.weight.mul_(0.3)
        self.leave = nn.Conv2d(half, 12, 3, padding=1)
        self._begin()

    @property
    def channels(self) -> int:
        """Length of the vectors of statistics."""
        return 3 + sum(self.widths)

    def encode(self, picture: Tensor) -> list[Tensor]:
        """(n, 3, s, s) RGB in [-1, 1] -> opponent colours, then features at s/2, s/4 and s/8."""
        half = _active(self.enter(F.pixel_unshuffle(picture, 2)))
        quarter = _active(self.down[0](half))
        return [opponent(picture), half, quarter, _active(self.down[1](quarter))]

    def statistics(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Describe a style picture (n, 3, s, s): mean and deviation, two of (n, channels)."""
        pairs = [mean_std(level) for level in self.encode(picture)]
        return torch.cat([mean for mean, _ in pairs], 1), torch.cat([std for _, std in pairs], 1)

    def forward(self, content: Tensor, mean: Tensor, std: Tensor, strength: Tensor) -> Tensor:
        """Draw the content in the style.

        Args:
            content: (n, 3, s, s) RGB in [-1, 1].
            mean, std: (n, channels) of the style.
            strength: (n, 1) in 0..1.

        Returns:
            (n, 3, s, s) RGB, nominally [-1, 1], not clamped.
        """
        levels = self.encode(content)
        sizes = [3, *self.widths]
        means, stds = mean.split(sizes, 1), std.split(sizes, 1)
        turns = [(gain[:, :, None, None], shift[:, :, None, None]) for gain, shift in self._turns(mean, std, strength)]
        colours = adain(levels[0], means[0], stds[0], strength)
        # Scaled before the convolution, so that an exporter cannot fold it: the result would be 3 MB of constants.
        brushes = self._laid_out(levels[1].shape[-1]) * strength[:, :, None, None]
        half, quarter, eighth = (
            modulate(level, mark(_turned(brushes, turn)), level_mean, level_std, strength)
            for level, mark, turn, level_mean, level_std in zip(
                levels[1:], self.marks, turns[:3], means[1:], stds[1:], strict=True
            )
        )
        x = eighth
        for i in (0, 2):
            inner = self.deep[i](_active(_turned(x, turns[3 + i])))
            x = x + self.deep[i + 1](_active(_turned(inner, turns[4 + i])))
        x = F.interpolate(self.up[0](_active(x)), scale_factor=2.0, mode="nearest") + quarter
        for i, convolution in enumerate(self.middle):
            x = x + convolution(_active(_turned(x, turns[7 + i])))
        x = F.interpolate(self.up[1](_active(x)), scale_factor=2.0, mode="nearest") + half
        for i, convolution in enumerate(self.shallow):
            x = x + convolution(_active(_turned(x, turns[9 + i])))
        detail = _smooth(F.pixel_shuffle(self.leave(_active(x)), 2))
        return back_to_rgb(colours) + detail

    def read(self, mean: Tensor, std: Tensor) -> Tensor:
        """What the hand makes of a style's statistics, before it decides anything: (n, HAND)."""
        seen: Tensor = self.hand[:-1](torch.cat([mean, std], 1))
        return seen

    def _turns(self, mean: Tensor, std: Tensor, strength: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Let the hand decide gain and shift of the marks and of each step's features, pairs of (n, c)."""
        flat = self.hand[-1](self.read(mean, std)) * strength
        parts = flat.split([width for width in self.steps for _ in range(2)], 1)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def _begin(self) -> None:
        """Start so that features keep their size from layer to layer; PyTorch's own start shrinks them tenfold."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
                if name.startswith(("deep", "middle", "shallow", "leave")):
                    with torch.no_grad():
                        module.weight.mul_(0.1 if name == "leave" else 0.3)

    def _laid_out(self, side: int) -> Tensor:
        """Cut the brushes to a side; larger pictures repeat them."""
        y, x = self.corner
        repeats = -(-side // self.brushes.shape[-1])
        return self.brushes.repeat(1, 1, repeats, repeats)[:, :, y : y + side, x : x + side]


def _active(features: Tensor) -> Tensor:
    return F.leaky_relu(features, LEAK)


def _turned(features: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    gain, shift = turn
    return features * (1.0 + gain) + shift


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1)


def _smooth(picture: Tensor) -> Tensor:
    row = torch.tensor([0.25, 0.5, 0.25], dtype=picture.dtype)
    kernel = (row[:, None] * row[None, :]).expand(3, 1, 3, 3)
    return F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
