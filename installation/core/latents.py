"""W+ arithmetic: truncation, bands, style mixing.

Shapes: `w_plus` (num_ws, w_dim) or a batch (n, num_ws, w_dim), float32; `w_avg` (num_ws, w_dim) or (w_dim,).
Row 0 feeds the coarsest layer. Sources: StyleGAN (Karras et al., CVPR 2019), sections 3.1 (mixing
regularisation) and 3.2; StyleGAN2 (CVPR 2020); pSp (Richardson et al., CVPR 2021), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Latent = NDArray[np.float32]

BAND_NAMES = ("coarse", "middle", "fine")

STYLEGAN_BAND_SPLITS = (4, 8)
"""Rows where middle and fine begin: resolutions 4-8, 16-32, 64 and up (StyleGAN, section 3.1)."""

PSP_BAND_SPLITS = (3, 7)
"""Rows where pSp's medium and fine encoder heads begin (pSp, figure 2). Not the same as the mixing bands."""

Bands = Mapping[str, tuple[int, int]]
"""Band name -> (first row, one past the last row)."""


def bands_for(num_ws: int, splits: tuple[int, int] = STYLEGAN_BAND_SPLITS) -> dict[str, tuple[int, int]]:
    """Split `num_ws` rows into coarse, middle and fine.

    Raises:
        ValueError: If a band would be empty.
    """
    first, second = splits
    if not 0 < first < second < num_ws:
        raise ValueError(f"{num_ws} rows cannot be split at {first} and {second}: each band needs a row")
    return {"coarse": (0, first), "middle": (first, second), "fine": (second, num_ws)}


def band_weights(bands: Bands, num_ws: int, amounts: Mapping[str, float]) -> Latent:
    """Spread one amount per band over the rows: (num_ws, 1) float32, 0 where no band covers a row."""
    weights = np.zeros((num_ws, 1), np.float32)
    for name, (start, stop) in bands.items():
        weights[start:stop] = amounts.get(name, 0.0)
    return weights


def truncate(w_plus: Latent, w_avg: Latent, psi: float, cutoff: int | None = None) -> Latent:
    """Pull toward `w_avg`: `w_avg + psi * (w_plus - w_avg)` on the first `cutoff` rows (all if None).

    psi 1 returns the same values and psi 0 exactly `w_avg`. Source: StyleGAN, appendix B.
    """
    out = np.array(w_plus, np.float32, copy=True)
    rows = slice(None) if cutoff is None else slice(0, cutoff)
    if psi == 1.0:
        return out
    avg = np.broadcast_to(w_avg, out.shape)[..., rows, :]
    out[..., rows, :] = avg if psi == 0.0 else avg + np.float32(psi) * (out[..., rows, :] - avg)
    return out


def style_mix(base: Latent, donor: Latent, rows: tuple[int, int]) -> Latent:
    """Take rows `rows[0]:rows[1]` from `donor` and the others from `base`."""
    out = np.array(base, np.float32, copy=True)
    out[..., rows[0] : rows[1], :] = donor[..., rows[0] : rows[1], :]
    return out
