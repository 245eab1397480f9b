"""OSC bytes on the wire, as literals; and what must be refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.devices.osc_codec import (
    IMMEDIATELY,
    MAX_PACKET_BYTES,
    PacketRefused,
    build_bundle,
    build_message,
    ntp_from_unix,
    parse_message,
    split_packet,
    unix_from_ntp,
)
from installation.devices.slip import SlipReader, slip_frame

AMOUNT = b"/mirror/amount\0\0,f\0\0\x3f\0\0\0"


@pytest.mark.parametrize(
    ("data", "address", "args"),
    [
        (AMOUNT, "/mirror/amount", (0.5,)),
        (b"/a\0\0", "/a", ()),
        (b"/a\0\0,\0\0\0", "/a", ()),
        (b"/a\0\0,i\0\0\0\0\0\x07", "/a", (7,)),
        (b"/a\0\0,TFN\0\0\0\0", "/a", (True, False, None)),
        (b"/a\0\0,I\0\0", "/a", (True,)),
        (b"/a\0\0,S\0\0abc\0", "/a", ("abc",)),
        (b"/a\0\0,sb\0abc\0\0\0\0\x01x\0\0\0", "/a", ("abc", b"x")),
        (b"/a\0\0,[ii]\0\0\0\0\0\0\x01\0\0\0\x02", "/a", (1, 2)),
        (b"/a\0\0,h\0\0\0\0\0\x01\0\0\0\0", "/a", (2**32,)),
        (b"/a\0\0,m\0\0\0\x90\x40\x7f", "/a", (None,)),
    ],
)
def test_parses(data: bytes, address: str, args: tuple[object, ...]) -> None:
    assert parse_message(data) == (address, args)


@pytest.mark.parametrize(
    "data",
    [
        b"/a\0\0,f\0\0\x3f\0\0",  # three bytes of a float, which python-osc would fill up
        b"/a\0\0,f\0\0",
        b"/a\0\0,f\0\0\x3f\0\0\0\0\0\0\0",  # more than the tags say
        b"/a\0\0,f\0x\x3f\0\0\0",  # padding that is not zero
        b"/a\0\0f\0\0\0\x3f\0\0\0",  # no comma
        b"/a\xff\0,f\0\0\x3f\0\0\0",  # not UTF-8
        b"/\xc3\xa9\0,f\0\0\x3f\0\0\0",  # not ASCII
        b"/a\0\0,q\0\0",  # no such type
        b"/a\0\0,[[]",
        b"/a\0\0,]\0\0",
        b"/a\0\0,b\0\0\xff\xff\xff\xff",  # a blob of 4 GB
        b"/a\0\0,s\0\0abcd",
        b"/a\0\0," + b"i" * 67 + bytes(4 * 67),
    ],
)
def test_refuses_messages(data: bytes) -> None:
    with pytest.raises(PacketRefused):
        parse_message(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"mirror\0\0",
        b"#bundle\0",
        b"#bundle\0" + bytes(7) + b"\x01" + b"\xff\xff\xff\xfc" + AMOUNT,  # a negative size: python-osc never returns
        b"#bundle\0" + bytes(7) + b"\x01" + bytes(4) + AMOUNT,
        b"#bundle\0" + bytes(7) + b"\x01" + b"\0\0\0\x19" + AMOUNT + b"\0",
        b"#bundle\0" + bytes(7) + b"\x01" + b"\0\0",
        b"/" + b"a" * 4000 + b"\0\0\0",
        b"/a\0\0" * (MAX_PACKET_BYTES // 4 + 1),
    ],
)
def test_refuses_packets(data: bytes) -> None:
    with pytest.raises(PacketRefused):
        list(split_packet(data))


def test_deep_bundles_are_refused_and_shallow_ones_taken() -> None:
    bundle = AMOUNT
    for depth in range(1, 20):
        bundle = build_bundle([bundle])
        if depth <= 8:
            assert [message.data for message in split_packet(bundle)] == [AMOUNT]
        else:
            with pytest.raises(PacketRefused, match="deep"):
                list(split_packet(bundle))


def test_an_inner_bundle_is_never_earlier_than_the_outer() -> None:
    late = build_bundle([build_bundle([AMOUNT], 1_000_000.0), AMOUNT], 2_000_000.0)
    assert [unix_from_ntp(message.time_tag) for message in split_packet(late)] == [2_000_000.0] * 2
    at_once = build_bundle([AMOUNT])
    assert [message.time_tag for message in split_packet(at_once)] == [IMMEDIATELY]


@given(st.floats(0, 4e9))
def test_time_tags_return(seconds: float) -> None:
    assert abs(unix_from_ntp(ntp_from_unix(seconds)) - seconds) < 1e-6


arguments = st.lists(
    st.one_of(
        st.floats(width=32, allow_nan=False), st.integers(-(2**31), 2**31 - 1), st.booleans(), st.none(),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.binary(min_size=1, max_size=20),
    ),
    max_size=12,
)  # fmt: skip


@given(arguments)
def test_what_is_built_is_parsed(args: list[float | int | bool | str | bytes | None]) -> None:
    assert parse_message(build_message("/mirror/x", args)) == ("/mirror/x", tuple(args))


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        for message in split_packet(data):
            parse_message(message.data)
    except PacketRefused:
        pass


def test_mutated_packets_are_parsed_or_refused() -> None:
    rng = random.Random(6)
    seeds = [AMOUNT, build_bundle([AMOUNT, build_message("/b", ["x", 1, b"yz"])]), b"/a\0\0,[iT[S]]\0\0\0\0" + bytes(8)]
    for _ in range(20_000):
        data = mutate(rng, rng.choice(seeds))
        try:
            for message in split_packet(data):
                parse_message(message.data)
        except PacketRefused:
            pass


def mutate(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        what = rng.random()
        if what < 0.6 and at < len(out):
            out[at] = rng.randrange(256)
        elif what < 0.75:
            del out[at:]
        elif what < 0.9:
            out[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            out += out[:8]
    return bytes(out)


@given(st.lists(st.binary(min_size=1, max_size=60)), st.integers(1, 9))
def test_slip_returns_every_packet_however_the_stream_is_cut(packets: list[bytes], step: int) -> None:
    stream = b"".join(slip_frame(packet) for packet in packets)
    reader = SlipReader(100)
    found = [packet for at in range(0, len(stream), step) for packet in reader.feed(stream[at : at + step])]
    assert found == packets
    assert reader.dropped == 0


def test_slip_drops_a_frame_without_end_and_goes_on() -> None:
    reader = SlipReader(16)
    found = []
    for _ in range(100):
        found += reader.feed(b"x" * 50)
    found += reader.feed(slip_frame(b"late"))
    found += reader.feed(slip_frame(b"good"))
    assert found == [b"late", b"good"]
    assert reader.dropped >= 1
