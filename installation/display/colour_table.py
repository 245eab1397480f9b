"""Colour tables (3D LUTs): read from .cube files, or made from a style picture by optimal transport.

A table is (n, n, n, 3) float32 in 0..1, encoded sRGB in and out, indexed [blue, green, red] as a 3D
texture lies in memory.

Sources: Adobe, "Cube LUT Specification" 1.0 (2013). F. Pitie and A. Kokaram, "The linear
Monge-Kantorovitch linear colour mapping for example-based colour transfer" (CVMP 2007), here in
CIE L*a*b* under D65.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from installation.errors import ConfigError

STYLE_SIZE = 17
"""Cells along each side of a style's table: 15 KB of texture, finer than a linear map needs."""

MAX_CUBE = 129
MAX_STRETCH = 1.7
"""How far a style may spread or narrow the live picture's colours along any direction of L*a*b*."""

_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65, 2 degrees
_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_FROM_XYZ = np.linalg.inv(_XYZ_FROM_RGB)


def read_cube(path: Path) -> NDArray[np.float32]:
    """Read a 3D .cube file.

    Raises:
        ConfigError: If it is none; says what was expected and found.
    """
    try:
        lines = path.read_text("utf-8", errors="strict").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name}: no colour table can be read ({error}); give a text file in .cube form"
        ) from error
    size, low, high = 0, np.zeros(3), np.ones(3)
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if not words or words[0] == "TITLE":
            continue
        try:
            if words[0] == "LUT_3D_SIZE":
                size = int(words[1])
                if not 2 <= size <= MAX_CUBE:
                    raise ValueError(f"a size of 2 to {MAX_CUBE} was expected")
            elif words[0] == "DOMAIN_MIN":
                low = np.array([float(word) for word in words[1:4]])
            elif words[0] == "DOMAIN_MAX":
                high = np.array([float(word) for word in words[1:4]])
            elif words[0] == "LUT_1D_SIZE":
                raise ValueError("this is a one-dimensional table; a 3D one was expected")
            else:
                row = [float(word) for word in words]
                if len(row) != 3:
                    raise ValueError("three numbers were expected")
                rows.append(row)
        except (ValueError, IndexError) as error:
            raise ConfigError(
                f"{path.name}:{number}: no colour table ({error}); export it again as a 3D .cube"
            ) from error
    if not size or len(rows) != size**3:
        raise ConfigError(
            f"{path.name}: no colour table (LUT_3D_SIZE {size or 'is missing'}, {len(rows)} rows of {size**3}); "
            "export it again as a 3D .cube"
        )
    table = np.array(rows, np.float32).reshape(size, size, size, 3)
    if not np.isfinite(table).all():
        raise ConfigError(f"{path.name}: holds numbers that are not finite; export it again")
    if (low != 0).any() or (high != 1).any():
        table = _resampled(table, low, high)
    return np.clip(table, 0.0, 1.0)


def grid(size: int) -> NDArray[np.float64]:
    """Return the colours of a table that changes nothing: (n, n, n, 3), indexed [blue, green, red]."""
    steps = np.linspace(0.0, 1.0, size)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], axis=-1)


def lab_from_srgb(encoded: NDArray[np.floating]) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """CIE L*a*b* (D65) of encoded sRGB in 0..1, last axis the channels."""
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0.0) + 0.055) / 1.055) ** 2.4)
    t = linear @ _XYZ_FROM_RGB.T / _WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def srgb_from_lab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encoded sRGB of CIE L*a*b* (D65), not clamped."""
    middle = (lab[..., 0] + 16) / 116
    f = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    t = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = (t * _WHITE) @ _RGB_FROM_XYZ.T
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


class Palette:
    """The colours of a picture as a cloud in L*a*b*: its mean and its covariance."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        """Look at (h, w, 3) uint8 encoded RGB, of which about four thousand pixels are enough."""
        step = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 4096)))
        lab = lab_from_srgb(rgb[::step, ::step].reshape(-1, 3) / 255.0)
        self.mean: NDArray[np.float64] = lab.mean(axis=0)
        centred = lab - self.mean
        self.covariance: NDArray[np.float64] = centred.T @ centred / max(1, len(lab)) + np.eye(3) * 2.0

    @classmethod
    def read(cls, path: Path) -> Palette:
        """Look at a picture file.

        Raises:
            ConfigError: If it is no picture.
        """
        try:
            with Image.open(path) as image:
                image.thumbnail((256, 256))
                return cls(np.asarray(image.convert("RGB")))
        except (OSError, ValueError) as error:
            raise ConfigError(f"style picture {path}: cannot be read ({error}); give a JPEG or PNG file") from error

    def follow(self, other: Palette, share: float) -> None:
        """Move toward another palette by `share` (0..1), so that a live picture's table does not flicker."""
        self.mean = self.mean + share * (other.mean - self.mean)
        self.covariance = self.covariance + share * (other.covariance - self.covariance)


def transport(source: Palette, style: Palette) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the cheapest linear map that gives `source` mean and covariance of `style`, within `MAX_STRETCH`.

    Returns:
        (3, 3) matrix T and (3,) shift: lab' = T lab + shift. T is symmetric and positive definite, so no hue is
        turned round further than it must.
    """
    root = _root(source.covariance)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ style.covariance @ root) @ inverse
    # A portrait of few colours would be torn apart to fill a colourful painting: the stretch is bounded.
    stretches, axes = np.linalg.eigh(matrix)
    matrix = (axes * np.clip(stretches, 1.0 / MAX_STRETCH, MAX_STRETCH)) @ axes.T
    return matrix, style.mean - matrix @ source.mean


def style_table(source: Palette, style: Palette, lightness: float = 0.35) -> NDArray[np.float32]:
    """Make the table that gives a picture of palette `source` the colours of `style`.

    Args:
        source: The live picture's.
        style: The painting's.
        lightness: 0..1, how much of the painting's light and dark is taken as well; a face stays readable with little.
    """
    matrix, shift = transport(source, style)
    lab = lab_from_srgb(grid(STYLE_SIZE))
    moved = lab @ matrix.T + shift
    moved[..., 0] = lab[..., 0] + lightness * (moved[..., 0] - lab[..., 0])
    return np.clip(srgb_from_lab(moved), 0.0, 1.0).astype(np.float32)


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 1e-9))) @ vectors.T
    return root


def _resampled(table: NDArray[np.float32], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bring a table of another domain to 0..1, by nearest cell; such tables are rare and smooth."""
    size = table.shape[0]
    index = np.clip(np.rint((grid(size) - low) / (high - low) * (size - 1)), 0, size - 1).astype(int)
    moved: NDArray[np.float32] = table[index[..., 2], index[..., 1], index[..., 0]]
    return moved
