"""Convolutions and activations in nothing but NumPy, for the golden vectors. Maps are (channels, height, width)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.lazy import LazyArray

Tensors = Mapping[str, LazyArray]
Array = NDArray[np.float32]

_STRIP_NUMBERS = 4_000_000
"""How many numbers a strip of unfolded patches may have: 16 MB."""


def convolve(x: Array, weight: Array, stride: int) -> Array:
    """3x3 convolution with a rim of zeros."""
    return convolve_inside(np.pad(x, ((0, 0), (1, 1), (1, 1))), weight, stride)


def pointwise(x: Array, weight: Array) -> Array:
    """1x1 convolution."""
    return np.tensordot(weight[:, :, 0, 0], x, 1)


def convolve_inside(x: Array, weight: Array, stride: int = 1) -> Array:
    """3x3 convolution without a rim, as products of matrices, strip by strip."""
    fan_out, fan_in = weight.shape[:2]
    height, width = (x.shape[1] - 3) // stride + 1, (x.shape[2] - 3) // stride + 1
    matrix = np.ascontiguousarray(weight).reshape(fan_out, -1)
    patches = _patches(x)[:, ::stride, ::stride]
    out = np.empty((fan_out, height, width), np.float32)
    strip = max(1, _STRIP_NUMBERS // (9 * fan_in * width))
    for top in range(0, height, strip):
        part = patches[:, top : top + strip]
        columns = part.transpose(0, 3, 4, 1, 2).reshape(9 * fan_in, -1)
        out[:, top : top + strip] = (matrix @ columns).reshape(fan_out, -1, width)
    return out


def _patches(x: Array) -> Array:
    """Give the 3x3 neighbourhoods of a map as a view: (c, h - 2, w - 2, 3, 3)."""
    channels, height, width = x.shape
    plane, row, column = x.strides
    shape, strides = (channels, height - 2, width - 2, 3, 3), (plane, row, column, row, column)
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)


def leaky_relu(x: Array, slope: float) -> Array:
    """Scale what is below zero."""
    return np.where(x < 0, x * np.float32(slope), x)


def clamp(x: Array, limit: float | None) -> Array:
    """Limit to -limit..limit, if there is one."""
    return x if limit is None else np.clip(x, -limit, limit)
