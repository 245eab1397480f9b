"""The attract walk: a slow walk through latent space while nobody is there. Pure; latents are handed in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from installation.core.latents import Latent


class AttractWalk:
    """Walks from one latent to the next, resting a little on each.

    Args:
        draw: Called with 0, 1, 2, ... for the latents to visit, each (num_ws, w_dim) float32.
        period_s: Seconds from one latent to the next.
        rest: Part of the period spent standing still, 0..1.
    """

    def __init__(self, draw: Callable[[int], Latent], period_s: float, rest: float = 0.25) -> None:
        self._draw = draw
        self._period_s = period_s
        self._rest = rest
        self._leg = -1
        self._from = draw(0)
        self._to = self._from
        self._out = np.empty_like(self._from)

    def at(self, now: float) -> Latent:
        """Return the latent at `now` seconds; the array is reused by the next call."""
        leg, part = divmod(max(now, 0.0) / self._period_s, 1.0)
        if int(leg) != self._leg:
            arrived = int(leg) == self._leg + 1 and self._leg >= 0
            self._from = self._to if arrived else self._draw(int(leg))
            self._to = self._draw(int(leg) + 1)
            self._leg = int(leg)
        x = min(1.0, part / (1.0 - self._rest))
        eased = x * x * (3.0 - 2.0 * x)
        np.subtract(self._to, self._from, out=self._out)
        self._out *= np.float32(eased)
        self._out += self._from
        return self._out
