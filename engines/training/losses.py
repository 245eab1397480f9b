"""The picture loss: a Laplacian pyramid in L1, heavier on the face, heaviest on eyes and mouth.

All pyramids are linear, so one pyramid of the difference does. Source of the pyramid loss: Bojanowski et al.,
"Optimizing the Latent Space of Generative Networks" (ICML 2018), section 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FACE_GAIN = 1.0
EYE_GAIN = 5.0
MOUTH_GAIN = 4.0
"""Weight added to 1 at the centre of the face, of an eye and of the mouth."""

FACE_SIZE = (0.26, 0.34)
EYE_SIZE = (0.062, 0.045)
MOUTH_SIZE = (0.10, 0.065)
"""Standard deviations of the weights' bells in crop units, across and down."""

SMALLEST_LEVEL = 8


def weight_map(points: Tensor, resolution: int) -> Tensor:
    """Weigh pixels: (n, 3, 2) crop units of left eye, right eye, mouth -> (n, 1, r, r), mean 1 per picture."""
    axis = (torch.arange(resolution, dtype=torch.float32) + 0.5) / resolution

    def bell(centre: Tensor, size: tuple[float, float]) -> Tensor:
        across = torch.exp(-0.5 * ((axis - centre[:, 0:1]) / size[0]) ** 2)
        down = torch.exp(-0.5 * ((axis - centre[:, 1:2]) / size[1]) ** 2)
        return down[:, :, None] * across[:, None, :]

    left, right, mouth = points.unbind(1)
    weights = 1.0 + FACE_GAIN * bell(points.mean(1), FACE_SIZE)
    weights = weights + EYE_GAIN * (bell(left, EYE_SIZE) + bell(right, EYE_SIZE)) + MOUTH_GAIN * bell(mouth, MOUTH_SIZE)
    weights = weights.unsqueeze(1)
    return weights / weights.mean(dim=(2, 3), keepdim=True)


def pyramid_loss(made: Tensor, true: Tensor, weights: Tensor) -> Tensor:
    """Compare (n, 3, r, r) pictures in [-1, 1]; `weights` (n, 1, r, r). A scalar."""
    rest, total = made - true, made.new_zeros(())
    while rest.shape[-1] > SMALLEST_LEVEL:
        low = F.avg_pool2d(rest, 2)
        detail = rest - F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        total = total + (detail.abs() * weights).mean()
        rest, weights = low, F.avg_pool2d(weights, 2)
    return total + (rest.abs() * weights).mean()


def psnr(made: Tensor, true: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1], over the mean error of all of them."""
    error = (made.clamp(-1.0, 1.0) - true).square().mean().item()
    return float(10.0 * torch.log10(torch.tensor(4.0 / max(error, 1e-12))))
