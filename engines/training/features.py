"""Between portrait parameters and what networks like to see: standardised features, and z.

`Features` standardises a parameter vector (hues become sine and cosine) and inverts that. `Copula` turns
z ~ N(0, I) into parameters that follow the sampler: z is correlated by a triangular matrix and each
coordinate runs through its parameter's own quantile function, piecewise linear in z. Both are plain arithmetic,
so that they travel into the pack's graphs.

Source: Gaussian copula, Nelsen, "An Introduction to Copulas" (2006), section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor, nn

QUANTILE_RANGE = 3.2
"""Normal quantiles beyond this keep the outermost value; one sample in 700."""

QUANTILE_KNOTS = 65


@dataclass(frozen=True, slots=True)
class Layout:
    """Which parameter is what.

    Attributes:
        low, high: (P,) range of each parameter.
        coarse: Parameters that only geometry rows see.
        fine: Parameters that only appearance rows see.
        both: Parameters that all rows see (age: it bends the face and greys it).
        hues: Parameters that run in a circle, one turn over their range; must be in `fine`.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    coarse: tuple[int, ...]
    fine: tuple[int, ...]
    both: tuple[int, ...]
    hues: tuple[int, ...]


class Features(nn.Module):
    """Parameters (n, P) <-> features (n, P + hues), each about zero mean and unit variance."""

    mean: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, layout: Layout, samples: NDArray[np.float32]) -> None:
        super().__init__()
        self.layout = layout
        mean, scale = samples.mean(axis=0), samples.std(axis=0) + 1e-3
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("scale", torch.from_numpy(scale.astype(np.float32)))
        self.register_buffer("low", torch.from_numpy(layout.low))
        self.register_buffer("high", torch.from_numpy(layout.high))
        self.hues = list(layout.hues)
        self.plain = [i for i in range(len(layout.low)) if i not in layout.hues]

    @property
    def count(self) -> int:
        """Number of features."""
        return len(self.plain) + 2 * len(self.hues)

    def columns(self, parameters: Sequence[int]) -> list[int]:
        """Feature columns of some parameters: the plain ones first, then sines, then cosines."""
        plain = [self.plain.index(i) for i in parameters if i not in self.hues]
        hues = [len(self.plain) + self.hues.index(i) for i in parameters if i in self.hues]
        return plain + hues + [i + len(self.hues) for i in hues]

    def forward(self, parameters: Tensor) -> Tensor:
        """(n, P) in the parameters' own units -> (n, count)."""
        plain = ((parameters - self.mean) / self.scale)[:, self.plain]
        angle = parameters[:, self.hues] * (2.0 * math.pi)
        return torch.cat([plain, math.sqrt(2.0) * angle.sin(), math.sqrt(2.0) * angle.cos()], dim=1)

    def invert(self, features: Tensor) -> Tensor:
        """(n, count) -> (n, P), each value inside its range."""
        plain, sine, cosine = features.split([len(self.plain), len(self.hues), len(self.hues)], dim=1)
        turn = torch.atan2(sine, cosine + 1e-6) / (2.0 * math.pi)
        turn = torch.where(turn < 0.0, turn + 1.0, turn)
        value = plain * self.scale[self.plain] + self.mean[self.plain]
        order = torch.tensor([*self.plain, *self.hues]).argsort()
        return torch.clamp(torch.cat([value, turn], dim=1)[:, order], self.low, self.high)


class Copula(nn.Module):
    """z ~ N(0, I) -> parameters distributed as the samples it was fitted to."""

    knots: Tensor
    slopes: Tensor
    start: Tensor
    factor: Tensor

    def __init__(self, samples: NDArray[np.float32]) -> None:
        super().__init__()
        knots = np.linspace(-QUANTILE_RANGE, QUANTILE_RANGE, QUANTILE_KNOTS)
        values = np.quantile(samples, norm.cdf(knots), axis=0)
        self.register_buffer("knots", torch.from_numpy(knots[:-1].astype(np.float32)))
        self.register_buffer("slopes", torch.from_numpy((np.diff(values, axis=0) / (knots[1] - knots[0])).astype("f4")))
        self.register_buffer("start", torch.from_numpy(values[0].astype(np.float32)))
        self.register_buffer("factor", torch.from_numpy(_normal_factor(samples)))
        self.step = float(knots[1] - knots[0])

    def forward(self, z: Tensor) -> Tensor:
        """(n, P) -> (n, P)."""
        # Knots lie on axis 1: with them on the last axis OpenVINO 2026.4 computes batches above 1 wrongly.
        g = (z @ self.factor.T).unsqueeze(1)
        climbed = torch.clamp(g - self.knots[None, :, None], 0.0, self.step)
        return self.start + (climbed * self.slopes).sum(dim=1)


def _normal_factor(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cholesky factor of the normal-score correlation; correlations below sampling noise are dropped."""
    n = len(samples)
    # Ties (half of all mouths are shut) get one score, their middle: their correlation is then not overrated.
    ranks = np.stack([_mid_ranks(column) for column in samples.T], axis=1)
    correlation = np.corrcoef(norm.ppf(ranks / (n + 1)), rowvar=False)
    correlation[np.abs(correlation) < 5.0 / math.sqrt(n)] = 0.0
    np.fill_diagonal(correlation, 1.0)
    return np.linalg.cholesky(correlation).astype(np.float32)


def _mid_ranks(column: NDArray[np.float32]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse])
