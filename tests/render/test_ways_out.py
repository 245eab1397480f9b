"""Ways out of the machine: off by default, told on screen, never in the show's way; NDI for real on this machine."""

import importlib.util
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

from installation.config import Config
from installation.display.config import OutConfig, RecordConfig
from installation.display.outlets import OUTLETS, Relay, open_relays
from installation.display.scene import Scene
from installation.errors import DisplayError, MissingExtra
from installation.film import Film
from installation.kiosk.state import notice_digest

PATIENCE_S = 60.0
SIZE = (64, 36)


def card(level, size=SIZE):
    """An even RGBA frame, red `level`, green above and blue below."""
    frame = np.zeros((size[1], size[0], 4), np.uint8)
    frame[..., 0], frame[..., 3] = level, 255
    frame[: size[1] // 2, :, 1] = 120
    frame[size[1] // 2 :, :, 2] = 120
    return frame


class Hole:
    """A way out that keeps what it is given; `gate` holds it up."""

    where = "a hole"

    def __init__(self):
        self.sent, self.closed, self.gate = [], False, threading.Event()
        self.gate.set()
        self.taken = threading.Semaphore(0)

    def send(self, rgba):
        self.taken.release()
        assert self.gate.wait(PATIENCE_S)
        if rgba[0, 0, 0] == 255:
            raise DisplayError("the hole is full")
        self.sent.append(int(rgba[0, 0, 0]))

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """The end of a way out is waited for, however busy the machine is."""
    monkeypatch.setattr("installation.display.outlets._JOIN_S", PATIENCE_S)


def test_nothing_leaves_the_machine_by_default():
    assert Config().out.named == {}
    assert open_relays(OutConfig(), SIZE, pytest.fail) == ()


def test_every_way_has_a_switch_and_a_switch_must_be_acknowledged_anew():
    assert list(OUTLETS) == list(OutConfig(ndi="a", virtual_camera="b", spout="c", syphon="d").named)
    quiet = Config()
    assert notice_digest(Config(out=OutConfig(ndi="mirror"))) != notice_digest(quiet)
    assert notice_digest(Config(out=OutConfig(fps=10))) == notice_digest(quiet)


def test_a_slow_way_gets_the_newest_frame_and_holds_nobody_up():
    hole = Hole()
    relay = Relay(hole, fps=100.0)
    hole.gate.clear()
    relay.submit(card(1), 0.0)
    assert hole.taken.acquire(timeout=PATIENCE_S)
    for level in range(2, 9):
        relay.submit(card(level), level * 0.01)
    hole.gate.set()
    assert hole.taken.acquire(timeout=PATIENCE_S)
    relay.close()
    assert hole.sent == [1, 8]
    assert hole.closed


def test_frames_faster_than_the_rate_are_left_out():
    hole = Hole()
    relay = Relay(hole, fps=10.0)
    taken = 0
    for frame in range(60):
        before = relay._due
        relay.submit(card(3), frame / 60)
        taken += relay._due != before
    relay.close()
    assert 9 <= taken <= 11


def test_a_way_that_breaks_is_told_and_no_longer_claimed():
    hole = Hole()
    relay = Relay(hole, fps=30.0)
    assert relay.is_open
    relay.submit(card(255), 0.0)
    relay._thread.join(PATIENCE_S)
    assert (relay.is_open, relay.failure, hole.closed) == (False, "the hole is full", True)
    relay.submit(card(1), 1.0)
    relay.close()


def test_the_film_feeds_every_way_and_says_where_the_picture_goes(make_renderer, face_picture):
    renderer = make_renderer()
    renderer.show_pictures(face_picture())
    holes = Hole(), Hole()
    film = Film(
        renderer, SIZE, RecordConfig(), film=None, sheet=None, snapshots=None,
        relays=tuple(Relay(hole, fps=30.0) for hole in holes), flag="also to: {where}",
    )  # fmt: skip
    assert film.leaving == "also to: a hole, a hole"
    for frame in range(4):
        renderer.draw(Scene(time_s=frame / 30), SIZE)
        film.take(frame / 30)
    for hole in holes:
        assert hole.taken.acquire(timeout=PATIENCE_S)
    film.close()
    assert holes[0].closed
    assert holes[1].closed


@pytest.mark.parametrize("fade", [0.0, 1.0])
def test_the_screen_says_so_in_its_corner_through_every_fade(make_renderer, face_picture, shot, fade):
    renderer = make_renderer(grain=0.0)
    renderer.show_pictures(face_picture())
    plain = shot(renderer, Scene(fade=fade, freeze=True), (640, 360)).astype(int)
    told = shot(renderer, Scene(fade=fade, freeze=True, leaving="● this picture also goes to: NDI"), (640, 360))
    changed = np.abs(told - plain).max(axis=2) > 40
    assert changed[:60, 400:].sum() > 100
    assert not changed[60:].any()
    assert not changed[:, :300].any()


def test_ndi_carries_the_picture_as_it_is():
    ndi = pytest.importorskip("NDIlib", reason="the extra ndi is not installed")
    relays = open_relays(OutConfig(ndi="mirror test"), SIZE, pytest.fail)
    settings = ndi.RecvCreateV3()
    settings.color_format = ndi.RECV_COLOR_FORMAT_RGBX_RGBA
    source = ndi.Source()
    source.url_address = "127.0.0.1:5961"  # where the first sender of a machine listens
    settings.source_to_connect_to = source
    receiver = ndi.recv_create_v3(settings)
    seen, deadline = None, time.monotonic() + PATIENCE_S
    while seen is None and time.monotonic() < deadline:
        relays[0].submit(card(200, (320, 180)), time.monotonic())
        kind, video, _, _ = ndi.recv_capture_v2(receiver, 50)
        if kind == ndi.FRAME_TYPE_VIDEO:
            seen = np.array(video.data)
            ndi.recv_free_video_v2(receiver, video)
    ndi.recv_destroy(receiver)
    relays[0].close()
    assert seen is not None, "no frame came back"
    if seen.shape != (180, 320, 4):
        pytest.skip("another NDI sender of this machine has the first port")
    assert np.abs(seen[20, 20, :3].astype(int) - (200, 120, 0)).max() <= 8, "NDI compresses"
    assert np.abs(seen[160, 20, :3].astype(int) - (200, 0, 120)).max() <= 8


def test_a_machine_without_a_virtual_camera_is_told_what_to_do():
    pytest.importorskip("pyvirtualcam", reason="the extra virtualcam is not installed")
    if list(Path("/dev").glob("video*")):
        pytest.skip("this machine has video devices, one may be a virtual camera")
    said = []
    assert open_relays(OutConfig(virtual_camera="auto"), SIZE, said.append) == ()
    assert "modprobe v4l2loopback" in said[0]
    assert "the show goes on" in said[0]


@pytest.mark.parametrize(("way", "module"), [("spout", "SpoutGL"), ("syphon", "syphon")])
def test_a_missing_extra_is_named(way, module):
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingExtra, match=rf"machine-reflections\[{way}\]"):
        OUTLETS[way](OutConfig(**{way: "mirror"}), SIZE)


def test_spout_is_called_as_its_package_documents(monkeypatch):
    """A stand-in, because the package exists for Windows alone."""
    calls = []

    class Sender:
        def __getattr__(self, name):
            return lambda *arguments: (
                calls.append((name, *(arguments[1:] if name == "sendImage" else arguments))) or True
            )

    stand_in = types.SimpleNamespace(SpoutSender=Sender, enums=types.SimpleNamespace(GL_RGBA=0x1908))
    monkeypatch.setitem(sys.modules, "SpoutGL", stand_in)
    outlet = OUTLETS["spout"](OutConfig(spout="mirror"), SIZE)
    outlet.send(card(1))
    outlet.send(card(2))
    outlet.close()
    image = ("sendImage", 64, 36, 0x1908, False, 0)
    assert calls == [
        ("setSenderName", "mirror"), ("createOpenGL",), image, image, ("releaseSender",), ("closeOpenGL",)
    ]  # fmt: skip


def test_syphon_is_called_as_its_package_documents(monkeypatch):
    """A stand-in, because the package exists for macOS alone."""
    calls = []

    class Server:
        device = "gpu"

        def __init__(self, name):
            calls.append(name)

        def publish_frame_texture(self, texture):
            calls.append(("publish", texture))

        def stop(self):
            calls.append("stop")

    modules = {
        "syphon": types.SimpleNamespace(SyphonMetalServer=Server),
        "syphon.utils.raw": types.SimpleNamespace(create_mtl_texture=lambda device, w, h: (device, w, h)),
        "syphon.utils.numpy": types.SimpleNamespace(
            copy_image_to_mtl_texture=lambda image, texture: calls.append((image.shape, texture))
        ),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    outlet = OUTLETS["syphon"](OutConfig(syphon="mirror"), SIZE)
    outlet.send(card(1))
    outlet.close()
    texture = ("gpu", 64, 36)
    assert calls == ["mirror", ((36, 64, 4), texture), ("publish", texture), "stop"]
