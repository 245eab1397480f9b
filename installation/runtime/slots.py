"""Newest-value slots: how stages hand results on. Never a queue, so delay cannot grow.

`Slot` joins threads of one process, `SharedSlot` joins processes through shared memory. Publishing
overwrites and counts; a reader peeks at the newest value or waits for a newer one. A reader that
was too slow simply never sees the values between.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import shared_memory
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from installation.runtime.blocks import OwnBlock

T = TypeVar("T")

Fields = Mapping[str, tuple[tuple[int, ...], str]]
"""Field name -> (shape, NumPy dtype string), the layout of one shared record."""

BUFFERS = 4  # one being written, one newest, two for readers that still look at older ones
_ALIGN = 64  # bytes; a cache line, so that two fields never share one


class Slot(Generic[T]):
    """The newest value of one stage, for threads. Any number of writers and readers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._sequence = 0
        self._seen = 0
        self.overwritten = 0

    def publish(self, value: T) -> None:
        """Replace the value. Counts the one that nobody had looked at."""
        with self._changed:
            if self._seen < self._sequence:
                self.overwritten += 1
            self._value = value
            self._sequence += 1
            self._changed.notify_all()

    def peek(self) -> tuple[int, T | None]:
        """Return (sequence, newest value); sequence 0 and None before the first."""
        with self._changed:
            self._seen = self._sequence
            return self._sequence, self._value

    def wait_newer(self, than: int, timeout_s: float) -> tuple[int, T | None]:
        """Wait until the sequence exceeds `than`, at most `timeout_s`; returns what is there then."""
        with self._changed:
            self._changed.wait_for(lambda: self._sequence > than, timeout_s)
            self._seen = self._sequence
            return self._sequence, self._value


@dataclass(frozen=True, slots=True)
class SharedLayout:
    """How a record lies in shared memory; sent to the other process to attach."""

    name: str
    fields: tuple[tuple[str, tuple[int, ...], str], ...]


class SharedSlot:
    """The newest record of one process, readable by others without copying or waiting.

    One writer, any number of readers. A record is a set of named arrays of fixed shape. The writer
    fills a buffer that no current reader is likely to look at, then publishes its number; a reader
    gets views and asks `still_valid` after it used them (a sequence lock: the writer never waits).

    Ownership: the creator unlinks the memory in `close(unlink=True)`; everybody else only detaches.
    """

    def __init__(self, fields: Fields | None = None, *, layout: SharedLayout | None = None) -> None:
        if (fields is None) == (layout is None):
            raise ValueError("give either fields (to create) or layout (to attach)")
        if fields is not None:
            ordered = tuple((name, tuple(shape), np.dtype(dtype).str) for name, (shape, dtype) in fields.items())
        else:
            assert layout is not None
            ordered = layout.fields
        self._offsets, record = _record_layout(ordered)
        self._record = record
        header = _ALIGN * (BUFFERS + 1)
        if layout is None:
            self._own: OwnBlock | None = OwnBlock(header + BUFFERS * record)
            self._memory = self._own.memory
            self._buffer[:header] = bytes(header)
        else:
            self._own = None
            # A spawned process shares its parent's resource tracker, so attaching does not adopt the block.
            self._memory = shared_memory.SharedMemory(name=layout.name)
        self.layout = SharedLayout(self._memory.name, ordered)
        # header: [0] newest sequence; [1 + b] sequence that buffer b holds, 0 while it is written
        self._header: NDArray[np.uint64] | None = np.frombuffer(self._buffer, np.uint64, header // 8)
        self._views: list[dict[str, NDArray[Any]]] = [self._view(header + b * record) for b in range(BUFFERS)]

    @property
    def _buffer(self) -> memoryview:
        buffer = self._memory.buf
        assert buffer is not None
        return buffer

    def _view(self, start: int) -> dict[str, NDArray[Any]]:
        return {
            name: np.frombuffer(
                self._buffer, dtype, int(np.prod(shape, dtype=np.int64)), start + self._offsets[name]
            ).reshape(shape)
            for name, shape, dtype in self.layout.fields
        }

    def begin(self) -> dict[str, NDArray[Any]]:
        """Writer: the arrays of the next record, to be filled in place, then `commit`."""
        header = self._live_header()
        buffer = int(header[0] + 1) % BUFFERS
        header[(1 + buffer) * _ALIGN // 8] = 0
        return self._views[buffer]

    def commit(self) -> int:
        """Writer: publish what `begin` gave; returns its sequence number, from 1."""
        header = self._live_header()
        sequence = int(header[0]) + 1
        header[(1 + sequence % BUFFERS) * _ALIGN // 8] = sequence
        header[0] = sequence
        return sequence

    @property
    def sequence(self) -> int:
        """Number of the newest record, 0 before the first."""
        return int(self._live_header()[0])

    def latest(self) -> tuple[int, dict[str, NDArray[Any]] | None]:
        """Reader: (sequence, views of the newest record), or (0, None). Views are read-only by agreement."""
        sequence = self.sequence
        if sequence == 0:
            return 0, None
        return sequence, self._views[sequence % BUFFERS]

    def still_valid(self, sequence: int) -> bool:
        """Reader: whether the record `sequence` was whole all the time since `latest` gave it."""
        return int(self._live_header()[(1 + sequence % BUFFERS) * _ALIGN // 8]) == sequence

    def read(self, names: tuple[str, ...], into: Mapping[str, NDArray[Any]], attempts: int = 3) -> int:
        """Copy some fields of one whole record into own arrays; returns its sequence, 0 if there is none."""
        for _ in range(attempts):
            sequence, views = self.latest()
            if views is None:
                return 0
            for name in names:
                np.copyto(into[name], views[name])
            if self.still_valid(sequence):
                return sequence
        return 0

    def wipe(self) -> None:
        """Fill every record with zeros: for the time after the writer has ended. Readers see a record of nothing."""
        for views in self._views:
            for array in views.values():
                array[...] = 0

    def close(self, *, unlink: bool = False) -> None:
        """Detach; the creator also removes the memory with `unlink`. Views must not be used afterwards."""
        self._views = []
        self._header = None
        with contextlib.suppress(BufferError):  # a caller still holds a view; the mapping goes with the process
            self._memory.close()
        if unlink and self._own is not None:
            self._own.remove()

    def _live_header(self) -> NDArray[np.uint64]:
        if self._header is None:
            raise ValueError("the shared slot is closed")
        return self._header


def _record_layout(fields: tuple[tuple[str, tuple[int, ...], str], ...]) -> tuple[dict[str, int], int]:
    offsets, position = {}, 0
    for name, shape, dtype in fields:
        offsets[name] = position
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        position += -(-size // _ALIGN) * _ALIGN
    return offsets, position
