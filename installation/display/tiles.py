"""The plain picture: tiles enlarged from the reflection onto the canvas, with grain and vignette.

Two passes: rows at the picture's width, which is small, then columns straight onto the canvas.
"""

from __future__ import annotations

from collections import OrderedDict

import moderngl

from installation.display.config import DisplayConfig
from installation.display.layout import Rect, Tile
from installation.display.shaders import ShaderLibrary
from installation.display.targets import Target

KEPT_SIZES = 4
"""Sizes of tiles kept ready: two views of two sizes each."""

CRISP_FROM = 4.0
"""Enlargement from which a picture is doubled with crisp lines first: 128 px on 720 lines, 256 px on 1080."""


class TilePainter:
    """Draws tiles of one size. Owned by the renderer."""

    def __init__(self, shaders: ShaderLibrary, config: DisplayConfig) -> None:
        self._ctx = shaders.ctx
        self._config = config
        self._rows_program = shaders.program("enlarge_rows.frag")
        self._program = shaders.program("picture.frag")
        self._crisp_program = shaders.program("crisp.frag")
        self._edges_program = shaders.program("edges.frag")
        self._edges, self._crisp = Target(self._ctx, "f2", smooth=False), Target(self._ctx, "f2")
        self._rows: OrderedDict[tuple[int, int], Target] = OrderedDict()

    def draw(
        self, canvas: Target, tiles: tuple[Tile, ...], shown: moderngl.Texture, *,
        pictures: tuple[int, ...], count: int, fade: float, seed: float, plain: bool = True, add: bool = False,
    ) -> None:  # fmt: skip
        """Draw tiles; the canvas stays bound.

        Args:
            canvas: Where to.
            tiles: All of one size and source.
            shown: `count` pictures side by side, encoded.
            pictures: Which picture each tile shows.
            count: How many pictures `shown` holds.
            fade: 1 is black.
            seed: For the grain.
            plain: Whether the plain look's grain and vignette are wanted; else only dither is added.
            add: Whether to add to what is there (for cross-fades whose weights add up to one).
        """
        config = self._config
        source = tiles[0].source
        kernel = cubic_kernel(config.sharpness)
        if config.crispness > 0.0 and tiles[0].rect.height >= CRISP_FROM * source.height * shown.height:
            shown = self._doubled(shown, count)
        rows = self._rows_of((shown.width, int(tiles[0].rect.height)))
        rows.use()
        shown.filter = (moderngl.NEAREST, moderngl.NEAREST)  # four taps at their texels' centres
        self._rows_program.draw(u_picture=shown, u_kernel=kernel, u_source=(0.0, source.y, 1.0, source.height))
        shown.filter = (moderngl.LINEAR, moderngl.LINEAR)
        canvas.use()
        if add:
            self._ctx.enable_only(moderngl.BLEND)
            self._ctx.blend_func = moderngl.ONE, moderngl.ONE
        columns = shown.width // count
        self._program.set(
            u_rows=rows.texture,
            u_kernel=kernel,
            u_grain=config.grain if plain else 0.0,
            u_grain_px=max(1.0, round(min(canvas.size) / 1080)),
            u_vignette=config.vignette if plain else 0.0,
            u_fade=fade,
            u_seed=seed,
        )
        for tile, picture in zip(tiles, pictures, strict=True):
            self._program.draw(
                u_rect=parts(tile.rect, canvas.size),
                u_source=mirrored(
                    Rect((picture + source.x) / count, 0.0, source.width / count, 1.0), self._config.mirrored
                ),
                u_tile=(picture * columns, (picture + 1) * columns - 1),
            )
        self._ctx.enable_only(moderngl.NOTHING)

    def release(self) -> None:
        """Give the textures back."""
        self._edges.release()
        self._crisp.release()
        for target in self._rows.values():
            target.release()
        self._rows.clear()

    def _doubled(self, shown: moderngl.Texture, count: int) -> moderngl.Texture:
        """The pictures at twice their size, with crisp lines."""
        size = (shown.width * 2, shown.height * 2)
        self._edges.resize(size)
        self._edges.use()
        self._edges_program.draw(u_picture=shown, u_tiles=float(count))
        self._crisp.resize(size)
        self._crisp.use()
        self._crisp_program.draw(
            u_picture=shown, u_edges=self._edges.texture, u_tiles=float(count), u_crisp=self._config.crispness
        )
        return self._crisp.texture

    def _rows_of(self, size: tuple[int, int]) -> Target:
        """A target of this size; a view may need more than one size in each frame."""
        if size not in self._rows:
            while len(self._rows) >= KEPT_SIZES:
                self._rows.popitem(last=False)[1].release()
            self._rows[size] = Target(self._ctx, "f2", smooth=False)
            self._rows[size].resize(size)
        self._rows.move_to_end(size)
        return self._rows[size]


def cubic_kernel(sharpness: float) -> tuple[float, ...]:
    """Coefficients of the four neighbours' weights, for the shaders' `cubic_weights`.

    Args:
        sharpness: 0 is the B-spline (B = 1), 1 is Catmull-Rom (B = 0); between them C = (1 - B) / 2.

    Returns:
        16 numbers: four for t^0, four for t^1, four for t^2, four for t^3, left neighbour first.

    Source: D. Mitchell and A. Netravali, "Reconstruction Filters in Computer Graphics" (SIGGRAPH 1988), equation 8.
    """
    b, c = 1.0 - sharpness, 0.5 * sharpness
    return (
        b / 6, 1 - b / 3, b / 6, 0.0,
        -b / 2 - c, 0.0, b / 2 + c, 0.0,
        b / 2 + 2 * c, -3 + 2 * b + c, 3 - 5 * b / 2 - 2 * c, -c,
        -b / 6 - c, 2 - 3 * b / 2 - c, -2 + 3 * b / 2 + c, b / 6 + c,
    )  # fmt: skip


def parts(rect: Rect, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Express pixels as parts of the target."""
    return rect.x / size[0], rect.y / size[1], rect.width / size[0], rect.height / size[1]


def mirrored(source: Rect, swap: bool) -> tuple[float, float, float, float]:
    """Left and right swapped, as the quad's source."""
    if swap:
        return source.x + source.width, source.y, -source.width, source.height
    return source.x, source.y, source.width, source.height
