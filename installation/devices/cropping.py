"""Take an oriented square out of a picture: antialiased, reflected at the picture's edge, into one buffer.

Used for the FFHQ crop and, unreflected, for what the landmark network looks at.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from installation.core.alignment import quad_size
from installation.core.crop import frame_from_pixels, reading_box


def sample_square(
    frame: NDArray[np.uint8], quad: NDArray[np.floating[Any]], out: NDArray[np.uint8], *, reflect: bool = True
) -> None:
    """Fill `out` with the quad's content.

    Where the quad is larger than `out` by a factor of two or more, the picture is first reduced by area, so
    that no pixel is stepped over. Outside the frame the picture is mirrored about its edge pixel, or black.

    Args:
        frame: (h, w, 3) uint8.
        quad: (4, 2) corners in frame pixels: top-left, bottom-left, bottom-right, top-right.
        out: (s, s, 3) uint8, filled in place.
        reflect: Mirror at the frame's edge, as the FFHQ crops do.
    """
    size = out.shape[0]
    height, width = frame.shape[:2]
    box = reading_box(quad, (width, height))
    if box is None:
        out[:] = 0
        return
    x0, y0, x1, y1 = box
    source = frame[y0:y1, x0:x1]
    shrink = int(quad_size(quad) / size)
    scale_x = scale_y = 1.0
    if shrink >= 2 and min(source.shape[:2]) > 2 * shrink:
        reduced = (-(-source.shape[1] // shrink), -(-source.shape[0] // shrink))
        scale_x, scale_y = reduced[0] / source.shape[1], reduced[1] / source.shape[0]
        source = np.asarray(cv2.resize(source, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    matrix = frame_from_pixels(quad, size)
    matrix[:, 2] -= (x0, y0)
    # Pixel centres: u' + 0.5 = scale (u + 0.5).
    matrix[0] *= scale_x
    matrix[1] *= scale_y
    matrix[:, 2] += (0.5 * scale_x - 0.5, 0.5 * scale_y - 0.5)
    cv2.warpAffine(
        source,
        matrix,
        (size, size),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_CONSTANT,
    )


def fit_picture(frame: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Reduce a picture so that neither side exceeds `max_side`; smaller ones pass unchanged."""
    height, width = frame.shape[:2]
    if max(height, width) <= max_side:
        return frame
    ratio = max_side / max(height, width)
    size_wh = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    return np.asarray(cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
