"""How far two faces' landmarks lie apart, weighed by what a viewer looks at; and the crop they define."""

from __future__ import annotations

import torch
from torch import Tensor

from installation.core.alignment import CENTRE_DROP, EYE_SPAN, FACE_SPAN
from installation.core.measures import EYE_LEFT, EYE_RIGHT

MOUTH_CORNERS = (61, 291)

LIPS = (0, 13, 14, 17, 37, 39, 40, 61, 78, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291, 308,
        310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415)  # fmt: skip
BROWS = (46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336)
IRISES = tuple(range(468, 478))
OUTLINE = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
           150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
GAPS = ((13, 14), (159, 145), (386, 374), (158, 153), (385, 380), (160, 144), (387, 373), (61, 291), (82, 87),
        (312, 317))  # fmt: skip
"""Pairs whose distance is an expression: lips, lids, mouth corners."""

LIFTS = ((61, 0), (291, 0), (61, 17), (291, 17), (105, 159), (334, 386), (66, 159), (296, 386), (468, 33), (468, 133),
         (473, 362), (473, 263))  # fmt: skip
"""Pairs whose offset is an expression: mouth corners against the lips, brows against the lids, irises in the eyes."""


def landmark_weights() -> Tensor:
    """Weigh landmarks by what a viewer looks at: (478, 1), mean 1."""
    weights = torch.ones(478)
    for points, weight in (
        (BROWS, 2.0), (LIPS, 4.0), ((*EYE_LEFT.tolist(), *EYE_RIGHT.tolist()), 4.0), (IRISES, 3.0), (OUTLINE, 2.0),
    ):  # fmt: skip
        weights[list(points)] = weight
    return (weights / weights.mean()).unsqueeze(1)


def landmark_distance(made: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
    """Mean weighted distance of two landmark sets in crop units, expressions counted again. A scalar."""
    seen = torch.cat([seen[..., :2], seen[..., 2:] - seen[..., 2:].mean(1, keepdim=True)], dim=-1)
    error = made - seen
    flat = ((error[..., :2].square().sum(-1) + 1e-8).sqrt() * weights.T).mean()
    depth = error[..., 2].abs().mean()

    def gaps(points: Tensor) -> Tensor:
        first, second = (points[:, [pair[k] for pair in GAPS], :2] for k in (0, 1))
        return ((first - second).square().sum(-1) + 1e-8).sqrt()

    def lifts(points: Tensor) -> Tensor:
        first, second = (points[:, [pair[k] for pair in LIFTS], :2] for k in (0, 1))
        return first - second

    expression = (gaps(made) - gaps(seen)).abs().mean() + (lifts(made) - lifts(seen)).abs().mean()
    return flat + 0.4 * depth + 2.0 * expression


def realigned(landmarks: Tensor) -> Tensor:
    """Move landmarks into the units of the upright FFHQ square that they themselves define.

    Portraits are drawn in a crop measured from their true anchors, visitors are cropped by MediaPipe's landmarks: this
    makes the first look like the second. Roll stays, since portraits are drawn with theirs.
    """
    left = landmarks[:, EYE_LEFT.tolist(), :2].mean(1)
    right = landmarks[:, EYE_RIGHT.tolist(), :2].mean(1)
    mouth = landmarks[:, list(MOUTH_CORNERS), :2].mean(1)
    eyes = (left + right) * 0.5
    span = torch.maximum((right - left).norm(dim=1) * EYE_SPAN, (mouth - eyes).norm(dim=1) * FACE_SPAN)
    centre = eyes + CENTRE_DROP * (mouth - eyes)
    side = 2.0 * span[:, None, None]
    flat = (landmarks[..., :2] - centre[:, None]) / side + 0.5
    return torch.cat([flat, landmarks[..., 2:] / side], dim=-1)
