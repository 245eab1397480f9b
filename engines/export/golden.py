"""Golden vectors: inputs and outputs of a checkpoint's networks, computed by nothing but NumPy.

Every compiled engine is compared with these numbers before it is used, so they come from a third implementation,
slow and plain, that shares no code with the graphs or with PyTorch. Of a large picture only a window at its upper edge
is computed, and of every layer only what that window sees; with one kernel in memory at a time, the golden vectors of
a 1024 px generator take some 100 MB.

Sources: as for `engines.networks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.lazy import LazyArray
from engines.networks.architecture import (
    BATCH_NORM_EPS,
    DEMODULATION_EPS,
    E4E,
    ENCODER_INPUT_SIZE,
    FIR_TAPS,
    LRELU_GAIN,
    LRELU_SLOPE,
    MAPPING_LR_MULTIPLIER,
    NORMALISATION_EPS,
    STYLE_HEAD_SLOPE,
    EncoderArchitecture,
    GeneratorArchitecture,
    body_blocks,
    head_convolutions,
    head_level,
)

WINDOW = 64
"""Side of the window of a large picture that is kept."""

GOLDEN_PSI = 0.7
_SEED = 20260
_STRIP_NUMBERS = 4_000_000
"""How many numbers a strip of unfolded patches may have: 16 MB."""

Tensors = Mapping[str, LazyArray]
Array = NDArray[np.float32]


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


def golden_vectors(
    generator: GeneratorArchitecture,
    generator_tensors: Tensors,
    w_avg: Array,
    encoder: EncoderArchitecture | None,
    encoder_tensors: Tensors,
) -> dict[str, NDArray[np.generic]]:
    """Compute the golden vectors of a pack: names as `engines.packing` says."""
    z = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((1, generator.z_dim)).astype(np.float32)
    w_plus = map_latents(generator, generator_tensors, z)
    truncated = w_avg + np.float32(GOLDEN_PSI) * (w_plus - w_avg)
    side = generator.resolution
    size = min(WINDOW, side)
    left = (side - size) // 2
    image = synthesize_window(generator, generator_tensors, truncated[0], Window(0, size, left, left + size))
    vectors: dict[str, NDArray[np.generic]] = {
        "mapping.in.z": z,
        "mapping.out.w_plus": w_plus,
        "generator.in.w_plus": truncated,
        "generator.out.image": image[None],
    }
    if size != side:
        vectors["generator.window"] = np.asarray([0, left], np.int64)
    if encoder is not None:
        crop = test_crop()
        vectors["encoder.in.crop"] = crop[None]
        vectors["encoder.out.w_plus"] = encode(encoder, encoder_tensors, w_avg, crop)[None]
    return vectors


def map_latents(arch: GeneratorArchitecture, tensors: Tensors, z: Array) -> Array:
    """Map z (n, z_dim) to w_plus (n, num_ws, w_dim)."""
    x = z / np.sqrt(np.square(z).mean(axis=1, keepdims=True) + NORMALISATION_EPS)
    for index in range(arch.mapping_layers):
        weight, bias = tensors[f"mapping.fc{index}.weight"].load(), tensors[f"mapping.fc{index}.bias"].load()
        gain = MAPPING_LR_MULTIPLIER / math.sqrt(weight.shape[1])
        x = _lrelu(x @ (weight.T * np.float32(gain)) + bias * np.float32(MAPPING_LR_MULTIPLIER), LRELU_SLOPE)
        x *= np.float32(LRELU_GAIN)
    return np.repeat(x[:, None].astype(np.float32), arch.num_ws, axis=1)


def mean_latent(arch: GeneratorArchitecture, tensors: Tensors, count: int = 8192) -> Array:
    """Estimate the average w (w_dim,) of a generator that brings none, from `count` fixed z."""
    total = np.zeros(arch.w_dim)
    random = np.random.Generator(np.random.PCG64(_SEED + 1))
    for _ in range(0, count, 1024):
        z = random.standard_normal((1024, arch.z_dim)).astype(np.float32)
        total += map_latents(arch, tensors, z)[:, 0].sum(axis=0, dtype=np.float64)
    return (total / count).astype(np.float32)


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


def encode(arch: EncoderArchitecture, tensors: Tensors, w_avg: Array, crop: Array) -> Array:
    """Encode one crop: (3, 256, 256) -> (rows, width)."""
    x = _norm(tensors, "input_layer.1", _convolve(crop, tensors["input_layer.0.weight"].load(), 1))
    x = _prelu(tensors, "input_layer.2", x)
    taps = []
    for index, block in enumerate(body_blocks(arch)):
        name = f"body.{index}"
        y = _norm(tensors, f"{name}.res_layer.0", x)
        y = _prelu(tensors, f"{name}.res_layer.2", _convolve(y, tensors[f"{name}.res_layer.1.weight"].load(), 1))
        y = _convolve(y, tensors[f"{name}.res_layer.3.weight"].load(), block.stride)
        y = _norm(tensors, f"{name}.res_layer.4", y)
        squeezed = tensors[f"{name}.res_layer.5.fc1.weight"].load()[:, :, 0, 0] @ y.mean(axis=(1, 2))
        gates = tensors[f"{name}.res_layer.5.fc2.weight"].load()[:, :, 0, 0] @ np.maximum(squeezed, 0)
        y *= (1 / (1 + np.exp(-gates)))[:, None, None]
        x = x[:, :: block.stride, :: block.stride]
        if block.projects:
            shortcut = tensors[f"{name}.shortcut_layer.0.weight"].load()
            x = _norm(tensors, f"{name}.shortcut_layer.1", _pointwise(x, shortcut))
        x = y + x
        if index in arch.taps:
            taps.append(x)
    c1, c2, c3 = taps
    p2 = _doubled(c3) + _lateral(tensors, "latlayer1", c2)
    p1 = _doubled(p2) + _lateral(tensors, "latlayer2", c1)
    rows = np.stack([_head(tensors, (c3, p2, p1)[head_level(row)], row) for row in range(arch.rows)])
    if arch.kind == E4E:
        rows[1:] += rows[0]
    return (rows + w_avg if arch.adds_average else rows).astype(np.float32)


def test_crop() -> Array:
    """Draw a smooth picture (3, 256, 256) in [-1, 1]: a few waves per colour."""
    random = np.random.Generator(np.random.PCG64(_SEED + 2))
    at = np.linspace(0.0, 2.0 * np.pi, ENCODER_INPUT_SIZE)
    crop = np.zeros((3, ENCODER_INPUT_SIZE, ENCODER_INPUT_SIZE))
    for colour in crop:
        for waves in range(1, 7):
            x, y = random.uniform(-waves, waves, 2)
            colour += random.uniform(0.2, 1.0) / waves * np.sin(y * at[:, None] + x * at + random.uniform(0, 6))
    return np.asarray(np.round(np.clip(crop / 1.5, -1, 1) * 127.5) / 127.5, np.float32)


# Generator ----------------------------------------------------------------------------------------------------------


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
        y = _valid(x.cut(out.top - 1, out.bottom + 1, out.left - 1, out.right + 1), weight)
    noise = tensors[f"{name}.noise_const"].load()[out.top : out.bottom, out.left : out.right]
    y += noise * tensors[f"{name}.noise_strength"].load()
    y = _lrelu(y + tensors[f"{name}.bias"].load()[:, None, None], LRELU_SLOPE) * np.float32(LRELU_GAIN)
    return Patch(_clamp(y, arch.conv_clamp), out)


def _transposed(x: Patch, weight: Array, out: Window) -> Array:
    """Spread by zeros, convolve with the flipped kernel, filter: the window `out` of the doubled map."""
    top, left = (out.top - 3) // 2, (out.left - 3) // 2
    bottom, right = (out.bottom + 1) // 2 + 1, (out.right + 1) // 2 + 1
    source = x.cut(top, bottom, left, right)
    height, width = source.shape[1:]
    spread = np.zeros((source.shape[0], 2 * height + 3, 2 * width + 3), np.float32)
    spread[:, 2 : 2 * height + 2 : 2, 2 : 2 * width + 2 : 2] = source
    full = _valid(spread, weight[:, :, ::-1, ::-1])
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
    y = _clamp(y, arch.conv_clamp)
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


# Encoder ------------------------------------------------------------------------------------------------------------


def _norm(tensors: Tensors, name: str, x: Array) -> Array:
    weight, bias, mean, variance = (
        tensors[f"{name}.{part}"].load().astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + BATCH_NORM_EPS)
    shift = bias - mean * scale
    normal: Array = x * scale.astype(np.float32)[:, None, None] + shift.astype(np.float32)[:, None, None]
    return normal


def _prelu(tensors: Tensors, name: str, x: Array) -> Array:
    slope = tensors[f"{name}.weight"].load()[:, None, None]
    return np.asarray(np.where(x < 0, x * slope, x))


def _lateral(tensors: Tensors, name: str, x: Array) -> Array:
    lateral: Array = _pointwise(x, tensors[f"{name}.weight"].load()) + tensors[f"{name}.bias"].load()[:, None, None]
    return lateral


def _head(tensors: Tensors, x: Array, row: int) -> Array:
    for index in range(head_convolutions(row)):
        name = f"styles.{row}.convs.{2 * index}"
        y = _convolve(x, tensors[f"{name}.weight"].load(), 2) + tensors[f"{name}.bias"].load()[:, None, None]
        x = _lrelu(y, STYLE_HEAD_SLOPE)
    weight = tensors[f"styles.{row}.linear.weight"].load()
    codes: Array = (weight @ x[:, 0, 0]) / np.float32(math.sqrt(weight.shape[1]))
    codes += tensors[f"styles.{row}.linear.bias"].load()
    return codes


def _doubled(x: Array) -> Array:
    """Double the size, bilinearly, corners on corners."""
    for axis in (1, 2):
        size = x.shape[axis]
        at = np.arange(2 * size) * ((size - 1) / (2 * size - 1))
        low = np.minimum(at.astype(np.int64), size - 2)
        part = (at - low).astype(np.float32).reshape((-1, 1) if axis == 1 else (1, -1))
        x = np.take(x, low, axis) * (1 - part) + np.take(x, low + 1, axis) * part
    return x


# Arithmetic ---------------------------------------------------------------------------------------------------------


def _convolve(x: Array, weight: Array, stride: int) -> Array:
    """3x3 convolution with a rim of zeros."""
    return _valid(np.pad(x, ((0, 0), (1, 1), (1, 1))), weight, stride)


def _pointwise(x: Array, weight: Array) -> Array:
    return np.tensordot(weight[:, :, 0, 0], x, 1)


def _valid(x: Array, weight: Array, stride: int = 1) -> Array:
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


def _lrelu(x: Array, slope: float) -> Array:
    return np.where(x < 0, x * np.float32(slope), x)


def _clamp(x: Array, limit: float | None) -> Array:
    return x if limit is None else np.clip(x, -limit, limit)
