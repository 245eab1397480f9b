"""Where pictures come from: one protocol, one factory.

A source is opened, read until it ends or fails, and closed; `FrameReader` (`devices/reader.py`) does
that on its own thread and keeps trying. Sources never retry by themselves and never resize.

    camera:0  camera:NAME  /dev/v4l/by-id/...   a V4L2 camera       `devices/camera.py`
    PATH                                        a video file        `devices/video_file.py`
    http://... https://... rtsp://...           a network stream    `devices/stream.py`
    synthetic                                   the drawn visitor   `devices/synthetic.py`
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from installation.devices.config import CameraConfig
from installation.errors import ConfigError

STREAM_SCHEMES = ("http", "https", "rtsp", "rtsps")


class SourceState(IntEnum):
    """What the source is doing; the number travels through shared memory."""

    OPENING = 0
    LIVE = 1
    STALLED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source turned out to be.

    Attributes:
        size_wh: Width and height in pixels, as delivered.
        fps: Nominal rate; 0 if the source does not tell.
        note: One sentence on what differs from what was asked; empty if nothing does.
    """

    size_wh: tuple[int, int]
    fps: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture as it leaves the device: (height, width, 3) uint8 RGB, and its monotonic time in seconds."""

    pixels: NDArray[np.uint8]
    captured_at: float


class Source(Protocol):
    """A device that delivers pictures. Used by one thread; only `close` may come from another."""

    name: str

    def open(self) -> SourceInfo:
        """Acquire the device.

        Raises:
            ConfigError: It cannot work as configured: no such file, not a video. Trying again does not help.
            DeviceError: It does not work now: in use, unplugged, no answer. Trying again may help.
        """
        ...

    def read(self) -> Shot | None:
        """Wait for the next picture; None when the source has come to its end.

        Raises:
            DeviceError: The device failed, went away, or kept silent beyond its time-out.
        """
        ...

    def close(self) -> None:
        """Release the device. May be called at any time, and twice."""
        ...


def open_source(spec: str, config: CameraConfig, *, as_fast_as_possible: bool = False, loop: bool = True) -> Source:
    """Make the source that `spec` names, not yet opened.

    Args:
        spec: See the module's table, or `auto`.
        config: Size, rate and patience.
        as_fast_as_possible: Files only: do not wait for each picture's time.
        loop: Files only: begin again at the end.

    Raises:
        ConfigError: If `spec` names nothing that could be a source.
    """
    spec = spec.strip()
    if spec == "auto":
        spec, _ = choose_source(spec)
    if spec == "synthetic":
        from installation.devices.synthetic import synthetic_visitor

        return synthetic_visitor(as_fast_as_possible=as_fast_as_possible, loop=loop)
    scheme, colon, rest = spec.partition(":")
    if colon and scheme == "camera":
        from installation.devices.camera import Camera

        return Camera(rest, config)
    if spec.startswith("/dev/"):
        from installation.devices.camera import Camera

        return Camera(spec, config)
    if rest.startswith("//") and scheme != "file":
        if scheme.lower() not in STREAM_SCHEMES:
            known = ", ".join(f"{name}://" for name in STREAM_SCHEMES)
            raise ConfigError(f"source '{spec}' begins with {scheme}://; a stream begins with one of {known}")
        from installation.devices.stream import NetworkStream

        return NetworkStream(spec, config)
    from installation.devices.video_file import VideoFile

    path = Path(rest.removeprefix("//") if scheme == "file" and colon else spec).expanduser()
    return VideoFile(path, as_fast_as_possible=as_fast_as_possible, loop=loop)


def choose_source(spec: str) -> tuple[str, str]:
    """Settle what `auto` means now.

    Returns:
        (specification, sentence for the operator); the sentence is empty when `spec` was not `auto`.
    """
    if spec != "auto":
        return spec, ""
    from installation.devices.camera import list_cameras

    cameras = list_cameras()
    if cameras:
        return f"camera:{cameras[0].index}", f"camera found: {cameras[0].name} ({cameras[0].path})"
    return "synthetic", "no camera found: playing the synthetic visitor (connect a camera, or set [camera] source)"
