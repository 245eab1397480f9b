"""Contact sheets: rows of pictures with a word under each. Takes arrays, gives a PIL image."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engines.targets.files import replace_file
from installation.errors import EngineError

INK, PAPER = "#e9e4dc", "#161412"
GAP, CAPTION, HEAD = 6, 22, 34  # pixels: between tiles, under a tile, above a block


@dataclass(frozen=True, slots=True)
class Block:
    """A titled grid.

    Attributes:
        title: Above the grid.
        pictures: (n, 3, r, r) float32 RGB, nominally [-1, 1].
        captions: n texts.
        columns: Tiles in a row.
    """

    title: str
    pictures: NDArray[np.float32]
    captions: Sequence[str]
    columns: int


def draw_sheet(blocks: Sequence[Block], tile: int) -> Image.Image:
    """Draw blocks one under the other.

    Args:
        blocks: At least one.
        tile: Side of a picture on the sheet, pixels.
    """
    width = max(block.columns for block in blocks) * (tile + GAP) + GAP
    heights = [HEAD + -(-len(b.pictures) // b.columns) * (tile + CAPTION + GAP) for b in blocks]
    sheet = Image.new("RGB", (width, sum(heights) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    title, small = ImageFont.load_default(18), ImageFont.load_default(13)
    top = 0
    for block, height in zip(blocks, heights, strict=True):
        draw.text((GAP, top + 8), block.title, INK, title)
        for i, (picture, caption) in enumerate(zip(block.pictures, block.captions, strict=True)):
            row, column = divmod(i, block.columns)
            x, y = GAP + column * (tile + GAP), top + HEAD + row * (tile + CAPTION + GAP)
            sheet.paste(as_image(picture, tile), (x, y))
            draw.text((x + 1, y + tile + 2), _fitting(draw, caption, small, tile), INK, small)
        top += height
    return sheet


def as_image(picture: NDArray[np.float32], side: int | None = None) -> Image.Image:
    """Make a PIL image of (3, r, r) float32 RGB in [-1, 1]; values outside are clamped."""
    image = Image.fromarray(as_u8(picture[None])[0])
    if side is None or side == image.width:
        return image
    return image.resize((side, side), Image.Resampling.LANCZOS)


def as_u8(pictures: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, 3, r, r) float32 RGB in [-1, 1] -> (n, r, r, 3) uint8."""
    clamped = np.clip((pictures + 1.0) * 127.5, 0.0, 255.0)
    return np.ascontiguousarray(np.rint(clamped).astype(np.uint8).transpose(0, 2, 3, 1))


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG in one step: whoever looks at it meanwhile sees the former one.

    Raises:
        EngineError: If the disk refuses.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise EngineError(f"{path} could not be written: {error.strerror}") from error


def _fitting(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int
) -> str:
    while len(text) > 1 and draw.textlength(text, font) > room:
        text = text[:-1]
    return text
