"""What the small network is trained on: no network's opinion, only the distribution of patches.

A picture has a style's texture when its patches are distributed like the style's. The distance between the two
distributions is the sliced Wasserstein distance: project patches on random directions, sort, compare. It is taken on
every band of a Laplacian pyramid, and on plain colours. What must stay is the content's light and shade, in the tones
of the style.

Sources: Karras et al., "Progressive Growing of GANs" (ICLR 2018), section 5 (sliced Wasserstein distance on Laplacian
bands); Elnekave and Weiss, "Generating Natural Images with Direct Patch Distributions Matching" (ECCV 2022).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DIRECTIONS = 32
PATCH = 7
STRIDE = 3
BANDS = 3
BAND_WEIGHTS = (1.5, 1.5, 1.0, 0.25)
COLOUR_WEIGHT = 0.75
"""The lowest band counts least: what is dark and where is the content's affair."""

FLOOR = 0.04
"""Least deviation by which a band's distance is divided: below it there is nothing to see."""

COARSE, MIDDLE, FINE = 8, 4, 2
"""Pixels over which light and shade are averaged before they are compared."""


def pyramid(pictures: Tensor) -> list[Tensor]:
    """Split (n, c, h, w) into `BANDS` Laplacian bands and what is left."""
    bands = []
    for _ in range(BANDS):
        low = F.avg_pool2d(pictures, 2)
        bands.append(pictures - F.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False))
        pictures = low
    return [*bands, pictures]


def style_distance(made: Tensor, style: Tensor, generator: torch.Generator) -> Tensor:
    """Compare the distributions of patches of two (n, 3, s, s), (n,): 0 for the same picture, some 1 for strangers."""
    total = COLOUR_WEIGHT * _sliced(F.avg_pool2d(made, 2), F.avg_pool2d(style, 2), 1, 2, generator)
    for weight, mine, theirs in zip(BAND_WEIGHTS, pyramid(made), pyramid(style), strict=True):
        small = mine.shape[-1] < 4 * PATCH
        total = total + weight * _sliced(mine, theirs, 3 if small else PATCH, 1 if small else STRIDE, generator)
    return total / (sum(BAND_WEIGHTS) + COLOUR_WEIGHT)


def content_distance(made: Tensor, target: Tensor, spread: Tensor) -> Tensor:
    """Compare light and shade (weight 1, 1, 1/2 from coarse to fine) and coarse colours: (n, 3, s, s) -> (n,).

    `target` is the content in the style's colours; `spread` (n,) the deviation of the style's luminance.
    """
    difference = made - target
    grey = difference.mean(dim=1, keepdim=True)
    chroma = F.avg_pool2d(difference - grey, COARSE).abs().mean(dim=(1, 2, 3))
    light = sum(
        weight * F.avg_pool2d(grey, size).abs().mean(dim=(1, 2, 3))
        for size, weight in ((COARSE, 1.0), (MIDDLE, 1.0), (FINE, 0.5))
    )
    result: Tensor = (light + chroma) / (spread + FLOOR)
    return result


def _sliced(made: Tensor, style: Tensor, patch: int, stride: int, generator: torch.Generator) -> Tensor:
    kernel = torch.randn(DIRECTIONS, 3, patch, patch, generator=generator)
    kernel /= kernel.flatten(1).norm(dim=1)[:, None, None, None]
    y, x = torch.randint(stride, (2,), generator=generator).tolist()
    mine = F.conv2d(made[:, :, y:, x:], kernel, stride=stride).flatten(2)
    theirs = F.conv2d(style[:, :, y:, x:], kernel, stride=stride).flatten(2)
    spread = style.flatten(1).std(dim=1) + FLOOR
    return (mine - _in_the_order_of(mine, theirs)).abs().mean(dim=(1, 2)) / spread


def _in_the_order_of(mine: Tensor, theirs: Tensor) -> Tensor:
    """Give every value of `mine` the one of the same rank in `theirs`. NumPy sorts ten times faster than PyTorch."""
    order = np.argsort(mine.detach().numpy(), axis=2)
    partners = np.empty_like(theirs.numpy())
    np.put_along_axis(partners, order, np.sort(theirs.numpy(), axis=2), axis=2)
    return torch.from_numpy(partners)
