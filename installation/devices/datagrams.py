"""Reads many datagrams with one system call.

Each `recvfrom` gives the interpreter's lock away and has to win it back; beside a busy thread that may take
5 ms, and a flood then overflows the socket while its newest values are the ones that are lost. On Linux `recvmmsg`
fetches a whole batch at once (man 2 recvmmsg); elsewhere the plain loop does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from typing import Any

import numpy as np

BATCH = 256
_ADDRESS_BYTES = 28  # sockaddr_in6, the longer of the two
_MSG_DONTWAIT = 0x40
_MAX_PEERS = 1024

Peer = tuple[str, int]


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _BatchHeader(ctypes.Structure):
    _fields_ = (("header", _Header), ("received", ctypes.c_uint))


class DatagramReader:
    """Drains one non-blocking UDP socket. Owned by the socket's thread.

    Args:
        sock: IPv4 or IPv6, non-blocking.
        largest: Longer datagrams come with `largest + 1` bytes, so that the caller can tell.
    """

    def __init__(self, sock: socket.socket, largest: int) -> None:
        self._sock = sock
        self._size = largest + 1
        self._recvmmsg = (
            getattr(ctypes.CDLL(None, use_errno=True), "recvmmsg", None) if sys.platform == "linux" else None
        )
        if self._recvmmsg is not None:
            self._prepare()

    def read(self) -> list[tuple[bytes, Peer]]:
        """What waits in the socket now, oldest first: (data, (host, port)); at most `BATCH`.

        Errors of single packets (a subscriber that has gone) are passed over.
        """
        return self._read_one_by_one() if self._recvmmsg is None else self._read_batch()

    def _read_one_by_one(self) -> list[tuple[bytes, Peer]]:
        found: list[tuple[bytes, Peer]] = []
        for _ in range(BATCH):
            try:
                data, peer = self._sock.recvfrom(self._size)
            except BlockingIOError:
                break
            except OSError:  # Windows reports here that an answer could not be delivered
                continue
            found.append((data, (peer[0], peer[1])))
        return found

    def _prepare(self) -> None:
        self._data = ctypes.create_string_buffer(BATCH * self._size)
        self._names = ctypes.create_string_buffer(BATCH * _ADDRESS_BYTES)
        self._parts = (_IoVec * BATCH)()
        self._headers = (_BatchHeader * BATCH)()
        for index in range(BATCH):
            part, header = self._parts[index], self._headers[index].header
            part.base, part.length = ctypes.addressof(self._data) + index * self._size, self._size
            header.name = ctypes.addressof(self._names) + index * _ADDRESS_BYTES
            header.parts, header.part_count = ctypes.addressof(part), 1
        layout: Any = np.dtype(_BatchHeader)
        fields = np.frombuffer(memoryview(self._headers), layout)
        self._name_lengths = fields["header"]["name_length"]
        self._received = fields["received"]
        self._data_view = memoryview(self._data)
        self._names_view = memoryview(self._names)
        self._peers: dict[bytes, Peer] = {}

    def _read_batch(self) -> list[tuple[bytes, Peer]]:
        assert self._recvmmsg is not None
        self._name_lengths[:] = _ADDRESS_BYTES  # the system writes what it used
        count = self._recvmmsg(self._sock.fileno(), self._headers, BATCH, _MSG_DONTWAIT, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(code, os.strerror(code))
        found = []
        for index, length in enumerate(self._received[:count].tolist()):
            start, name = index * self._size, index * _ADDRESS_BYTES
            peer = self._peer(bytes(self._names_view[name : name + _ADDRESS_BYTES]), int(self._name_lengths[index]))
            found.append((bytes(self._data_view[start : start + length]), peer))
        return found

    def _peer(self, name: bytes, length: int) -> Peer:
        """Host and port of a `sockaddr_in` or `sockaddr_in6`; a flood has few senders, so they are remembered."""
        name = name[:length]
        peer = self._peers.get(name)
        if peer is None:
            port = int.from_bytes(name[2:4], "big")
            is_v6 = self._sock.family == socket.AF_INET6
            host = socket.inet_ntop(self._sock.family, name[8:24] if is_v6 else name[4:8])
            if len(self._peers) >= _MAX_PEERS:
                self._peers.clear()
            peer = self._peers[name] = (host, port)
        return peer
