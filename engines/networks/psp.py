"""The encoders of pSp and e4e: IR-SE50, a feature pyramid, and one small head per row of W+.

Tensors are called as in pixel2style2pixel. The two encoders have the same tensors; e4e reads the rows as one w and
the offsets from it.

Sources: pSp (Richardson et al., CVPR 2021), section 3 and figure 2 (the heads, `map2style`); e4e (Tov et al., SIGGRAPH
2021), section 4.1 (offsets and their progressive stages); ArcFace (Deng et al., CVPR 2019) for the residual body;
"Squeeze-and-Excitation Networks" (Hu et al., CVPR 2018).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.architecture import (
    BATCH_NORM_EPS,
    E4E,
    ENCODER_INPUT_SIZE,
    SQUEEZE_REDUCTION,
    STYLE_HEAD_SLOPE,
    BodyBlock,
    EncoderArchitecture,
    body_blocks,
    head_convolutions,
    head_level,
)
from engines.networks.stylegan2 import EqualLinear


class SqueezeExcite(nn.Module):
    """Scale channels by what their means say."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // SQUEEZE_REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(width // SQUEEZE_REDUCTION, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))))


class Bottleneck(nn.Module):
    """One residual block; no activation follows the sum."""

    def __init__(self, block: BodyBlock) -> None:
        super().__init__()
        self.stride = block.stride
        self.shortcut_layer: nn.Sequential | None = None
        if block.projects:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(block.fan_in, block.fan_out, 1, block.stride, bias=False), _batch_norm(block.fan_out)
            )
        self.res_layer = nn.Sequential(
            _batch_norm(block.fan_in),
            nn.Conv2d(block.fan_in, block.fan_out, 3, padding=1, bias=False),
            nn.PReLU(block.fan_out),
            nn.Conv2d(block.fan_out, block.fan_out, 3, block.stride, padding=1, bias=False),
            _batch_norm(block.fan_out),
            SqueezeExcite(block.fan_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut_layer(x) if self.shortcut_layer else x[:, :, :: self.stride, :: self.stride]
        out: Tensor = shortcut + self.res_layer(x)
        return out


class StyleHead(nn.Module):
    """`map2style`: a level of the pyramid -> one row (n, width)."""

    def __init__(self, width: int, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, 2, padding=1), nn.LeakyReLU(STYLE_HEAD_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        row: Tensor = self.linear(self.convs(x).flatten(1))
        return row


class Encoder(nn.Module):
    """A face crop -> codes, without the average latent."""

    def __init__(self, arch: EncoderArchitecture) -> None:
        super().__init__()
        self.arch = arch
        first, width = arch.stages[0][0], arch.width
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, padding=1, bias=False), _batch_norm(first), nn.PReLU(first)
        )
        self.body = nn.Sequential(*(Bottleneck(block) for block in body_blocks(arch)))
        self.latlayer1 = nn.Conv2d(arch.stages[2][0], width, 1)
        self.latlayer2 = nn.Conv2d(arch.stages[1][0], width, 1)
        self.styles = nn.ModuleList(StyleHead(width, head_convolutions(row)) for row in range(arch.rows))

    def forward(self, crop: Tensor, stage: int | None = None) -> Tensor:
        """(n, 3, 256, 256) float32 RGB in [-1, 1] -> (n, rows, width), 512 wide for the public ones.

        Args:
            crop: FFHQ-aligned faces.
            stage: For e4e, how many offsets are added to the first row: 0 is its stage w, None all of them.

        Raises:
            ValueError: On another size: the heads would mix space into the batch without a word.
        """
        if crop.shape[1:] != (3, ENCODER_INPUT_SIZE, ENCODER_INPUT_SIZE):
            raise ValueError(
                f"expected crops (n, 3, {ENCODER_INPUT_SIZE}, {ENCODER_INPUT_SIZE}); got {tuple(crop.shape)}"
            )
        levels = self.levels(crop)[-3:]
        rows = torch.stack([head(levels[head_level(row)]) for row, head in enumerate(self.styles)], dim=1)
        if self.arch.kind != E4E:
            return rows
        last = self.arch.rows if stage is None else stage + 1
        codes = rows[:, :1].repeat(1, self.arch.rows, 1)
        codes[:, 1:last] += rows[:, 1:last]
        return codes

    def levels(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Give the body's taps and the pyramid: c1, c2, c3, p2, p1. The heads read the last three."""
        x = self.input_layer(crop)
        taps = []
        for index, block in enumerate(self.body):
            x = block(x)
            if index in self.arch.taps:
                taps.append(x)
        c1, c2, c3 = taps
        p2 = _double(c3) + self.latlayer1(c2)
        p1 = _double(p2) + self.latlayer2(c1)
        return c1, c2, c3, p2, p1


def _batch_norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=BATCH_NORM_EPS)


def _double(x: Tensor) -> Tensor:
    size = (2 * x.shape[2], 2 * x.shape[3])
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
