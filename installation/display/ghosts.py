"""The view `ghosts`: this visit's own morph trail, earlier moments fading beside the present one.

A strip of a few small pictures, one taken every `EVERY_S` while somebody is there. It belongs to one
visit and is cleared with it; past visitors are never shown.
"""

from __future__ import annotations

import moderngl

from installation.display.layout import UNIT, Rect, Tile
from installation.display.shaders import ShaderLibrary
from installation.display.targets import Target

KEPT = 6
"""Earlier moments."""

EVERY_S = 0.6
MAIN_SHARE = 0.62
"""Largest part of the longer side that the present takes, so that there is room for its past."""

GAP = 0.08
"""Space between moments, as a part of the room beside the present, or of half the shorter side."""

DIM = 0.8
"""Light of each moment against the one after it."""

MAX_SIDE_PX = 256


class GhostTrail:
    """Keeps the trail as pictures side by side. Owned by the renderer."""

    def __init__(self, shaders: ShaderLibrary) -> None:
        self._ctx = shaders.ctx
        self._copy = shaders.program("copy.frag")
        self._strip = Target(self._ctx, "f2")
        self._taken = 0
        self._last_at_s = -1e9

    @property
    def strip(self) -> moderngl.Texture:
        """`KEPT` pictures side by side."""
        return self._strip.texture

    @property
    def cells(self) -> list[int]:
        """Cells of the strip that hold a moment, newest first."""
        return [(self._taken - 1 - age) % KEPT for age in range(min(self._taken, KEPT))]

    def follow(self, shown: moderngl.Texture, count: int, time_s: float) -> None:
        """Take the first of `count` pictures side by side, if it is time."""
        side = min(MAX_SIDE_PX, shown.height)
        if self._strip.resize((side * KEPT, side)):
            self._taken = 0
        if time_s - self._last_at_s < EVERY_S:
            return
        self._last_at_s = time_s
        self._strip.use()
        self._ctx.viewport = (self._taken % KEPT * side, 0, side, side)
        self._copy.draw(u_picture=shown, u_source=(0.0, 0.0, 1.0 / count, 1.0))
        self._taken += 1

    def forget(self) -> None:
        """Clear the trail with the visit."""
        if self._taken:
            self._taken = 0
            self._last_at_s = -1e9
            self._strip.framebuffer.clear()

    def release(self) -> None:
        """Give the strip back."""
        self._strip.release()


def ghost_layout(area: Rect) -> tuple[Rect, list[Tile]]:
    """Lay out the present and the moments before it.

    The present is a square in the middle, with three moments on each side of it (above and below on tall canvases).
    They stand in a column, where that leaves them larger; read like a page, the two columns lead back to the present.
    On very long canvases they stand in a line, the newest nearest the present and each next one on the other side.

    Returns:
        (where the present lies, tiles of the moments, newest first).
    """
    wide = area.aspect >= 1.0
    long, short = (area.width, area.height) if wide else (area.height, area.width)
    side = min(short, long * MAIN_SHARE)
    room = (long - side) / 2
    each = KEPT // 2
    gap = min(room, short / 2) * GAP
    column = min(room - 2 * gap, (short - gap * (each - 1)) / each)
    line = min((room - gap * (each + 1)) / each, short)
    tile = max(1.0, column, line)
    centre_x, centre_y = area.x + area.width / 2, area.y + area.height / 2
    main = Rect(centre_x - side / 2, centre_y - side / 2, side, side).rounded()
    tiles = []
    for age in range(KEPT):
        if column >= line:
            after, place = age < each, (each - 1 - age) % each
            from_main, across = (room - tile) / 2, (short - (tile + gap) * each + gap) / 2 + place * (tile + gap)
        else:
            after, place = age % 2 == 0, age // 2
            from_main, across = gap + place * (tile + gap), (short - tile) / 2
        along = room + side + from_main if after else room - from_main - tile
        x, y = (along, across) if wide else (across, along)
        rect = Rect(area.x + x, area.y + y, tile, tile).rounded()
        tiles.append(Tile(rect, UNIT, rect))
    return main, tiles
