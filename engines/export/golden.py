"""Golden vectors: inputs and outputs of a checkpoint's networks, computed by nothing but NumPy.

Every compiled engine is compared with these numbers before it is used, so they come from a third implementation,
slow and plain, that shares no code with the graphs or with PyTorch. Of a large picture only a window at its upper edge
is computed, and of every layer only what that window sees; with one kernel in memory at a time, the golden vectors of
a 1024 px generator take some 100 MB.

Sources: as for `engines.networks`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.export.golden_encoder import encode
from engines.export.golden_generator import Window, synthesize_window
from engines.export.golden_maths import Array, Tensors, leaky_relu
from engines.networks.architecture import (
    ENCODER_INPUT_SIZE,
    LRELU_GAIN,
    LRELU_SLOPE,
    MAPPING_LR_MULTIPLIER,
    NORMALISATION_EPS,
    EncoderArchitecture,
    GeneratorArchitecture,
)

WINDOW = 64
"""Side of the window of a large picture that is kept."""

GOLDEN_PSI = 0.7
_SEED = 20260


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
        x = leaky_relu(x @ (weight.T * np.float32(gain)) + bias * np.float32(MAPPING_LR_MULTIPLIER), LRELU_SLOPE)
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
