"""The FFHQ crop of a picture, pixel for pixel as the data set's own tools make it.

For work off line: comparing encoders with their references, cutting portraits for projection. The show cuts its crops
on the fly (`installation.devices`) from the same quad, with one resampling and no blurred rim.

Source: "Progressive Growing of GANs" (Karras et al., ICLR 2018), appendix C, in the form used for FFHQ, pSp and e4e.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from installation.core.alignment import quad_size

CROP_SIZE = 256
"""What pSp and e4e encode."""

BORDER = 0.1
"""Margin kept around the quad's bounding box, as a part of the quad's side."""

PADDING = 0.3
"""Least padding where the quad sticks out, as a part of the quad's side."""

BLUR = 0.02
"""Standard deviation of the blur that the padding fades into, as a part of the quad's side."""

_GAUSSIAN_REACH = 4.0
"""Where the Gaussian ends, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture shrunk, cut and padded for the last step.

    Attributes:
        picture: The picture around the face.
        quad: (4, 2) float64 corners in its pixels.
    """

    picture: Image.Image
    quad: NDArray[np.float64]


def align_face(picture: NDArray[np.uint8], quad: NDArray[np.float64], size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Cut a face out of a picture.

    Args:
        picture: (height, width, 3) uint8 RGB. No rotation by EXIF is applied.
        quad: (4, 2) corners from `installation.core.alignment`.
        size: Side of the crop in pixels.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    prepared = prepare(picture, quad, size)
    corners = tuple((prepared.quad + 0.5).ravel().tolist())
    crop = prepared.picture.transform((size, size), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return np.asarray(crop)


def prepare(picture: NDArray[np.uint8], quad: NDArray[np.float64], size: int = CROP_SIZE) -> Prepared:
    """Shrink a large picture, cut it to the face, pad where the quad sticks out."""
    image = Image.fromarray(picture)
    quad = np.array(quad, np.float64)
    side = quad_size(quad)
    shrink = math.floor(side / size * 0.5)
    if shrink > 1:
        smaller = (round(image.width / shrink), round(image.height / shrink))
        image = image.resize(smaller, Image.Resampling.LANCZOS)
        quad /= shrink
        side /= shrink
    border = max(round(side * BORDER), 3)
    low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    box = (
        max(int(low[0]) - border, 0),
        max(int(low[1]) - border, 0),
        min(int(high[0]) + border, image.width),
        min(int(high[1]) + border, image.height),
    )
    if box[2] - box[0] < image.width or box[3] - box[1] < image.height:
        image = image.crop(box)
        quad -= box[:2]
        low, high = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    pad = (
        max(border - int(low[0]), 0),
        max(border - int(low[1]), 0),
        max(int(high[0]) - image.width + border, 0),
        max(int(high[1]) - image.height + border, 0),
    )
    if max(pad) > border - 4:
        margin = round(side * PADDING)
        left, top, right, bottom = (max(amount, margin) for amount in pad)
        image = Image.fromarray(_padded(np.asarray(image), (left, top, right, bottom), side * BLUR))
        quad += (left, top)
    return Prepared(image, quad)


def _padded(picture: NDArray[np.uint8], pad: tuple[int, int, int, int], sigma: float) -> NDArray[np.uint8]:
    """Reflect the picture outward and let the reflection fade into a blur, then into the median colour."""
    left, top, right, bottom = pad
    out = np.pad(picture.astype(np.float32), ((top, bottom), (left, right), (0, 0)), "reflect")
    height, width = out.shape[:2]
    y, x = np.ogrid[:height, :width]
    with np.errstate(divide="ignore"):
        across = 1.0 - np.minimum(np.float32(x) / left, np.float32(width - 1 - x) / right)
        down = 1.0 - np.minimum(np.float32(y) / top, np.float32(height - 1 - y) / bottom)
    mask = np.maximum(across, down)[:, :, None]
    out += (_blurred(out, sigma) - out) * np.clip(mask * 3.0 + 1.0, 0.0, 1.0)
    out += (np.median(out, axis=(0, 1)) - out) * np.clip(mask, 0.0, 1.0)
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur both axes with a Gaussian; beyond the rim the picture is mirrored, the rim's pixels included."""
    reach = int(_GAUSSIAN_REACH * sigma + 0.5)
    at = np.arange(-reach, reach + 1)
    taps = np.exp(-0.5 * (at / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        widths = [(reach, reach) if index == axis else (0, 0) for index in range(3)]
        wide = np.pad(picture, widths, "symmetric").astype(np.float64)
        size = picture.shape[axis]
        total = np.zeros(picture.shape)
        for index, tap in enumerate(taps):
            total += tap * (wide[index : index + size] if axis == 0 else wide[:, index : index + size])
        picture = total.astype(np.float32)
    return picture
