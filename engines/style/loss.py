"""How far a picture is from the one it should be: absolute differences, band by band.

A plain difference of pixels lets a network leave the fine marks out; on the bands of a Laplacian pyramid they count as
much as the coarse tones do. The sum is linear, so one pyramid of the difference does.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

BANDS = 3


def picture_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Compare (n, 3, s, s) pictures: (n,), the mean absolute difference summed over the bands and what is left."""
    rest = made - wanted
    total = rest.abs().mean(dim=(1, 2, 3))
    for _ in range(BANDS):
        low = F.avg_pool2d(rest, 2)
        detail = rest - F.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False)
        total = total + detail.abs().mean(dim=(1, 2, 3))
        rest = low
    total = total + rest.abs().mean(dim=(1, 2, 3))
    return total
