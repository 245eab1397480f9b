"""From the upright canvas to the screen on the wall: rotation, corner pin, as one homography.

Points are parts of width and height, x right, y down, for canvas and screen alike. The corner pin
speaks of the screen as one sees it on the wall, after rotation.

Source of the square-to-quad map: P. Heckbert, "Fundamentals of Texture Mapping and Image Warping"
(Berkeley, 1989), section 2.2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.config import DisplayConfig
from installation.display.shaders import ShaderLibrary
from installation.errors import ConfigError

# Canvas to screen, clockwise. A screen whose top edge points right on the wall (turned by 90 degrees
# clockwise) shows an upright picture when the picture is turned back, counter-clockwise.
_TURNS = {
    0: np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64),
    90: np.array([[0, 1, 0], [-1, 0, 1], [0, 0, 1]], np.float64),
    180: np.array([[-1, 0, 1], [0, -1, 1], [0, 0, 1]], np.float64),
    270: np.array([[0, -1, 1], [1, 0, 0], [0, 0, 1]], np.float64),
}


class Surface:
    """Presents finished canvases on screens."""

    def __init__(self, shaders: ShaderLibrary, config: DisplayConfig) -> None:
        """Take rotation and soft edges from [display]."""
        self._ctx = shaders.ctx
        self._program = shaders.program("present.frag", "present.vert")
        self._rotation = config.rotation
        self._soft_edges = config.soft_edges

    def upright_size(self, size_px: tuple[int, int]) -> tuple[int, int]:
        """Size of the upright canvas for a screen of `size_px`."""
        return size_px if self._rotation % 180 == 0 else (size_px[1], size_px[0])

    def present(
        self, canvas: moderngl.Texture, framebuffer: moderngl.Framebuffer, corners: Sequence[Sequence[float]]
    ) -> None:
        """Draw the canvas on a screen's framebuffer, its corners where `corners` says."""
        framebuffer.use()  # with its viewport, which is the whole screen; its `size` may be out of date
        framebuffer.clear()
        self._program.draw(
            u_canvas=canvas,
            u_screen_from_canvas=tuple(screen_from_canvas(self._rotation, corners).T.ravel()),
            u_edges=self._soft_edges,
        )


def quad_from_square(corners: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Find the homography that takes the unit square to four corners.

    Args:
        corners: Top-left, top-right, bottom-right, bottom-left.

    Returns:
        (3, 3) matrix for column vectors (x, y, 1).

    Raises:
        ConfigError: If the corners are not the corners of a convex quad in that order.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    points = np.array(corners, np.float64)
    edges = np.roll(points, -1, axis=0) - points
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if not (turns > 1e-6).all():
        raise ConfigError(
            f"[display] corners = {[tuple(map(float, c)) for c in corners]}: must be a convex shape, given as "
            "top-left, top-right, bottom-right, bottom-left; drag the corners apart or remove the entry"
        )
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    determinant = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / determinant, (dx1 * sy - sx * dy1) / determinant
    return np.array([[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]])


def screen_from_canvas(rotation: int, corners: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Compose corner pin and rotation into one map from the canvas to the screen."""
    return _TURNS[rotation] @ quad_from_square(corners)
