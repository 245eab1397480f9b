"""What a source is: the protocol that every place where pictures come from keeps, and its words.

A source is opened, read until it ends or fails, and closed; `FrameReader` (`devices/reader.py`) does
that on its own thread and keeps trying. Sources never retry by themselves and never resize.
`devices/sources.py` makes the one that a specification names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
