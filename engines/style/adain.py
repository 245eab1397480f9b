"""Adaptive instance normalisation: give a feature map the channel statistics of another.

Style strength and style blending are arithmetic on those statistics. Blending normalised maps with weights that sum
to one is the same as blending their means and deviations, so a style of many pictures is still two short vectors, and
a frame never pays for the encoding of a style picture.

Source: Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization" (ICCV 2017),
equations 8 (AdaIN), 14 (content-style trade-off) and 15 (style interpolation).
"""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 1e-5
"""Added to the variance, as in the published networks."""


def mean_std(features: Tensor) -> tuple[Tensor, Tensor]:
    """Take the mean and deviation of each channel: (n, c, h, w) -> two of (n, c).

    The variance is the unbiased one (over h * w - 1), as in the published networks.
    """
    count = features.shape[2] * features.shape[3]
    mean = features.mean(dim=(2, 3))
    centred = features - mean[:, :, None, None]
    variance = centred.square().mean(dim=(2, 3)) * (count / (count - 1.0))
    return mean, (variance + EPS).sqrt()


def adain(features: Tensor, mean: Tensor, std: Tensor, strength: Tensor) -> Tensor:
    """Give features other statistics (equation 8), as far as `strength` says (equation 14).

    Args:
        features: (n, c, h, w) of the content.
        mean, std: (n, c) of the style.
        strength: (n, 1) in 0..1; 0 returns the features as they are.
    """
    return modulate(features, torch.zeros_like(features[:, :, :1, :1]), mean, std, strength)


def modulate(features: Tensor, marks: Tensor, mean: Tensor, std: Tensor, strength: Tensor) -> Tensor:
    """`adain`, with `marks` (n or 1, c, h, w) added to the normalised features: the style's deviation scales it too."""
    own_mean, own_std = mean_std(features)
    normalised = (features - own_mean[:, :, None, None]) / own_std[:, :, None, None] + marks
    styled = normalised * std[:, :, None, None] + mean[:, :, None, None]
    return features + strength[:, :, None, None] * (styled - features)
