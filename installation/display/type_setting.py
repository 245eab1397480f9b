"""Words to coverage masks with Pillow's FreeType: tracking, small capitals, both writing directions.

The bundled face is DejaVu (free licence), found in matplotlib, which mediapipe brings; matplotlib
itself is never imported. Letters that a face lacks come from DejaVu Sans, which knows Greek,
Cyrillic, Hebrew, Arabic, Armenian and Georgian.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from installation.errors import DisplayError


@lru_cache(maxsize=8)
def bundled_font(name: str = "DejaVuSans.ttf") -> Path:
    """Find a bundled font file.

    Raises:
        DisplayError: If the package that carries it is missing.
    """
    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise DisplayError(
            "no bundled font: the package matplotlib, which carries DejaVu, is missing; run make run again"
        )
    return Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / name


@lru_cache(maxsize=32)
def load_font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    """Open a font file at a size.

    Raises:
        DisplayError: If it is missing or no font.
    """
    try:
        return ImageFont.truetype(str(path), size_px)
    except OSError as error:
        raise DisplayError(
            f"font {path} cannot be used ({error}); give a .ttf or .otf file in [captions] font"
        ) from error


def set_line(text: str, size_px: int) -> Image.Image:
    """Set one plain line; returns an "L" coverage mask as large as its ink and advance."""
    font = load_font(bundled_font(), max(1, size_px))
    left, top, right, bottom = font.getbbox(text or " ")
    mask = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))), 0)
    ImageDraw.Draw(mask).text((-left, -top), text, 255, font)
    return mask
