"""What the networks make of a sitter: morphed, drawn, painted. Owned by one thread, and closed by it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack, load_pack
from engines.runtime.refinement import refine
from installation.config import Config
from installation.core.control import Value
from installation.core.latents import Latent
from installation.painting import Painter
from installation.studio.menu import morph_of, series_names
from installation.studio.sitter import Sitter, as_tensor

_STRANGER_PSI = 0.85


class Networks:
    """Pack, morphs and style network of the studio.

    Args:
        folder: Of the model pack.
        config: [engine], [visit] and [style]; in the studio the style network is always there.
    """

    def __init__(self, folder: str, config: Config) -> None:
        backend, options = config.engine.backend, config.engine.options()
        self.pack: Pack = load_pack(folder, backend, options=options)
        self.series_names = series_names(self.pack, config)
        self._morph = morph_of(self.pack, config)
        self._each = morph_of(self.pack, config, self.series_names)
        self._painter = Painter(config.style, backend, options) if config.style.enabled else None

    def warm_up(self) -> None:
        """Run everything once, so that no visitor waits for it."""
        pack, spec = self.pack, self.pack.manifest.encoder
        latent: Latent = pack.w_avg[None].copy()
        if spec is not None:
            crop = np.zeros((3, spec.input_size, spec.input_size), np.float32)
            landmarks = np.random.default_rng(0).random((478, 3)).astype(np.float32)
            pack.encode(crop[None], landmarks[None] if spec.landmarks else None)
            refine(pack, crop, landmarks, latent[0])
        if self._painter is not None:
            self._painter.warm_up()
        pack.synthesize(latent)

    def likeness(self, sitter: Sitter) -> Latent:
        """The sitter's W+, refined by what the photograph shows where the pack can be."""
        return refine(self.pack, as_tensor(sitter.crop), sitter.crop_landmarks, sitter.w_plus)

    def stranger(self, seed: int) -> Latent:
        """Somebody who does not exist: (num_ws, w_dim); the same for the same seed."""
        z = np.random.default_rng(seed).normal(size=(1, self.pack.manifest.z_dim)).astype(np.float32)
        latent: Latent = self.pack.map(z, _STRANGER_PSI)[0]
        return latent

    def morphed(self, visitor: Latent, values: Mapping[str, Value]) -> Latent:
        """Morph one face: (num_ws, w_dim)."""
        return self._morph.apply(visitor, values)

    def morphed_each(self, visitor: Latent, values: Mapping[str, Value]) -> Latent:
        """Morph one face toward each target of the series alone: (n, num_ws, w_dim)."""
        return self._each.apply_each(visitor, values)

    def drawn(self, latents: Latent, values: Mapping[str, Value]) -> NDArray[np.float32]:
        """Draw (n, num_ws, w_dim) and paint as the controls say: (n, 3, r, r), valid until the next few."""
        images = self.pack.synthesize(latents)
        return images if self._painter is None else self._painter.paint(images, values)

    def forget(self) -> None:
        """Wipe what was painted last."""
        if self._painter is not None:
            self._painter.wipe(resting=True)

    def close(self) -> None:
        """Release the engines."""
        if self._painter is not None:
            self._painter.close()
        self.pack.close()
