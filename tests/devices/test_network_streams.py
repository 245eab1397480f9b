"""Streams over a real socket on the loopback: MJPEG that flows, stalls, breaks off, or is something else."""

import io
import socket
import threading
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from ports import free_port

from installation.devices.config import CameraConfig
from installation.devices.reader import FrameReader
from installation.devices.source import SourceState
from installation.devices.stream import NetworkStream, without_password
from installation.errors import DeviceError

CONFIG = CameraConfig(open_timeout_s=60.0, read_timeout_s=60.0)  # a server that a busy machine lets wait is well
IMPATIENT = CameraConfig(open_timeout_s=60.0, read_timeout_s=0.5, retry_first_s=0.05)
BOUNDARY = b"--frame\r\n"


class CameraServer:
    """An IP camera: one thread, one connection after another, each by the next entry of its script.

    `pictures` parts are sent, then `then` happens: "stall" keeps the connection open and silent, "close" ends it.
    """

    def __init__(self, jpegs, script):
        self.jpegs = jpegs
        self.script = list(script)
        self.connections = 0
        self._end = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:secret@127.0.0.1:{self._socket.getsockname()[1]}/video"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._end.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed by the test
                return
            self.connections += 1
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            threading.Thread(target=self._talk, args=(connection, *step), daemon=True).start()

    def _talk(self, connection, pictures, then):
        with connection:
            try:
                self._answer(connection, pictures)
                if then == "stall":
                    self._end.wait()
            except OSError:  # the client hung up
                return

    def _answer(self, connection, pictures):
        connection.recv(4096)
        kind = b"multipart/x-mixed-replace; boundary=frame" if pictures is not None else b"text/html"
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: " + kind + b"\r\n\r\n")
        if pictures is None:
            connection.sendall(b"<html>login</html>" * 50)
        for k in range(pictures or 0):
            jpeg = self.jpegs[k % len(self.jpegs)]
            connection.sendall(BOUNDARY + b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
            connection.sendall(jpeg + b"\r\n")

    def close(self):
        self._end.set()
        self._socket.close()


@pytest.fixture(scope="module")
def jpegs():
    pictures = []
    for k in range(30):
        out = io.BytesIO()
        pixels = np.zeros((96, 128, 3), np.uint8)
        pixels[..., 0], pixels[:, :64, 1] = k * 8, 200
        Image.fromarray(pixels).save(out, "jpeg", quality=95, subsampling=0)
        pictures.append(out.getvalue())
    return pictures


@pytest.fixture
def serve(jpegs):
    servers = []

    def start(*script):
        servers.append(CameraServer(jpegs, script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def drain(source):
    """Read until it fails."""
    while source.read() is not None:
        pass


def test_mjpeg_over_http_flows(serve):
    source = NetworkStream(serve((30, "close")).url, CONFIG)
    assert source.open().size_wh == (128, 96)
    shots = [source.read() for _ in range(20)]
    reds = [int(np.median(shot.pixels[..., 0])) for shot in shots]
    assert reds == sorted(reds)
    assert shots[10].pixels[48, 16, 1] > 150 > shots[10].pixels[48, 112, 1]
    assert all(b.captured_at >= a.captured_at for a, b in pairwise(shots))
    source.close()


def test_a_stream_that_stalls_is_told(serve):
    source = NetworkStream(serve((30, "stall")).url, IMPATIENT)
    source.open()
    with pytest.raises(DeviceError, match=r"broke off|closed") as caught:
        drain(source)
    assert caught.value.transient
    source.close()


def test_a_stream_that_its_server_ends(serve):
    source = NetworkStream(serve((30, "close")).url, CONFIG)
    source.open()
    with pytest.raises(DeviceError, match=r"closed by its server|broke off"):
        drain(source)
    source.close()


def test_nobody_answers():
    port = free_port()
    with pytest.raises(DeviceError, match=f"127.0.0.1:{port}.*does not answer"):
        NetworkStream(f"http://127.0.0.1:{port}/video", CONFIG).open()


def test_a_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/video"
        source = NetworkStream(url, CameraConfig(open_timeout_s=0.5, read_timeout_s=0.5))
        with pytest.raises(DeviceError, match="does not answer"):
            source.open()


def test_a_web_page_is_no_stream(serve):
    with pytest.raises(DeviceError, match=r"does not answer|carries no video"):
        NetworkStream(serve((None, "close")).url, CONFIG).open()


def test_an_rtsp_server_that_is_not_there():
    with pytest.raises(DeviceError, match="does not answer"):
        NetworkStream(f"rtsp://127.0.0.1:{free_port()}/live", CONFIG).open()


def test_the_reader_takes_a_stalled_stream_up_again(serve):
    server = serve((30, "stall"), (30, "close"), (30, "stall"))
    seen = []
    reader = FrameReader(
        NetworkStream(server.url, IMPATIENT),
        IMPATIENT,
        wait=lambda stop, seconds: seen.append(reader.status()) or stop.wait(0.0),
    )
    reader.start()
    captured = 0
    while captured < 45 and (frame := reader.wait_newer(60.0)) is not None:
        captured = frame.frame_id
    assert captured >= 45
    assert server.connections >= 2
    assert seen[0].state is SourceState.STALLED
    reader.stop(5.0)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.7:554/live", "rtsp://10.0.0.7:554/live"),
        ("http://10.0.0.7/a@b", "http://10.0.0.7/a@b"),
        ("http://10.0.0.7", "http://10.0.0.7"),
    ],
)
def test_passwords_are_not_shown(url, shown):
    assert without_password(url) == shown
    assert NetworkStream(url, CONFIG).name == shown
