"""An mp4 that survives anything, written in its own thread.

Only the newest frame waits: when encoding falls behind, the film loses frames and the show loses
none. The file is fragmented, one fragment a second, each flushed to disk: after a power cut it plays
up to the last second. It begins with the first frame: a show that ends before has written over nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.display.pictures import SYNTHETIC_NOTE
from installation.errors import DisplayError

_FRAGMENT_S = 1.0
_BT709 = 1
_LIMITED_RANGE = 1


class Recorder:
    """Writes frames to an H.264 mp4 in its own thread.

    Start, `submit` from one thread, `close`. A failure while writing (a full disk) ends the film and
    is kept in `failure`; it never reaches the show.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int],
        fps: float,
        *,
        quality: int = 20,
        preset: str = "ultrafast",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """See that the film can be written, and start the thread.

        Args:
            path: File to write; its folder is made. An existing file is replaced by the first frame.
            size: Width and height of the film; frames of other sizes are scaled to it.
            fps: Highest rate; frames that come faster are left out.
            quality: CRF, 0..51.
            preset: Of x264.
            now: The clock that stamps frames without a time of their own.

        Raises:
            DisplayError: If the file cannot be written or there is no H.264 encoder.
        """
        import av

        self.path = Path(path)
        self.written = 0
        self.dropped = 0
        self.failure: str | None = None
        self._now = now
        self._rate = Fraction(fps).limit_denominator(1000)
        self._size = (max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2))  # 4:2:0 has chroma for pairs of pixels
        self._last_index = -1
        self._first_at: float | None = None
        self._changed = threading.Condition()
        self._waiting: tuple[int, NDArray[np.uint8]] | None = None
        self._closing = False
        self._options = {"crf": str(quality), "preset": preset, "tune": "zerolatency"}
        self._container: Any = None
        self._stream: Any = None
        try:
            av.Codec("libx264", "w")
            _try_writing(self.path)
        except (OSError, ValueError, av.FFmpegError) as error:
            raise DisplayError(f"cannot record to {self.path}: {error}; choose another file with --record") from error
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def submit(self, rgb: NDArray[np.uint8], at: float | None = None) -> None:
        """Hand a frame over; returns at once.

        Args:
            rgb: (h, w, 3) RGB or (h, w, 4) RGBA, uint8, top row first; not changed afterwards by anyone.
            at: Monotonic seconds of the frame; now if None. Frames closer than the film's rate are left out.
        """
        at = self._now() if at is None else at
        if self._first_at is None:
            self._first_at = at
        position = (at - self._first_at) * float(self._rate)
        if position < self._last_index + 0.3 or self.failure is not None:
            return
        index = self._last_index = max(round(position), self._last_index + 1)
        with self._changed:
            if self._closing:
                return
            if self._waiting is not None:
                self.dropped += 1
            self._waiting = (index, rgb)
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until no frame waits, for work that must not lose any; returns whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting is None or self.failure is not None, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and finish the file. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _open(self) -> None:
        import av

        self._container = av.open(
            str(self.path),
            "w",
            format="mp4",
            options={
                "movflags": "frag_keyframe+empty_moov+default_base_moof",
                "flush_packets": "1",
                "frag_duration": str(int(_FRAGMENT_S * 1e6)),
            },
        )
        self._container.metadata["comment"] = SYNTHETIC_NOTE
        self._stream = stream = self._container.add_stream("libx264", rate=self._rate)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / self._rate
        context.gop_size = max(1, round(float(self._rate) * _FRAGMENT_S))
        context.thread_count = 1  # the networks need the other cores more
        context.options = self._options
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE  # as players expect
        self._container.start_encoding()

    def _run(self) -> None:
        import av
        from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

        reformatter = VideoReformatter()
        try:
            while (item := self._next()) is not None:
                if self._container is None:
                    self._open()
                index, pixels = item
                frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
                frame = reformatter.reformat(
                    frame,
                    *self._size,
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                )
                frame.pts = index
                frame.time_base = 1 / self._rate
                for packet in self._stream.encode(frame):
                    self._container.mux(packet)
                self.written += 1
            if self._container is not None:
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
                self._container.close()
        except (OSError, ValueError, av.FFmpegError) as error:
            with self._changed:
                self.failure = f"recording to {self.path} ended after {self.written} frames: {error}"
                self._changed.notify_all()

    def _next(self) -> tuple[int, NDArray[np.uint8]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._closing)
            item, self._waiting = self._waiting, None
            self._changed.notify_all()
            return item


def _try_writing(path: Path) -> None:
    """Make the folder and open the file for writing, without a trace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("ab"):
        pass
    if is_new:
        path.unlink()
