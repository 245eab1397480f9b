"""Colour patches: small discs of the crop at places that the landmarks name, in CIE Lab.

What a CNN must first learn (where is the skin?) the landmarks already know. Everything is tensor arithmetic, so
that it becomes part of the encoder's graph.

Source of the Lab formulas: CIE 15:2004, section 8.2.1, with the sRGB primaries of IEC 61966-2-1 and D65.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SKIN_POINTS = (10, 151, 109, 338, 67, 297, 50, 280, 205, 425, 117, 346, 123, 352, 195, 5, 4, 199, 175, 136, 365, 164)
"""Forehead, cheeks, nose, chin, jaw, upper lip: FaceMesh indices of places that are skin (or beard)."""

OTHER_POINTS = (0, 17, 13, 14, 105, 334, 66, 296, 159, 386, 468, 473, 119, 348, 152, 127, 356)
"""Lips, gap between them, brows, lids, irises, under the eyes, chin's edge, temples."""

OUTWARD = (
    (10, 0.12), (10, 0.24), (109, 0.14), (338, 0.14), (54, 0.15), (284, 0.15),
    (127, 0.18), (356, 0.18), (132, 0.25), (361, 0.25), (172, 0.35), (397, 0.35), (152, 0.12), (152, 0.3),
)  # fmt: skip
"""Hair, ears, neck: from a landmark away from the face's centre, by a part of the face's height."""

FIXED = ((0.05, 0.05), (0.95, 0.05), (0.05, 0.45), (0.95, 0.45), (0.08, 0.95), (0.92, 0.95), (0.5, 0.97))
"""Background and clothes: crop units."""

FACE_TOP, FACE_BOTTOM, FACE_CENTRE = 10, 152, 168
NUM_PATCHES = len(SKIN_POINTS) + len(OTHER_POINTS) + len(OUTWARD) + len(FIXED)
NUM_SKIN = len(SKIN_POINTS)

PATCH_GRID = 32
"""Crops are averaged to this size before a patch is read: a patch is a disc of about 1/24 of the crop."""

LAB_CENTRE = (50.0, 8.0, 10.0)
LAB_SCALE = (25.0, 12.0, 14.0)

_XYZ_FROM_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE = (0.95047, 1.0, 1.08883)


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """(n, k, 3) sRGB in 0..1 -> (n, k, 3) L 0..100, a, b."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    xyz = linear @ rgb.new_tensor(_XYZ_FROM_RGB).T / rgb.new_tensor(_WHITE)
    bent = torch.where(xyz > 216 / 24389, xyz.clamp(min=1e-4) ** (1.0 / 3.0), xyz * (841.0 / 108.0) + 4.0 / 29.0)
    x, y, z = bent.unbind(-1)
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], dim=-1)


class ColourPatches(nn.Module):
    """Read the patches: crop and landmarks -> standardised Lab."""

    def forward(self, crop: Tensor, landmarks: Tensor) -> Tensor:
        """(n, 3, s, s) RGB in [-1, 1], (n, 478, 3) crop units -> (n, NUM_PATCHES, 3), about unit variance."""
        places = patch_places(landmarks)
        small = F.avg_pool2d(crop, crop.shape[-1] // PATCH_GRID)
        grid = (places * 2.0 - 1.0).unsqueeze(2)
        rgb = F.grid_sample(small, grid, mode="bilinear", padding_mode="border", align_corners=False)
        lab = lab_from_rgb(rgb.squeeze(3).transpose(1, 2) * 0.5 + 0.5)
        return (lab - lab.new_tensor(LAB_CENTRE)) / lab.new_tensor(LAB_SCALE)


def patch_places(landmarks: Tensor) -> Tensor:
    """(n, 478, 3) crop units -> (n, NUM_PATCHES, 2) crop units."""
    flat = landmarks[:, :, :2]
    on_face = flat[:, list(SKIN_POINTS + OTHER_POINTS)]
    height = (flat[:, FACE_TOP] - flat[:, FACE_BOTTOM]).norm(dim=1)[:, None, None]
    start = flat[:, [index for index, _ in OUTWARD]]
    away = start - flat[:, FACE_CENTRE].unsqueeze(1)
    away = away / (away.norm(dim=2, keepdim=True) + 1e-6)
    part = flat.new_tensor([part for _, part in OUTWARD])[None, :, None]
    fixed = flat.new_tensor(FIXED).expand(flat.shape[0], -1, -1)
    return torch.cat([on_face, start + away * height * part, fixed], dim=1)
