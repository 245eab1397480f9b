"""TCP connections that misbehave: they end, and nobody else notices."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from installation.devices.osc_codec import build_message
from installation.devices.osc_tcp import MAX_CONNECTIONS, SEND_LIMIT_BYTES, Connection, TcpClients
from installation.devices.slip import slip_frame


class Hall:
    """A listening socket with its clients, without a loop."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.lost: list[Connection] = []
        self.clients = TcpClients(self.listener, self.selector, lambda host: True, self.lost.append)

    def connect(self) -> tuple[socket.socket, Connection]:
        sock = socket.create_connection(self.listener.getsockname())
        before = set(self.clients._connections)
        while not set(self.clients._connections) - before:
            self.clients.accept()
        (connection,) = set(self.clients._connections) - before
        return sock, connection


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall()
    yield hall
    hall.clients.close()
    hall.selector.close()


def test_a_client_that_never_reads_is_let_go(hall: Hall) -> None:
    deaf, connection = hall.connect()
    with deaf:
        packet, sent = build_message("/mirror/x", ["y" * 1000]), 0
        while not hall.lost:
            hall.clients.send(connection, packet)
            sent += len(packet)
            assert sent < 100 * SEND_LIMIT_BYTES
        assert hall.lost == [connection]
        hall.clients.send(connection, packet)  # a late word to one that has gone is no mistake
        hall.clients.send_unsent()


def test_a_slow_reader_gets_everything_in_the_end(hall: Hall) -> None:
    slow, connection = hall.connect()
    with slow:
        packet = build_message("/mirror/x", ["y" * 1000])
        count = 0
        while not connection.unsent:
            hall.clients.send(connection, packet)
            count += 1
        wanted, got = count * len(slip_frame(packet)), 0
        while got < wanted:
            got += len(slow.recv(65536))
            hall.clients.send_unsent()
        assert got == wanted
        assert hall.lost == []


def test_connections_are_limited(hall: Hall) -> None:
    socks = [hall.connect()[0] for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection(hall.listener.getsockname()) as extra:
        hall.listener.settimeout(60.0)
        assert hall.clients.accept() is False
        extra.settimeout(60.0)
        with contextlib.suppress(ConnectionResetError):
            assert extra.recv(1) == b""
    for sock in socks:
        sock.close()


def test_a_client_that_resets_is_forgotten(hall: Hall) -> None:
    sock, connection = hall.connect()
    sock.sendall(slip_frame(build_message("/mirror/ping")))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    while not hall.lost:
        hall.clients.read(connection)
    assert hall.lost == [connection]


def test_garbage_on_a_connection_is_counted_and_the_next_packet_heard(rigs: Callable[..., Any]) -> None:
    rig = rigs(tcp=True)
    with socket.create_connection(("127.0.0.1", rig.server.tcp_port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 3000 + b"\xc0")
        sock.sendall(slip_frame(b"\xff" * 40) + slip_frame(build_message("/mirror/amount", [0.5])))
        assert rig.until(lambda: rig.goal("/mirror/amount") == 0.5)
    assert rig.server.counts.malformed >= 1
