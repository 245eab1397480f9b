"""A few lines that must be read: the notice for visitors, a countdown. Over the picture, on a soft dark band.

Not a caption: it cannot be switched off with them, it is set in plain letters, and it wraps.
"""

from __future__ import annotations

import moderngl
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from installation.display.captions import INK
from installation.display.config import CaptionConfig
from installation.display.layout import Rect
from installation.display.shaders import ShaderLibrary
from installation.display.type_setting import set_caption

SIZE = 0.045
"""Height of the letters as a part of the canvas's shorter side: to be read from three metres on a 40-inch screen."""

_LINE = 1.45  # distance of lines, in letter sizes
_WIDTH = 0.9  # of the area that lines may take
_BOTTOM = 0.07  # room below, as a part of the area
_BAND = 0.78  # darkness of the band


FLAG_SIZE = 0.024
"""The same for what is said in the corner while the picture leaves the machine."""


class NoticeLayer:
    """Draws one text into the bound framebuffer; the last one is kept as a texture. Owned by the renderer.

    Args:
        shaders: Of the context.
        config: Fonts, language and direction.
        size: Height of the letters as a part of the canvas's shorter side.
        corner: Whether the text stands in the top-right corner instead of near the lower edge.
    """

    def __init__(
        self, shaders: ShaderLibrary, config: CaptionConfig, *, size: float = SIZE, corner: bool = False
    ) -> None:
        self._size = size
        self._corner = corner
        self._ctx = shaders.ctx
        self._program = shaders.program("caption.frag")
        self._config = config.model_copy(update={"case": "as_written", "tracking": 0.01})
        self._key: tuple[str, int, int] | None = None
        self._texture: moderngl.Texture | None = None

    def draw(self, size: tuple[int, int], area: Rect, text: str, alpha: float) -> None:
        """Draw `text` (line breaks count) into `area`, pixels of a canvas of `size`."""
        if not text or alpha <= 0.0:
            return
        texture = self._set(text, max(9, round(self._size * min(size))), int(area.width))
        right, down = area.x + area.width - texture.width, area.y + area.height * (1.0 - _BOTTOM) - texture.height
        x, y = (right, area.y) if self._corner else ((area.x + right) / 2, max(area.y, down))
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        self._program.draw(
            u_type=texture,
            u_rect=(round(x) / size[0], round(y) / size[1], texture.width / size[0], texture.height / size[1]),
            u_source=(0.0, 0.0, 1.0, 1.0),
            u_ink=INK,
            u_alpha=alpha,
            u_shadow=_BAND,
        )
        self._ctx.enable_only(moderngl.NOTHING)

    def release(self) -> None:
        """Give the texture back."""
        if self._texture is not None:
            self._texture.release()
            self._texture = self._key = None

    def _set(self, text: str, size_px: int, width: int) -> moderngl.Texture:
        key = (text, size_px, width)
        if self._texture is not None and key == self._key:
            return self._texture
        self.release()
        letters, band = set_notice(text, size_px, width, self._config)
        pixels = np.stack([np.asarray(letters), np.asarray(band)], axis=-1)
        self._key, self._texture = key, self._ctx.texture(letters.size, 2, pixels.tobytes(), alignment=1)
        self._texture.repeat_x = self._texture.repeat_y = False
        return self._texture


def set_notice(text: str, size_px: int, width: int, config: CaptionConfig) -> tuple[Image.Image, Image.Image]:
    """Set a text in lines, each centred.

    Args:
        text: Line breaks are kept; longer lines are broken between words.
        size_px: Pixels per em.
        width: Of the area, pixels.
        config: Fonts, language and direction.

    Returns:
        ("L" letters, "L" band behind them), of one size and at most `width` wide where a single word is not wider.
    """
    masks = [
        set_caption(line, size_px, config).mask
        for part in text.split("\n")
        for line in _broken(part, size_px, width, config)
    ]
    pad = size_px
    step = round(size_px * _LINE)
    block = (max(mask.width for mask in masks) + 2 * pad, step * len(masks) + 2 * pad)
    letters = Image.new("L", block, 0)
    for number, mask in enumerate(masks):
        letters.paste(mask, ((block[0] - mask.width) // 2, pad + number * step))
    band = Image.new("L", block, 0)
    inner = (pad // 2, pad // 2, block[0] - pad // 2, block[1] - pad // 2)
    ImageDraw.Draw(band).rounded_rectangle(inner, radius=pad // 2, fill=255)
    return letters, band.filter(ImageFilter.GaussianBlur(pad * 0.25))


def _broken(line: str, size_px: int, width: int, config: CaptionConfig) -> list[str]:
    """Break one line between words so that each part fits."""
    room, lines = width * _WIDTH - 2 * size_px, [""]
    for word in line.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and set_caption(longer, size_px, config).mask.width > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
