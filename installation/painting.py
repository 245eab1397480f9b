"""Neural style on the neural thread: after the generator, before the screen, only while somebody asks for it.

The styles are the pictures of a folder; each is a control. What they cost is paid before the curtain (see
`engines.runtime.stylist`), so a frame pays for one encoder and one decoder however many styles are blended.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.runtime.backends import BackendOptions
from engines.runtime.stylist import load_stylist, read_picture
from installation.config import StyleConfig
from installation.core.control import Value
from installation.core.controls import STYLE_BRANCH

_BUFFERS = 4  # one shown, one arriving, one being made, one spare
LEAST_STRENGTH = 0.005
"""Below it the network is left out: nobody sees the difference, and the frame is free of it."""


class Painter:
    """Paints the generator's pictures as the controls say. Used by the neural thread alone.

    Args:
        config: What to load.
        backend: As for the pack.
        options: As for the pack.
    """

    def __init__(self, config: StyleConfig, backend: str, options: BackendOptions) -> None:
        self._stylist = load_stylist(config.folder(), backend, options=options)
        self._pictures = {name: read_picture(path) for name, path in config.found().items()}
        self._addresses = [f"{STYLE_BRANCH}/style/{name}" for name in self._pictures]
        self._weights: NDArray[np.float32] = np.zeros(len(self._pictures), np.float32)
        self._active = False
        self._turn = 0
        self._painted: dict[int, list[NDArray[np.float32]]] = {}

    def warm_up(self) -> None:
        """Learn the styles and compile the network, before the curtain."""
        self._stylist.learn(self._pictures)
        self._stylist.warm_up()
        self._ring(1)

    def paint(self, images: NDArray[np.float32], controls: Mapping[str, Value]) -> NDArray[np.float32]:
        """Paint (n, 3, r, r) as the controls say: a `Snapshot`, or a plain dict; what is missing is none.

        Returns:
            The same array where no style is asked for; else (n, 3, size, size), reused some pictures later.
        """
        strength = float(controls.get(f"{STYLE_BRANCH}/strength", 0.0))
        for slot, address in enumerate(self._addresses):
            self._weights[slot] = float(controls.get(address, 0.0))
        self._active = strength >= LEAST_STRENGTH and self._weights.sum() >= LEAST_STRENGTH
        if not self._active:
            return images
        ring = self._ring(len(images))
        self._turn = (self._turn + 1) % _BUFFERS
        painted = ring[self._turn]
        self._stylist.stylise(images, self._weights, strength, painted)
        return painted

    def wipe(self, *, resting: bool) -> None:
        """Forget what was painted; a single picture only when nothing new is painted over it, or `resting`."""
        self._stylist.forget()
        for count, ring in self._painted.items():
            for painted in ring if count > 1 or resting or not self._active else ():
                painted[:] = 0.0

    def close(self) -> None:
        """Release the engines."""
        self._stylist.close()

    def _ring(self, count: int) -> list[NDArray[np.float32]]:
        if count not in self._painted:
            shape = (count, 3, self._stylist.size, self._stylist.size)
            self._painted[count] = [np.zeros(shape, np.float32) for _ in range(_BUFFERS)]
        return self._painted[count]
