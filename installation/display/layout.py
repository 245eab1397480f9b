"""Where things lie on the canvas: pure geometry in pixels, x right, y down.

The letterbox rule: pictures are squares and are never stretched. Inside the safe margin the square
is as large as fits and centred, and what is left stays black (`fit="contain"`); with `fit="cover"`
it fills the area and is cropped at the longer side. The canvas is upright: a turned screen is the
surface's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Fit = Literal["contain", "cover"]

MIN_PANEL_ASPECT = 0.66
"""Narrowest panel of a row, width over height: a face in an FFHQ crop is still whole with its hair."""

MANY_ROWS_WORTH = 0.7
"""How much a panel's area counts when there is more than one row: a single row reads as one sentence."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels, top-left corner and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.width, self.height

    def within(self, block: Rect, scale: float) -> Rect:
        """The same rectangle seen from the corner of `block`, at another scale."""
        return Rect((self.x - block.x) * scale, (self.y - block.y) * scale, self.width * scale, self.height * scale)

    def inset(self, amount: float) -> Rect:
        """Shrink by `amount` pixels on each side, never below one pixel."""
        amount = max(0.0, min(amount, (self.width - 1) / 2, (self.height - 1) / 2))
        return Rect(self.x + amount, self.y + amount, self.width - 2 * amount, self.height - 2 * amount)

    def rounded(self) -> Rect:
        """Snap to whole pixels, at least one large. Rectangles of one size stay of one size wherever they lie."""
        return Rect(round(self.x), round(self.y), max(1, round(self.width)), max(1, round(self.height)))


UNIT = Rect(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on the canvas.

    Attributes:
        rect: Where it lies, canvas pixels.
        source: Which part of the picture is shown, 0..1, x right, y down.
        caption: Where its words go.
    """

    rect: Rect
    source: Rect
    caption: Rect

    def within(self, block: Rect, scale: float) -> Tile:
        """The same tile on a working picture of `block` at another scale, on whole pixels."""
        return Tile(self.rect.within(block, scale).rounded(), self.source, self.caption.within(block, scale))


def bounding(rects: Sequence[Rect]) -> Rect:
    """Return the smallest rectangle around all."""
    left, top = min(r.x for r in rects), min(r.y for r in rects)
    right, bottom = max(r.x + r.width for r in rects), max(r.y + r.height for r in rects)
    return Rect(left, top, right - left, bottom - top)


def place(area: Rect, aspect: float, fit: Fit = "contain") -> tuple[Rect, Rect]:
    """Lay a picture of `aspect` into `area` by the letterbox rule.

    Returns:
        (where it lies in pixels, which part of it is shown as 0..1).
    """
    if fit == "contain":
        width = min(area.width, area.height * aspect)
        height = width / aspect
        rect = Rect(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
        return rect.rounded(), UNIT
    return area.rounded(), crop_to(area.aspect, aspect)


def crop_to(aspect: float, picture_aspect: float = 1.0) -> Rect:
    """Return the centred part (0..1) of a picture that has the given aspect."""
    if aspect >= picture_aspect:
        height = picture_aspect / aspect
        return Rect(0.0, (1 - height) / 2, 1.0, height)
    width = aspect / picture_aspect
    return Rect((1 - width) / 2, 0.0, width, 1.0)


def caption_strip(rect: Rect, area: Rect, height: float) -> Rect:
    """Find room for words: under the picture if the area has it, else over its lower edge."""
    below = area.y + area.height - (rect.y + rect.height)
    y = rect.y + rect.height + (below - height) * 0.38 if below >= height else rect.y + rect.height - height * 1.35
    return Rect(rect.x, y, rect.width, height)


def single(area: Rect, fit: Fit, caption_height: float) -> Tile:
    """One square picture."""
    rect, source = place(area, 1.0, fit)
    return Tile(rect, source, caption_strip(rect, area, caption_height))


def pair(area: Rect, caption_height: float, gap: float = 0.0) -> tuple[Tile, Tile]:
    """Two squares, side by side on a wide canvas and one above the other on a tall one."""
    if area.aspect >= 1.0:
        side = min((area.width - gap) / 2, area.height)
        x, y = area.x + (area.width - 2 * side - gap) / 2, area.y + (area.height - side) / 2
        rects = (Rect(x, y, side, side), Rect(x + side + gap, y, side, side))
    else:
        side = min(area.width, (area.height - gap) / 2)
        x, y = area.x + (area.width - side) / 2, area.y + (area.height - 2 * side - gap) / 2
        rects = (Rect(x, y, side, side), Rect(x, y + side + gap, side, side))
    first, second = (Tile(rect.rounded(), UNIT, caption_strip(rect.rounded(), area, caption_height)) for rect in rects)
    return first, second


def panels(area: Rect, count: int, caption_height: float, gap: float) -> tuple[Tile, ...]:
    """Lay out `count` pictures with words under each: a row on wide canvases, staggered rows on tall ones.

    Every number of rows is tried and the largest panels win. Panels of a row may be narrower than
    square, down to `MIN_PANEL_ASPECT`; then the picture's sides are cropped. A row that holds fewer
    is centred, so five on a tall screen lie like the five on a die.
    """
    best: tuple[float, list[int], float, float] | None = None
    for rows in range(1, count + 1):
        longest = -(-count // rows)
        counts = _spread(count, rows)
        cell_height = (area.height - gap * (rows - 1)) / rows - caption_height
        cell_width = (area.width - gap * (longest - 1)) / longest
        if cell_height <= 1 or cell_width <= 1:
            continue
        width = min(cell_width, cell_height)
        height = min(cell_height, width / MIN_PANEL_ASPECT)
        worth = width * height * (1.0 if rows == 1 else MANY_ROWS_WORTH)
        if best is None or worth > best[0]:
            best = (worth, counts, width, height)
    if best is None:  # smaller than its own captions: keep the pictures, drop the room for words
        return panels(area, count, 0.0, 0.0) if caption_height or gap else (Tile(area, UNIT, area),) * count
    _, counts, width, height = best
    block = len(counts) * (height + caption_height) + gap * (len(counts) - 1)
    y = area.y + (area.height - block) / 2
    source = crop_to(width / height)
    tiles = []
    for row in counts:
        x = area.x + (area.width - row * width - gap * (row - 1)) / 2
        for _ in range(row):
            rect = Rect(x, y, width, height).rounded()
            tiles.append(Tile(rect, source, Rect(rect.x, rect.y + rect.height, rect.width, caption_height)))
            x += width + gap
        y += height + caption_height + gap
    return tuple(tiles)


def _spread(count: int, rows: int) -> list[int]:
    """Share `count` among rows so that the long rows are outside: 5 in 3 rows is 2, 1, 2."""
    short, extra = divmod(count, rows)
    order = sorted(range(rows), key=lambda row: (min(row, rows - 1 - row), row))
    longer = set(order[:extra])
    return [short + (row in longer) for row in range(rows)]
