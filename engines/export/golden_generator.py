"""A window of a generator's picture in nothing but NumPy, and of every layer only what that window sees.

Source: as for `engines.networks.stylegan2`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.export.golden_maths import Array, Tensors, clamp, convolve_inside, leaky_relu
from engines.networks.architecture import (
    DEMODULATION_EPS,
    FIR_TAPS,
    LRELU_GAIN,
    LRELU_SLOPE,
    GeneratorArchitecture,
)


@dataclass(frozen=True, slots=True)
class Window:
    """Rows top..bottom and columns left..right of a picture or feature map."""

    top: int
    bottom: int
    left: int
    right: int

    def through(self, low: Callable[[int], int], high: Callable[[int], int], side: int) -> Window:
        """Map both axes' bounds and cut at the picture's rim."""
        return Window(
            max(low(self.top), 0), min(high(self.bottom), side), max(low(self.left), 0), min(high(self.right), side)
        )

    def union(self, other: Window) -> Window:
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a feature map; everything outside it is zero or not needed."""

    values: Array
    window: Window

    def cut(self, top: int, bottom: int, left: int, right: int) -> Array:
        """Cut rows and columns out, with zeros where there is nothing."""
        out = np.zeros((self.values.shape[0], bottom - top, right - left), np.float32)
        own = self.window
        t, b, lft, r = max(top, own.top), min(bottom, own.bottom), max(left, own.left), min(right, own.right)
        source = self.values[:, t - own.top : b - own.top, lft - own.left : r - own.left]
        out[:, t - top : b - top, lft - left : r - left] = source
        return out


def synthesize_window(arch: GeneratorArchitecture, tensors: Tensors, w_plus: Array, window: Window) -> Array:
    """Compute one window of the picture of one latent: (num_ws, w_dim) -> (3, height, width)."""
    pictures, features = _needed(arch, window)
    x = Patch(tensors["synthesis.b4.const"].load(), Window(0, 4, 0, 4))
    image: Patch | None = None
    row = 0
    for level, side in enumerate(arch.resolutions):
        inner = features[level].through(lambda a: a - 1, lambda b: b + 1, side)
        if level:
            x = _layer(arch, tensors, x, w_plus[row], f"synthesis.b{side}.conv0", inner, up=True)
            row += 1
        x = _layer(arch, tensors, x, w_plus[row], f"synthesis.b{side}.conv1", features[level], up=False)
        row += 1
        image = _colour(arch, tensors, x, w_plus[row], f"synthesis.b{side}.torgb", pictures[level], image)
    assert image is not None
    return image.values


def _needed(arch: GeneratorArchitecture, window: Window) -> tuple[list[Window], list[Window]]:
    """Find, from the picture down, which window of every level's picture and features is seen."""
    pictures, features = [window], [window]
    for side in reversed(arch.resolutions[:-1]):
        picture = pictures[0].through(lambda a: a // 2 - 1, lambda b: (b - 1) // 2 + 2, side)
        # conv1 sees one pixel further, the FIR filter one before and two behind, the transposed kernel two.
        above = features[0].through(lambda a: a - 1, lambda b: b + 1, 2 * side)
        seen = above.through(lambda a: (a - 3) // 2, lambda b: (b + 1) // 2 + 1, side)
        pictures.insert(0, picture)
        features.insert(0, seen.union(picture))
    return pictures, features


def _layer(
    arch: GeneratorArchitecture, tensors: Tensors, x: Patch, w: Array, name: str, out: Window, up: bool
) -> Patch:
    weight = tensors[f"{name}.weight"].load()
    gain = np.float32(1.0 / math.sqrt(weight[0].size))
    eps = DEMODULATION_EPS * (1.0 if arch.eps_after_gain else float(gain) ** 2)
    weight = weight * gain * _style(tensors, name, w)[None, :, None, None]
    weight = weight / np.sqrt(np.square(weight).sum(axis=(1, 2, 3), keepdims=True, dtype=np.float64) + eps)
    weight = weight.astype(np.float32)
    if up:
        y = _transposed(x, weight, out)
    else:
        y = convolve_inside(x.cut(out.top - 1, out.bottom + 1, out.left - 1, out.right + 1), weight)
    noise = tensors[f"{name}.noise_const"].load()[out.top : out.bottom, out.left : out.right]
    y += noise * tensors[f"{name}.noise_strength"].load()
    y = leaky_relu(y + tensors[f"{name}.bias"].load()[:, None, None], LRELU_SLOPE) * np.float32(LRELU_GAIN)
    return Patch(clamp(y, arch.conv_clamp), out)


def _transposed(x: Patch, weight: Array, out: Window) -> Array:
    """Spread by zeros, convolve with the flipped kernel, filter: the window `out` of the doubled map."""
    top, left = (out.top - 3) // 2, (out.left - 3) // 2
    bottom, right = (out.bottom + 1) // 2 + 1, (out.right + 1) // 2 + 1
    source = x.cut(top, bottom, left, right)
    height, width = source.shape[1:]
    spread = np.zeros((source.shape[0], 2 * height + 3, 2 * width + 3), np.float32)
    spread[:, 2 : 2 * height + 2 : 2, 2 : 2 * width + 2 : 2] = source
    full = convolve_inside(spread, weight[:, :, ::-1, ::-1])
    taps = np.asarray(FIR_TAPS, np.float32) / 4
    # `full` begins at the place 2 * top of the transposed convolution; the filter begins one before the output.
    rows, columns = out.top - 1 - 2 * top, out.left - 1 - 2 * left
    high, wide = out.bottom - out.top, out.right - out.left
    y = sum(tap * full[:, rows + k : rows + k + high] for k, tap in enumerate(taps))
    return np.asarray(sum(tap * y[:, :, columns + k : columns + k + wide] for k, tap in enumerate(taps)))


def _colour(
    arch: GeneratorArchitecture, tensors: Tensors, x: Patch, w: Array, name: str, out: Window, below: Patch | None
) -> Patch:
    weight = tensors[f"{name}.weight"].load()[:, :, 0, 0]
    weight = weight * _style(tensors, name, w) * np.float32(1.0 / math.sqrt(weight.shape[1]))
    source = x.cut(out.top, out.bottom, out.left, out.right)
    y = np.tensordot(weight, source, 1) + tensors[f"{name}.bias"].load()[:, None, None]
    y = clamp(y, arch.conv_clamp)
    if below is not None:
        y += _skip(below, out)
    return Patch(y, out)


def _skip(image: Patch, out: Window) -> Array:
    """Spread by zeros and filter, as the definition says."""
    top, left = out.top // 2 - 1, out.left // 2 - 1
    source = image.cut(top, (out.bottom - 1) // 2 + 2, left, (out.right - 1) // 2 + 2)
    height, width = source.shape[1:]
    spread = np.zeros((3, 2 * height + 4, 2 * width + 4), np.float32)
    spread[:, 2 : 2 * height + 2 : 2, 2 : 2 * width + 2 : 2] = source
    taps = np.asarray(FIR_TAPS, np.float32) / 4
    # `spread` begins at the place 2 * top - 2; the filter begins two before the output.
    rows, columns = out.top - 2 * top, out.left - 2 * left
    high, wide = out.bottom - out.top, out.right - out.left
    y = sum(tap * spread[:, rows + k : rows + k + high] for k, tap in enumerate(taps))
    return np.asarray(sum(tap * y[:, :, columns + k : columns + k + wide] for k, tap in enumerate(taps)))


def _style(tensors: Tensors, name: str, w: Array) -> Array:
    weight = tensors[f"{name}.affine.weight"].load()
    style: Array = (weight * np.float32(1.0 / math.sqrt(weight.shape[1]))) @ w + tensors[f"{name}.affine.bias"].load()
    return style
