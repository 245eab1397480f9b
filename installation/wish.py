"""What passes between the show's loop and the neural thread: a wish one way, a reflection the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.display.scene import Picture


@dataclass(frozen=True, slots=True)
class Wish:
    """What the show wants drawn next; with which controls, the neural thread asks the instrument itself.

    Attributes:
        presence: 0 the attract walk alone, 1 the visitor alone.
        series: Whether the targets of the series are drawn side by side instead of the one morph.
        ladder: Whether the rungs of the style-mix ladder are drawn side by side instead of the one morph.
        single: Whether the one morph is wanted too, before those: another window shows it.
        camera: Whether the camera picture of the same frame is wanted too.
        forget: The visit is over: wipe what is known of the visitor.
        look: Whether the eye's records may be looked at; not before the visitor has been told.
        idle: Draw nothing new: the doors are closed.
        resident: Whether pictures may stay on the GPU, because every window takes them from there.
    """

    presence: float = 0.0
    series: bool = False
    ladder: bool = False
    single: bool = False
    camera: bool = False
    forget: bool = True
    look: bool = True
    idle: bool = False
    resident: bool = False


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """The camera picture that a reflection was made from, for views that show both.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, larger than the picture: only `size_wh` of it counts.
        size_wh: Width and height in use.
        landmarks: (478, 3) float32, frame pixels.
        quad: (4, 2) float32, frame pixels.
    """

    pixels: NDArray[np.uint8]
    size_wh: tuple[int, int]
    landmarks: NDArray[np.float32]
    quad: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reflection:
    """One result.

    Attributes:
        picture: What the generator drew.
        camera: The camera picture it belongs to, where that was asked for.
        wish: What it was drawn for.
        played_at: When the operator's newest message was received, if this is the first result with it; else None.
    """

    picture: Picture
    camera: CameraPicture | None
    wish: Wish
    played_at: float | None = None
