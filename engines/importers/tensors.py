"""Tensors inside checkpoints: where their numbers lie in the file, and how to read them.

PyTorch stores a tensor as a view (offset, shape, strides) of a storage. In a zip every storage is an entry; in the
older format all storages follow the pickle; in NVIDIA's pickles every storage is a little file of the older format
inside a byte string. NumPy arrays are byte strings with a description. All become `LazyArray`s over the one file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engines.importers.pickles import Builders, Malformed, PickleReader, Record, Span, Symbol, hashable
from engines.lazy import LazyArray

MAX_DIMENSIONS = 8

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
TORCH_PROTOCOL = 1001

BFLOAT16 = "bfloat16"
"""Not a NumPy type: the upper half of a float32."""

_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}


@dataclass(slots=True, eq=False)
class Storage:
    """A run of numbers of one type. `span` is set once its place in the file is known."""

    code: str
    count: int
    span: Span | None = None

    @property
    def item_size(self) -> int:
        return 2 if self.code == BFLOAT16 else np.dtype(self.code).itemsize

    def place(self, span: Span) -> None:
        """Say where the numbers lie.

        Raises:
            Malformed: If the place has another size.
        """
        if span.nbytes != self.count * self.item_size:
            raise Malformed(f"a storage of {self.count} numbers has {span.nbytes} bytes")
        self.span = span


@dataclass(slots=True)
class TensorReader:
    """Builds the values of one checkpoint's pickles.

    Attributes:
        stream: The checkpoint, open for reading bytes.
        size: Its size.
        storages: Storages of the stream being read, by key (older format).
        entries: Places of the storages in a zip, by key.
    """

    stream: BinaryIO
    size: int
    storages: dict[str, Storage] = field(default_factory=dict)
    entries: Mapping[str, Span] = field(default_factory=dict)
    _nested: dict[int, Storage] = field(default_factory=dict)

    def read_zip(self, pickle: Span, entries: Mapping[str, Span]) -> Any:
        """Read `data.pkl` of a zip whose storages lie at `entries`."""
        self.entries = entries
        return PickleReader(self.stream, pickle.start, pickle.stop, self.builders(), self._from_zip).load()

    def read_legacy(self, span: Span) -> Any:
        """Read a stream of PyTorch's older format: three headers, the value, the keys, the storages.

        Raises:
            Malformed: If the headers are others, or a storage is missing.
        """
        self.storages = {}
        reader = PickleReader(self.stream, span.start, span.stop, self.builders(nested=False), self._announced)
        magic, protocol, system = reader.load(), reader.load(), reader.load()
        if magic != TORCH_MAGIC or protocol != TORCH_PROTOCOL:
            raise Malformed("it begins like a PyTorch file but has another format number")
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise Malformed("it was written by a big-endian machine, which is not supported")
        value = reader.load()
        keys = reader.load()
        if not isinstance(keys, list):
            raise Malformed("the list of storages is missing")
        for key in keys:
            storage = self.storages.get(str(key))
            if storage is None:
                raise Malformed(f"storage {str(key)[:40]!r} follows, which nothing uses")
            if reader.number("<q") != storage.count:
                raise Malformed(f"storage {str(key)[:40]!r} has another size than announced")
            storage.place(reader.skip(storage.count * storage.item_size))
        if any(storage.span is None for storage in self.storages.values()):
            raise Malformed("a storage is missing; the file is truncated")
        return value

    def read_pickle(self, span: Span) -> Any:
        """Read a plain pickle (NVIDIA's snapshots)."""
        return PickleReader(self.stream, span.start, span.stop, self.builders()).load()

    def builders(self, nested: bool = True) -> Builders:
        """Give the complete list of what a checkpoint may name."""
        table: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): _dictionary,
            ("dnnlib.util", "EasyDict"): _dictionary,
            ("builtins", "set"): _set,
            ("__builtin__", "set"): _set,
            ("torch", "Size"): tuple,
            ("torch", "device"): lambda *arguments: None,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *rest: tensor,
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_object,
            ("numpy", "dtype"): _described,
            ("numpy", "ndarray"): _refused,
        }
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            table[module, "scalar"] = self._scalar
            table[module, "_reconstruct"] = lambda *arguments: _Array(self)
        for module, name in (
            ("argparse", "Namespace"),
            ("pathlib", "PosixPath"),
            ("pathlib", "PurePosixPath"),
            ("dnnlib.tflib.network", "Network"),
        ):
            table[module, name] = _record(Symbol(module, name))
        if nested:
            table["torch.storage", "_load_from_bytes"] = self._stream_in_bytes
        for name in _STORAGES:
            table["torch", name] = _refused
        return table

    # What the names build -------------------------------------------------------------------------------------------

    def _from_zip(self, identity: Any) -> Storage:
        storage, key = _identified(identity)
        span = self.entries.get(key)
        if span is None:
            raise Malformed(f"the storage {key[:40]!r} is not in the zip")
        storage.place(span)
        return storage

    def _announced(self, identity: Any) -> Storage:
        storage, key = _identified(identity)
        return self.storages.setdefault(key, storage)

    def _stream_in_bytes(self, data: Any) -> Storage:
        """Read a storage that was saved as a file inside a byte string, by the same rules as everything else."""
        if not isinstance(data, Span):
            # Short byte strings are not left in the file; a saved storage is never that short.
            raise Malformed("a nested file is too short to hold a storage")
        if data.start not in self._nested:
            value = TensorReader(self.stream, self.size).read_legacy(data)
            if not isinstance(value, Storage):
                raise Malformed("a nested file holds something else than a storage")
            self._nested[data.start] = value
        return self._nested[data.start]

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> LazyArray:
        if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
            raise TypeError("a tensor without storage, shape or strides")
        numbers = (offset, *shape, *strides)
        if any(type(number) is not int or number < 0 for number in numbers) or len(shape) != len(strides):
            raise TypeError("a tensor's shape is not made of whole numbers")
        if len(shape) > MAX_DIMENSIONS:
            raise TypeError(f"a tensor of {len(shape)} dimensions")
        count = math.prod(shape)
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        # An expanded view can claim more numbers than there are: a bomb, and never a weight.
        if count and (last >= storage.count or count > storage.count):
            raise ValueError(f"a tensor {shape} reaches beyond its storage of {storage.count} numbers")
        return self._lazy(storage, offset, shape, strides)

    def _lazy(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> LazyArray:
        def load() -> NDArray[Any]:
            if math.prod(shape) == 0:
                return np.zeros(shape, _dtype_of(storage.code))
            assert storage.span is not None
            last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
            code = "<u2" if storage.code == BFLOAT16 else storage.code
            start = storage.span.start + offset * storage.item_size
            flat = read_numbers(self.stream, start, last + 1 - offset, np.dtype(code))
            byte_strides = tuple(stride * storage.item_size for stride in strides)
            view = np.lib.stride_tricks.as_strided(flat, shape, byte_strides, writeable=False)
            if storage.code == BFLOAT16:
                return (view.astype(np.uint32) << 16).view(np.float32)
            return np.ascontiguousarray(view, _dtype_of(storage.code)).reshape(shape)

        return LazyArray(shape, _dtype_of(storage.code), load)

    def _scalar(self, description: Any, data: Any) -> int | float | bool:
        """A NumPy number (the layers' gains)."""
        if not isinstance(description, Record) or not isinstance(data, bytes):
            raise TypeError("a number without type or bytes")
        dtype = _numpy_dtype(description)
        if len(data) != dtype.itemsize:
            raise ValueError(f"a number of {len(data)} bytes for {dtype}")
        number: int | float | bool = np.frombuffer(data, dtype)[0].item()
        return number


class _Array(Record):
    """A NumPy array between `_reconstruct` and the state that describes it."""

    __slots__ = ("reader",)

    def __init__(self, reader: TensorReader) -> None:
        super().__init__(Symbol("numpy", "ndarray"))
        self.reader = reader


def as_array(value: Any) -> LazyArray | None:
    """Give the array that a value of the file stands for, or None if it is something else.

    Raises:
        Malformed: If it is an array whose description does not fit its bytes.
    """
    if isinstance(value, LazyArray):
        return value
    if not isinstance(value, _Array):
        return None
    if not isinstance(value.state, tuple) or len(value.state) != 5:
        raise Malformed("a NumPy array without a description")
    _, shape, description, fortran, data = value.state
    if not isinstance(description, Record) or not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise Malformed("a NumPy array's description is damaged")
    if any(type(size) is not int or size < 0 for size in shape):
        raise Malformed("a NumPy array's shape is not made of whole numbers")
    dtype = _numpy_dtype(description)
    order = "F" if fortran is True else "C"
    if not isinstance(data, bytes | Span):
        raise Malformed("a NumPy array without bytes")
    nbytes = data.nbytes if isinstance(data, Span) else len(data)
    if nbytes != math.prod(shape) * dtype.itemsize:
        raise Malformed(f"a NumPy array {shape} of {dtype} has {nbytes} bytes")
    stream = value.reader.stream

    def load() -> NDArray[Any]:
        if isinstance(data, Span):
            flat = read_numbers(stream, data.start, math.prod(shape), dtype)
        else:
            flat = np.frombuffer(data, dtype)
        return flat.reshape(shape, order="F" if order == "F" else "C")

    return LazyArray(shape, dtype, load)


def read_numbers(stream: BinaryIO, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read `count` numbers at `start` into a fresh array. Does not move the stream.

    Raises:
        Malformed: If the file is shorter.
    """
    out = np.empty(count, dtype)
    view = memoryview(out.data).cast("B") if count else memoryview(b"")
    done = 0
    while done < len(view):
        got = os.preadv(stream.fileno(), [view[done:]], start + done)
        if got == 0:
            raise Malformed("the file became shorter while it was read")
        done += got
    return out


def _identified(identity: Any) -> tuple[Storage, str]:
    """Read ("storage", class, key, location, count); where it once lay (a GPU) does not matter."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise TypeError("a persistent id that is no storage")
    kind, key, count = identity[1], identity[2], identity[4]
    if not isinstance(kind, Symbol) or kind.module != "torch" or kind.name not in _STORAGES:
        raise TypeError("a storage of an unknown type")
    if type(count) is not int or count < 0:
        raise TypeError("a storage without a size")
    return Storage(_STORAGES[kind.name], count), str(key)


def _dtype_of(code: str) -> np.dtype[Any]:
    return np.dtype(np.float32 if code == BFLOAT16 else code)


def _dictionary(*arguments: Any) -> dict[Any, Any]:
    if not arguments:
        return {}
    (content,) = arguments
    pairs = content.items() if isinstance(content, dict) else content
    return {hashable(key): value for key, value in pairs}


def _set(*arguments: Any) -> set[Any]:
    return {hashable(item) for item in (arguments[0] if arguments else ())}


def _described(code: Any, *rest: Any) -> Record:
    return Record(Symbol("numpy", "dtype"), (code, *rest))


def _numpy_dtype(description: Record) -> np.dtype[Any]:
    """Give the type that a description names; only plain numbers."""
    code = description.arguments[0] if description.arguments else None
    order = description.state[1] if isinstance(description.state, tuple) and len(description.state) > 1 else "<"
    if code not in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "b1"):
        raise Malformed(f"NumPy numbers of type {code!r} do not belong into a checkpoint")
    return np.dtype((">" if order == ">" else "<") + code)


def _persistent_object(meta: Any) -> dict[Any, Any]:
    """NVIDIA's modules: what they are called and their state; the source text they bring is ignored."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str):
        raise TypeError("a module without a class name")
    return {"class_name": meta["class_name"], "state": meta.get("state")}


def _record(symbol: Symbol) -> Callable[..., Record]:
    return lambda *arguments: Record(symbol, arguments)


def _refused(*arguments: Any) -> Any:
    raise TypeError("a type is called that may only be named")
