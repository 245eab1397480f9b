"""CLIP guidance: change a latent until CLIP finds the words in its picture.

Two ways. *Optimise* walks W+ itself: cosine loss over augmented cut-outs, so that no adversarial pattern
survives, a penalty for leaving the start, and optionally one for changing what CLIP's patches see (identity).
*Global* asks for one direction: the gradient of the text difference ("a person" -> "a nurse"), averaged over
many faces, walked as far as it helps. Latents are counted in deviations of the mapping's own samples,
so that the same weights and rates suit every generator.

Source: StyleCLIP (Patashnik et al., ICCV 2021), sections 4 (latent optimisation) and 6 (global directions, there in the
space of style channels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engines.targets.clip_model import ClipModel
from engines.targets.descent import Point, descend
from installation.core.latents import Latent

Draw = Callable[[Tensor], Tensor]
"""A differentiable generator: w_plus (n, num_ws, w_dim) -> images (n, 3, r, r), nominally [-1, 1]."""

CUTOUT_SCALE = (0.6, 1.0)
"""Side of a cut-out as a part of the picture's."""

TILT = 0.15
"""Largest rotation of a cut-out, radians."""

GLOBAL_REACHES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Lengths tried along a global direction: root mean square of the edit, in deviations."""

_JUDGE = 1_000_003
"""Seed of the cut-outs that compare the results of several seeds; not one that a step uses."""


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """What steers the optimisation; every field goes into the target.

    Attributes:
        steps: Per seed.
        rate: Adam's learning rate, in deviations of the latent.
        cutouts: Augmented views per step.
        latent_weight: Price of one mean squared deviation from the start.
        identity_weight: Price of changing the patches' features entirely.
    """

    steps: int = 150
    rate: float = 0.05
    cutouts: int = 8
    latent_weight: float = 0.8
    identity_weight: float = 0.0


class Guide:
    """One prompt on one generator.

    Args:
        clip: The judge.
        draw: The generator.
        spread: (num_ws, w_dim) deviation of the mapping's samples.
        prompt: The words.
        settings: Weights.
    """

    def __init__(self, clip: ClipModel, draw: Draw, spread: Latent, prompt: str, settings: ClipSettings) -> None:
        self.clip = clip
        self.draw = draw
        self.settings = settings
        self.spread = torch.from_numpy(np.maximum(spread, 1e-4).astype(np.float32))
        self._words = clip.words([prompt])

    def optimise(
        self, start: Latent, seed: int, *, resume: Point | None = None, every_step: Callable[[Point], None]
    ) -> Point:
        """Walk from `start`; the point's latent is the edit in deviations."""
        origin = torch.tensor(start)
        kept = None
        if self.settings.identity_weight > 0.0:
            with torch.no_grad():
                kept = self.clip.patches(self.draw(origin[None]))

        def loss(edit: Tensor, step: int) -> Tensor:
            image = self.draw((origin + edit * self.spread)[None])
            views = cutouts(image, self.settings.cutouts, seed * 100_003 + step)
            value = 1.0 - (self.clip.pictures(views) @ self._words.T).mean()
            value = value + self.settings.latent_weight * edit.square().mean()
            if kept is not None:
                unlike = 1.0 - (self.clip.patches(image) * kept).sum(dim=2).mean()
                value = value + self.settings.identity_weight * unlike
            return value

        point = Point.start(np.zeros_like(start)) if resume is None else resume
        return descend(loss, point, steps=self.settings.steps, rate=self.settings.rate, every_step=every_step)

    def similarity(self, w_plus: Latent) -> float:
        """Cosine between the words and a latent's picture, over cut-outs that are always the same."""
        with torch.no_grad():
            views = cutouts(self.draw(torch.tensor(w_plus)[None]), 16, _JUDGE)
            return float((self.clip.pictures(views) @ self._words.T).mean())

    def latent(self, start: Latent, point: Point) -> Latent:
        """Give W+ of a point."""
        return np.asarray(start + point.latent * self.spread.numpy(), np.float32)

    def global_edit(self, source: str, samples: Latent, every_sample: Callable[[], None]) -> tuple[Latent, float]:
        """Find one direction for all faces, by the difference between two texts.

        Args:
            source: The neutral words.
            samples: (n, num_ws, w_dim) faces to average over.
            every_sample: Told after each face.

        Returns:
            (edit (num_ws, w_dim), the length that served best).
        """
        difference = F.normalize(self._words - self.clip.words([source]), dim=1)
        total = torch.zeros(samples.shape[1:])
        for index, sample in enumerate(samples):
            edit = torch.zeros(samples.shape[1:], requires_grad=True)
            image = self.draw((torch.tensor(sample) + edit * self.spread)[None])
            toward = (self.clip.pictures(cutouts(image, self.settings.cutouts, index)) @ difference.T).mean()
            total += torch.autograd.grad(toward, edit)[0]
            every_sample()
        direction = total / total.square().mean().sqrt().clamp_min(1e-12)
        best = max(GLOBAL_REACHES, key=lambda reach: self._worth(samples, direction * reach, difference, reach))
        return (direction * best * self.spread).numpy().astype(np.float32), best

    def _worth(self, samples: Latent, edit: Tensor, difference: Tensor, reach: float) -> float:
        """Mean gain along the text difference, less the price of the way."""
        gain = 0.0
        with torch.no_grad():
            for sample in samples:
                latent = torch.tensor(sample)
                pair = self.draw(torch.stack([latent, latent + edit * self.spread]))
                before, after = (self.clip.pictures(pair) @ difference.T).flatten().tolist()
                gain += (after - before) / len(samples)
        return gain - 0.02 * self.settings.latent_weight * reach**2


def cutouts(image: Tensor, count: int, seed: int) -> Tensor:
    """Cut `count` augmented views out of one picture, differentiably: shifted, scaled, tilted, half of them mirrored.

    Args:
        image: (1, 3, r, r).
        count: How many.
        seed: The same seed gives the same views.
    """
    chance = torch.Generator().manual_seed(seed)
    shuffle = torch.rand(count, 5, generator=chance)
    low, high = CUTOUT_SCALE
    scale = low + (high - low) * shuffle[:, 0]
    angle = TILT * (2.0 * shuffle[:, 1] - 1.0)
    flip = torch.where(shuffle[:, 2] < 0.5, -1.0, 1.0)
    shift = (1.0 - scale)[:, None] * (2.0 * shuffle[:, 3:] - 1.0)
    turn = torch.stack([angle.cos() * flip, -angle.sin(), angle.sin() * flip, angle.cos()], dim=1).view(-1, 2, 2)
    theta = torch.cat([turn * scale[:, None, None], shift[:, :, None]], dim=2)
    grid = F.affine_grid(theta, [count, *image.shape[1:]], align_corners=False)
    return F.grid_sample(image.expand(count, -1, -1, -1), grid, padding_mode="reflection", align_corners=False)


def latent_spread(samples: Latent, w_avg: Latent) -> NDArray[np.float32]:
    """Root mean square deviation of (n, num_ws, w_dim) samples from the average, per number."""
    return np.asarray(np.sqrt(np.square(samples - w_avg).mean(axis=0)), np.float32)
