"""Open a checkpoint of any format: what it is, it says itself, not its name.

| begins with | is |
|---|---|
| `PK` and holds a `data.pkl` | PyTorch since 1.6: a zip of a pickle and storages |
| a pickle of PyTorch's magic number | PyTorch before 1.6 |
| another pickle | NVIDIA's snapshots, of PyTorch or TensorFlow |
| a length and `{` | safetensors |
| `PK` and holds only `.npy` | NumPy `.npz` |
| `\\x93NUMPY` | NumPy `.npy` |
"""

from __future__ import annotations

import ast
import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from engines.importers.archive import STORED, read_directory, read_entry
from engines.importers.pickles import Malformed, Span
from engines.importers.safetensors import read_safetensors
from engines.importers.tensors import MAX_DIMENSIONS, TensorReader
from engines.lazy import LazyArray
from installation.errors import EngineError

MAX_ARRAY_BYTES = 1 << 30
"""Largest array that is taken from a NumPy file."""

MAX_DESCRIPTION_BYTES = 10_000

TORCH = "torch"
PICKLE = "pickle"
SAFETENSORS = "safetensors"
ARRAYS = "arrays"

_NUMPY_MAGIC = b"\x93NUMPY"
_TORCH_FIRST_PICKLE = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint's content while it is open.

    Attributes:
        format: `TORCH`, `PICKLE`, `SAFETENSORS` or `ARRAYS`.
        value: The tree of plain values; for the last two a dictionary of arrays. A `.npy` is called "".
        notes: The texts a safetensors file carries.
    """

    format: str
    value: Any
    notes: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a checkpoint; its tensors can be loaded inside the block.

    Raises:
        EngineError: If there is no such file, it is of no known format, is damaged, or asks for something that a
            checkpoint has no need of. Also for damage that shows only when a tensor is loaded.
    """
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            try:
                yield _read(stream, size)
            except Malformed as error:
                raise EngineError(f"{path} cannot be read: {error}") from error
            except EngineError as error:
                raise EngineError(f"{path} cannot be imported: {error}") from error
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}; give the path of a checkpoint") from error


def _read(stream: BinaryIO, size: int) -> Opened:
    head = stream.read(64)
    whole = Span(0, size)
    if head.startswith(b"PK\x03\x04"):
        return _read_zip(stream, size)
    if head.startswith(_NUMPY_MAGIC):
        stream.seek(0)
        return Opened(ARRAYS, {"": _array(_bounded(stream, size))})
    # Before the pickles: the first byte of a length may be a pickle's first byte too, but not the six after it.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        tensors, notes = read_safetensors(stream, size)
        return Opened(SAFETENSORS, tensors, notes)
    if head[:1] == b"\x80" and _TORCH_FIRST_PICKLE in head[:16]:
        return Opened(TORCH, TensorReader(stream, size).read_legacy(whole))
    if head[:1] == b"\x80":
        return Opened(PICKLE, TensorReader(stream, size).read_pickle(whole))
    raise Malformed("it is no PyTorch, NVIDIA, safetensors or NumPy file")


def _read_zip(stream: BinaryIO, size: int) -> Opened:
    entries = read_directory(stream, size)
    pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) == 1:
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in entries and read_entry(stream, entries[f"{root}byteorder"], 16) != b"little":
            raise Malformed("it was written by a big-endian machine, which is not supported")
        if any(entry.method != STORED for name, entry in entries.items() if name.startswith(root)):
            raise Malformed("its tensors are compressed; PyTorch stores them plain")
        data = f"{root}data/"
        storages = {name.removeprefix(data): e.packed for name, e in entries.items() if name.startswith(data)}
        return Opened(TORCH, TensorReader(stream, size).read_zip(entries[pickles[0]].packed, storages))
    if entries and all(name.endswith(".npy") for name in entries):
        arrays = {
            name.removesuffix(".npy"): _array(read_entry(stream, e, MAX_ARRAY_BYTES)) for name, e in entries.items()
        }
        return Opened(ARRAYS, arrays)
    raise Malformed("it is a zip, but of neither a PyTorch checkpoint nor NumPy arrays")


def _bounded(stream: BinaryIO, size: int) -> bytes:
    if size > MAX_ARRAY_BYTES:
        raise Malformed(f"the array has {size} bytes; at most {MAX_ARRAY_BYTES} are read")
    return stream.read(size)


def _array(data: bytes) -> LazyArray:
    """Read a `.npy`: magic, version, length, a Python literal that describes the array, its numbers.

    NumPy's own reader allocates what the description claims, and repairs descriptions of Python 2 by tokenising them.
    """
    width = {b"\x01\x00": 2, b"\x02\x00": 4}.get(data[6:8])
    if not data.startswith(_NUMPY_MAGIC) or width is None:
        raise Malformed("a NumPy array of an unknown version")
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if start > min(len(data), MAX_DESCRIPTION_BYTES):
        raise Malformed("a NumPy array's description is too long")
    try:
        description = ast.literal_eval(data[8 + width : start].decode("latin-1").strip())
        dtype, shape = np.dtype(description["descr"]), description["shape"]
        order: Literal["C", "F"] = "F" if description["fortran_order"] else "C"
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
        raise Malformed("a NumPy array's description is damaged") from error
    if dtype.kind not in "fiub" or dtype.names is not None or dtype.subdtype is not None:
        raise Malformed(f"an array of {str(dtype)[:40]!r} instead of numbers")
    if not isinstance(shape, tuple) or any(type(size) is not int or size < 0 for size in shape):
        raise Malformed("a NumPy array's shape is not made of whole numbers")
    if math.prod(shape) * dtype.itemsize != len(data) - start or len(shape) > MAX_DIMENSIONS:
        raise Malformed(f"an array {shape} of {dtype} has {len(data) - start} bytes"[:200])
    array: NDArray[Any] = np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)
    return LazyArray.of(array)
