"""The synthetic visitor: a short film of one portrait, to show and test a mirror without a camera or a person.

Somebody enters an empty room, comes nearer, looks round, speaks, smiles, blinks and leaves. Drawn by the portrait
shader in a fixed room camera, the same film on every machine but for the encoder's version.

    python -m engines.faces.visitor installation/devices/visitor.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import av
import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from .geometry import Camera, rotation
from .parameters import INDEX, Parameters, default
from .renderer import OVERSAMPLING, PortraitRenderer

SIZE_WH = (960, 540)
_DRAWN_WH = (SIZE_WH[0] * OVERSAMPLING, SIZE_WH[1] * OVERSAMPLING)
FPS = 25
HALF_FIELD = 0.33
"""Tangent of half the vertical field of view: 37 degrees, a common web camera."""

QUALITY_CRF = "24"
CHEST_CM = 27.0
"""How far below the head's origin the body has dissolved into the wall; it has no end of its own."""

FADE_CM = 5.0

PERSON = default(
    age=0.35, masculinity=-0.1, eye_size=0.3, lip_ratio=0.2, cheekbones=0.3, nose_ratio=0.2, skin_tone=0.52,
    skin_warmth=0.2, hair_length=0.42, hair_curl=0.62, hair_volume=0.5, hair_darkness=0.93, iris=0.25, lashes=0.6,
    light_azimuth=-30.0, light_elevation=34.0, fill=0.65, rim=0.3, background_hue=0.1, background_saturation=0.14,
    background_value=0.5, background_gradient=0.1, cloth_hue=0.53, cloth_saturation=0.45, cloth_value=0.25,
)  # fmt: skip

BLINKS_S = (5.6, 8.9, 11.3, 11.7, 14.2, 17.4, 19.6)
BLINK_LENGTH_S = 0.26


@dataclass(frozen=True, slots=True)
class Moment:
    """The visitor at one time; between two moments every value eases from one to the other.

    Attributes:
        time: Seconds from the start.
        x: Of the head from the middle of the room, cm, positive toward the picture's right.
        distance: From the camera, cm.
        yaw, pitch, roll: Degrees, as in `parameters`.
        gaze_x, gaze_y, smile, brow_raise: As in `parameters`.
        speech: How much the mouth moves, 0..1.
    """

    time: float
    x: float = 0.0
    distance: float = 80.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    smile: float = 0.1
    brow_raise: float = 0.0
    speech: float = 0.0


OUTSIDE_CM = 130.0

SCRIPT = (
    Moment(0.0, x=-OUTSIDE_CM, distance=140.0, yaw=45.0),
    Moment(2.2, x=-OUTSIDE_CM, distance=140.0, yaw=45.0),
    Moment(4.4, x=-25.0, distance=128.0, yaw=28.0, gaze_x=-0.3),
    Moment(5.4, x=-6.0, distance=112.0, brow_raise=0.2),
    Moment(7.2, distance=78.0, pitch=2.0, smile=0.2),
    Moment(8.2, distance=76.0, yaw=-20.0, pitch=4.0, gaze_x=-0.5, gaze_y=0.2),
    Moment(9.4, distance=76.0, yaw=18.0, pitch=-3.0, gaze_x=0.5),
    Moment(10.3, distance=75.0),
    Moment(10.8, distance=74.0, roll=3.0, brow_raise=0.3, speech=1.0),
    Moment(12.3, distance=73.0, roll=-4.0, pitch=3.0, brow_raise=-0.1, speech=1.0),
    Moment(13.4, distance=73.0, speech=0.8),
    Moment(13.9, distance=73.0),
    Moment(14.9, distance=72.0, pitch=3.0, roll=3.0, smile=0.95, brow_raise=0.3),
    Moment(16.6, distance=72.0, roll=5.0, smile=0.9, brow_raise=0.2),
    Moment(17.4, distance=74.0, roll=-2.0, pitch=-8.0, smile=0.3, gaze_y=-0.5),
    Moment(18.4, distance=76.0, brow_raise=0.6),
    Moment(19.2, x=4.0, distance=84.0, yaw=8.0, gaze_x=0.4),
    Moment(21.6, x=OUTSIDE_CM, distance=120.0, yaw=50.0),
    Moment(24.0, x=OUTSIDE_CM, distance=120.0, yaw=50.0),
)

DURATION_S = SCRIPT[-1].time


def moment(time: float) -> Moment:
    """Ease between the two moments of the script round `time` seconds."""
    after = next((i for i, m in enumerate(SCRIPT) if m.time > time), len(SCRIPT) - 1)
    a, b = SCRIPT[after - 1], SCRIPT[after]
    s = min(max((time - a.time) / (b.time - a.time), 0.0), 1.0)
    ease = s * s * (3.0 - 2.0 * s)
    return Moment(*(getattr(a, f.name) + ease * (getattr(b, f.name) - getattr(a, f.name)) for f in fields(Moment)))


def pose(time: float) -> tuple[Parameters, Camera]:
    """Give the visitor's parameters and the room camera, seen from the head, at `time` seconds."""
    m = moment(time)
    p = PERSON.copy()
    blink = max((max(0.0, 1.0 - abs(2.0 * (time - t) / BLINK_LENGTH_S - 1.0)) for t in BLINKS_S), default=0.0)
    syllable = 0.5 + 0.5 * np.sin(2.0 * np.pi * (3.4 * time + 0.35 * np.sin(5.1 * time)))
    phrase = 0.6 + 0.4 * np.sin(2.0 * np.pi * 0.9 * time)
    values = {
        "yaw": m.yaw, "pitch": m.pitch, "roll": m.roll, "gaze_x": m.gaze_x, "gaze_y": m.gaze_y, "smile": m.smile,
        "brow_raise": m.brow_raise, "eyes_open": 1.0 - min(1.0, 1.6 * blink),
        "mouth_open": m.speech * 0.8 * syllable * phrase + 0.25 * max(m.smile - 0.6, 0.0),
        "pucker": m.speech * 0.5 * (0.5 + 0.5 * np.sin(2.0 * np.pi * 1.3 * time)) ** 2,
    }  # fmt: skip
    for name, value in values.items():
        p[INDEX[name]] = value
    sway = np.array([0.5 * np.sin(1.1 * time), 0.25 * np.sin(1.7 * time + 1.0)])
    eye_level = np.array([0.0, -2.0])
    centre = (eye_level - sway - np.array([m.x, 0.0])) / m.distance
    turn = rotation(m.yaw + 1.2 * np.sin(0.9 * time), m.pitch + 0.8 * np.sin(1.3 * time), m.roll)
    return p, Camera(turn, centre, HALF_FIELD, m.distance)


def frames() -> Iterator[NDArray[np.uint8]]:
    """Draw the film: (540, 960, 3) uint8 RGB, top row first, `FPS` a second."""
    height = _DRAWN_WH[1]
    renderer = PortraitRenderer(16)
    target = renderer.context.simple_framebuffer(_DRAWN_WH, components=4)
    room = _room(renderer, target)
    for index in range(round(DURATION_S * FPS)):
        p, view = pose(index / FPS)
        frame = room.copy()
        x0, x1, top, bottom = _reach(view)
        if x1 > x0:
            target.scissor = (x0, height - bottom, x1 - x0, bottom - top)
            renderer.draw(p, target, view)
            drawn = np.frombuffer(target.read(target.scissor, components=3, alignment=1), np.uint8)
            person = drawn.reshape(bottom - top, x1 - x0, 3)[::-1].astype(np.float32)
            wall = frame[top:bottom, x0:x1]
            pixel_cm = 2.0 * HALF_FIELD * view.distance / height
            rows_left = _row(view, -CHEST_CM) - np.arange(top, bottom, dtype=np.float32)
            fade = np.clip(rows_left * pixel_cm / FADE_CM, 0.0, 1.0)[:, None, None]
            frame[top:bottom, x0:x1] = np.rint(wall + fade * (person - wall)).astype(np.uint8)
        yield np.asarray(cv2.resize(frame, SIZE_WH, interpolation=cv2.INTER_AREA), np.uint8)
    target.release()
    renderer.release()


def _room(renderer: PortraitRenderer, target: moderngl.Framebuffer) -> NDArray[np.uint8]:
    """Draw the empty room: the same wall with the visitor far outside the picture."""
    p, view = pose(0.0)
    renderer.draw(p, target, Camera(view.rotation, np.array([1e3, 0.0]), HALF_FIELD, view.distance))
    picture = np.frombuffer(target.read(components=3, alignment=1), np.uint8)
    return picture.reshape(_DRAWN_WH[1], _DRAWN_WH[0], 3)[::-1].copy()


def _row(view: Camera, y: float) -> float:
    """Find the picture row of a height over the head's origin, cm."""
    return _DRAWN_WH[1] / 2 * (1.0 - (y / view.distance - float(view.centre[1])) / HALF_FIELD)


def _reach(view: Camera) -> tuple[int, int, int, int]:
    """Find the columns (from, to) and rows (from, to) that the visitor can cover."""
    width, height = _DRAWN_WH
    pixels_cm = height / 2 / HALF_FIELD / view.distance
    middle = width / 2 - view.centre[0] * pixels_cm * view.distance
    columns = np.clip((middle - 21.0 * pixels_cm, middle + 21.0 * pixels_cm), 0, width)
    rows = np.clip((_row(view, 20.0), _row(view, -CHEST_CM)), 0, height)
    return int(columns[0]), int(columns[1]), int(rows[0]), int(rows[1])


def write(path: Path) -> None:
    """Encode the film as H.264 in MP4."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": QUALITY_CRF, "preset": "slow"})
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for frame in frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Write the film to the path given on the command line."""
    parser = argparse.ArgumentParser(description="Draw the synthetic visitor.")
    parser.add_argument("path", type=Path, help="the MP4 file to write")
    write(parser.parse_args().path)


if __name__ == "__main__":
    main()
