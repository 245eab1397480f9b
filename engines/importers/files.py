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

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.importers.archive import STORED, read_directory, read_entry
from engines.importers.pickles import Malformed, Span
from engines.importers.safetensors import read_safetensors
from engines.importers.tensors import TensorReader
from engines.lazy import LazyArray
from installation.errors import EngineError

MAX_ARRAY_BYTES = 1 << 30
"""Largest array that is taken from a NumPy file."""

TORCH = "torch"
PICKLE = "pickle"
SAFETENSORS = "safetensors"
ARRAYS = "arrays"

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
    if head.startswith(b"\x93NUMPY"):
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
    """Read a `.npy` after comparing what it claims with what there is."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version not in ((1, 0), (2, 0)):
            raise Malformed(f"a NumPy file of version {version}")
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)  # type: ignore[no-untyped-call]
        if dtype.kind not in "fiub" or dtype.names is not None:
            raise Malformed(f"an array of {str(dtype)[:40]} instead of numbers")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize != len(data) - stream.tell():
            raise Malformed(f"an array {shape} of {dtype} in {len(data)} bytes")
        stream.seek(0)
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, OverflowError, SyntaxError, RecursionError, MemoryError) as error:
        raise Malformed(f"a NumPy array is damaged: {error}".splitlines()[0][:200]) from error
    return LazyArray.of(array)
