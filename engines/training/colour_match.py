"""Find the features whose colours are those seen: skin tone and light by the skin, hair by what lies round the face.

A grid of tries, since colours have more than one explanation, then damped steps from the best of them. A step that
makes it worse is not taken, and then a shorter one tried: the surrogate bends more than a step may be long.

Skin is where landmarks say it is. Round the face there may be hair, forehead, hat or wall, and only the visitor knows.
So a place that looks like the visitor's skin tells little of hair, a place that fits no try is given up (the weights of
Geman and McClure), and hair is never cut much shorter than the encoder saw it: behind short hair stands the wall,
and walls come in the colour of hair.

Source: Geman and McClure, "Statistical Methods for Tomographic Image Reconstruction" (1987).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engines.faces.parameters import INDEX
from engines.training.encoder import Surrogate
from engines.training.features import Features
from engines.training.least_squares import damped_step, with_jacobian
from engines.training.patches import NUM_SKIN, OTHER_POINTS

TONE = ("skin_tone", "light_intensity", "skin_warmth", "blush", "light_warmth", "fill")
HAIR = ("hair_darkness", "hair_length", "hair_red", "hair_grey", "hair_volume")
"""Parameters that are matched; the first two are tried on a grid."""

TONE_TRIES = (torch.linspace(-0.9, 0.9, 7), torch.linspace(-1.0, 1.0, 5))
HAIR_TRIES = (torch.linspace(-2.5, 2.5, 8), torch.tensor([-0.4, 0.3, 1.0, 1.7, 2.4]))
"""The grids: so many standard deviations about the first answer."""

PATCH_NOISE = 0.4
TONE_NOISE = 0.04
"""How far one patch of skin and the mean of all may be off, in standardised Lab: shadows may lie elsewhere."""

HAIR_PATCHES = tuple(NUM_SKIN + len(OTHER_POINTS) + i for i in range(12))
"""Above the forehead (4), beside it (2), beside ears, cheeks and jaw (2 each)."""

HAIR_NOISE = (0.35, 0.22, 0.35, 0.35, *(0.58,) * 8)
HAIR_LIMIT = (60.0,) * 4 + (12.0,) * 8
"""How far such a patch may be off, and the most that its squared error counts."""

LIKE_SKIN = 0.25
"""Squared distance from the mean of the skin, in standardised Lab, at which a patch tells half of its worth of hair."""

SHORTER = 0.4
"""How many standard deviations shorter than first seen hair may become."""

PRIOR = 1.0
"""Pull toward the first answer: squared standard deviations of a feature against those of a colour."""

FREE_RANGE = 2.6
STEPS = 4

STEP_LENGTHS = (1.0, 0.3)
"""Tried one after the other."""


class ColourMatch(nn.Module):
    """Matches some features to colours seen at some patches.

    Args:
        features: Standardisation of the portrait's parameters.
        surrogate: Tells the colours that features would show.
        parameters: Which to match; no hues.
        tries: Offsets of the first of them; all combinations are tried.
        patches: Which patches are compared.
        limit: The most that the squared error of each row of weights counts; None for no limit.
        shorter: How far each parameter may fall below its first answer; the others as far as their range goes.
    """

    tries: Tensor
    pick: Tensor
    low: Tensor
    high: Tensor
    fall: Tensor
    curb: Tensor

    def __init__(
        self,
        features: Features,
        surrogate: Surrogate,
        parameters: Sequence[str],
        tries: Sequence[Tensor],
        patches: Sequence[int],
        *,
        limit: Sequence[float] | None = None,
        shorter: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.colours = surrogate.colours
        self.columns = features.columns([INDEX[name] for name in parameters])
        self.patches = list(patches)
        own = [features.plain[column] for column in self.columns]
        mean, scale = features.mean[own], features.scale[own]
        grid = torch.cartesian_prod(*tries)
        self.register_buffer("tries", nn.functional.pad(grid, (0, len(parameters) - len(tries))))
        self.register_buffer("pick", torch.eye(features.count)[self.columns])
        self.register_buffer("low", ((features.low[own] - mean) / scale).clamp(min=-FREE_RANGE))
        self.register_buffer("high", ((features.high[own] - mean) / scale).clamp(max=FREE_RANGE))
        fall = [(shorter or {}).get(name, 2.0 * FREE_RANGE) for name in parameters]
        self.register_buffer("fall", torch.tensor(fall))
        self.register_buffer("curb", torch.zeros(1) if limit is None else 1.0 / torch.tensor(limit))

    def forward(self, first: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
        """Match.

        Args:
            first: (n, F) features, the first answer.
            seen: (n, NUM_PATCHES, 3) standardised Lab.
            weights: (n or 1, rows, patches) what is compared: rows of weighted sums of patches.

        Returns:
            (n, F).
        """
        wanted = weights @ seen[:, self.patches]
        began = first @ self.pick.T
        low = torch.maximum(torch.minimum(began, self.low), began - self.fall)
        high = torch.maximum(began, self.high)
        tried = began.unsqueeze(1) + self.tries
        tried = torch.minimum(torch.maximum(tried, low.unsqueeze(1)), high.unsqueeze(1))
        tries = first.unsqueeze(1) + (tried - began.unsqueeze(1)) @ self.pick
        cost = self._cost(tries, first.unsqueeze(1), wanted.unsqueeze(1), weights.unsqueeze(1))
        x = torch.gather(tries, 1, cost.argmin(1)[:, None, None].expand(-1, -1, first.shape[1])).squeeze(1)
        for _ in range(STEPS):
            made, jacobian = with_jacobian(self.colours, x)
            off = weights @ made.unflatten(1, (-1, 3))[:, self.patches] - wanted
            slope = (jacobian @ self.pick.T).unflatten(1, (-1, 3))[:, self.patches].permute(0, 3, 1, 2)
            trust = self._trust(off.square().sum(-1)).unsqueeze(-1)
            slope = (weights.unsqueeze(1) @ slope * trust.unsqueeze(1)).flatten(2).mT
            here = x @ self.pick.T
            step = damped_step(here - began, (off * trust).flatten(1), slope, PRIOR)
            for length in STEP_LENGTHS:
                moved = torch.minimum(torch.maximum(here + length * step, low), high)
                better = x + (moved - x @ self.pick.T) @ self.pick
                taken = self._cost(better, first, wanted, weights) < self._cost(x, first, wanted, weights)
                x = torch.where(taken.unsqueeze(1), better, x)
        return x

    def _cost(self, x: Tensor, first: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
        """(..., F), (..., F), (..., rows, 3), (..., rows, patches) -> (...): errors of the colours and of the prior."""
        made = self.colours(x).unflatten(-1, (-1, 3))[..., self.patches, :]
        squares = (weights @ made - wanted).square().sum(-1)
        return (squares * self._trust(squares)).sum(-1) + PRIOR * (x - first).square().sum(-1)

    def _trust(self, squares: Tensor) -> Tensor:
        return 1.0 / (1.0 + squares * self.curb)


def tone_match(features: Features, surrogate: Surrogate) -> ColourMatch:
    """Match skin tone and light by the skin."""
    return ColourMatch(features, surrogate, TONE, TONE_TRIES, range(NUM_SKIN))


def hair_match(features: Features, surrogate: Surrogate) -> ColourMatch:
    """Match hair by what lies round the face."""
    return ColourMatch(
        features, surrogate, HAIR, HAIR_TRIES, HAIR_PATCHES, limit=HAIR_LIMIT, shorter={"hair_length": SHORTER}
    )


def tone_weights() -> Tensor:
    """(1, NUM_SKIN + 1, NUM_SKIN): each patch of skin, and their mean."""
    return torch.cat([torch.eye(NUM_SKIN) / PATCH_NOISE, torch.full((1, NUM_SKIN), 1.0 / NUM_SKIN / TONE_NOISE)])[None]


def hair_weights(seen: Tensor) -> Tensor:
    """(n, NUM_PATCHES, 3) -> (n, 12, 12): each patch round the face, as far as it does not look like skin."""
    skin = seen[:, :NUM_SKIN].mean(1, keepdim=True)
    unlike = (seen[:, list(HAIR_PATCHES)] - skin).square().sum(-1)
    return torch.diag(1.0 / torch.tensor(HAIR_NOISE)) * (unlike / (unlike + LIKE_SKIN)).unsqueeze(1)
