"""Network streams as a source: MJPEG over HTTP, and RTSP.

PyAV interrupts FFmpeg when opening or one picture takes too long; cv2's own time-outs were measured
not to (26 s on a stalled pipe). Pictures carry the time at which they were decoded, since a stream's
own clock is not ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import av
from av.container import InputContainer

from installation.devices.config import CameraConfig
from installation.devices.source import Shot, SourceInfo
from installation.devices.video_file import upright
from installation.errors import DeviceError

_PROBE = {"probesize": "500000", "analyzeduration": "1000000", "fflags": "nobuffer", "flags": "low_delay"}
_BAD_PACKETS = 200  # some seconds of nothing but damage


class NetworkStream:
    """An MJPEG or RTSP stream by its URL."""

    def __init__(self, url: str, config: CameraConfig, *, now: Callable[[], float] = time.monotonic) -> None:
        self.name = without_password(url)
        self._url = url
        self._config = config
        self._now = now
        self._closed = threading.Event()
        self._container: InputContainer | None = None
        self._packets: Iterator[av.Packet[av.VideoStream]] | None = None

    def open(self) -> SourceInfo:
        """Connect, and wait for the stream to tell what it is."""
        self._closed.clear()
        patience = (self._config.open_timeout_s, self._config.read_timeout_s)
        options = dict(_PROBE)
        if self._url.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # UDP loses packets, and the picture smears until the next key frame
        try:
            container = av.open(self._url, timeout=patience, options=options)
        except (OSError, ValueError, av.FFmpegError) as error:
            raise DeviceError(
                f"stream {self.name} does not answer ({_reason(error)}); check address and network"
            ) from error
        if not container.streams.video:
            container.close()
            raise DeviceError(f"stream {self.name} carries no video; check its address")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # frame threads hold pictures back
        self._container = container
        self._packets = container.demux(stream)
        context = stream.codec_context
        return SourceInfo((context.width, context.height), float(stream.average_rate or 0.0))

    def read(self) -> Shot | None:
        """Wait for the next picture of the stream."""
        bad = 0
        while self._packets is not None and not self._closed.is_set():
            try:
                packet = next(self._packets, None)
            except (OSError, ValueError, av.FFmpegError) as error:
                raise DeviceError(f"stream {self.name} broke off ({_reason(error)})") from error
            if packet is None or packet.size == 0:
                raise DeviceError(f"stream {self.name} was closed by its server")
            try:
                pictures = packet.decode()
            except (OSError, ValueError, av.FFmpegError) as error:
                bad += 1
                if bad > _BAD_PACKETS:
                    raise DeviceError(f"stream {self.name} sends nothing that can be decoded") from error
                continue
            for picture in pictures:
                if isinstance(picture, av.VideoFrame):
                    return Shot(upright(picture), self._now())
        return None

    def close(self) -> None:
        """Leave the stream. The reader's thread closes the connection itself, within its read time-out."""
        self._closed.set()
        container, self._container, self._packets = self._container, None, None
        if container is not None:
            container.close()


def without_password(url: str) -> str:
    """Hide user and password of a URL, for messages and logs."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return "timed out"
    return (getattr(error, "strerror", None) or str(error)).lower()
