"""OSC packets: checked to the last byte before they are parsed, and built.

python-osc does the bytes of one message. Everything around it is ours, because of what version 1.10.2 does with
malformed input: a negative size inside a bundle makes its parser loop for ever, strings that are not
UTF-8 escape as UnicodeDecodeError, unknown type tags write a log line each. So a packet is taken apart
and measured here first, and only a message whose sizes fit exactly reaches the library.

Format: "The Open Sound Control 1.0 Specification" (Wright, 2002) and 1.1 (Freed and Schmeder, NIME 2009).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

MAX_PACKET_BYTES = 8192
MAX_ADDRESS_BYTES = 128
MAX_ARGUMENTS = 64
MAX_BUNDLE_DEPTH = 8

IMMEDIATELY = 1
"""The time tag that means "now"."""

NTP_EPOCH_OFFSET_S = 2_208_988_800
"""Seconds from 1900-01-01 (NTP) to 1970-01-01 (Unix)."""

_BUNDLE = b"#bundle\0"
_SIZES = {"i": 4, "f": 4, "r": 4, "m": 4, "c": 4, "h": 8, "d": 8, "t": 8, "T": 0, "F": 0, "N": 0, "I": 0}

Argument = float | int | bool | str | bytes | None


class PacketRefused(ValueError):
    """A packet is not OSC as we take it; the message says why."""


class RawMessage(NamedTuple):
    """One message, still as bytes: most of a flood is never parsed.

    Attributes:
        address: As on the wire, without its padding.
        data: The whole message.
        time_tag: 64-bit NTP time of the bundle around it, `IMMEDIATELY` outside bundles.
    """

    address: bytes
    data: bytes
    time_tag: int = IMMEDIATELY


def split_packet(data: bytes) -> Iterator[RawMessage]:
    """Take a datagram apart into messages, in order.

    Raises:
        PacketRefused: At the first thing that is wrong; what came before it has been yielded.
    """
    if len(data) > MAX_PACKET_BYTES:
        raise PacketRefused(f"a packet of {len(data)} bytes; at most {MAX_PACKET_BYTES}")
    yield from _split(data, IMMEDIATELY, 0)


def _split(data: bytes, time_tag: int, depth: int) -> Iterator[RawMessage]:
    if data[:1] == b"/":
        end = data.find(b"\0", 1, MAX_ADDRESS_BYTES + 1)
        if end < 0:
            raise PacketRefused("an address without end, or longer than 128 bytes")
        yield RawMessage(data[:end], data, time_tag)
        return
    if not data.startswith(_BUNDLE) or len(data) < 16:
        raise PacketRefused("neither a message nor a bundle")
    if depth >= MAX_BUNDLE_DEPTH:
        raise PacketRefused(f"bundles more than {MAX_BUNDLE_DEPTH} deep")
    # an inner bundle may not be earlier than the one around it (specification 1.0)
    inner = max(time_tag, int.from_bytes(data[8:16], "big"))
    position = 16
    while position < len(data):
        if position + 4 > len(data):
            raise PacketRefused("a bundle with a broken size")
        size = int.from_bytes(data[position : position + 4], "big")
        position += 4
        if size == 0 or size % 4 or position + size > len(data):
            raise PacketRefused(f"a bundle with an element of {size} bytes where {len(data) - position} are left")
        yield from _split(data[position : position + size], inner, depth + 1)
        position += size


def parse_message(data: bytes) -> tuple[str, tuple[Argument, ...]]:
    """Parse one message: (address, arguments). Arrays are flattened; an impulse counts as true.

    Raises:
        PacketRefused: If a size, a type or a character is wrong.
    """
    if len(data) % 4:
        raise PacketRefused(f"a message of {len(data)} bytes, not a multiple of 4")
    address, position = _string(data, 0)
    if not address.isascii() or not address.isprintable():
        raise PacketRefused("an address that is not ASCII")
    if position == len(data):  # old senders leave the tags of a message without arguments away
        return address, ()
    tags, start = _string(data, position)
    if not tags.startswith(",") or len(tags) > MAX_ARGUMENTS + 1:
        raise PacketRefused(f"type tags {tags[:20]!r}: must begin with a comma and be at most {MAX_ARGUMENTS}")
    end = start
    for tag in tags[1:]:
        end = _argument_end(data, tag, end)
    if end != len(data):
        raise PacketRefused(f"arguments of {end - start} bytes where {len(data) - start} came")
    # python-osc knows neither the impulse nor the symbol, whose bytes are those of "true" and of a string
    known = tags.replace("I", "T").replace("S", "s").encode()
    try:
        message = OscMessage(data[:position] + known + data[position + len(known) :])
    except ParseError as error:  # brackets that do not pair
        raise PacketRefused(f"type tags {tags[:20]!r}: {error}") from error
    return address, tuple(_flat(message.params))


def build_message(address: str, args: Sequence[Argument] = ()) -> bytes:
    """Build one message; Python's types give the type tags (float f, int i, bool T/F, str s, bytes b, None N)."""
    builder = OscMessageBuilder(address)
    for argument in args:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)


def build_bundle(messages: Sequence[bytes], unix_time: float | None = None) -> bytes:
    """Put messages into one bundle, due at `unix_time` or at once."""
    tag = IMMEDIATELY if unix_time is None else ntp_from_unix(unix_time)
    return _BUNDLE + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(m)) + m for m in messages)


def unix_from_ntp(time_tag: int) -> float:
    """Seconds since 1970 of a 64-bit time tag."""
    return time_tag / 2**32 - NTP_EPOCH_OFFSET_S


def ntp_from_unix(seconds: float) -> int:
    """64-bit time tag of seconds since 1970."""
    return int((seconds + NTP_EPOCH_OFFSET_S) * 2**32)


def _string(data: bytes, start: int) -> tuple[str, int]:
    """Read a padded string: (text, where the next thing begins)."""
    end = data.find(b"\0", start)
    if end < 0:
        raise PacketRefused("a string without end")
    after = start + (end - start) // 4 * 4 + 4
    if after > len(data) or any(data[end:after]):
        raise PacketRefused("a string whose padding is not zero")
    try:
        return data[start:end].decode("utf-8"), after
    except UnicodeDecodeError as error:
        raise PacketRefused("a string that is not UTF-8") from error


def _argument_end(data: bytes, tag: str, start: int) -> int:
    size = _SIZES.get(tag)
    if size is not None and tag != "c":
        end = start + size
    elif tag in "sS":
        _, end = _string(data, start)
    elif tag == "b":
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 4 + (length + 3) // 4 * 4
    elif tag in "[]":
        return start
    else:
        raise PacketRefused(f"an argument of type {tag!r}")
    if end > len(data):
        raise PacketRefused("arguments that end too early")
    return end


def _flat(params: Sequence[object]) -> Iterator[Argument]:
    for param in params:
        if isinstance(param, list):
            yield from _flat(param)
        elif isinstance(param, (float, int, str, bytes)) or param is None:
            yield param
        else:  # a MIDI packet or a time tag: nothing in the table takes one
            yield None
