"""Train mapping and generator by regression on rendered portraits.

A step: draw a batch, map its parameters to W+, synthesise, compare in a Laplacian pyramid. Low resolution first: most
samples at half size are a third of the work. Everything that a step needs is in the checkpoint, so training stops and
resumes at any moment. Several workers average their gradients; each has one thread, because two threads that
share two busy cores wait for each other (measured: twelve times slower).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.training.data import Batch, Portraits
from engines.training.features import Features
from engines.training.losses import psnr, pyramid_loss, weight_map
from engines.training.networks import Architecture, Generator, Mapping
from engines.training.portrait import portrait_features, portrait_layout

WARMUP_STEPS = 100
FINAL_RATE = 0.02
CLIP = 10.0
ADAM_BETAS = (0.5, 0.99)
EMA_DECAY = 0.999
PAUSE_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the generator is trained.

    Attributes:
        steps: Steps in all.
        batch: Pictures per step and worker.
        quarter_until: Part of the steps spent at a quarter of the resolution, where pose and tone are learnt cheaply.
        low_until: Part of the steps after which the full resolution begins; between them it is half.
        lr: Adam's rate. Fifteen times the usual one: with equalised layers it is what learns fastest.
        hold_until: Part of the steps before the cosine decay begins.
        seed: Of weights and batches.
    """

    steps: int
    batch: int = 16
    quarter_until: float = 0.15
    low_until: float = 0.7
    lr: float = 0.03
    hold_until: float = 0.5
    seed: int = 0

    def resolution(self, step: int, full: int) -> int:
        """Resolution of one step."""
        if step < self.quarter_until * self.steps:
            return full // 4
        return full // 2 if step < self.low_until * self.steps else full

    def rate(self, step: int) -> float:
        """Learning rate of one step as a part of its full value."""
        warm = min(1.0, (step + 1) / WARMUP_STEPS)
        part = step / self.steps
        if part <= self.hold_until:
            return warm
        angle = math.pi * min(1.0, (part - self.hold_until) / (1.0 - self.hold_until))
        return warm * (FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(angle)))


class PortraitModel(nn.Module):
    """Features, mapping and generator: portrait parameters -> picture."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        layout = portrait_layout()
        self.arch = arch
        self.features: Features = portrait_features()
        self.coarse_columns = self.features.columns([*layout.coarse, *layout.both])
        self.fine_columns = self.features.columns([*layout.fine, *layout.both])
        self.mapping = Mapping(arch, self.coarse_columns, self.fine_columns)
        self.generator = Generator(arch).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def latents(self, parameters: Tensor) -> Tensor:
        """(n, P) parameters -> (n, num_ws, w_dim)."""
        return self.mapping(self.features(parameters))

    def forward(self, parameters: Tensor, resolution: int | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        return self.generator(self.latents(parameters), resolution, dtype)


class GeneratorTrainer:
    """Owns the model, its moving average, the optimisers and the step counter.

    Args:
        arch: Shape of the networks.
        recipe: How to train.
        checkpoint: File that `save` writes and the constructor resumes from if it exists.
    """

    def __init__(self, arch: Architecture, recipe: Recipe, checkpoint: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.model = PortraitModel(arch)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.adam = torch.optim.Adam(self.model.parameters(), recipe.lr, betas=ADAM_BETAS)
        self.step = 0
        self.samples = 0
        if checkpoint.exists():
            self._load()

    def train_step(self, batch: Batch) -> float:
        """Take one step and return its loss."""
        resolution = batch.pictures.shape[-1]
        made = self.model(batch.parameters, resolution, torch.bfloat16)
        loss = pyramid_loss(made, batch.pictures, weight_map(batch.points, resolution))
        self.adam.zero_grad()
        loss.backward()
        average_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        for group in self.adam.param_groups:
            group["lr"] = self.recipe.lr * self.recipe.rate(self.step)
        self.adam.step()
        self.step += 1
        self.samples += len(batch.pictures) * workers()
        # A young average would remember the random start for a thousand steps.
        decay = min(EMA_DECAY, 1.0 - 1.0 / (1.0 + 0.1 * self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1.0 - decay)
        return float(loss.detach())

    def save(self) -> None:
        """Write the checkpoint in one step: a kill leaves the old one or the new one."""
        partial = self.checkpoint.with_suffix(".partial")
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "adam": self.adam.state_dict(),
            "step": self.step,
            "samples": self.samples,
            "arch": {**asdict(self.model.arch), "channels": list(self.model.arch.channels)},
        }
        torch.save(state, partial)
        partial.rename(self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.adam.load_state_dict(state["adam"])
        self.step, self.samples = state["step"], state["samples"]


def load_model(checkpoint: Path) -> PortraitModel:
    """Load the averaged model of a checkpoint, for use."""
    state = torch.load(checkpoint, weights_only=True)
    arch = state["arch"]
    model = PortraitModel(Architecture(**{**arch, "channels": tuple(arch["channels"])}))
    model.load_state_dict(state["average"])
    return model.eval().requires_grad_(False)


@torch.no_grad()
def evaluate(model: PortraitModel, held_out: Portraits, count: int = 250) -> tuple[float, Tensor]:
    """Score the model on held-out portraits: PSNR in dB, and the pictures it made (count, 3, r, r)."""
    batch = held_out.take(torch.arange(min(count, len(held_out))))
    made = torch.cat([model(piece, held_out.resolution) for piece in batch.parameters.split(25)])
    return psnr(made, batch.pictures), made


def workers() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait_while_paused(pause_file: Path | None, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait as long as `pause_file` exists: somebody else needs the processor."""
    while pause_file is not None and pause_file.exists():
        sleep(PAUSE_POLL_S)


def sample_sheet(true: Tensor, made: Tensor, columns: int = 16) -> NDArray[np.uint8]:
    """Lay pictures in [-1, 1] out in pairs of rows, the shader's above the generator's: (h, w, 3) uint8."""
    rows = []
    for start in range(0, len(true) - len(true) % columns, columns):
        for pictures in (true, made):
            row = pictures[start : start + columns].clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8)
            rows.append(torch.cat(list(row), dim=2))
    return torch.cat(rows, dim=1).permute(1, 2, 0).contiguous().numpy()


def average_gradients(model: nn.Module) -> None:
    """Replace each gradient by its mean over all workers."""
    if workers() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= workers()
    for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))
