"""What training knows of the portrait: which parameters feed which rows, and how they are distributed."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import APPEARANCE, GEOMETRY, HIGH, INDEX, LOW
from engines.faces.sampler import sample
from engines.training.features import Features, Layout

STATISTICS_SEED = 77
STATISTICS_SAMPLES = 10_000

BOTH = ("age",)
"""Age bends the face and marks the skin: coarse and fine rows must see it."""

HUES = ("background_hue", "cloth_hue")


def portrait_layout() -> Layout:
    """Split the portrait's parameters between coarse and fine rows."""
    both = tuple(INDEX[name] for name in BOTH)
    return Layout(
        low=LOW,
        high=HIGH,
        coarse=tuple(int(i) for i in GEOMETRY if i not in both),
        fine=tuple(int(i) for i in APPEARANCE if i not in both),
        both=both,
        hues=tuple(INDEX[name] for name in HUES),
    )


@cache
def portrait_samples() -> NDArray[np.float32]:
    """Draw the people that statistics are taken from: (10000, P); always the same."""
    rng = np.random.default_rng(STATISTICS_SEED)
    return np.stack([sample(rng) for _ in range(STATISTICS_SAMPLES)])


def portrait_features() -> Features:
    """Make the standardisation of portrait parameters."""
    return Features(portrait_layout(), portrait_samples())
