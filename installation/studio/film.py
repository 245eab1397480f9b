"""Films of a morph: an mp4 for the wall, a small GIF for a message. Both say that they are synthetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

from installation.display.pictures import SYNTHETIC_NOTE
from installation.errors import DisplayError

FPS = 25
REST_S, MORPH_S = 0.6, 2.4
"""A film shows the reflection, goes to the target, and rests there twice as long."""

GIF_WIDTH = 300
GIF_FRAMES = 24
GIF_STEP_MS = 80
GIF_REST_MS = 800
GIF_COLOURS = 160
GIF_HOLD = 5
"""Levels, 0..255; a pixel that changed by less stays as it was: film grain is what makes a GIF large."""

_BT709 = 1
_LIMITED_RANGE = 1
_QUALITY = {"crf": "18", "preset": "veryfast"}


def way(*, back: bool = False) -> NDArray[np.float64]:
    """Parts 0..1 of the way, one a frame: rest, go, rest, and perhaps back; eased like everything that moves here."""
    rest, moving = round(REST_S * FPS), round(MORPH_S * FPS)
    x = np.linspace(0.0, 1.0, moving)
    there = x * x * (3.0 - 2.0 * x)
    parts = [np.zeros(rest), there, np.ones(rest * 2)]
    return np.concatenate([*parts, there[::-1], np.zeros(rest)] if back else parts)


class Mp4:
    """An H.264 film whose colours every player reads alike, and whose bytes are the same everywhere.

    Args:
        target: File, or something to write to.

    Raises:
        DisplayError: If it cannot be written; so do `add` and leaving the block.
    """

    def __init__(self, target: Path | BinaryIO) -> None:
        self._name = str(target) if isinstance(target, Path) else "the film"
        with self._told():
            if isinstance(target, Path):
                self._container: Any = av.open(str(target), "w", format="mp4", options={"movflags": "faststart"})
            else:  # whoever gets it whole needs no index in front, and it cannot be read again to move one there
                self._container = av.open(target, "w", format="mp4")
            self._container.metadata["comment"] = SYNTHETIC_NOTE
        self._stream: Any = None

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Append a frame: (h, w, 3) uint8 RGB, even numbers of pixels, all of one size."""
        with self._told():
            if self._stream is None:
                self._stream = self._begin(pixels.shape[1], pixels.shape[0])
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            colours = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
            self._container.mux(self._stream.encode(picture.reformat(format="yuv420p", **colours)))

    def __enter__(self) -> Mp4:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._told():
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()

    def _begin(self, width: int, height: int) -> Any:
        stream = self._container.add_stream("libx264", rate=Fraction(FPS), options=_QUALITY)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            raise DisplayError(f"{self._name} cannot be written: {error}") from error


def write_gif(frames: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Write a film there and back as a GIF that repeats: few frames, one palette for all.

    Args:
        frames: (h, w, 3) uint8 RGB from one end of the morph to the other, without rests.
        path: The file.

    Raises:
        DisplayError: If it cannot be written.
    """
    chosen = [frames[i] for i in np.rint(np.linspace(0, len(frames) - 1, GIF_FRAMES)).astype(int)]
    height, width = chosen[0].shape[:2]
    size = (GIF_WIDTH, round(height * GIF_WIDTH / width))
    small = _held([np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8) for frame in chosen])
    # One palette, of both ends and the middle: a palette for each frame would flicker.
    sample = np.concatenate([small[0], small[len(small) // 2], small[-1]])
    palette = Image.fromarray(sample).quantize(GIF_COLOURS, Image.Quantize.MEDIANCUT)
    there = [Image.fromarray(one).quantize(palette=palette, dither=Image.Dither.NONE) for one in small]
    steps = [GIF_REST_MS, *[GIF_STEP_MS] * (len(there) - 2), GIF_REST_MS, *[GIF_STEP_MS] * (len(there) - 2)]
    try:
        there[0].save(
            path,
            "GIF",
            save_all=True,
            append_images=[*there[1:], *there[-2:0:-1]],
            duration=steps,
            loop=0,
            comment=SYNTHETIC_NOTE.encode(),
            optimize=True,
        )
    except OSError as error:
        raise DisplayError(f"{path} cannot be written: {error}") from error


def _held(frames: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Let pixels stay that hardly change from frame to frame."""
    held = [frames[0]]
    for frame in frames[1:]:
        changed = np.abs(frame.astype(np.int16) - held[-1]).max(axis=2, keepdims=True) > GIF_HOLD
        held.append(np.where(changed, frame, held[-1]))
    return held
