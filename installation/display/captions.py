"""The words on the canvas: set once, kept as textures, faded softly from one to the next."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from installation.display.config import CaptionConfig
from installation.display.layout import Rect
from installation.display.shaders import ShaderLibrary
from installation.display.type_setting import set_caption

INK = (0.955, 0.94, 0.905)
"""Colour of the letters, encoded sRGB: warm white, as on paper under a gallery's lamps."""

CHANGE_S = 0.5
"""How long one word takes to become the next."""

KEPT = 32
"""Set lines kept as textures; more than a show has words."""


@dataclass(slots=True)
class _Slot:
    """What one caption place shows: its word, and the one that is leaving."""

    text: str = ""
    leaving: str = ""
    changed_at: float = -1e9


class CaptionLayer:
    """Draws captions into the bound framebuffer. Owned by the renderer."""

    def __init__(self, shaders: ShaderLibrary, config: CaptionConfig) -> None:
        self._ctx = shaders.ctx
        self._program = shaders.program("caption.frag")
        self._config = config
        self._kept: OrderedDict[tuple[str, int], moderngl.Texture] = OrderedDict()
        self._slots: list[_Slot] = []
        self.notices: dict[str, str] = {}

    def draw(
        self, size: tuple[int, int], places: list[tuple[Rect, str]], alpha: float, time_s: float, size_px: int
    ) -> None:
        """Draw words centred in their places.

        Args:
            size: Of the canvas, pixels.
            places: (where, word) for each caption; if a word is wider than its place, all are made smaller.
            alpha: 0..1 over all.
            time_s: The show's clock, for the change from one word to the next.
            size_px: Pixels per em.
        """
        if not self._config.enabled:
            return
        while len(self._slots) < len(places):
            self._slots.append(_Slot())
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        scale = min([1.0, *(self._scale(rect, text, size_px) for rect, text in places if text)])
        for slot, (rect, text) in zip(self._slots, places, strict=False):
            if text != slot.text:
                slot.leaving, slot.text, slot.changed_at = slot.text, text, time_s
            progress = min(1.0, max(0.0, (time_s - slot.changed_at) / CHANGE_S))
            if not slot.leaving:
                progress = 1.0
            for word, share in ((slot.leaving, 1.0 - 2.0 * progress), (slot.text, 2.0 * progress - 1.0)):
                if word:
                    self._draw_word(size, rect, word, alpha * min(1.0, max(0.0, share)), size_px, scale)
        self._ctx.enable_only(moderngl.NOTHING)

    def release(self) -> None:
        """Give the textures back."""
        for texture in self._kept.values():
            texture.release()
        self._kept.clear()

    def _scale(self, rect: Rect, word: str, size_px: int) -> float:
        return rect.width / max(1, self._texture(word, size_px).width - 2 * _pad(size_px))

    def _draw_word(
        self, size: tuple[int, int], rect: Rect, word: str, alpha: float, size_px: int, scale: float
    ) -> None:
        texture = self._texture(word, size_px)  # before the test below: a word is ready when it begins to show
        if alpha <= 0.0:
            return
        scale = min(scale, self._scale(rect, word, size_px))
        width, height = texture.width * scale, texture.height * scale
        x, y = rect.x + (rect.width - width) / 2, rect.y + (rect.height - height) / 2
        if scale == 1.0:
            x, y = round(x), round(y)
        self._program.draw(
            u_type=texture,
            u_rect=(x / size[0], y / size[1], width / size[0], height / size[1]),
            u_source=(0.0, 0.0, 1.0, 1.0),
            u_ink=INK,
            u_alpha=alpha * self._config.opacity,
            u_shadow=0.6,
        )

    def _texture(self, word: str, size_px: int) -> moderngl.Texture:
        key = (word, size_px)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        line = set_caption(word, size_px, self._config, _pad(size_px))
        if line.notice:
            self.notices[word] = line.notice
        shadow = line.mask.filter(ImageFilter.GaussianBlur(size_px * 0.28))
        pixels = np.stack([np.asarray(line.mask), _strengthened(shadow)], axis=-1)
        texture = self._ctx.texture(line.mask.size, 2, pixels.tobytes(), alignment=1)
        texture.repeat_x = texture.repeat_y = False
        self._kept[key] = texture
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)[1].release()
        return texture


def _pad(size_px: int) -> int:
    return round(size_px * 0.9)


def _strengthened(shadow: Image.Image) -> NDArray[np.uint8]:
    """Spread a blurred mask so that thin strokes still throw a shadow."""
    return np.minimum(np.asarray(shadow, np.float32) * 2.2, 255.0).astype(np.uint8)
