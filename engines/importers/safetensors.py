"""safetensors files, read and written one tensor at a time.

The format is a length, a JSON header and the numbers. The reader checks every number of the header against the file,
the writer streams, so neither holds more than one tensor.

Source: the format's description in the safetensors project's README.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engines.importers.pickles import Malformed, Span
from engines.importers.tensors import BFLOAT16, MAX_DIMENSIONS, Storage, TensorReader
from engines.lazy import LazyArray

MAX_HEADER_BYTES = 8 << 20

_CODES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": BFLOAT16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "|b1",
}
_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16", np.dtype(np.int64): "I64"}


def read_safetensors(stream: BinaryIO, size: int) -> tuple[dict[str, LazyArray], dict[str, str]]:
    """List the tensors of a file and its notes; the stream must stay open while they are loaded.

    Raises:
        Malformed: If the header is damaged or points outside the file.
    """
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        raise Malformed(f"the header claims {length} bytes in a file of {size}")
    try:
        header = json.loads(stream.read(length))
    except (ValueError, RecursionError) as error:
        raise Malformed("the header is not JSON") from error
    if not isinstance(header, dict):
        raise Malformed("the header is not a table of tensors")
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise Malformed("the notes are not texts")
    reader = TensorReader(stream, size)
    return {name: _tensor(reader, name, record, 8 + length, size) for name, record in header.items()}, notes


def write_safetensors(path: Path, tensors: Mapping[str, LazyArray], notes: Mapping[str, str] | None = None) -> None:
    """Write tensors in their order, one at a time.

    Raises:
        ValueError: If a tensor is not float32, float16 or int64, or loads with another shape than announced.
    """
    header: dict[str, Any] = {"__metadata__": dict(notes or {})}
    at = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ValueError(f"'{name}' is {tensor.dtype}; weights are float32, float16 or int64")
        offsets = [at, at + tensor.nbytes]
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        at += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the format asks for aligned numbers
    with open(path, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name, tensor in tensors.items():
            array = tensor.load()
            if array.shape != tensor.shape or array.dtype != tensor.dtype:
                raise ValueError(f"'{name}' became {array.dtype}{array.shape}; announced {tensor.dtype}{tensor.shape}")
            stream.write(np.ascontiguousarray(array).data)


def _tensor(reader: TensorReader, name: str, record: Any, base: int, size: int) -> LazyArray:
    if not isinstance(record, dict) or record.get("dtype") not in _CODES:
        raise Malformed(f"'{name[:80]}' has no known type")
    shape, offsets = _whole(record.get("shape")), _whole(record.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2 or len(shape) > MAX_DIMENSIONS:
        raise Malformed(f"'{name[:80]}' has no shape or no place")
    storage = Storage(_CODES[record["dtype"]], math.prod(shape))
    if not 0 <= offsets[0] <= offsets[1] <= size - base:
        raise Malformed(f"'{name[:80]}' lies outside the file; it is truncated")
    storage.place(Span(base + offsets[0], base + offsets[1]))
    strides = tuple(math.prod(shape[index + 1 :]) for index in range(len(shape)))
    return reader._tensor(storage, 0, tuple(shape), strides)


def _whole(values: Any) -> list[int] | None:
    """Give a list of whole numbers, or None if it is something else."""
    return values if isinstance(values, list) and all(type(v) is int and v >= 0 for v in values) else None
