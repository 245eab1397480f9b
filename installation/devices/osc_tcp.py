"""OSC over TCP: connections that frame packets by SLIP (OSC 1.1). Owned by the server's loop; nothing here waits."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable

from installation.devices.osc_codec import MAX_PACKET_BYTES
from installation.devices.slip import SlipReader, slip_frame

MAX_CONNECTIONS = 16
SEND_LIMIT_BYTES = 1 << 18
"""Held back for a client that does not read; more ends its connection."""

_READ_BYTES = 65536


class Connection:
    """One TCP client. It is its own name as a client."""

    def __init__(self, sock: socket.socket, host: str, port: int) -> None:
        self.sock = sock
        self.host = host
        self._name = f"{host}:{port} (TCP)"
        self.reader = SlipReader(MAX_PACKET_BYTES)
        self.unsent = bytearray()

    def __str__(self) -> str:
        return self._name


class TcpClients:
    """All connections of one listening socket.

    Args:
        listener: Bound and listening, non-blocking.
        selector: Of the server's loop; each connection is registered with itself as data.
        allowed: Whether an IP address may connect.
        lost: Told of every connection that ends.
    """

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        allowed: Callable[[str], bool],
        lost: Callable[[Connection], None],
    ) -> None:
        self._listener = listener
        self._selector = selector
        self._allowed = allowed
        self._lost = lost
        self._connections: set[Connection] = set()

    def accept(self) -> bool:
        """Take a waiting connection; False if it was turned away."""
        try:
            sock, peer = self._listener.accept()
        except OSError:  # gone again before it was looked at
            return True
        if not self._allowed(peer[0]) or len(self._connections) >= MAX_CONNECTIONS:
            sock.close()
            return False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, peer[0], peer[1])
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return True

    def read(self, connection: Connection) -> list[bytes]:
        """The packets that a connection has brought."""
        try:
            data = connection.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return []
        return connection.reader.feed(data)

    def send(self, connection: Connection, packet: bytes) -> None:
        """Send a packet, or keep it until the client reads; one that never does is let go."""
        if connection in self._connections:
            connection.unsent += slip_frame(packet)
            self._send_unsent(connection)

    def send_unsent(self) -> None:
        """Try again what could not be sent; called every turn of the loop."""
        for connection in [connection for connection in self._connections if connection.unsent]:
            self._send_unsent(connection)

    def close(self) -> None:
        """Close every connection and the listener."""
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        self._listener.close()

    def _send_unsent(self, connection: Connection) -> None:
        try:
            while connection.unsent:
                sent = connection.sock.send(connection.unsent)
                del connection.unsent[:sent]
        except BlockingIOError:
            if len(connection.unsent) > SEND_LIMIT_BYTES:
                self._drop(connection)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.sock)
            connection.sock.close()
            self._lost(connection)
