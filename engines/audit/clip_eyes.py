"""A CLIP's look at portraits: cosine of each picture with each text. The only part of the zero-shot table with "
"torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engines.targets.clip_model import ClipModel

BATCH = 16


def likeness_of(clip: ClipModel, pictures: NDArray[np.uint8]) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    """Look once at pictures (n, h, w, 3) uint8 sRGB; gives a function from texts (t,) to cosines (n, t)."""
    seen = []
    with torch.no_grad():
        for start in range(0, len(pictures), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + BATCH].transpose(0, 3, 1, 2)))
            seen.append(clip.pictures(batch.float() / 127.5 - 1.0))
    rows = torch.cat(seen)

    def likeness(texts: Sequence[str]) -> NDArray[np.float64]:
        return (rows @ clip.words(texts).T).numpy().astype(np.float64)

    return likeness
