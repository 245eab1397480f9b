"""The directory of a zip file, read with bounds.

PyTorch's checkpoints and NumPy's `.npz` are zips. The standard library's reader builds an object for whatever the
directory claims; this one counts first, and gives the place of an entry instead of its content, so that a tensor can
be read straight from the checkpoint.

Source: PKWARE's APPNOTE, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (ends), 4.5.3 (zip64).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from engines.importers.pickles import Malformed, Span

MAX_DIRECTORY_BYTES = 16 << 20
"""A checkpoint with its optimiser has some 3000 tensors, about 300 kB of directory."""

STORED = 0
DEFLATED = 8

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 0xFFFF
_IN_ZIP64 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive.

    Attributes:
        method: `STORED`, `DEFLATED` or another.
        packed: Where its bytes lie.
        size: Of the content.
    """

    method: int
    packed: Span
    size: int


def read_directory(stream: BinaryIO, file_size: int) -> dict[str, Entry]:
    """List a zip file.

    Raises:
        Malformed: If it is no zip, is truncated, or its directory is out of bounds.
    """
    count, size, start = _find_directory(stream, file_size)
    if size > MAX_DIRECTORY_BYTES or start + size > file_size:
        raise Malformed(f"the zip claims a directory of {size} bytes at {start} in a file of {file_size}")
    stream.seek(start)
    directory = stream.read(size)
    entries = {}
    at = 0
    try:
        for _ in range(count):
            fields = _ENTRY.unpack_from(directory, at)
            if fields[0] != b"PK\x01\x02":
                raise Malformed("the zip's directory is damaged")
            method, packed_size, full_size = fields[4], fields[8], fields[9]
            name_size, extra_size, comment_size, local = fields[10], fields[11], fields[12], fields[16]
            at += _ENTRY.size
            name = directory[at : at + name_size].decode("utf-8")
            extra = directory[at + name_size : at + name_size + extra_size]
            full_size, packed_size, local = _widen(extra, full_size, packed_size, local)
            entries[name] = Entry(method, _content(stream, local, packed_size, file_size), full_size)
            at += name_size + extra_size + comment_size
    except (struct.error, UnicodeDecodeError) as error:
        raise Malformed(f"the zip's directory is damaged: {error}") from error
    return entries


def read_entry(stream: BinaryIO, entry: Entry, limit: int) -> bytes:
    """Read one entry whole, stored or deflated.

    Raises:
        Malformed: If it is larger than `limit`, packed in another way, or damaged.
    """
    if entry.size > limit or entry.packed.nbytes > limit:
        raise Malformed(f"an entry of {entry.size} bytes where at most {limit} are expected")
    stream.seek(entry.packed.start)
    data = stream.read(entry.packed.nbytes)
    if entry.method == STORED:
        return data
    if entry.method != DEFLATED:
        raise Malformed(f"an entry is packed by method {entry.method}; only stored and deflated are read")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = inflater.decompress(data, entry.size + 1)
    except zlib.error as error:
        raise Malformed(f"a packed entry is damaged: {error}") from error
    if len(out) != entry.size:
        raise Malformed("a packed entry has another size than the directory says")
    return out


def _find_directory(stream: BinaryIO, file_size: int) -> tuple[int, int, int]:
    """Find (number of entries, size, start) of the directory."""
    tail_start = max(0, file_size - _END.size - _LONGEST_COMMENT)
    stream.seek(tail_start)
    tail = stream.read(file_size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise Malformed("the zip has no directory at its end; it is truncated")
    _, _, _, _, count, size, start, _ = _END.unpack_from(tail, at)
    locator_at = tail_start + at - _LOCATOR64.size
    if locator_at >= 0:
        stream.seek(locator_at)
        signature, _, end64, _ = _LOCATOR64.unpack(stream.read(_LOCATOR64.size))
        if signature == b"PK\x06\x07":
            if end64 + _END64.size > file_size:
                raise Malformed("the zip's end record lies outside the file")
            stream.seek(end64)
            fields = _END64.unpack(stream.read(_END64.size))
            if fields[0] != b"PK\x06\x06":
                raise Malformed("the zip's end record is damaged")
            count, size, start = fields[7], fields[8], fields[9]
    if count * _ENTRY.size > size:
        raise Malformed(f"the zip claims {count} entries in a directory of {size} bytes")
    return count, size, start


def _widen(extra: bytes, full_size: int, packed_size: int, local: int) -> tuple[int, int, int]:
    """Replace the sizes that did not fit into 32 bits by those of the zip64 field."""
    values = [full_size, packed_size, local]
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = at + 4
            for index, value in enumerate(values):
                if value == _IN_ZIP64:
                    (values[index],) = struct.unpack_from("<Q", extra, field)
                    field += 8
        at += 4 + size
    return values[0], values[1], values[2]


def _content(stream: BinaryIO, local: int, packed_size: int, file_size: int) -> Span:
    """Find an entry's bytes behind its local header, which may be padded (PyTorch aligns tensors so)."""
    if local + _LOCAL.size > file_size:
        raise Malformed("an entry of the zip lies outside the file")
    stream.seek(local)
    fields = _LOCAL.unpack(stream.read(_LOCAL.size))
    if fields[0] != b"PK\x03\x04":
        raise Malformed("an entry of the zip has no header")
    start = local + _LOCAL.size + fields[9] + fields[10]
    if start + packed_size > file_size:
        raise Malformed("an entry of the zip lies outside the file; it is truncated")
    return Span(start, start + packed_size)
