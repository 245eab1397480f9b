"""pSp's and e4e's encoder in nothing but NumPy.

Source: as for `engines.networks.psp`.
"""

from __future__ import annotations

import math

import numpy as np

from engines.export.golden_maths import Array, Tensors, convolve, leaky_relu, pointwise
from engines.networks.architecture import (
    BATCH_NORM_EPS,
    E4E,
    STYLE_HEAD_SLOPE,
    EncoderArchitecture,
    body_blocks,
    head_convolutions,
    head_level,
)


def encode(arch: EncoderArchitecture, tensors: Tensors, w_avg: Array, crop: Array) -> Array:
    """Encode one crop: (3, 256, 256) -> (rows, width)."""
    x = _norm(tensors, "input_layer.1", convolve(crop, tensors["input_layer.0.weight"].load(), 1))
    x = _prelu(tensors, "input_layer.2", x)
    taps = []
    for index, block in enumerate(body_blocks(arch)):
        name = f"body.{index}"
        y = _norm(tensors, f"{name}.res_layer.0", x)
        y = _prelu(tensors, f"{name}.res_layer.2", convolve(y, tensors[f"{name}.res_layer.1.weight"].load(), 1))
        y = convolve(y, tensors[f"{name}.res_layer.3.weight"].load(), block.stride)
        y = _norm(tensors, f"{name}.res_layer.4", y)
        squeezed = tensors[f"{name}.res_layer.5.fc1.weight"].load()[:, :, 0, 0] @ y.mean(axis=(1, 2))
        gates = tensors[f"{name}.res_layer.5.fc2.weight"].load()[:, :, 0, 0] @ np.maximum(squeezed, 0)
        y *= (1 / (1 + np.exp(-gates)))[:, None, None]
        x = x[:, :: block.stride, :: block.stride]
        if block.projects:
            shortcut = tensors[f"{name}.shortcut_layer.0.weight"].load()
            x = _norm(tensors, f"{name}.shortcut_layer.1", pointwise(x, shortcut))
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
    lateral: Array = pointwise(x, tensors[f"{name}.weight"].load()) + tensors[f"{name}.bias"].load()[:, None, None]
    return lateral


def _head(tensors: Tensors, x: Array, row: int) -> Array:
    for index in range(head_convolutions(row)):
        name = f"styles.{row}.convs.{2 * index}"
        y = convolve(x, tensors[f"{name}.weight"].load(), 2) + tensors[f"{name}.bias"].load()[:, None, None]
        x = leaky_relu(y, STYLE_HEAD_SLOPE)
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
