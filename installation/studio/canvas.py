"""The show's own renderer, without a screen, for pictures one at a time. Owned by the thread that made it.

What a still shows depends on nothing but its own wish: looks that remember earlier frames are made to forget them
first. Nothing is mirrored: a photograph and its portrait must lie on each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from installation.config import Config
from installation.core.controls import ROOT, Value
from installation.display.config import CaptionConfig
from installation.display.look_file import STYLE, Look, before
from installation.display.looks import load_looks
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene, View
from installation.display.window import open_window

FILM_FPS = 25.0
_STILL_S = 1.0  # the show's clock in every still: the same grain in each
_UNIFORM = f"{ROOT}/uniform/"


class Canvas:
    """Draws generator pictures through a look.

    Args:
        config: [display] for looks and finish, [captions] for words.
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
        self._remembering = frozenset(name for name, look in load_looks(display).items() if _remembers(look))
        self._stack = ExitStack()
        with ExitStack() as opening:
            self._window = open_window(display, headless=True)
            opening.callback(self._window.close)
            quiet = CaptionConfig(enabled=False)
            self._bare = Renderer(self._window.ctx, display, quiet)
            opening.callback(self._bare.release)
            self._captioned = Renderer(self._window.ctx, display, config.captions)
            opening.callback(self._captioned.release)
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
        if look in self._remembering:
            self._show(self._bare, images, Scene(look=look, time_s=_STILL_S, presence=0.0), size)
        return self._show(self._bare, images, _scene("portrait", look, values, _STILL_S), size)

    def series(
        self, images: NDArray[np.float32], captions: Sequence[str], look: str, values: Mapping[str, Value]
    ) -> NDArray[np.uint8]:
        """Draw pictures side by side, each over its caption: (n, 3, r, r) -> (h, w, 3) uint8 RGB."""
        size = (len(images) * self.side, round(self.side * 1.2))
        if look in self._remembering:
            self._show(self._captioned, images, Scene(view="series", look=look, presence=0.0), size)
        return self._show(self._captioned, images, _scene("series", look, values, _STILL_S, captions), size)

    def frame(
        self, images: NDArray[np.float32], caption: str, look: str, values: Mapping[str, Value], index: int
    ) -> NDArray[np.uint8]:
        """Draw frame `index` of a film over its caption: moving looks move, trails trail.

        Returns:
            (h, w, 3) uint8 RGB, even numbers of pixels, upright.
        """
        size = (self.side // 2 * 2, round(self.side * 1.2) // 2 * 2)
        scene = _scene("portrait", look, values, _STILL_S + index / FILM_FPS, (caption,))
        return self._show(self._captioned, images, scene, size)

    def forget(self) -> None:
        """Drop everything that the last pictures left on the graphics."""
        black = np.full((1, 3, 1, 1), -1.0, np.float32)
        for renderer in (self._bare, self._captioned):
            for _ in range(2):  # the mix of the last two pictures is kept as well
                self._show(renderer, black, Scene(presence=0.0), (16, 16))

    def close(self) -> None:
        """Give every GL object back."""
        self._stack.close()

    def _show(
        self, renderer: Renderer, images: NDArray[np.float32], scene: Scene, size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        self._frame += 1
        renderer.show_pictures(Picture(images, 0.0, self._frame, 1, 0.0))
        renderer.draw(scene, size)
        pixels = renderer.read(now=True)
        assert pixels is not None, "a canvas that was drawn can be read"
        self._window.swap()  # drops GL objects that Python no longer knows
        return np.ascontiguousarray(pixels[..., :3])


def _scene(view: View, look: str, values: Mapping[str, Value], time_s: float, captions: Sequence[str] = ()) -> Scene:
    uniforms = {
        address.removeprefix(_UNIFORM): float(value)
        for address, value in values.items()
        if address.startswith(_UNIFORM)
    }
    return Scene(view, time_s, captions=tuple(captions), look=look, uniforms=uniforms)


def _remembers(look: Look) -> bool:
    """Whether a look's picture depends on the frames before."""
    strips = any(one.cells != (1, 1) for one in look.passes)
    trails = any(before(picture) is not None for one in look.passes for picture in one.inputs.values())
    return strips or trails or look.lut == STYLE
