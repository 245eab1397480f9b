"""A camera that can be broken on purpose: MJPEG over HTTP on this machine, with a switch for every misfortune.

For rehearsals and tests. The pictures come from a film, so that there is a visitor to be found.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from enum import StrEnum
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from installation.errors import DeviceError

_BOUNDARY = b"picture"
_HEAD = (
    b"HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\n"
    b"Content-Type: multipart/x-mixed-replace; boundary=" + _BOUNDARY + b"\r\n\r\n"
)
_FLAP_PICTURES = 3
_QUALITY = 85


class Mood(StrEnum):
    """What the camera does."""

    LIVE = "live"
    STALL = "stall"
    BLACK = "black"
    FROZEN = "frozen"
    GARBAGE = "garbage"
    RESIZED = "resized"
    EMPTY = "empty"
    GONE = "gone"
    FLAP = "flap"


class Loopback:
    """The camera. Start it with a film; set `mood` at any time; `close` at the end.

    Args:
        film: Where the pictures come from.
        rate_hz: Pictures per second.
        pictures: How many of the film are taken; they are played to and fro.
    """

    def __init__(self, film: Path, *, rate_hz: float = 30.0, pictures: int = 90) -> None:
        self._live = _jpegs(film, pictures)
        first = cv2.imdecode(np.frombuffer(self._live[0], np.uint8), cv2.IMREAD_COLOR)
        height, width = first.shape[:2]
        grey = np.full_like(first, 96)
        grey[::16] = 104  # an empty room with some texture
        self._still = {
            Mood.BLACK: _encode(np.zeros_like(first)),
            Mood.EMPTY: _encode(grey),
            Mood.FROZEN: self._live[0],
            Mood.RESIZED: _encode(cv2.resize(first, (width // 2 // 2 * 2, height // 2 // 2 * 2))),
        }
        self._period_s = 1.0 / rate_hz
        self.mood = Mood.LIVE
        self.connections = 0
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._listen, name="loopback", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and drop every connection."""
        self._closing.set()
        self._thread.join(2.0)
        self._listener.close()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), name="loopback-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(2.0)
            try:
                client.recv(4096)
                if self.mood is not Mood.GONE:
                    client.sendall(_HEAD)
                    self._play(client)
            except OSError:  # the reader went away
                return

    def _play(self, client: socket.socket) -> None:
        turn, due = 0, time.monotonic()
        while not self._closing.is_set() and self.mood is not Mood.GONE:
            if self.mood is Mood.FLAP and turn >= _FLAP_PICTURES:
                return
            if self.mood is not Mood.STALL:
                data = self._picture(turn)
                client.sendall(
                    b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
                    % (_BOUNDARY, len(data), data)
                )
                turn += 1
            due = max(due + self._period_s, time.monotonic() - self._period_s)
            time.sleep(max(0.0, due - time.monotonic()))

    def _picture(self, turn: int) -> bytes:
        if self.mood is Mood.GARBAGE:
            return os.urandom(20_000)
        if self.mood in self._still:
            return self._still[self.mood]
        span = max(2 * len(self._live) - 2, 1)
        k = turn % span
        return self._live[k if k < len(self._live) else span - k]


def _jpegs(film: Path, count: int) -> list[bytes]:
    """Take `count` pictures from the middle of a film, where its visitor is most likely to be seen."""
    found: list[bytes] = []
    try:
        with av.open(str(film)) as container:
            stream = container.streams.video[0]
            start = max(0, (stream.frames - count) // 2)
            for number, frame in enumerate(container.decode(stream)):
                if number >= start:
                    found.append(_encode(frame.to_ndarray(format="bgr24")))
                if len(found) == count:
                    break
    except (OSError, IndexError, av.FFmpegError) as error:
        raise DeviceError(f"{film} cannot be played to the camera: {error}; give a video file") from error
    if not found:
        raise DeviceError(f"{film} has no pictures; give a video file")
    return found


def _encode(bgr: Any) -> bytes:
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])
