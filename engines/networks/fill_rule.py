"""Stand-in weights from names: any network, filled with the same numbers everywhere, without a weight file.

A tensor's numbers depend on its name in the checkpoint and its shape alone: a standard normal draw seeded by the name's
CRC-32, scaled by what kind of tensor the name says it is. Reference outputs that others computed with the same rule can
so be compared with ours, and tests have checkpoints of every layout.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from engines.lazy import LazyArray
from engines.networks.architecture import FIR_TAPS

_KINDS: tuple[tuple[str, str], ...] = (
    (r"\.num_batches_tracked$", "counter"),
    (r"\.(blur|upsample)\.kernel$", "kernel times 4"),
    (r"(^|\.)resample_filter$", "kernel"),
    (r"^latent_avg$|(^|\.)w_avg$", "small"),
    (r"(^|\.)noises\.noise_\d+$|\.noise_const$", "unit"),
    (r"\.noise\.weight$|\.noise_strength$", "small"),
    (r"(^|\.)style\.\d+\.weight$|(^|\.)mapping\.fc\d+\.weight$", "mapping weight"),
    (r"(^|\.)style\.\d+\.bias$|(^|\.)mapping\.fc\d+\.bias$", "mapping bias"),
    (r"\.(modulation|affine)\.weight$", "unit"),
    (r"\.(modulation|affine)\.bias$", "around one"),
    (r"(^|\.)to_rgbs?\d*(\.\d+)?\.conv\.weight$|\.torgb\.weight$", "colour"),
    (r"(^|\.)convs?\d*(\.\d+)?\.conv\.weight$|\.b\d+\.conv[01]\.weight$", "unit"),
    (r"(^|\.)input\.input$|\.b4\.const$", "unit"),
    (r"(input_layer\.1|shortcut_layer\.1|res_layer\.[04])\.weight$", "around one"),
    (r"\.running_mean$", "small"),
    (r"\.running_var$", "variance"),
    (r"(input_layer|res_layer)\.2\.weight$", "slope"),
    (r"input_layer\.0\.weight$|shortcut_layer\.0\.weight$|res_layer\.([13]|5\.fc[12])\.weight$", "unit gain"),
    (r"(^|\.)latlayer[12]\.weight$", "unit gain"),
    (r"(^|\.)styles\.\d+\.convs\.\d+\.weight$", "relu gain"),
    (r"(^|\.)styles\.\d+\.linear\.weight$", "unit"),
    (r"\.bias$", "small"),
)
"""Pattern in the name -> kind; the first that fits decides."""

_SCALE_AND_OFFSET = {
    "unit": (1.0, 0.0),
    "small": (0.1, 0.0),
    "around one": (0.1, 1.0),
    "colour": (0.2, 0.0),
    "mapping weight": (100.0, 0.0),
    "mapping bias": (10.0, 0.0),
    "slope": (0.05, 0.25),
}


def filled(name: str, shape: Iterable[int]) -> NDArray[np.generic]:
    """Give the tensor called `name`: float32, or int64 for a counter.

    Raises:
        KeyError: If no rule knows the name.
    """
    size = tuple(shape)
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, name)), None)
    if kind is None:
        raise KeyError(f"no fill rule for {name!r}")
    if kind == "counter":
        return np.zeros(size, np.int64)
    if kind.startswith("kernel"):
        taps = np.asarray(FIR_TAPS)
        return (np.outer(taps, taps) / 64.0 * (4.0 if kind.endswith("4") else 1.0)).astype(np.float32)
    numbers = normals(name, size)
    fan_in = float(np.prod(size[1:], dtype=np.float64))
    if kind == "unit gain":
        scale, offset = 1.0 / np.sqrt(fan_in), 0.0
    elif kind == "relu gain":
        scale, offset = np.sqrt(2.0 / fan_in), 0.0
    elif kind == "variance":
        numbers, scale, offset = np.abs(numbers), 0.1, 1.0
    else:
        scale, offset = _SCALE_AND_OFFSET[kind]
    return np.asarray(offset + scale * numbers, np.float32)


def filled_lazily(shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> dict[str, LazyArray]:
    """Give tensors by name, each filled as `prefix` + name when it is loaded."""

    def lazy(name: str, shape: tuple[int, ...]) -> LazyArray:
        dtype = np.dtype(np.int64 if name.endswith("num_batches_tracked") else np.float32)
        return LazyArray(shape, dtype, lambda: filled(prefix + name, shape))

    return {name: lazy(name, shape) for name, shape in shapes.items()}


def normals(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Draw the standard normals that belong to a name.

    In float64: NumPy's float32 sampler differs in its tail from version to version.
    """
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode("utf-8"))))
    return np.asarray(generator.standard_normal(shape), np.float64)


def image_u8(seed: str | int, size: int = 256) -> NDArray[np.uint8]:
    """Draw the smooth test picture of a seed: eight waves per colour, (size, size, 3)."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"image:{seed}".encode())))
    draws = generator.random((3, 8, 4))
    at = (np.arange(size) + 0.5) / size
    picture = np.empty((size, size, 3), np.uint8)
    for colour in range(3):
        total, weight = np.zeros((size, size)), 0.0
        for wave, (x, y, amplitude, phase) in enumerate(draws[colour], start=1):
            frequency_x, frequency_y = (x * 2.0 - 1.0) * 1.5 * wave, (y * 2.0 - 1.0) * 1.5 * wave
            amplitude = (0.25 + amplitude) / wave
            turn = 2.0 * np.pi * (frequency_y * at[:, None] + frequency_x * at[None, :]) + 2.0 * np.pi * phase
            total += amplitude * np.sin(turn)
            weight += amplitude
        total = np.clip(total / (0.6 * weight), -1.0, 1.0)
        picture[:, :, colour] = np.floor((total + 1.0) * 127.5 + 0.5).astype(np.uint8)
    return picture


def image_input(seed: str | int, size: int = 256) -> NDArray[np.float32]:
    """Give the test picture as an encoder takes it: (1, 3, size, size) in [-1, 1]."""
    picture = image_u8(seed, size).astype(np.float32) / np.float32(255.0)
    picture = (picture - np.float32(0.5)) / np.float32(0.5)
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
