"""A contact sheet: faces down, styles across, the style pictures on top and the plain faces on the left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MARGIN = 4


def contact_sheet(faces: NDArray[np.uint8], styles: NDArray[np.uint8], styled: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pictures out on white.

    Args:
        faces: (f, s, s, 3) uint8.
        styles: (k, s, s, 3).
        styled: (f, k, s, s, 3).

    Returns:
        (height, width, 3) uint8.
    """
    rows, columns, side = len(faces) + 1, len(styles) + 1, faces.shape[1]
    pitch = side + MARGIN
    sheet = np.full((rows * pitch + MARGIN, columns * pitch + MARGIN, 3), 255, np.uint8)

    def put(row: int, column: int, picture: NDArray[np.uint8]) -> None:
        top, left = MARGIN + row * pitch, MARGIN + column * pitch
        sheet[top : top + side, left : left + side] = picture

    for column, style in enumerate(styles):
        put(0, column + 1, style)
    for row, face in enumerate(faces):
        put(row + 1, 0, face)
        for column in range(len(styles)):
            put(row + 1, column + 1, styled[row, column])
    return sheet
