"""Tensors of a checkpoint, checked and brought into our shapes; nothing is loaded before it is written.

A tensor that is missing, has another shape or is not finite ends the import with the name it has in the file.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.importers.tensors import as_array
from engines.lazy import LazyArray
from engines.networks.architecture import FIR_TAPS, GeneratorArchitecture, Shapes
from installation.errors import EngineError

Tensors = dict[str, LazyArray]


def complete(found: Tensors, shapes: Shapes, theirs: Callable[[str], str]) -> Tensors:
    """Take the tensors of a network, all there and of the right shape; each is checked again when it is loaded."""
    missing = [theirs(name) for name in shapes if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise EngineError(f"the tensor '{missing[0]}'{more} is missing; the checkpoint is not whole")
    return {name: _checked(found[name], shape, theirs(name)) for name, shape in shapes.items()}


def _checked(tensor: LazyArray, shape: tuple[int, ...], name: str) -> LazyArray:
    if tensor.shape != shape:
        raise EngineError(f"the tensor '{name}' is {tensor.shape}; {shape} was expected")
    if tensor.dtype.kind != "f":
        raise EngineError(f"the tensor '{name}' holds {tensor.dtype}; numbers with a fraction were expected")

    def finite(array: NDArray[Any]) -> NDArray[Any]:
        if not np.isfinite(array).all():
            raise EngineError(f"the tensor '{name}' holds NaN or infinity; the checkpoint is damaged")
        return array

    return tensor.then(finite)


def checked_average(average: LazyArray | None, arch: GeneratorArchitecture, name: str) -> LazyArray | None:
    """Check the average latent, (w_dim,) or (num_ws, w_dim); None stays None."""
    if average is None:
        return None
    shape = average.shape[1:] if len(average.shape) > 1 and average.shape[0] == 1 else average.shape
    if shape not in ((arch.w_dim,), (arch.num_ws, arch.w_dim)):
        raise EngineError(f"'{name}' is {average.shape}; ({arch.w_dim},) or ({arch.num_ws}, {arch.w_dim}) was expected")
    return _checked(average.then(lambda array: array.reshape(shape), shape), shape, name)


def without_ones(tensor: LazyArray, ours: str) -> LazyArray:
    """Drop the leading axes of size one that this family gives weights, biases and noise."""
    wanted = 0 if ours.endswith("noise_strength") else 2 if ours.endswith("noise_const") else None
    if ours.endswith(("torgb.bias",)):
        if tensor.shape[:1] + tensor.shape[2:] != (1, 1, 1):
            return tensor
        return tensor.then(lambda array: array.reshape(-1), (math.prod(tensor.shape),))
    if wanted is None:
        wanted = 3 if ours.endswith("const") else len(tensor.shape)
        if ours.endswith(".weight") and len(tensor.shape) == 5:
            wanted = 4
    lead = len(tensor.shape) - wanted
    if lead <= 0 or any(size != 1 for size in tensor.shape[:lead]):
        return tensor
    shape = tensor.shape[lead:]
    return tensor.then(lambda array: array.reshape(shape), shape)


def size_of(tensors: Tensors, name: str, dimensions: int, axis: int, prefix: str) -> int:
    """Read one size of a tensor that decides the architecture."""
    tensor = tensors.get(name)
    if tensor is None:
        raise EngineError(f"the tensor '{prefix}{name}' is missing; the checkpoint is not whole")
    if len(tensor.shape) != dimensions or not 1 <= tensor.shape[axis] <= 4096:
        raise EngineError(f"the tensor '{prefix}{name}' is {tensor.shape}; {dimensions} dimensions were expected")
    return tensor.shape[axis]


def compare_kernel(kernel: LazyArray, gain: float, name: str) -> None:
    """Refuse a network with another FIR filter than [1, 3, 3, 1]: its pictures would be wrong."""
    taps = np.asarray(FIR_TAPS)
    expected = np.outer(taps, taps) / taps.sum() ** 2 * gain
    if kernel.shape != expected.shape or not np.allclose(kernel.load(), expected, rtol=0, atol=1e-5):
        raise EngineError(f"'{name}' is another filter than [1, 3, 3, 1], which is not supported")


def drawn_noise(name: str, shape: tuple[int, ...]) -> LazyArray:
    """Draw a noise buffer that the file lacks, from its name's seed."""
    seed = zlib.crc32(name.encode("utf-8"))

    def draw() -> NDArray[np.float32]:
        return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)

    return LazyArray(shape, np.dtype(np.float32), draw)


def arrays_of(tree: Mapping[Any, Any]) -> Tensors:
    """Keep the arrays of a table, by name."""
    return {
        key: array for key, value in tree.items() if isinstance(key, str) and (array := as_array(value)) is not None
    }


def unflattened(tensors: Tensors, notes: Mapping[str, str]) -> dict[str, Any]:
    """Give a safetensors file the tree of the checkpoint that it came from."""
    options: dict[str, Any] = {}
    for key, text in notes.items():
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if key == "opts" and isinstance(value, dict):
            options |= value
        else:
            options[key] = value
    for prefix in ("g_ema.", "G_ema."):
        inner = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if inner:
            return {prefix[:-1]: inner, "latent_avg": tensors.get("latent_avg")}
    state = {key.removeprefix("state_dict."): value for key, value in tensors.items()}
    if any(key.startswith("encoder.") for key in state):
        average = state.pop("latent_avg", None)
        return {"state_dict": state, "latent_avg": average, "opts": options}
    return dict(tensors)
