"""What every route has at hand: the pack, the attributes, the curator's word, and where to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.runtime import Pack
from engines.targets.captions import Attribute, Prompt
from engines.targets.curation import Curation
from engines.targets.make import Draft
from installation.core.control import Value
from installation.core.latents import Latent
from installation.core.morph import Morph

TILE = (128, 192)
"""Smallest and largest side of a picture on a sheet, pixels."""

Route = Callable[[Prompt], Iterable[tuple[Prompt, Draft]]]
"""A way to make targets: a prompt in; drafts out, each with the prompt that names it. Raises `MirrorError` alone."""


@dataclass(frozen=True, slots=True)
class Studio:
    """The workplace of one call of `mirror targets make`."""

    pack: Pack
    attributes: tuple[Attribute, ...]
    curation: Curation
    curation_path: Path
    folder: Path

    def sample(self, count: int, *, psi: float, seed: int = 0) -> Latent:
        """Sample faces from the pack's mapping: (count, num_ws, w_dim)."""
        return sample_faces(self.pack, count, psi=psi, seed=seed)

    @property
    def tile(self) -> int:
        """Side of a picture on a sheet."""
        return tile_for(self.pack)


def sample_faces(pack: Pack, count: int, *, psi: float, seed: int = 0) -> Latent:
    """Sample faces: (count, num_ws, w_dim), the same ones for the same seed.

    Raises:
        EngineError: If the pack has no mapping network.
    """
    z = np.random.default_rng(seed).standard_normal((count, pack.manifest.z_dim)).astype(np.float32)
    return pack.map(z, psi=psi)


def tile_for(pack: Pack) -> int:
    """Side of a pack's picture on a sheet, pixels."""
    return min(max(pack.resolution, TILE[0]), TILE[1])


def morphed(pack: Pack, visitors: Latent, name: str, w_plus: Latent, amounts: Sequence[float], mode: str) -> Latent:
    """Morph each visitor by each amount with the show's own morph: (n, amounts, num_ws, w_dim).

    Args:
        visitors: (n, num_ws, w_dim).
        name: Of the target.
        w_plus: (num_ws, w_dim) of the target.
        amounts: 0..1.
        mode: "edit" or "replace".
    """
    morph = Morph(pack.w_avg, pack.bands, {name: w_plus}, {})
    controls: dict[str, Value] = {f"/mirror/morph/{name}": 1.0, "/mirror/morph_mode": mode}
    way = [[morph.apply(v, {**controls, "/mirror/amount": amount}) for amount in amounts] for v in visitors]
    return np.asarray(way, np.float32)
