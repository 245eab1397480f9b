"""Prompt pictures: find every face, align it as FFHQ does, and give what an encoder wants.

The artist's own pictures and those of a text-to-image model take the same way. The finder is the show's own, so a
picture is seen as a visitor would be. A file without a face is listed, never lost; a file with several gives them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from installation.core.crop import landmarks_in_crop, upright
from installation.core.measures import ffhq_quad
from installation.devices.cropping import fit_picture, sample_square
from installation.devices.landmarks import FaceFinder
from installation.errors import EngineError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_SIDE = 2048
"""Pixels; larger pictures are reduced first. A face that matters is large in its picture."""

MIN_SIDE = 64
"""Pixels; in a smaller picture MediaPipe sees faces that nobody else does."""

MIN_SCORE = 0.5
"""Below this the landmark network does not believe that its square holds a face (MediaPipe's own gate)."""

MIN_FACE_PX = 24.0
"""Faces whose crop square is smaller hold too little to encode."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureFace:
    """One face of one picture, ready to be encoded.

    Attributes:
        name: File name; with several faces "name#1", "name#2" ... from left to right.
        crop: (3, s, s) float32 RGB in [-1, 1].
        landmarks: (478, 3) float32 in crop units.
    """

    name: str
    crop: NDArray[np.float32]
    landmarks: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds.

    Attributes:
        faces: All faces, by file name.
        faceless: Files without a face.
        unreadable: Files that are no pictures, with the reason.
        crowds: File name -> number of faces, where there is more than one.
    """

    faces: tuple[PictureFace, ...]
    faceless: tuple[str, ...]
    unreadable: dict[str, str]
    crowds: dict[str, int]

    def lines(self) -> list[str]:
        """Say in sentences what was left out and what was taken more than once."""
        lines = [f"{name}: no face found; it takes no part" for name in self.faceless]
        lines += [f"{name}: {reason}; it takes no part" for name, reason in self.unreadable.items()]
        lines += [
            f"{name}: {count} faces, all are taken; leave some out with keep = false in the curation file"
            for name, count in self.crowds.items()
        ]
        return lines


def picture_files(folder: Path) -> list[Path]:
    """List the pictures of a folder by name.

    Raises:
        EngineError: If the folder is missing or holds none.
    """
    if not folder.is_dir():
        raise EngineError(f"there is no folder {folder} to take pictures from")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not files:
        raise EngineError(f"{folder} holds no pictures; looked for {', '.join(SUFFIXES)}")
    return files


def find_faces(
    files: Iterable[Path],
    size: int,
    *,
    upright_crops: bool = False,
    advance: Callable[[str], None] = lambda name: None,
) -> Found:
    """Find and align every face.

    Args:
        files: Pictures.
        size: Side of the crops, pixels: what the encoder takes.
        upright_crops: Leave the head's roll in the crop, for encoders that show it.
        advance: Called with each file's name when it is done.
    """
    faces: list[PictureFace] = []
    faceless: list[str] = []
    unreadable: dict[str, str] = {}
    crowds: dict[str, int] = {}
    finder = FaceFinder()
    try:
        for path in files:
            try:
                found = _faces_in(finder, read_picture(path), path.name, size, upright_crops)
            except EngineError as error:
                unreadable[path.name] = str(error)
            else:
                faces += found
                if not found:
                    faceless.append(path.name)
                elif len(found) > 1:
                    crowds[path.name] = len(found)
            advance(path.name)
    finally:
        finder.close()
    return Found(tuple(faces), tuple(faceless), unreadable, crowds)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture upright: (h, w, 3) uint8 RGB, sides at most `MAX_SIDE`.

    Raises:
        EngineError: If the file is no picture, damaged, absurdly large, or too small to show a face.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise EngineError(f"not a picture that can be read ({error})") from error
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError is Pillow's word for a damaged PNG
        raise EngineError(f"damaged ({error})") from error
    if max(pixels.shape[:2]) < MIN_SIDE:
        raise EngineError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels are too few for a face")
    return fit_picture(pixels, MAX_SIDE)


def locate(finder: FaceFinder, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Find the landmarks of every face in a picture, from left to right: each (478, 3) float32, pixels."""
    squares = finder.detect(picture, far=False) or finder.detect(picture, far=True)
    found: list[NDArray[np.float32]] = []
    for square in squares:
        landmarks, score = finder.mesh(picture, square.quad)
        if score >= MIN_SCORE and not any(_same(landmarks, other) for other in found):
            found.append(landmarks)
    return sorted(found, key=lambda landmarks: float(landmarks[:, 0].mean()))


def _faces_in(
    finder: FaceFinder, picture: NDArray[np.uint8], name: str, size: int, upright_crops: bool
) -> list[PictureFace]:
    cut: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for landmarks in locate(finder, picture):
        quad = ffhq_quad(landmarks)
        if np.hypot(*(quad[3] - quad[0])) < MIN_FACE_PX:
            continue
        if upright_crops:
            quad = upright(quad)
        square = np.empty((size, size, 3), np.uint8)
        sample_square(picture, quad, square)
        crop = square.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0
        cut.append((crop, landmarks_in_crop(landmarks, quad)))
    names: Sequence[str] = [name] if len(cut) == 1 else [f"{name}#{i + 1}" for i in range(len(cut))]
    return [PictureFace(n, crop, landmarks) for n, (crop, landmarks) in zip(names, cut, strict=True)]


def _same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Tell whether two readings are of one face: their centres lie within half a face of each other."""
    size = float(np.ptp(a[:, 0]))
    return float(np.hypot(*(a[:, :2].mean(axis=0) - b[:, :2].mean(axis=0)))) < 0.5 * size
