"""Train the readout, the mapping's inverse: W+ -> portrait features.

It sees what a mirror will show it: samples, mixtures of two people along the way from one to the other, and latents
pulled toward the average. So a morph that is halfway between two faces reads as the face that is halfway.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.training.generator import PortraitModel
from engines.training.networks import Readout

BATCH = 256
LR = 2e-3
NOISE = 0.05
"""Standard deviations of W+ added to each latent, so that an encoder's small errors stay small."""


def train_readout(
    model: PortraitModel,
    parameters: Tensor,
    *,
    steps: int = 4000,
    seed: int = 0,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    between_steps: Callable[[], None] = lambda: None,
) -> Readout:
    """Fit a readout to `model.latents` of the given people, (n, P)."""
    torch.manual_seed(seed)
    fine_only = [column for column in model.fine_columns if column not in model.coarse_columns]
    readout = Readout(model.arch, model.coarse_columns, fine_only)
    with torch.no_grad():
        features = torch.cat([model.features(piece) for piece in parameters.split(1000)])
        spread = model.mapping(features[:2000]).std(0)
    optimiser = torch.optim.AdamW(readout.parameters(), lr=LR, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, LR * 0.01)
    for step in range(steps):
        between_steps()
        pair = torch.randint(len(features), (2, BATCH))
        way = torch.rand(BATCH, 1) * (torch.rand(BATCH, 1) < 0.5)
        truth = torch.lerp(features[pair[0]], features[pair[1]], way)
        with torch.no_grad():
            first, second = model.mapping(features[pair[0]]), model.mapping(features[pair[1]])
            w_plus = torch.lerp(first, second, way.unsqueeze(2))
            w_plus = w_plus + NOISE * torch.rand(BATCH, 1, 1) * spread * torch.randn_like(w_plus)
        loss = F.mse_loss(readout(w_plus), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, steps, float(loss.detach()))
    return readout.eval().requires_grad_(False)
