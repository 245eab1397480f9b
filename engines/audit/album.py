"""Pictures inside the page: each a JPEG in a data URI, read once."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image

JPEG_QUALITY = 82
SIDE = 128
"""Pixels of a picture in the report."""


class Album:
    """Faces as data URIs, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, str] = {}

    def image(self, name: str | None, alt: str) -> str:
        """An `<img>`; nothing if there is no face."""
        if name is None:
            return ""
        if name not in self._known:
            with Image.open(self._folder / name) as picture:
                self._known[name] = data_uri(picture)
        return f'<img src="{self._known[name]}" alt="{escape(alt)}" width="128" height="128">'


def data_uri(picture: Image.Image) -> str:
    """A square picture as a JPEG inside the page."""
    buffer = io.BytesIO()
    small = picture.convert("RGB")
    if small.width > SIDE:
        small = small.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
