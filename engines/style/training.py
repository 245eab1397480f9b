"""Train the small style network on the processor, resumable, with the weights averaged over time.

Nearly every picture is asked for at full strength; one in each batch at none, where the network has to give the content
back. What lies between is arithmetic on statistics (see `engines.style.adain`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.importers.files import opened
from engines.style.data import SIZE, Pictures
from engines.style.loss import picture_distance
from engines.style.network import HAND, StyleNetwork
from engines.style.pictures import MANNERS
from engines.training.generator import wait_while_paused

PLAIN_WEIGHT = 2.0
MANNER_WEIGHT = 0.1
"""Of naming the style's manner from what the hand sees: so the statistics learn early to tell manners apart. The
layer that names them is not part of the network."""

WARM_UP = 200
LARGE_EVERY = 12
"""Every so many steps whole pictures are seen instead of crops: statistics of a whole picture differ from a crop's."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        steps: Batches in all.
        batch: Crops in a batch; the first is asked for without style.
        side: Of the crops, in pixels.
        rate: Learning rate at the beginning; falls to a fiftieth on a cosine.
        average: Decay of the averaged weights.
        seed: Of weights and batches.
    """

    steps: int = 3_000
    batch: int = 6
    side: int = 96
    rate: float = 2e-3
    average: float = 0.995
    seed: int = 3


class StyleTrainer:
    """Trains one network; `save` and `resume` keep everything that the next step depends on but the random state."""

    def __init__(self, pictures: Pictures, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.pictures = pictures
        self.network = StyleNetwork()
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        self.critic = nn.Linear(HAND, len(MANNERS))
        parameters = [*self.network.parameters(), *self.critic.parameters()]
        self.optimiser = torch.optim.Adam(parameters, recipe.rate, betas=(0.9, 0.99))
        self.step_count = 0
        self.figures: Tensor = torch.zeros(3)

    def run(
        self, tell: Callable[[StyleTrainer], None], *, save_to: Path, save_every_s: float, pause: Path | None = None
    ) -> None:
        """Train to the end; `tell` hears of every step."""
        saved = time.monotonic()
        while self.step_count < self.recipe.steps:
            wait_while_paused(pause)
            self.step()
            tell(self)
            if time.monotonic() - saved > save_every_s:
                self.save(save_to)
                saved = time.monotonic()
        self.save(save_to)

    def step(self) -> None:
        """One batch."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step_count)
        large = self.step_count % LARGE_EVERY == LARGE_EVERY - 1
        count, side = (2, SIZE) if large else (recipe.batch, recipe.side)
        lesson = self.pictures.batch(count, side, generator)
        strength = torch.ones(len(lesson.content), 1)
        strength[0] = 0.0
        self.network.corner = lesson.corner
        mean, std = self.network.statistics(lesson.style)
        made = self.network(lesson.content, mean, std, strength)
        painted = picture_distance(made[1:], lesson.painted[1:]).mean()
        plain = picture_distance(made[:1], lesson.content[:1]).mean() / len(strength)
        told = F.cross_entropy(self.critic(self.network.read(mean, std)), torch.tensor(lesson.manners))
        loss = painted + PLAIN_WEIGHT * plain + MANNER_WEIGHT * told
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * self._pace()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step_count += 1
        decay = min(recipe.average, self.step_count / (self.step_count + 10.0))
        for mine, theirs in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mine.lerp_(theirs.detach(), 1.0 - decay)
        now = torch.stack([painted, plain, told]).detach()
        self.figures = now if self.step_count == 1 else self.figures.lerp(now, 0.02)

    def _pace(self) -> float:
        """Part of the learning rate: rises for a while, then falls on a cosine."""
        fall = 0.02 + 0.49 * (1.0 + math.cos(math.pi * self.step_count / self.recipe.steps))
        return min((self.step_count + 1) / WARM_UP, 1.0) * fall

    def save(self, path: Path) -> None:
        """Write a checkpoint whole or not at all."""
        partial = path.with_suffix(".partial")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step_count,
        }
        torch.save(state, partial)
        partial.rename(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of ours."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step_count = int(state["step"])


def load_network(path: Path) -> StyleNetwork:
    """Load the averaged weights of a checkpoint, without PyTorch's own reader of pickles."""
    network = StyleNetwork()
    with opened(path) as content:
        arrays = content.value["average"]
        network.load_state_dict({name: torch.from_numpy(array.load().copy()) for name, array in arrays.items()})
    return network.eval().requires_grad_(False)
