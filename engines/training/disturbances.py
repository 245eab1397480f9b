"""Disturbances that make portraits less like portraits: bent faces, other cameras, other rooms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.training.landmark_loss import BROWS, IRISES, LIPS
from installation.core.measures import EYE_LEFT, EYE_RIGHT


def bend(landmarks: Tensor) -> Tensor:
    """Deform faces smoothly, and their features a little on their own: (n, 478, 3) -> the same."""
    n = len(landmarks)
    centred = landmarks[..., :2] - 0.5
    x, y = centred[..., :1], centred[..., 1:]
    basis = torch.cat([x, y, x * y * 3, x * x * 3, y * y * 3, x * x * x * 8, y * y * y * 8, x * x * y * 8], dim=-1)
    size = torch.tensor([0.06, 0.05, 0.04, 0.02, 0.04, 0.03, 0.03, 0.03])[None, :, None] * torch.rand(n, 1, 1) * 2.0
    shift = basis @ (torch.randn(n, 8, 2) * size)
    bent = landmarks.clone()
    bent[..., :2] += shift
    for points in (BROWS, LIPS, (*EYE_LEFT.tolist(), *IRISES[:5]), (*EYE_RIGHT.tolist(), *IRISES[5:])):
        index = list(points)
        part = bent[:, index, :2]
        centre = part.mean(1, keepdim=True)
        stretch = 1.0 + 0.08 * torch.randn(n, 1, 2)
        bent[:, index, :2] = centre + (part - centre) * stretch + 0.006 * torch.randn(n, 1, 2)
    bent[..., 2] *= 1.0 + 0.15 * torch.randn(n, 1)
    return bent + 0.002 * torch.randn_like(bent)


def recolour(crop: Tensor) -> Tensor:
    """Change exposure, white balance, contrast and saturation as cameras do: (n, 3, s, s) in [-1, 1]."""
    n = len(crop)
    light = (crop * 0.5 + 0.5).clamp(1e-4, 1.0) ** torch.exp(0.25 * torch.randn(n, 1, 1, 1))
    light = light * torch.exp(0.22 * torch.randn(n, 1, 1, 1)) * torch.exp(0.10 * torch.randn(n, 3, 1, 1))
    grey = light.mean(1, keepdim=True)
    light = grey + (light - grey) * torch.exp(0.3 * torch.randn(n, 1, 1, 1))
    return light.clamp(0.0, 1.0) * 2.0 - 1.0


def degrade(crop: Tensor) -> Tensor:
    """Blur, shade, hide and add noise: (n, 3, s, s) in [-1, 1]."""
    n, side = len(crop), crop.shape[-1]
    soft = F.interpolate(F.avg_pool2d(crop, 4), scale_factor=4, mode="bilinear", align_corners=False)
    blur = torch.rand(n, 1, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.6)
    crop = crop + (soft - crop) * blur
    slope = F.interpolate(0.15 * torch.randn(n, 1, 3, 3), size=(side, side), mode="bilinear", align_corners=True)
    crop = crop + slope * (torch.rand(n, 1, 1, 1) < 0.5)
    clutter = F.interpolate(torch.rand(n, 3, 6, 6) * 2.0 - 1.0, size=(side, side), mode="bilinear", align_corners=True)
    clutter = clutter + 0.3 * F.interpolate(torch.randn(n, 1, 24, 24), size=(side, side), mode="nearest")
    crop = torch.where(_margin(n, side) & (torch.rand(n, 1, 1, 1) < 0.5), clutter, crop)
    return (crop + 0.05 * torch.rand(n, 1, 1, 1) * torch.randn_like(crop)).clamp(-1.0, 1.0)


def _margin(n: int, side: int) -> Tensor:
    """True where a room may stand instead of the studio's backdrop: outside a random oval round the head."""
    axis = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2.0 - 1.0
    across, down = 0.75 + 0.25 * torch.rand(n, 1, 1, 1), 0.9 + 0.3 * torch.rand(n, 1, 1, 1)
    oval = (axis[None, None, None, :] / across) ** 2 + ((axis[None, None, :, None]) / down) ** 2
    # Below the chin there are shoulders in every picture.
    return (oval > 1.0) & (axis[None, None, :, None] < 0.5)
