"""Flat drawing for the technician: letters, bars, lines and points, collected and drawn in one call.

Letters come from a sheet of a monospaced face, made once. Vertices go into one buffer of fixed size;
what does not fit is left out, because an overlay must never grow a show's memory.
"""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from installation.display.shaders import ShaderLibrary
from installation.display.type_setting import MONO, bundled_font, load_font

Color = tuple[float, float, float, float]

LETTERS = (
    "".join(map(chr, range(32, 127)))
    + "".join(map(chr, range(0xA0, 0x180)))
    + "".join(map(chr, range(0x391, 0x3CA)))
    + "".join(map(chr, range(0x410, 0x450)))
    + "–—‘’“”…→←↑↓±×·•▲▼"
)
MAX_QUADS = 6000
_COLUMNS = 32
_VERTEX = np.dtype([("position", "2f4"), ("uv", "2f4"), ("color", "4f4")])
_CORNERS = np.array([[0, 0], [1, 0], [0, 1], [0, 1], [1, 0], [1, 1]], np.float32)


class FlatLayer:
    """Collects quads with `text`, `box`, `line` and `points`; `draw` shows and clears them."""

    def __init__(self, shaders: ShaderLibrary) -> None:
        self._ctx = shaders.ctx
        self._program = shaders.program("flat.frag", "flat.vert")
        self._vertices = np.zeros((MAX_QUADS, 6), _VERTEX)
        self._buffer = self._ctx.buffer(reserve=self._vertices.nbytes, dynamic=True)
        self._array: moderngl.VertexArray | None = None
        self._generation = 0
        self._sheet: moderngl.Texture | None = None
        self._size_px = 0
        self._count = 0
        self.cell: tuple[float, float] = (1.0, 1.0)

    def begin(self, size_px: int) -> None:
        """Start with letters of `size_px` pixels; a new size makes a new sheet."""
        self._count = 0
        if size_px != self._size_px:
            self._make_sheet(size_px)

    def text(self, x: float, y: float, words: str, color: Color) -> float:
        """Write one line with its top-left corner at (x, y); returns where it ends in x."""
        indices = [_INDEX.get(letter, _INDEX["?"]) for letter in words]
        width, height = self.cell
        at = np.stack([x + width * np.arange(len(indices)), np.full(len(indices), y)], axis=1)
        cells = np.array(indices, np.float32)
        corner = np.stack([cells % _COLUMNS, cells // _COLUMNS], axis=1) * self._step
        self._add(np.floor(at), np.array([width, height]), corner, self._step, color)
        return x + width * len(indices)

    def box(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Fill a rectangle."""
        self._add(np.array([[x, y]]), np.array([width, height]), self._solid, np.zeros(2), color)

    def boxes(self, corners: NDArray[Any], sizes: NDArray[Any], color: Color) -> None:
        """Fill (n, 2) rectangles of (n, 2) or (2,) sizes."""
        self._add(corners, sizes, np.repeat(self._solid, len(corners), axis=0), np.zeros(2), color)

    def line(self, start: tuple[float, float], end: tuple[float, float], width: float, color: Color) -> None:
        """Draw a straight line of a width in pixels."""
        a, b = np.array(start, np.float32), np.array(end, np.float32)
        along = b - a
        across = np.array([-along[1], along[0]]) * (width / 2 / max(float(np.hypot(*along)), 1e-6))
        quad = np.stack([a - across, b - across, a + across, a + across, b - across, b + across])
        if self._count < MAX_QUADS:
            self._put(self._count, quad[None], np.repeat(self._solid[:, None], 6, axis=1), color)
            self._count += 1

    def draw(self, size: tuple[int, int]) -> None:
        """Draw what was collected into the bound framebuffer of `size` pixels."""
        if not self._count or self._sheet is None:
            return
        if self._array is None or self._generation != self._program.generation:
            if self._array is not None:
                self._array.release()
            self._generation = self._program.generation
            self._array = self._program.vertex_array([(self._buffer, "2f 2f 4f", "in_position", "in_uv", "in_color")])
        self._buffer.write(self._vertices[: self._count])
        self._ctx.enable_only(moderngl.BLEND)
        self._ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self._program.set(u_glyphs=self._sheet, u_size=size)
        self._array.render(vertices=self._count * 6)
        self._ctx.enable_only(moderngl.NOTHING)

    def release(self) -> None:
        """Give sheet and buffers back."""
        for thing in (self._array, self._buffer, self._sheet):
            if thing is not None:
                thing.release()
        self._array = self._sheet = None

    def _add(
        self,
        at: NDArray[Any],
        size: NDArray[Any],
        uv: NDArray[Any],
        uv_size: NDArray[Any],
        color: Color,
    ) -> None:
        room = min(len(at), MAX_QUADS - self._count)
        at, uv = at[:room], uv[:room]
        size = np.broadcast_to(size, (len(at), 2)) if np.ndim(size) == 1 else size[:room]
        self._put(
            slice(self._count, self._count + room),
            at[:, None] + _CORNERS * size[:, None],
            uv[:, None] + _CORNERS * uv_size,
            color,
        )
        self._count += room

    def _put(self, where: int | slice, position: NDArray[Any], uv: NDArray[Any], color: Color) -> None:
        self._vertices["position"][where] = position
        self._vertices["uv"][where] = uv
        self._vertices["color"][where] = color

    def _make_sheet(self, size_px: int) -> None:
        font = load_font(bundled_font(MONO), size_px)
        ascent, descent = font.getmetrics()
        width, height = round(font.getlength("0")), ascent + descent
        rows = -(-(len(LETTERS) + 1) // _COLUMNS)
        picture = Image.new("L", (_COLUMNS * width, rows * height), 0)
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, width - 1, height - 1), fill=255)
        for index, letter in enumerate(LETTERS, start=1):
            cell = Image.new("L", (width, height), 0)  # through a cell of its own: no letter reaches into the next
            ImageDraw.Draw(cell).text((0, ascent), letter, 255, font, anchor="ls")
            picture.paste(cell, ((index % _COLUMNS) * width, (index // _COLUMNS) * height))
        if self._sheet is not None:
            self._sheet.release()
        self._sheet = self._ctx.texture(picture.size, 1, picture.tobytes(), alignment=1)
        self._sheet.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self._size_px = size_px
        self.cell = (float(width), float(height))
        self._step = np.array([1.0 / _COLUMNS, 1.0 / rows], np.float32)
        self._solid = self._step[None] * 0.5


_INDEX = {letter: index for index, letter in enumerate(LETTERS, start=1)}
