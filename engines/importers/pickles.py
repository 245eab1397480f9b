"""A pickle reader that cannot run anything.

A pickle is a program. This machine knows its instructions but not its powers: a name from another module becomes an
inert `Symbol`, calling a symbol looks it up in a table of our own functions that build plain values, and a name that
is not in the table ends the reading. No import, no attribute, no constructor of the file's choosing. Tensors and long
byte strings stay in the file as `Span`s, so reading a checkpoint of a gigabyte costs the memory of its index.

Bounds on instructions, text, numbers and nesting of what is hashed keep a bomb from growing; containers are built on a
stack, so that depth costs no recursion.

Source: the instruction set as documented in CPython's `pickletools`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from installation.errors import EngineError

MAX_INSTRUCTIONS = 2_000_000
"""A snapshot of the largest public network has about 150 000."""

MAX_TEXT_BYTES = 8 << 20
"""NVIDIA's pickles carry 37 kB of source text, which is skipped over like any other string."""

MAX_INTEGER_BYTES = 64

_WINDOW_BYTES = 4096
"""How much is read at once: little, because most of the file is skipped."""
MAX_SMALL_BYTES = 64
"""Byte strings up to this size (single numbers) are kept; longer ones stay in the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that stay in the file: from `start` up to `stop`."""

    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Symbol:
    """The name of something in another module; it stands for nothing."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Record:
    """An object of the file: what it was called with and the state it was given, both plain values."""

    symbol: Symbol
    arguments: tuple[Any, ...] = ()
    state: Any = None


Builders = Mapping[tuple[str, str], Callable[..., Any]]
"""(module, name) -> our function that builds a plain value from the arguments in the file."""


class _Mark:
    """The stack's MARK."""


_MARK = _Mark()


class Malformed(Exception):
    """The bytes are no pickle, or end too early. Callers turn it into an `EngineError` with the file's name."""


@dataclass(slots=True)
class PickleReader:
    """Reads pickles one after another from a region of a file.

    Attributes:
        stream: The file, opened for reading bytes.
        position: Where the next pickle begins.
        stop: End of the region; nothing beyond is read.
        builders: What may be called.
        persistent: Builds the value of a persistent id from its tuple; None where none may occur.
    """

    stream: BinaryIO
    position: int
    stop: int
    builders: Builders
    persistent: Callable[[Any], Any] | None = None
    _stack: list[Any] = field(default_factory=list)
    _memo: dict[int, Any] = field(default_factory=dict)
    _window: bytes = b""
    _window_start: int = 0

    def load(self) -> Any:
        """Read one pickle and move past it.

        Raises:
            EngineError: If it asks for a name that is not in `builders`, or is larger than any checkpoint's index.
            Malformed: If it is damaged.
        """
        self._stack.clear()
        self._memo.clear()
        try:
            for _ in range(MAX_INSTRUCTIONS):
                code = self.take(1)[0]
                if code == _STOP:
                    return self._stack.pop()
                step = _STEPS.get(code)
                if step is None:
                    raise Malformed(f"byte {self.position - 1} holds {code:#04x}, no instruction of a checkpoint")
                step(self)
        except (IndexError, KeyError, TypeError, ValueError, struct.error, OverflowError) as error:
            raise Malformed(f"the pickle is damaged near byte {self.position}: {error}") from error
        raise EngineError(f"its pickle has more than {MAX_INSTRUCTIONS} instructions; no checkpoint needs as many")

    # Reading the region ---------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """Read `count` bytes.

        Raises:
            Malformed: If the region ends before.
        """
        begin = self.position - self._window_start
        if begin < 0 or begin + count > len(self._window):
            self._refill(count)
            begin = 0
        self.position += count
        return self._window[begin : begin + count]

    def _refill(self, count: int) -> None:
        """Read on from `position`: the bytes asked for and some more."""
        if count < 0 or self.position + count > self.stop:
            raise Malformed(f"the file ends after {self.stop} bytes in the middle of a value; it is truncated")
        self.stream.seek(self.position)
        self._window = self.stream.read(min(max(count, _WINDOW_BYTES), self.stop - self.position))
        self._window_start = self.position
        if len(self._window) < count:
            raise Malformed("the file became shorter while it was read")

    def skip(self, count: int) -> Span:
        """Leave `count` bytes in the file."""
        if count < 0 or self.position + count > self.stop:
            raise Malformed(f"the file ends after {self.stop} bytes in the middle of a value; it is truncated")
        span = Span(self.position, self.position + count)
        self.position = span.stop
        return span

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> str:
        """Read up to a newline: the names of the GLOBAL instruction."""
        out = bytearray()
        while (byte := self.take(1)) != b"\n":
            out += byte
            if len(out) > 256:
                raise Malformed("a name is longer than 256 bytes")
        return out.decode("utf-8")

    def text(self, count: int, encoding: str = "utf-8") -> str:
        if count > MAX_TEXT_BYTES:
            raise Malformed(f"a string has {count} bytes")
        return self.take(count).decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")

    # The stack ------------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a MARK where a value was expected")
        return value

    def top(self) -> Any:
        return self._stack[-1]

    def since_mark(self) -> list[Any]:
        """Take everything above the last MARK."""
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                items = self._stack[index + 1 :]
                del self._stack[index:]
                return items
        raise ValueError("no MARK on the stack")

    def remember(self, index: int) -> None:
        self._memo[index] = self.top()

    def recall(self, index: int) -> None:
        self.push(self._memo[index])

    def memoize(self) -> None:
        self.remember(len(self._memo))

    # What a value may be made of ------------------------------------------------------------------------------------

    def symbol(self, module: Any, name: Any) -> None:
        """Push the symbol if the table has it.

        Raises:
            EngineError: If not: this is where a hostile file ends.
        """
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError("a global's name is not a string")
        if (module, name) not in self.builders:
            raise EngineError(
                f"it asks for {module[:80]!r} {name[:80]!r}, which no checkpoint of a known kind needs; "
                "it was refused and nothing in it was executed"
            )
        self.push(Symbol(module, name))

    def call(self) -> None:
        """REDUCE: build a value with our own function for the symbol."""
        arguments = self.pop()
        symbol = self.pop()
        if not isinstance(symbol, Symbol) or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is no name, or without a tuple of arguments")
        self.push(self.builders[symbol.module, symbol.name](*arguments))

    def new(self) -> None:
        """NEWOBJ: an object without a constructor. Dictionaries' subclasses become dictionaries."""
        arguments = self.pop()
        symbol = self.pop()
        if not isinstance(symbol, Symbol) or not isinstance(arguments, tuple):
            raise TypeError("an object of something that is no name, or without a tuple of arguments")
        made = self.builders[symbol.module, symbol.name](*arguments)
        self.push(made)

    def build(self) -> None:
        """BUILD: give a state. Only inert records keep it; a dictionary's attributes are of no use here."""
        state = self.pop()
        made = self.top()
        if isinstance(made, Record):
            made.state = state
        elif not isinstance(made, dict):
            raise TypeError(f"a state for a {type(made).__name__}")

    def set_items(self, pairs: list[Any]) -> None:
        made = self.top()
        if not isinstance(made, dict) or len(pairs) % 2:
            raise TypeError("items for something that is no dictionary")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            made[hashable(key)] = value

    def extend(self, items: list[Any]) -> None:
        made = self.top()
        if isinstance(made, list):
            made.extend(items)
        elif isinstance(made, set):
            made.update(map(hashable, items))
        else:
            raise TypeError(f"items for a {type(made).__name__}")

    def persist(self) -> None:
        identity = self.pop()
        if self.persistent is None:
            raise TypeError("a persistent id where none may be")
        self.push(self.persistent(identity))


def hashable(key: Any) -> Any:
    """Let only plain keys pass: hashing a deep tuple would recurse in C.

    Raises:
        TypeError: On any other key.
    """
    if not isinstance(key, str | int | float | bytes | None):
        raise TypeError(f"a {type(key).__name__} as a key")
    return key


def _integer(reader: PickleReader, count: int) -> int:
    if not 0 <= count <= MAX_INTEGER_BYTES:
        raise Malformed(f"an integer of {count} bytes")
    return int.from_bytes(reader.take(count), "little", signed=True)


def _bytes(reader: PickleReader, count: int) -> bytes | Span:
    return reader.take(count) if count <= MAX_SMALL_BYTES else reader.skip(count)


def _stack_global(reader: PickleReader) -> None:
    name = reader.pop()
    reader.symbol(reader.pop(), name)


def _tuple(reader: PickleReader, count: int) -> None:
    items = [reader.pop() for _ in range(count)]
    reader.push(tuple(reversed(items)))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return {hashable(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _two(reader: PickleReader) -> list[Any]:
    value = reader.pop()
    return [reader.pop(), value]


def _pop(reader: PickleReader) -> None:
    # POP may also remove a MARK.
    reader._stack.pop()


_STOP = ord(".")

_STEPS: dict[int, Callable[[PickleReader], Any]] = {
    0x80: lambda r: r.take(1),  # PROTO
    0x95: lambda r: r.take(8),  # FRAME
    ord("("): lambda r: r.push(_MARK),
    ord("0"): _pop,
    ord("1"): lambda r: r.since_mark(),  # POP_MARK
    ord("2"): lambda r: r.push(r.top()),  # DUP
    ord("N"): lambda r: r.push(None),
    0x88: lambda r: r.push(True),
    0x89: lambda r: r.push(False),
    ord("J"): lambda r: r.push(r.number("<i")),
    ord("K"): lambda r: r.push(r.number("<B")),
    ord("M"): lambda r: r.push(r.number("<H")),
    0x8A: lambda r: r.push(_integer(r, r.number("<B"))),  # LONG1
    0x8B: lambda r: r.push(_integer(r, r.number("<i"))),  # LONG4
    ord("G"): lambda r: r.push(r.number(">d")),
    ord("X"): lambda r: r.push(r.text(r.number("<I"))),
    0x8C: lambda r: r.push(r.text(r.number("<B"))),
    0x8D: lambda r: r.push(r.text(r.number("<Q"))),
    # Strings of Python 2, and byte strings
    ord("T"): lambda r: r.push(r.text(r.number("<i"), "latin-1")),
    ord("U"): lambda r: r.push(r.text(r.number("<B"), "latin-1")),
    ord("B"): lambda r: r.push(_bytes(r, r.number("<I"))),
    ord("C"): lambda r: r.push(_bytes(r, r.number("<B"))),
    0x8E: lambda r: r.push(_bytes(r, r.number("<Q"))),
    0x96: lambda r: r.push(_bytes(r, r.number("<Q"))),
    ord("]"): lambda r: r.push([]),
    ord(")"): lambda r: r.push(()),
    ord("}"): lambda r: r.push({}),
    0x8F: lambda r: r.push(set()),
    ord("a"): lambda r: r.extend([r.pop()]),
    ord("e"): lambda r: r.extend(r.since_mark()),
    0x90: lambda r: r.extend(r.since_mark()),  # ADDITEMS
    ord("l"): lambda r: r.push(r.since_mark()),
    ord("t"): lambda r: r.push(tuple(r.since_mark())),
    0x85: lambda r: _tuple(r, 1),
    0x86: lambda r: _tuple(r, 2),
    0x87: lambda r: _tuple(r, 3),
    ord("d"): lambda r: r.push(_pairs(r.since_mark())),
    0x91: lambda r: r.push(frozenset(map(hashable, r.since_mark()))),
    ord("s"): lambda r: r.set_items(_two(r)),
    ord("u"): lambda r: r.set_items(r.since_mark()),
    ord("c"): lambda r: r.symbol(r.line(), r.line()),
    0x93: _stack_global,
    ord("R"): lambda r: r.call(),
    0x81: lambda r: r.new(),
    ord("b"): lambda r: r.build(),
    ord("Q"): lambda r: r.persist(),
    ord("q"): lambda r: r.remember(r.number("<B")),
    ord("r"): lambda r: r.remember(r.number("<I")),
    0x94: lambda r: r.memoize(),
    ord("h"): lambda r: r.recall(r.number("<B")),
    ord("j"): lambda r: r.recall(r.number("<I")),
}
