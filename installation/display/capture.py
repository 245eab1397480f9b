"""Reads finished canvases back without stalling the show.

A ring of pixel buffers: each frame starts one transfer and takes the result of the one before, which
the graphics side has finished meanwhile. So pictures come one frame late, in order, and nothing waits.
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray


class FrameReader:
    """Reads RGBA8 framebuffers of one size. Owned by the thread of the context."""

    def __init__(self, ctx: moderngl.Context, size: tuple[int, int], depth: int = 2) -> None:
        self.size = size
        self._buffers = [ctx.buffer(reserve=size[0] * size[1] * 4) for _ in range(depth)]
        self._started = 0
        self._taken = 0

    def start(self, framebuffer: moderngl.Framebuffer) -> None:
        """Begin reading `framebuffer`. With a full ring, the oldest unread picture is lost."""
        framebuffer.read_into(self._buffers[self._started % len(self._buffers)], components=4)
        self._started += 1
        self._taken = max(self._taken, self._started - len(self._buffers))

    def take(self, *, newest: bool = False) -> NDArray[np.uint8] | None:
        """Return the oldest picture whose transfer had a frame's time, or the newest at once; None if there is none.

        Returns:
            (height, width, 4) uint8 RGBA, top row first, own memory.
        """
        waiting = self._started - self._taken
        if waiting == 0 or (waiting < len(self._buffers) and not newest):
            return None
        if newest:
            self._taken = self._started - 1
        pixels = np.empty((self.size[1], self.size[0], 4), np.uint8)
        self._buffers[self._taken % len(self._buffers)].read_into(pixels)
        self._taken += 1
        return pixels

    def release(self) -> None:
        """Give the buffers back."""
        for buffer in self._buffers:
            buffer.release()
