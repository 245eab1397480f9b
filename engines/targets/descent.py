"""Gradient descent on one latent, resumable at any step.

Adam, with its whole state in three arrays and a counter, so that a run can be stored between two steps and goes on
as if it had never stopped. Randomness inside a loss comes from the step's number, never from a generator's state.

Source: Kingma and Ba, "Adam" (ICLR 2015), algorithm 1; the rate rises over the first 5 % of the steps and
falls over the last 25 %, as in the StyleGAN2 projector (Karras et al., CVPR 2020, appendix D).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
RAMP_UP, RAMP_DOWN = 0.05, 0.25

Loss = Callable[[Tensor, int], Tensor]
"""(latent, step) -> scalar."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a descent is.

    Attributes:
        latent: What is optimised, any shape, float32.
        mean, square: Adam's moments, of the same shape.
        step: Steps taken.
        loss: Of the step before; infinite at the start.
    """

    latent: NDArray[np.float32]
    mean: NDArray[np.float32]
    square: NDArray[np.float32]
    step: int = 0
    loss: float = math.inf

    @classmethod
    def start(cls, latent: NDArray[np.float32]) -> Point:
        """Begin at `latent`."""
        zeros = np.zeros_like(latent, np.float32)
        return cls(np.array(latent, np.float32), zeros, zeros.copy())


def descend(
    loss: Loss, point: Point, *, steps: int, rate: float, every_step: Callable[[Point], None] = lambda point: None
) -> Point:
    """Walk down `loss` until `steps` steps are taken in all.

    Args:
        loss: Differentiable in its first argument.
        point: Where to begin, or to go on from.
        steps: Steps in all, those already taken included.
        rate: Adam's learning rate at its height, in the latent's own unit.
        every_step: Told where the walk is after each step; what it raises ends the walk.
    """
    while point.step < steps:
        latent = torch.from_numpy(point.latent).clone().requires_grad_(True)
        value = loss(latent, point.step)
        (gradient,) = torch.autograd.grad(value, latent)
        step = point.step + 1
        g = gradient.numpy()
        mean = np.float32(BETA1) * point.mean + np.float32(1.0 - BETA1) * g
        square = np.float32(BETA2) * point.square + np.float32(1.0 - BETA2) * g * g
        size = rate * ramp((step - 0.5) / steps) / (1.0 - BETA1**step)
        move = np.float32(size) * mean / (np.sqrt(square / np.float32(1.0 - BETA2**step)) + np.float32(EPS))
        point = replace(
            point, latent=point.latent - move, mean=mean, square=square, step=step, loss=float(value.detach())
        )
        every_step(point)
    return point


def ramp(part: float) -> float:
    """Give the learning rate at `part` 0..1 of the way, as a part of its height."""
    down = min(1.0, (1.0 - part) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(down * math.pi)) * min(1.0, part / RAMP_UP)
