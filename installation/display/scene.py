"""What the display is asked to show: plain values, no GL.

`Picture` comes from the neural thread, `Scene` from the show's loop; the renderer turns them into
pixels and keeps nothing else. All positions in a scene are camera pixels or parts of the canvas, so
that a scene does not depend on a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from installation.core.device_images import DeviceImages

View = Literal["portrait", "mirror", "split", "series", "strip", "ghosts"]
"""How the reflection is laid out on the canvas."""

VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True, slots=True)
class Picture:
    """What the generator made of one camera frame.

    Attributes:
        images: (n, 3, r, r) float32 RGB, nominally -1..1 and not clamped: one, or those that stand side by side. On the
            GPU only where that was wished for.
        captured_at: Monotonic seconds when the camera frame was captured.
        frame_id: Of that frame.
        face_id: Whose reflection; 0 for a picture of nobody (attract).
        produced_at: Monotonic seconds when the generator finished.
        single: Whether, of several, the first is the one morph and only the others stand side by side.
    """

    images: NDArray[np.float32] | DeviceImages
    captured_at: float
    frame_id: int
    face_id: int
    produced_at: float
    single: bool = False


@dataclass(frozen=True, slots=True)
class OverlayData:
    """What the technician sees on F1.

    Attributes:
        stages_ms: Stage name -> milliseconds of the last runs, oldest first; drawn as a graph.
        values: Name -> value, printed as a list: rates, controls, meters, the target.
        keys: Key -> what it does.
        notice: One line of trouble, or "".
        meters: Name -> 0..1, drawn as bars (audio).
        grid: Whether to draw the calibration grid.
    """

    stages_ms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""
    meters: Mapping[str, float] = field(default_factory=dict)
    grid: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One displayed frame.

    Attributes:
        view: Layout.
        time_s: The show's clock in seconds; drives grain and moving looks.
        blend: 0..1, how far the newest picture has replaced what was shown when it arrived.
        captions: One per tile from left to right, or one for the whole canvas.
        caption_alpha: 0..1.
        fade: 0 full picture, 1 black.
        presence: 0 nobody, 1 a visitor; `mirror` and `split` open the camera picture with it.
        freeze: Whether moving looks and grain stand still.
        look: Name of a look, a file in `installation/display/looks/`.
        uniforms: Values of live controls, by control name, for the looks.
        notice: Lines that a visitor must be able to read whatever else is drawn, or "".
        notice_alpha: 0..1.
        leaving: What is said while the picture leaves the machine, or "".
        overlay: What the technician sees, or None.
    """

    view: View = "portrait"
    time_s: float = 0.0
    blend: float = 1.0
    captions: tuple[str, ...] = ()
    caption_alpha: float = 1.0
    fade: float = 0.0
    presence: float = 1.0
    freeze: bool = False
    look: str = "plain"
    uniforms: Mapping[str, float] = field(default_factory=dict)
    notice: str = ""
    notice_alpha: float = 1.0
    leaving: str = ""
    overlay: OverlayData | None = None
