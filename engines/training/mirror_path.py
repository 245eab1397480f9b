"""What the mirror makes of a crop: encoded, settled over the visit, smoothed. So figures are those a visitor sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.runtime.pack import Pack
from installation.config import EngineConfig
from installation.core.latents import Latent
from installation.likeness import LivingLikeness


class MirrorPath:
    """One visitor's way from crops to W+, with the show's own default settings.

    Args:
        pack: Encoder and, where it has one, refinement.
    """

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._likeness = LivingLikeness.of(pack)
        self._half_life_s = EngineConfig().smoothing_s
        self._shown: Latent | None = None
        self._at = 0.0

    def encode(self, crop: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Latent:
        """(s, s, 3) uint8 RGB, (478, 3) crop units -> (1, num_ws, w_dim), as the encoder has it."""
        return self._pack.encode(_tensor(crop), landmarks[None])

    def show(self, crop: NDArray[np.uint8], landmarks: NDArray[np.float32], at: float) -> Latent:
        """Take the picture of second `at` of the visit: -> (1, num_ws, w_dim), as the mirror shows it."""
        w_plus = self.encode(crop, landmarks)
        if self._likeness is not None:
            self._likeness.settle(w_plus, 1, {"crop": _tensor(crop), "landmarks": landmarks[None].copy()}, at)
        if self._shown is not None:
            keep = 2.0 ** (-max(at - self._at, 0.0) / self._half_life_s)
            w_plus += np.float32(keep) * (self._shown - w_plus)
        self._shown, self._at = w_plus.copy(), at
        return w_plus

    def forget(self) -> None:
        """Forget the visitor: what is still being refined is waited for, and the pack free for others."""
        if self._likeness is not None:
            self._likeness.forget()
        self._shown = None


def _tensor(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) / np.float32(127.5) - np.float32(1.0)
