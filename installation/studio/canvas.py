"""The show's own renderer, without a screen, for pictures one at a time. Owned by the thread that made it.

What a still shows depends on nothing but its own wish: looks that remember earlier frames are made to forget them
first. Nothing is mirrored: a photograph and its portrait must lie on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy

import numpy as np
from numpy.typing import NDArray

from installation.config import Config
from installation.core.control import ROOT, Value
from installation.display.config import CaptionConfig
from installation.display.look_file import STYLE, Look, before
from installation.display.looks import load_looks
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene
from installation.display.windows import open_window
from installation.studio.film import FPS

_STILL_S = 1.0  # the show's clock in every still: the same grain in each
_UNIFORM = f"{ROOT}/uniform/"


class Canvas:
    """Draws generator pictures through a look.

    Args:
        config: [display] for looks and finish.
        side: Of a still, pixels.

    Raises:
        DisplayError: If there is no OpenGL; the message says what to install.
        ConfigError, ShaderError: If a look is broken.
    """

    def __init__(self, config: Config, side: int) -> None:
        display = config.display.model_copy(
            update={
                "size": (side, side), "mirrored": False, "view_fade_s": 0.0, "rotation": 0, "margin": 0.0,
                "fit": "contain", "hot_reload": False, "surface_file": "",
            }
        )  # fmt: skip
        self.side = side
        self._display = display
        self._remembering = frozenset(name for name, look in load_looks(display).items() if _remembers(look))
        self._stack = ExitStack()
        with ExitStack() as opening:
            self._window = open_window(display, headless=True)
            opening.callback(self._window.close)
            self._renderer = Renderer(self._window.ctx, display, CaptionConfig(enabled=False))
            opening.callback(self._renderer.release)
            self._stack = opening.pop_all()
        self._frame = 0

    def still(
        self, images: NDArray[np.float32], look: str, values: Mapping[str, Value], *, side: int | None = None
    ) -> NDArray[np.uint8]:
        """Draw one picture.

        Args:
            images: (1, 3, r, r) float32 RGB, nominally -1..1.
            look: Name of a look.
            values: Controls by address; those of looks count.
            side: Pixels; that of the canvas if None.

        Returns:
            (side, side, 3) uint8 RGB.
        """
        size = (side or self.side,) * 2
        self._begin(images, look, size)
        return self._show(images, _scene(look, values, _STILL_S), size)

    def frame(
        self, images: NDArray[np.float32], look: str, values: Mapping[str, Value], index: int
    ) -> NDArray[np.uint8]:
        """Draw frame `index` of a film: moving looks move, trails trail; frame 0 begins without any.

        Returns:
            (side, side, 3) uint8 RGB.
        """
        size = (self.side, self.side)
        if index == 0:
            self._begin(images, look, size)
        return self._show(images, _scene(look, values, _STILL_S + index / FPS), size)

    @contextmanager
    def apart(self) -> Iterator[Canvas]:
        """A canvas with a memory of its own on the same graphics, for a film that is drawn between other pictures."""
        other = copy(self)
        other._renderer = Renderer(self._window.ctx, self._display, CaptionConfig(enabled=False))
        try:
            yield other
        finally:
            other._renderer.release()

    def forget(self) -> None:
        """Drop everything that the last pictures left on the graphics."""
        black = np.full((1, 3, 1, 1), -1.0, np.float32)
        for _ in range(2):  # the mix of the last two pictures is kept as well
            self._show(black, Scene(presence=0.0), (16, 16))

    def close(self) -> None:
        """Give every GL object back."""
        self._stack.close()

    def _begin(self, images: NDArray[np.float32], look: str, size: tuple[int, int]) -> None:
        """Let a look that remembers forget what was drawn before."""
        if look in self._remembering:
            self._show(images, Scene(look=look, time_s=_STILL_S, presence=0.0), size)

    def _show(self, images: NDArray[np.float32], scene: Scene, size: tuple[int, int]) -> NDArray[np.uint8]:
        self._frame += 1
        self._renderer.show_pictures(Picture(images, 0.0, self._frame, 1, 0.0))
        self._renderer.draw(scene, size)
        pixels = self._renderer.read(now=True)
        assert pixels is not None, "a canvas that was drawn can be read"
        self._window.swap()  # drops GL objects that Python no longer knows
        return np.ascontiguousarray(pixels[..., :3])


def _scene(look: str, values: Mapping[str, Value], time_s: float) -> Scene:
    uniforms = {
        address.removeprefix(_UNIFORM): float(value)
        for address, value in values.items()
        if address.startswith(_UNIFORM)
    }
    return Scene("portrait", time_s, look=look, uniforms=uniforms)


def _remembers(look: Look) -> bool:
    """Whether a look's picture depends on the frames before."""
    strips = any(one.cells != (1, 1) for one in look.passes)
    trails = any(before(picture) is not None for one in look.passes for picture in one.inputs.values())
    return strips or trails or look.lut == STYLE
