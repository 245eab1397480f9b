"""The page's side of the studio's websocket, for tests: frames in and out."""

import json
from contextlib import ExitStack

from websockets.sync.client import connect


class Client:
    """One tab."""

    def __init__(self, port, *, first=None, origin=None, host=None) -> None:
        self._number = 0
        with ExitStack() as stack:
            address = f"ws://127.0.0.1:{port}/ws"
            headers = {"Host": host} if host else {}
            self._socket = stack.enter_context(
                connect(
                    address,
                    origin=origin,
                    additional_headers=headers,
                    max_size=None,
                    open_timeout=60,
                    ping_interval=None,  # a studio that a busy machine lets wait is not gone
                )
            )
            self._socket.send(json.dumps(first or {"hello": True}))
            self.hello = json.loads(self._socket.recv(timeout=60))
            self._stack = stack.pop_all()

    def ask(self, **message):
        self._number += 1
        self._socket.send(json.dumps({"number": self._number, **message}))
        return self._number

    def bring(self, data, name="a photograph"):
        header = json.dumps({"name": name}).encode()
        self._socket.send(len(header).to_bytes(4, "big") + header + data)

    def send(self, raw):
        self._socket.send(raw)

    def hear(self, *kinds, seconds=60.0):
        """The next message of one of these kinds: (header, bytes)."""
        while True:
            frame = self._socket.recv(timeout=seconds)
            length = int.from_bytes(frame[:4], "big")
            header = json.loads(frame[4 : 4 + length])
            if header["kind"] in kinds:
                return header, frame[4 + length :]

    def close(self) -> None:
        self._stack.close()
