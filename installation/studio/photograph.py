"""Read any photograph safely: upright, sRGB, eight bits, three channels; or refuse it with one sentence.

The first step of the studio. Nobody knows what people bring: phones turn pictures by a note in the file, print shops
use CMYK, scanners sixteen bits, and a file of a few kilobytes may unpack to gigabytes. Only formats on a short list
are opened, so that no file can choose an exotic reader.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from installation.devices.cropping import fit_picture
from installation.errors import MissingExtra, PhotographError

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".avif", ".heic", ".heif", ".hif",
    ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".ppm", ".pgm",
)  # fmt: skip
"""File names that a folder is searched for; what is in the file decides how it is read."""

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM")
"""Pillow's names of the formats that may be read; HEIF joins them where its package is installed."""

MAX_SIDE = 2048
"""Pixels; larger pictures are reduced. A face that matters is large in its picture."""

MIN_SIDE = 64
"""Pixels; in a smaller picture MediaPipe sees faces that nobody else does."""

MAX_PIXELS = 89_478_485
"""Pillow's own limit: above it a picture is taken for a decompression bomb."""

MAX_BYTES = 256 << 20

BEHIND = 127
"""Grey that shows through transparent pixels, encoded sRGB."""

_ORIENTATION = 0x0112  # EXIF
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What Pillow's readers raise for files that are not what they seem; SyntaxError is its word for a broken PNG."""

_TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}
"""EXIF orientation -> how the stored rows become an upright picture (EXIF 2.32, table 6); 1 is upright already."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph as the studio sees it.

    Attributes:
        name: Of the file, without folders.
        pixels: (h, w, 3) uint8 sRGB, upright, no side longer than asked.
        sha256: Of the file's bytes.
        kind: Pillow's name of the format.
        size_wh: Upright size in the file, pixels, before it was reduced.
        notes: What was changed on the way, a phrase each ("turned upright", "first of 12 pictures").
    """

    name: str
    pixels: NDArray[np.uint8]
    sha256: str
    kind: str
    size_wh: tuple[int, int]
    notes: tuple[str, ...] = ()


def read_photograph(source: Path | bytes, *, name: str = "", max_side: int = MAX_SIDE) -> Photograph:
    """Read a photograph from a file, or from bytes that somebody dropped on a page.

    Args:
        source: The file, or its bytes.
        name: What to call it; the file's own name if empty.
        max_side: Longest side of the result, pixels.

    Raises:
        PhotographError: If it is no picture of a known format, damaged, too large or too small; one sentence.
        MissingExtra: If it is HEIC and the package that reads it is not installed.
    """
    name = name or (source.name if isinstance(source, Path) else "the picture")
    data = source if isinstance(source, bytes) else _file_bytes(source, name)
    formats = _formats_for(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # senseless metadata; nobody could act on it
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=formats)
            return _read(image, name, hashlib.sha256(data).hexdigest(), max_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotographError(
            f"{name} would unpack to more than {MAX_PIXELS // 1_000_000} megapixels; save a smaller copy of it"
        ) from error
    except UnidentifiedImageError as error:
        raise PhotographError(
            f"{name} is no picture that can be read; bring a JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF or BMP"
        ) from error
    except MemoryError as error:
        raise PhotographError(f"{name} needs more memory than there is; save a smaller copy of it") from error
    except _DAMAGED as error:
        raise PhotographError(f"{name} is damaged ({_first_line(error)}); save or copy it again") from error


def find_photographs(places: list[Path]) -> list[Path]:
    """List photographs: files as they are given, folders searched through, sorted by path, none twice.

    Raises:
        PhotographError: If a place does not exist, or a folder holds no picture.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and not _hidden(p, place))
            if not inside:
                raise PhotographError(f"{place} holds no pictures; looked for {', '.join(SUFFIXES)}")
            found.update(dict.fromkeys(inside))
        elif place.exists():
            found[place] = None
        else:
            raise PhotographError(f"there is no photograph {place}")
    return list(found)


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _file_bytes(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():  # a pipe or a device would make us wait for ever
            raise PhotographError(f"{name} is not a file of pixels: it is a folder, a pipe or a device")
        if path.stat().st_size > MAX_BYTES:
            raise PhotographError(f"{name} is larger than {MAX_BYTES >> 20} MB; save a smaller copy of it")
        return path.read_bytes()
    except OSError as error:
        raise PhotographError(f"{name} cannot be opened: {error.strerror or error}") from error


def _formats_for(data: bytes, name: str) -> tuple[str, ...]:
    """Formats to try; HEIF is registered only when a file says that it is one."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIF_BRANDS:
        return FORMATS
    if importlib.util.find_spec("pillow_heif") is None:
        raise MissingExtra("pillow-heif", "photographs", f"reading {name}, which is HEIC,")
    import pillow_heif

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _read(image: Image.Image, name: str, sha256: str, max_side: int) -> Photograph:
    width, height = image.size
    if max(width, height) < MIN_SIDE:
        raise PhotographError(
            f"{name} has {width} x {height} pixels, too few for a face; bring one of at least {MIN_SIDE} x {MIN_SIDE}"
        )
    notes: list[str] = []
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1 and image.format != "MPO":  # a phone's MPO hides a depth map behind its picture
        notes.append(f"first of {frames} pictures")
    orientation = _orientation_of(image)
    image.draft(None, (max_side * 2, max_side * 2))  # JPEG alone: decoded at a half, a quarter or an eighth
    image.load()
    pixels = fit_picture(_srgb(image, max_side, notes), max_side)
    if orientation in _TURNS:
        pixels = np.ascontiguousarray(_TURNS[orientation](pixels))
        notes.append("turned upright")
    size_wh = (height, width) if orientation >= 5 else (width, height)
    return Photograph(name, pixels, sha256, str(image.format), size_wh, tuple(notes))


def _orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1..8; 1 where the note is missing or senseless: a broken note is no broken picture."""
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED:
        return 1
    return value if 1 <= value <= 8 else 1


def _srgb(image: Image.Image, max_side: int, notes: list[str]) -> NDArray[np.uint8]:
    """Any of Pillow's modes as (h, w, 3) uint8 sRGB."""
    if image.mode.startswith("I") or image.mode == "F":
        notes.append("reduced to 8 bits")
        return np.repeat(_eight_bits(np.asarray(image))[..., None], 3, axis=2)
    if image.mode in ("P", "1"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.BOX, reducing_gap=None)
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        notes.append("laid on grey")
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (BEHIND, BEHIND, BEHIND, 255))
        image = Image.alpha_composite(paper, image).convert("RGB")
    if image.mode == "CMYK":
        notes.append("converted from CMYK")
    return np.asarray(_through_profile(image, profile, notes).convert("RGB"), np.uint8)


def _through_profile(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Convert to sRGB as the picture's own ICC profile says; without one, or with a senseless one, leave it."""
    if not profile or image.mode not in ("RGB", "CMYK", "L", "LAB"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *_DAMAGED):
        return image
    notes.append("converted by its colour profile")
    return image if turned is None else turned


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of more than 8 bits to uint8; the range is that of the smallest usual depth that holds the values."""
    grey = np.nan_to_num(np.asarray(values, np.float64), posinf=0.0, neginf=0.0)
    low, high = min(float(grey.min()), 0.0), float(grey.max())
    white = next((top for top in (1.0, 255.0, 4095.0, 65535.0) if high <= top), high)
    return np.asarray(np.rint((np.clip(grey, low, white) - low) / (white - low) * 255.0), np.uint8)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
