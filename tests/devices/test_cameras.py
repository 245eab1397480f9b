"""V4L2 cameras: who is there, what was asked and what came, and every way of going away."""

import cv2
import numpy as np
import pytest

from installation.devices import camera as camera_module
from installation.devices.camera import Camera, find_camera, list_cameras
from installation.devices.config import CameraConfig
from installation.devices.sources import choose_source
from installation.errors import ConfigError, DeviceError

MJPG = cv2.VideoWriter.fourcc(*"MJPG")


class Driver:
    """A `cv2.VideoCapture` that gives what the test says."""

    def __init__(self, pictures=(), *, opened=True, width=1280, height=720, fps=30.0, fourcc=MJPG, stamp_ms=0.0):
        self.pictures = list(pictures)
        self.opened = opened
        self.released = False
        self.values = {
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: fps,
            cv2.CAP_PROP_FOURCC: fourcc,
            cv2.CAP_PROP_POS_MSEC: stamp_ms,
        }

    def isOpened(self):
        return self.opened

    def get(self, prop):
        return self.values[prop]

    def read(self):
        if not self.pictures:
            return False, None
        return True, self.pictures.pop(0)

    def release(self):
        self.released = True


@pytest.fixture
def sysfs(tmp_path):
    """As the kernel shows a laptop: one camera with a metadata node, one virtual camera."""
    for number, (name, index) in enumerate(
        [("Integrated Camera: Integrated C", 0), ("Integrated Camera: Integrated C", 1), ("Cam Link 4K", 0)]
    ):
        node = tmp_path / f"video{number}"
        node.mkdir()
        (node / "name").write_text(f"{name}\n")
        (node / "index").write_text(f"{index}\n")
    (tmp_path / "v4l-subdev0").mkdir()
    return tmp_path


def make(driver, clock, config=None, path="/dev/video0"):
    from pathlib import Path

    return Camera("0", config or CameraConfig(), open_capture=lambda *_: driver, find=lambda _: Path(path), now=clock)


def test_cameras_are_listed_without_their_metadata_nodes(sysfs):
    assert [(node.index, node.name) for node in list_cameras(sysfs)] == [
        (0, "Integrated Camera: Integrated C"),
        (2, "Cam Link 4K"),
    ]


def test_a_machine_without_cameras_has_none(tmp_path):
    assert list_cameras(tmp_path / "nothing") == []


@pytest.mark.parametrize(("wanted", "path"), [("Cam Link 4K", "2"), ("cam link", "2"), ("integrated", "0"), ("2", "2")])
def test_a_camera_is_found_by_name_or_number(sysfs, wanted, path):
    assert str(find_camera(wanted, sysfs)) == f"/dev/video{path}"


@pytest.mark.parametrize("wanted", ["elgato", "9999", "/dev/v4l/by-id/usb-none"])
def test_a_missing_camera_names_those_there_are(sysfs, wanted):
    with pytest.raises(DeviceError, match=r"0 'Integrated Camera.*2 'Cam Link 4K'") as caught:
        find_camera(wanted, sysfs)
    assert wanted in str(caught.value)
    assert caught.value.transient  # it may be plugged in


def test_no_name_is_a_mistake_in_the_config(sysfs):
    with pytest.raises(ConfigError, match="camera:0"):
        find_camera(" ", sysfs)


def test_auto_means_the_first_camera_else_the_synthetic_visitor(sysfs, monkeypatch):
    monkeypatch.setattr(camera_module.list_cameras, "__defaults__", (sysfs,))
    assert choose_source("auto")[0] == "camera:0"
    monkeypatch.setattr(camera_module.list_cameras, "__defaults__", (sysfs / "none",))
    spec, note = choose_source("auto")
    assert spec == "synthetic"
    assert "no camera found" in note
    assert choose_source("camera:3") == ("camera:3", "")


def test_what_was_asked_and_came_needs_no_word(clock):
    info = make(Driver(), clock).open()
    assert (info.size_wh, info.fps, info.note) == ((1280, 720), 30.0, "")


def test_differences_are_told_in_one_line(clock):
    note = make(Driver(width=640, height=480, fps=10.0, fourcc=0), clock).open().note
    assert "640x480 instead of 1280x720" in note
    assert "10 instead of 30 frames per second" in note
    assert "another format than MJPG" in note
    assert "\n" not in note


def test_a_driver_that_tells_no_rate_is_not_accused(clock):
    assert make(Driver(fps=0.0), clock).open().note == ""


def test_pictures_come_as_rgb(clock):
    bgr = np.zeros((48, 64, 3), np.uint8)
    bgr[..., 0] = 10
    bgr[..., 2] = 200
    camera = make(Driver([bgr]), clock)
    camera.open()
    assert camera.read().pixels[0, 0].tolist() == [200, 0, 10]


@pytest.mark.parametrize(
    ("stamp_s", "expected"),
    [(999.98, 999.98), (0.0, 1000.0), (1000.5, 1000.0), (1.7e9, 1000.0)],
    ids=["monotonic", "none", "future", "wall clock"],
)
def test_the_drivers_time_is_taken_if_it_is_of_our_clock(clock, stamp_s, expected):
    camera = make(Driver([np.ones((4, 4, 3), np.uint8)], stamp_ms=stamp_s * 1000), clock)
    camera.open()
    assert camera.read().captured_at == pytest.approx(expected)


def test_a_camera_that_cannot_be_opened(clock, tmp_path):
    driver = Driver(opened=False)
    with pytest.raises(DeviceError, match="cannot be opened; it may be in use"):
        make(driver, clock, path=str(tmp_path / "video0")).open()
    assert driver.released


def test_a_camera_in_use_names_the_program(clock, tmp_path):
    """A device held open by another process, as seen through /proc."""
    import subprocess
    import sys

    held = tmp_path / "video0"
    held.write_bytes(b"")
    code = f"f = open({str(held)!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DeviceError, match=rf"in use by python.*\(process {other.pid}\)"):
            make(Driver(opened=False), clock, path=str(held)).open()
        other.communicate("\n")


def test_a_real_v4l2_open_of_what_is_no_camera(clock, tmp_path):
    path = tmp_path / "video0"
    path.write_bytes(b"")
    camera = Camera("0", CameraConfig(), find=lambda _: path, now=clock)
    with pytest.raises(DeviceError, match="cannot be opened"):
        camera.open()


def test_a_read_that_fails_is_an_error_that_may_pass(clock):
    camera = make(Driver([]), clock)
    camera.open()
    with pytest.raises(DeviceError, match="delivers no picture") as caught:
        camera.read()
    assert caught.value.transient


def test_a_driver_that_repeats_the_last_picture_after_an_unplug(clock):
    """Regression: some drivers go on reporting success with the last picture after an unplug."""
    frozen = np.random.default_rng(0).integers(1, 255, (48, 64, 3), dtype=np.uint8)
    camera = make(Driver([frozen] * 200), clock)
    camera.open()
    for _ in range(90):  # 3 s
        camera.read()
        clock.now += 1 / 30
    clock.now += 0.1
    with pytest.raises(DeviceError, match="repeats one picture"):
        camera.read()


def test_a_covered_lens_is_no_unplugged_camera(clock):
    camera = make(Driver([np.zeros((48, 64, 3), np.uint8)] * 200), clock)
    camera.open()
    for _ in range(200):
        assert camera.read() is not None
        clock.now += 1 / 30


def test_closing_releases_and_may_be_repeated(clock):
    driver = Driver()
    camera = make(driver, clock)
    camera.open()
    camera.close()
    camera.close()
    assert driver.released
    assert camera.read() is None
