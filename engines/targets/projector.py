"""Refine an encoder's latent until its picture is the one that was given.

Loss: pixels, then a Laplacian pyramid (coarse likeness first, detail where it is due), optionally the patch features
of a CLIP as a perceptual distance, and a price for leaving the encoder's latent, which keeps it editable.

Sources: Image2StyleGAN (Abdal et al., ICCV 2019) for pixel and perceptual terms; Laplacian pyramid loss after
Bojanowski et al., "Optimizing the Latent Space of Generative Networks" (ICML 2018); staying near the encoder after e4e
(Tov et al., SIGGRAPH 2021), section 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engines.targets.clip import Draw
from engines.targets.descent import Point, descend
from installation.core.latents import Latent

RATE = 0.03  # deviations of the latent per step
STAY_WEIGHT = 0.02  # price of one mean squared deviation from the encoder's latent
PERCEPTUAL_WEIGHT = 0.5
PYRAMID_LEVELS = 4
WORKING_PX = 256
"""Pictures are compared at this size at most; finer detail is noise to a 512-number row."""

Features = Callable[[Tensor], Tensor]
"""(n, 3, h, w) in [-1, 1] -> features of unit length along the last axis."""


def project(
    picture: NDArray[np.float32],
    start: Latent,
    draw: Draw,
    spread: Latent,
    *,
    steps: int,
    perceptual: Features | None = None,
    every_step: Callable[[Point], None] = lambda point: None,
) -> Latent:
    """Refine one latent.

    Args:
        picture: (3, s, s) float32 RGB in [-1, 1], aligned.
        start: (num_ws, w_dim) from the encoder.
        draw: The generator.
        spread: (num_ws, w_dim) deviation of the mapping's samples.
        steps: Gradient steps.
        perceptual: Feature extractor, where weights exist.
        every_step: Told after each step.

    Returns:
        (num_ws, w_dim) float32.
    """
    unit = torch.from_numpy(np.maximum(spread, 1e-4).astype(np.float32))
    origin = torch.tensor(start, dtype=torch.float32)
    with torch.no_grad():
        size = min(draw(origin[None]).shape[-1], WORKING_PX)
        goal = resized(torch.from_numpy(picture)[None], size)
        goal_features = perceptual(goal) if perceptual is not None else None

    def loss(edit: Tensor, step: int) -> Tensor:
        image = resized(draw((origin + edit * unit)[None]), size)
        value = (image - goal).abs().mean() + pyramid_distance(image, goal) + STAY_WEIGHT * edit.square().mean()
        if perceptual is not None and goal_features is not None:
            value = value + PERCEPTUAL_WEIGHT * (1.0 - (perceptual(image) * goal_features).sum(dim=-1).mean())
        return value

    point = descend(loss, Point.start(np.zeros_like(start)), steps=steps, rate=RATE, every_step=every_step)
    return np.asarray(start + point.latent * unit.numpy(), np.float32)


def pyramid_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference over the bands of a Laplacian pyramid; (n, 3, s, s) each."""
    difference, total = a - b, a.new_zeros(())
    for _ in range(PYRAMID_LEVELS):
        if difference.shape[-1] < 8:
            break
        smaller = F.avg_pool2d(difference, 2)
        wide = F.interpolate(smaller, difference.shape[-2:], mode="bilinear", align_corners=False)
        total = total + (difference - wide).abs().mean()
        difference = smaller
    return total + difference.abs().mean()


def resized(image: Tensor, size: int) -> Tensor:
    """Resize (n, 3, h, w) with antialiasing."""
    if image.shape[-1] == size:
        return image
    return F.interpolate(image, (size, size), mode="bilinear", antialias=True, align_corners=False)
