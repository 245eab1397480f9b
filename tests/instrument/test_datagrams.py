"""Both ways of draining a socket give the same packets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from installation.devices.datagrams import BATCH, DatagramReader


@pytest.fixture(params=["batch", "one by one"])
def one_way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    host = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    with (
        socket.socket(request.param, socket.SOCK_DGRAM) as server,
        socket.socket(request.param, socket.SOCK_DGRAM) as to,
    ):
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        server.setblocking(False)
        to.connect(server.getsockname()[:2])
        yield server, to


def make(server: socket.socket, one_way: str) -> DatagramReader:
    reader = DatagramReader(server, 100)
    if one_way == "one by one":
        reader._recvmmsg = None
    elif reader._recvmmsg is None:
        pytest.skip("this system has no recvmmsg")
    return reader


def test_every_packet_comes_in_order_with_its_sender(pair: tuple[socket.socket, socket.socket], one_way: str) -> None:
    server, to = pair
    reader = make(server, one_way)
    assert reader.read() == []
    sent = [b"", b"x", *(bytes([number]) * (number % 100) for number in range(120))]
    for data in sent:
        to.send(data)
    assert reader.read() == [(data, to.getsockname()[:2]) for data in sent]
    assert reader.read() == []


def test_a_long_packet_comes_one_byte_longer_than_allowed(
    pair: tuple[socket.socket, socket.socket], one_way: str
) -> None:
    server, to = pair
    reader = make(server, one_way)
    to.send(b"a" * 500)
    to.send(b"b" * 100)
    assert [data for data, _ in reader.read()] == [b"a" * 101, b"b" * 100]


def test_a_full_batch_leaves_the_rest(pair: tuple[socket.socket, socket.socket], one_way: str) -> None:
    server, to = pair
    reader = make(server, one_way)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for number in range(BATCH + 5):
        to.send(number.to_bytes(2, "big"))
    first, second = reader.read(), reader.read()
    assert (len(first), len(second)) == (BATCH, 5)
    assert int.from_bytes(second[-1][0], "big") == BATCH + 4
