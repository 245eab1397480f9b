"""Video files as a source: looped, at their own rate, standing upright.

Decoding is PyAV's (FFmpeg), because it tells each picture's time and the rotation that phones write
into the file instead of turning the pixels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from installation.devices.source import Shot, SourceInfo
from installation.errors import ConfigError, DeviceError

_FALLBACK_FPS = 25.0  # for pictures and files that tell no rate
_NOT_VIDEO = {"tty", "lrc", "txt"}  # FFmpeg "plays" text files as ANSI art
_BAD_PACKETS = 64  # so many undecodable packets in a row end a pass through the file
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class VideoFile:
    """A video file. Time stamps of the file are laid on the monotonic clock.

    A picture that is late by more than one period is skipped and the file's time moved on, never chased.

    Args:
        path: The file.
        as_fast_as_possible: Deliver without waiting; `captured_at` still advances by the file's own time.
        loop: Begin again at the end; else `read` returns None there.
        name: What messages call it; the path by default.
        now: Monotonic clock.
    """

    def __init__(
        self,
        path: Path,
        *,
        as_fast_as_possible: bool = False,
        loop: bool = True,
        name: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name or str(path)
        self._path = path
        self._paced = not as_fast_as_possible
        self._loop = loop
        self._now = now
        self._closed = threading.Event()
        self._busy = threading.Lock()  # held while FFmpeg works: a container closed under it takes the process down
        self._container: InputContainer | None = None
        self._frames: Iterator[av.VideoFrame] | None = None
        self._period = 1.0 / _FALLBACK_FPS
        self._first_media: float | None = None
        self._started = 0.0
        self._media = 0.0  # time of the last picture since the first, loops included
        self._loop_base = 0.0

    def open(self) -> SourceInfo:
        """Open the file and look at its first picture."""
        if not self._path.exists():
            raise ConfigError(f"video file {self.name} does not exist; check the path")
        if not self._path.is_file():
            raise ConfigError(f"{self.name} is not a file; give a video file")
        self._closed.clear()
        self._start_pass()
        frame = self._next_frame()
        if frame is None:
            self.close()
            raise ConfigError(f"no picture in {self.name} can be decoded; the file is damaged, record or copy it again")
        height, width = upright(frame).shape[:2]
        self._start_pass()
        self._started = self._now()
        self._media = self._loop_base = 0.0
        return SourceInfo((width, height), 1.0 / self._period)

    def read(self) -> Shot | None:
        """Deliver the next picture at its time."""
        while not self._closed.is_set():
            with self._busy:
                frame = None if self._closed.is_set() else self._next_or_again()
            if frame is None:
                return None
            due = self._due(frame)
            if not self._paced:
                return Shot(upright(frame), due)
            late = self._now() - due
            if late > self._period:
                self._started += late  # the file waits for us: its time moves, pictures are not skipped for ever
            elif late < 0 and self._closed.wait(-late):
                return None
            return Shot(upright(frame), self._now())
        return None

    def close(self) -> None:
        """Wake a waiting `read` and close the file."""
        self._closed.set()
        with self._busy:
            container, self._container, self._frames = self._container, None, None
            if container is not None:
                container.close()

    def _start_pass(self) -> None:
        """Open the file from its beginning. Reopening, because seeking fails in damaged or index-less files."""
        if self._container is not None:
            self._container.close()
        try:
            container = av.open(str(self._path))
        except (OSError, ValueError, av.FFmpegError) as error:
            raise ConfigError(f"{self.name} is not a video that FFmpeg can read ({_reason(error)})") from error
        if not container.streams.video or container.format.name in _NOT_VIDEO:
            kind = container.format.long_name or container.format.name
            container.close()
            raise ConfigError(f"{self.name} holds no video ({kind}); give a video file")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # one core decodes 720p in 2 ms; the networks need the other
        if rate := stream.average_rate or stream.guessed_rate:
            self._period = 1.0 / float(rate)
        self._container = container
        self._first_media = None
        self._frames = _decode(container)

    def _next_or_again(self) -> av.VideoFrame | None:
        """Give the next picture, at the end of a loop the first; None at the end of a file that is not looped."""
        frame = self._next_frame()
        if frame is not None or not self._loop:
            return frame
        self._loop_base = self._media + self._period
        self._start_pass()
        frame = self._next_frame()
        if frame is None:
            raise DeviceError(f"{self.name} could be read once and no more; check the disk it lies on")
        return frame

    def _next_frame(self) -> av.VideoFrame | None:
        return next(self._frames, None) if self._frames is not None else None

    def _due(self, frame: av.VideoFrame) -> float:
        stamp = None if frame.time is None else float(frame.time)
        if stamp is not None and self._first_media is None:
            self._first_media = stamp
        media = self._media + self._period
        if stamp is not None and self._first_media is not None:
            media = self._loop_base + stamp - self._first_media
        self._media = max(media, self._media)
        return self._started + self._media


def upright(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Give a decoded picture as (h, w, 3) uint8 RGB, turned as its display matrix says."""
    pixels = frame.to_ndarray(format="rgb24")
    turn = _TURNS.get(round(frame.rotation) % 360)
    return np.asarray(pixels if turn is None else cv2.rotate(pixels, turn), np.uint8)


def _decode(container: InputContainer) -> Iterator[av.VideoFrame]:
    """Yield decoded pictures, stepping over damaged packets."""
    bad = 0
    packets = container.demux(video=0)
    while bad < _BAD_PACKETS:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            pictures = packet.decode()
        except (OSError, ValueError, av.FFmpegError):  # a damaged place, the next key frame heals it
            bad += 1
            continue
        for picture in pictures:
            bad = 0
            if isinstance(picture, av.VideoFrame):
                yield picture


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
