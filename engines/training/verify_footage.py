"""The rows of real faces: through the mirror's own alignment and way to W+, and back. Nothing of the footage is kept.

Every clip is one person (the largest face of each frame), and so is every still, which is held before the mirror until
the likeness has settled. Landmark errors are in the visitor's inter-ocular distances and in crop units, so alignment is
out of them; roll is compared in the frame, where a viewer sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.bench import Bench, Row, at_least, at_most, skin_lab
from engines.training.face_measures import landmark_error, measures
from engines.training.mirror_path import MirrorPath
from installation.core.crop import landmarks_in_crop, upright
from installation.core.measures import ffhq_quad
from installation.devices.cropping import sample_square
from installation.errors import DeviceError

STILLS = (".jpg", ".jpeg", ".png")
SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", *STILLS)
FRAMES_PER_CLIP = 40
STILL_HELD_S = (0.0, 0.5, 1.0, 1.5, 2.0)
"""When the mirror looks at a still; the last look is measured."""

POSE = ("yaw", "pitch", "roll")
"""What can be compared between people: their faces do not read as differently posed when they are not."""

MIN_LOOKS = 5
"""Fewer tell nothing of a correlation."""

CORRELATED = {"yaw": 0.8, "pitch": 0.8, "roll": 0.8, "mouth_open": 0.8, "smile": 0.8, "eyes_open": 0.6}
MIN_SPREAD = {"yaw": 2.0, "pitch": 2.0, "roll": 1.5, "mouth_open": 0.03, "smile": 0.06, "eyes_open": 0.02}
"""Standard deviation within a clip below which a measure does not move, so that its correlation is only noise."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One frame of a person.

    Attributes:
        crop: (s, s, 3) uint8 RGB.
        landmarks: (478, 3) crop units.
        crop_roll: Of the crop in the frame, degrees.
        at: Seconds since the clip began.
    """

    crop: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    crop_roll: float
    at: float


@dataclass(slots=True)
class Clip:
    """Everything measured of one clip or still."""

    name: str
    still: bool = False
    errors: list[float] = field(default_factory=list)
    shader_errors: list[float] = field(default_factory=list)
    mean_face_errors: list[float] = field(default_factory=list)
    skin: list[float] = field(default_factory=list)
    seen: list[dict[str, float]] = field(default_factory=list)
    made: list[dict[str, float]] = field(default_factory=list)
    drawn: list[dict[str, float]] = field(default_factory=list)
    latents: list[NDArray[np.float32]] = field(default_factory=list)
    encoded: list[NDArray[np.float32]] = field(default_factory=list)


def footage_rows(bench: Bench, folder: Path) -> list[Row]:
    """Measure every clip of a folder.

    Raises:
        DeviceError: If the folder holds no footage with a face in it.
    """
    mean_face = bench.find(bench.draw(bench.pack.w_avg[None])[0])
    clips = [_measure(bench, path, mean_face) for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    clips = [clip for clip in clips if clip.errors]
    if not clips:
        raise DeviceError(f"no face was found in any clip of {folder}; give a folder of videos or pictures of people")
    frames = sum(len(clip.errors) for clip in clips)

    def mean_of(name: str) -> float:
        return float(np.mean([value for clip in clips for value in getattr(clip, name)]))

    base = mean_of("mean_face_errors")
    note = f"{frames} frames of {len(clips)} clips; mean face {base:.4f}"
    rows = [
        at_most(
            "footage: landmark error through the generator, of the mean face's", mean_of("errors") / base, 0.65, note
        ),
        at_most(
            "footage: landmark error through the shader, of the mean face's", mean_of("shader_errors") / base, 0.50
        ),
        at_most("footage: skin difference, dE", mean_of("skin"), 8.0),
    ]
    for name, goal in CORRELATED.items():
        for way, into in (("generator", "made"), ("shader", "drawn")):
            value, note = _correlation(clips, name, into)
            rows.append(at_least(f"footage: {name} through the {way}, correlation within clips", value, goal, note))
    apart, first = _separation([clip.latents for clip in clips]), _separation([clip.encoded for clip in clips])
    note = "needs two people, and one who moves" if first is None else f"{first:.2f} as encoded, before it settles"
    rows.append(at_least("footage: people apart, of the distance within a clip", apart, 3.0, note))
    return rows


def visitors(bench: Bench, path: Path) -> Iterator[Visitor]:
    """Crop the person of a clip as the mirror does, `FRAMES_PER_CLIP` times spread over its length."""
    spec = bench.pack.manifest.encoder
    assert spec is not None
    for frame, at in _frames(path):
        landmarks = bench.find(_framed(frame))
        if landmarks is None:
            continue
        height, width = frame.shape[:2]
        side = max(height, width)
        pixels = landmarks * side
        quad = upright(ffhq_quad(pixels)) if spec.upright else ffhq_quad(pixels)
        crop = np.empty((spec.input_size, spec.input_size, 3), np.uint8)
        sample_square(frame, quad, crop)
        edge = quad[3] - quad[0]
        yield Visitor(crop, landmarks_in_crop(pixels, quad), float(np.degrees(np.arctan2(edge[1], edge[0]))), at)


def _measure(bench: Bench, path: Path, mean_face: NDArray[np.float32] | None) -> Clip:
    clip, mirror = Clip(path.stem, path.suffix.lower() in STILLS), MirrorPath(bench.pack)
    for visitor in visitors(bench, path):
        encoded = mirror.encode(visitor.crop, visitor.landmarks)[0].copy()
        w_plus = mirror.show(visitor.crop, visitor.landmarks, visitor.at)
        if clip.still and visitor.at < STILL_HELD_S[-1]:
            continue
        clip.encoded.append(encoded)
        picture = bench.draw(w_plus)[0]
        made = bench.find(picture)
        shader = bench.find(bench.renderer.render(bench.pack.read_out(w_plus)[0]))
        if made is None or shader is None or mean_face is None:
            continue
        clip.errors.append(landmark_error(made, visitor.landmarks))
        clip.shader_errors.append(landmark_error(shader, visitor.landmarks))
        clip.mean_face_errors.append(landmark_error(mean_face, visitor.landmarks))
        clip.skin.append(float(np.linalg.norm(skin_lab(visitor.crop, visitor.landmarks) - skin_lab(picture, made))))
        for face, into in ((visitor.landmarks, clip.seen), (made, clip.made), (shader, clip.drawn)):
            values = measures(face)
            values["roll"] -= visitor.crop_roll
            into.append(values)
        clip.latents.append(w_plus[0])
    mirror.forget()
    return clip


def _correlation(clips: list[Clip], name: str, into: str) -> tuple[float | None, str]:
    """Correlate a measure, each clip about its own mean, over the clips in which it moves; all stills are one clip.

    Returns:
        The correlation, None if it moves nowhere; and over what it was taken.
    """
    groups = [[clip] for clip in clips if not clip.still]
    if name in POSE:
        groups.append([clip for clip in clips if clip.still])
    seen, made = [], []
    for group in groups:
        one = np.array([values[name] for clip in group for values in clip.seen])
        if len(one) < MIN_LOOKS or one.std() < MIN_SPREAD[name]:
            continue
        other = np.array([values[name] for clip in group for values in getattr(clip, into)])
        seen.append(one - one.mean())
        made.append(other - other.mean())
    if not seen:
        return None, "it moves in no clip"
    x, y = np.concatenate(seen), np.concatenate(made)
    return float(np.corrcoef(x, y)[0, 1]) if y.std() > 0 else 0.0, f"{len(seen)} clips in which it moves"


def _separation(clips: list[list[NDArray[np.float32]]]) -> float | None:
    """Mean distance between the mean latents of people, over the mean distance from its mean within clips.

    None without two people, or without one who was looked at twice.
    """
    means = [np.mean(latents, axis=0).ravel() for latents in clips]
    within = [
        np.linalg.norm(latent.ravel() - mean)
        for latents, mean in zip(clips, means, strict=True)
        if len(latents) > 1
        for latent in latents
    ]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(means) for b in means[:i]]
    return float(np.mean(apart) / max(float(np.mean(within)), 1e-6)) if apart and within else None


def _frames(path: Path) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Read a still, held for a while, or frames spread evenly over a video: (h, w, 3) uint8 RGB with its second."""
    if path.suffix.lower() in STILLS:
        picture = cv2.imread(str(path))
        if picture is not None:
            for at in STILL_HELD_S:
                yield np.asarray(picture[..., ::-1], np.uint8), at
        return
    video = cv2.VideoCapture(str(path))
    try:
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        rate = video.get(cv2.CAP_PROP_FPS) or 30.0
        wanted = set(np.linspace(0, max(total - 1, 0), FRAMES_PER_CLIP).astype(int).tolist())
        for index in range(total):
            if not video.grab():
                return
            if index in wanted:
                ok, picture = video.retrieve()
                if ok:
                    yield np.ascontiguousarray(picture[..., ::-1]), index / rate
    finally:
        video.release()


def _framed(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad to a square, so that landmarks have one scale along both axes; top-left stays top-left."""
    height, width = frame.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    square[:height, :width] = frame
    return square
