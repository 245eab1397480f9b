"""Plates: several pictures as one, with margins and type, as they would hang or be printed.

Type is set by the code that sets the show's captions. Pictures are (s, s, 3) uint8 RGB of one size; a plate is
(h, w, 3) uint8 RGB. All measures are parts of the side of a picture, so that a plate looks the same at any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from installation.display.config import CaptionConfig
from installation.display.type_setting import set_caption

Pixels = NDArray[np.uint8]

PAPER = (17, 16, 15)
INK = (233, 229, 220)
SOFT = (150, 145, 136)
"""Warm black, warm white and the grey of small words, encoded sRGB."""

MARGIN = 0.16
GAP = 0.05
CAPTION = 0.075
SMALL = 0.052
"""Of a picture's side: round the plate, between pictures, height of captions and of small words."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a grid.

    Attributes:
        pictures: As many as the grid has columns.
        left, right: Small words beside the row, or "".
        title: A word over the left one, or "".
    """

    pictures: Sequence[Pixels]
    left: str = ""
    right: str = ""
    title: str = ""


def series(
    pictures: Sequence[Pixels], captions: Sequence[str], type_: CaptionConfig, notes: Sequence[str] = ()
) -> Pixels:
    """Pictures side by side, each over its word, and over a small note where there are notes."""
    side = pictures[0].shape[0]
    margin, gap, size = round(side * MARGIN), round(side * GAP), round(side * CAPTION)
    width = 2 * margin + len(pictures) * side + (len(pictures) - 1) * gap
    below = round(size * 3.2) + (round(size * 1.5) if notes else 0)
    plate = Image.new("RGB", (width, margin + side + below + round(margin * 0.4)), PAPER)
    lines = _fitting(captions, size, side, type_)
    small = _fitting(notes, round(side * SMALL), side, _plain(type_))
    for index, picture in enumerate(pictures):
        x = margin + index * (side + gap)
        plate.paste(Image.fromarray(picture), (x, margin))
        _centred(plate, lines[index], x + side / 2, margin + side + size * 1.7, INK)
        if notes:
            _centred(plate, small[index], x + side / 2, margin + side + size * 3.1, SOFT)
    return np.asarray(plate)


def single(picture: Pixels, caption: str, type_: CaptionConfig) -> Pixels:
    """One picture over its word."""
    return series([picture], [caption], type_)


def frame(plate: Pixels, picture: Pixels) -> Pixels:
    """Put another picture of the same size into a `single` plate; even numbers of pixels, as films need them."""
    side = picture.shape[0]
    margin = round(side * MARGIN)
    out = plate[: plate.shape[0] // 2 * 2, : plate.shape[1] // 2 * 2].copy()
    out[margin : margin + side, margin : margin + side] = picture
    return out


def grid(rows: Sequence[Row], heads: Sequence[str], type_: CaptionConfig, *, title: str = "") -> Pixels:
    """Rows of pictures with words over the columns and beside the rows.

    Args:
        rows: All with as many pictures.
        heads: A small word for each column, or none at all.
        type_: How captions are set.
        title: Over everything, or "".
    """
    side, columns = rows[0].pictures[0].shape[0], len(rows[0].pictures)
    margin, gap = round(side * MARGIN * 1.6), round(side * GAP)
    size, small = round(side * CAPTION * 1.35), round(side * SMALL * 1.5)
    plain, space = _plain(type_), round(small * 1.2)
    names = [set_caption(row.title, small, type_).mask if row.title else None for row in rows]
    lefts = [set_caption(row.left, small, plain).mask if row.left else None for row in rows]
    rights = [set_caption(row.right, small, plain).mask if row.right else None for row in rows]
    left = max((line.width + space for line in (*names, *lefts) if line is not None), default=0)
    right = max((line.width + space for line in rights if line is not None), default=0)
    pictures_width = columns * (side + gap) - gap
    head = (round(size * 3.0) if title else 0) + (round(small * 2.4) if heads else 0)
    width = 2 * margin + left + pictures_width + right
    plate = Image.new("RGB", (width, 2 * margin + head + len(rows) * (side + gap) - gap), PAPER)
    x0 = margin + left
    if title:
        line = _fitting([title], round(size * 1.15), width - 2 * margin, type_)[0]
        _centred(plate, line, x0 + pictures_width / 2, margin + size * 0.6, INK)
    for index, line in enumerate(_fitting(heads, small, side, plain)):
        _centred(plate, line, x0 + index * (side + gap) + side / 2, margin + head - small * 1.5, SOFT)
    for number, row in enumerate(rows):
        top = margin + head + number * (side + gap)
        middle = top + side / 2
        for index, picture in enumerate(row.pictures):
            plate.paste(Image.fromarray(picture), (x0 + index * (side + gap), top))
        name, low, high = names[number], lefts[number], rights[number]
        step = small * 0.8 if name is not None and low is not None else 0.0
        if name is not None:
            _at(plate, name, x0 - space - name.width, middle - step - name.height / 2, INK)
        if low is not None:
            _at(plate, low, x0 - space - low.width, middle + step - low.height / 2, SOFT)
        if high is not None:
            _at(plate, high, x0 + pictures_width + space, middle + step - high.height / 2, SOFT)
    return np.asarray(plate)


def _plain(type_: CaptionConfig) -> CaptionConfig:
    """The same face for small words: as they are written, hardly spaced."""
    return type_.model_copy(update={"case": "as_written", "tracking": 0.02})


def _fitting(words: Sequence[str], size: int, room: float, type_: CaptionConfig) -> list[Image.Image]:
    """Set words as large as they are asked for, or all as small as the longest needs."""
    size = max(size, 8)
    lines = [set_caption(word, size, type_).mask for word in words]
    widest = max((line.width for line in lines), default=1)
    if widest <= room:
        return lines
    smaller = max(round(size * room / widest * 0.98), 6)
    return [set_caption(word, smaller, type_).mask for word in words]


def _centred(plate: Image.Image, line: Image.Image, x: float, y: float, ink: tuple[int, int, int]) -> None:
    _at(plate, line, x - line.width / 2, y - line.height / 2, ink)


def _at(plate: Image.Image, line: Image.Image, x: float, y: float, ink: tuple[int, int, int]) -> None:
    plate.paste(ink, (round(x), round(y)), line)
