"""V4L2 cameras as a source: by index, by name, or by their lasting `/dev/v4l/by-id/...` path.

The driver may give another size or rate than asked; both are read back and the difference told in one
line. MJPG is asked for first: uncompressed 720p does not fit through USB 2 at more than 5 to 10 frames
per second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installation.devices.config import CameraConfig
from installation.devices.source import Shot, SourceInfo
from installation.errors import ConfigError, DeviceError

SYSFS = Path("/sys/class/video4linux")
_FOURCC_MJPG = 0x47504A4D  # "MJPG", first letter lowest
_STAMP_TRUST_S = 1.0  # a driver's time stamp further from now than this belongs to another clock
_FROZEN_S = 3.0  # a live sensor's noise never repeats a picture for so long


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One V4L2 capture node: number, name given by the driver, and device path."""

    index: int
    name: str
    path: Path


def list_cameras(sysfs: Path = SYSFS) -> list[CameraNode]:
    """List the capture nodes that the kernel knows, lowest number first.

    A camera has several nodes; the first (sysfs `index` 0) delivers pictures, the others metadata.
    """
    nodes = []
    for entry in sysfs.glob("video*") if sysfs.is_dir() else []:
        number = entry.name.removeprefix("video")
        if number.isdigit() and _text(entry / "index") in ("0", ""):
            nodes.append(CameraNode(int(number), _text(entry / "name") or entry.name, Path("/dev") / entry.name))
    return sorted(nodes, key=lambda node: node.index)


def find_camera(wanted: str, sysfs: Path = SYSFS) -> Path:
    """Resolve what follows `camera:` to a device path.

    Args:
        wanted: An index, a device path, or a part of the name in any case.

    Raises:
        DeviceError: There is no such camera now; the message lists those there are.
        ConfigError: If `wanted` is empty.
    """
    wanted = wanted.strip()
    if not wanted:
        raise ConfigError("camera: needs an index or a name, as in camera:0")
    nodes = list_cameras(sysfs)
    if wanted.isdigit():
        path = Path(f"/dev/video{int(wanted)}")
        if path.exists() or any(node.path == path for node in nodes):
            return path
    elif wanted.startswith("/"):
        if Path(wanted).exists():
            return Path(wanted).resolve()
    else:
        exact = [node.path for node in nodes if node.name.lower() == wanted.lower()]
        part = [node.path for node in nodes if wanted.lower() in node.name.lower()]
        if exact or part:
            return (exact or part)[0]
    there = ", ".join(f"{node.index} '{node.name}'" for node in nodes) or "none"
    raise DeviceError(f"there is no camera '{wanted}'; connected: {there}; plug it in or choose another")


class Camera:
    """A camera through OpenCV's V4L2 back-end.

    Args:
        wanted: Index, name or path, as in `find_camera`.
        config: Size, rate and format to ask for.
        open_capture: Makes a `cv2.VideoCapture`; tests hand in another.
        find: Resolves `wanted`.
        now: Monotonic clock.
    """

    def __init__(
        self,
        wanted: str,
        config: CameraConfig,
        *,
        open_capture: Callable[[Path, CameraConfig], Any] | None = None,
        find: Callable[[str], Path] = find_camera,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = wanted if wanted.startswith("/") else f"camera:{wanted}"
        self._wanted = wanted
        self._config = config
        self._open_capture = open_capture or open_v4l2
        self._find = find
        self._now = now
        self._capture: Any = None
        self._path = Path()
        self._last_sample = b""
        self._changed_at = 0.0

    def open(self) -> SourceInfo:
        """Open the device, ask for format, size and rate, and compare what came."""
        self._path = self._find(self._wanted)
        if self._path.exists() and not os.access(self._path, os.R_OK | os.W_OK):
            raise DeviceError(
                f"{self.name} ({self._path}) may not be opened by this user; add the user to group 'video'"
            )
        capture = self._open_capture(self._path, self._config)
        if not capture.isOpened():
            capture.release()
            raise DeviceError(f"{self.name} ({self._path}) cannot be opened; {_who_uses(self._path)}")
        self._capture = capture
        self._last_sample, self._changed_at = b"", self._now()
        import cv2

        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        mjpg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _FOURCC_MJPG
        return SourceInfo((width, height), fps, difference(self.name, self._config, (width, height), fps, mjpg))

    def read(self) -> Shot | None:
        """Wait for the next picture; OpenCV gives up after `OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT`."""
        import cv2

        if self._capture is None:
            return None
        good, pixels = self._capture.read()
        now = self._now()
        if not good or pixels is None:
            raise DeviceError(f"{self.name} ({self._path}) delivers no picture; {_who_uses(self._path)}")
        # Drivers have gone on returning the last picture after an unplug.
        sample = pixels[:: max(pixels.shape[0] // 16, 1), :: max(pixels.shape[1] // 16, 1)].tobytes()
        if sample != self._last_sample or not any(sample):
            self._last_sample, self._changed_at = sample, now
        elif now - self._changed_at > _FROZEN_S:
            raise DeviceError(f"{self.name} ({self._path}) repeats one picture; unplug it and plug it in again")
        stamp = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0  # V4L2's, monotonic on modern drivers
        captured_at = stamp if 0.0 <= now - stamp <= _STAMP_TRUST_S else now
        return Shot(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), captured_at)

    def close(self) -> None:
        """Give the device back."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


def open_v4l2(path: Path, config: CameraConfig) -> Any:
    """Open a device with cv2 and ask for format, size and rate, in the order that drivers accept."""
    # Read when cv2 is imported; its own default is 10 s of silence.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(round(config.read_timeout_s), 1)))
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    if capture.isOpened():
        if config.mjpg:
            capture.set(cv2.CAP_PROP_FOURCC, _FOURCC_MJPG)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.height)
        capture.set(cv2.CAP_PROP_FPS, config.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def difference(name: str, config: CameraConfig, size_wh: tuple[int, int], fps: float, mjpg: bool) -> str:
    """Say in one sentence what a camera gives instead of what was asked; empty if nothing differs."""
    found = []
    if size_wh != (config.width, config.height):
        found.append(f"{size_wh[0]}x{size_wh[1]} instead of {config.width}x{config.height}")
    if fps > 0 and abs(fps - config.fps) > 0.5:
        found.append(f"{fps:g} instead of {config.fps:g} frames per second")
    if config.mjpg and not mjpg:
        found.append("another format than MJPG")
    return f"{name} delivers {' and '.join(found)}" if found else ""


def _who_uses(path: Path) -> str:
    """Name the programs that hold a device open, as far as this user may see."""
    users = set()
    device = path.resolve()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        pid = link.parts[2]
        try:
            if Path(os.readlink(link)) == device and int(pid) != os.getpid():
                users.add(f"{_text(Path('/proc') / pid / 'comm')} (process {pid})")
        except OSError:  # ended meanwhile, or another user's
            continue
    if users:
        return f"it is in use by {', '.join(sorted(users))}: close that program"
    return "it may be in use by another program, or unplugged: close the program or plug the camera in again"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
