"""Bring back the hand of the picture that a target came from: its colours, and where a network can, its texture.

The artist's manual last step, made repeatable. Colours go by the cheapest linear map between two clouds of colour,
the one that the show's look *palette* uses; texture by the style network of `engines/style` (AdaIN).

Source: "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization" (Huang and Belongie, ICCV 2017);
optimal transport between Gaussians (Pitié and Kokaram, 2007).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.runtime.backends import BackendOptions
from engines.runtime.style_folder import DEFAULT_STYLE, MANIFEST
from engines.runtime.stylist import Stylist, load_stylist
from installation.display.colour_table import Palette, lab_from_srgb, srgb_from_lab, transport
from installation.errors import ConfigError
from installation.studio.photograph import SUFFIXES, read_photograph

LIGHTNESS = 0.35
"""How much of the origin's light and dark is taken as well, 0..1; a face stays readable with little."""

_SIDE = 1024


def find_origin(folder: Path, target: str) -> Path | None:
    """Find a target's origin: `<target>.*` in a folder, or the first picture in its folder `<target>/`."""
    inside = sorted((folder / target).iterdir()) if (folder / target).is_dir() else []
    named = sorted(folder.glob(f"{target}.*")) if folder.is_dir() else []
    return next((path for path in (*named, *inside) if path.suffix.lower() in SUFFIXES), None)


def read_origin(path: Path) -> NDArray[np.uint8]:
    """Read an origin picture: (h, w, 3) uint8 RGB.

    Raises:
        PhotographError: If it is no picture.
    """
    return read_photograph(path, max_side=_SIDE).pixels


def in_colours_of(picture: NDArray[np.uint8], origin: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a picture the colours of its origin: (h, w, 3) uint8 RGB, the origin of any size."""
    matrix, shift = transport(Palette(picture), Palette(origin))
    lab = lab_from_srgb(picture / 255.0)
    moved = lab @ matrix.T + shift
    moved[..., 0] = lab[..., 0] + LIGHTNESS * (moved[..., 0] - lab[..., 0])
    return np.asarray(np.rint(np.clip(srgb_from_lab(moved), 0.0, 1.0) * 255.0), np.uint8)


class Texture:
    """The style network, one origin at a time. Used by one thread.

    Raises:
        ConfigError: If there is no style network.
    """

    def __init__(self, options: BackendOptions, folder: Path = DEFAULT_STYLE) -> None:
        if not (folder / MANIFEST).is_file():
            raise ConfigError(f"there is no style network in {folder}; leave --texture out, or make one")
        self._stylist: Stylist = load_stylist(folder, options=options)
        self._stylist.warm_up()

    def apply(self, image: NDArray[np.float32], origin: NDArray[np.uint8], strength: float) -> NDArray[np.float32]:
        """Draw one picture in the texture of its origin: (3, r, r) RGB in [-1, 1] -> (3, size, size), not clamped."""
        self._stylist.learn({"origin": origin})
        out = np.zeros((1, 3, self._stylist.size, self._stylist.size), np.float32)
        self._stylist.stylise(image[None], np.ones(1, np.float32), strength, out)
        drawn: NDArray[np.float32] = out[0]
        return drawn

    def close(self) -> None:
        """Release the network."""
        self._stylist.close()
