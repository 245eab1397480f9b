"""PNG files that say what they are: snapshots and contact sheets.

Everything saved is marked as synthetic media, in words, with IPTC's digital source type, and in XMP
where photo archives and platforms look for it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from installation.display.type_setting import set_line
from installation.errors import DisplayError

SYNTHETIC_NOTE = "Synthetic media: faces in this picture were drawn by a generative model (Machine Reflections)."
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC NewsCode for pictures that combine captured and generated elements."""

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta>'
)


class FrameSampler:
    """Keeps a few small frames spread evenly over a run of unknown length, in bounded memory.

    Every `step`-th frame is kept; when there are too many, every other one goes and the step doubles.
    """

    def __init__(self, keep: int = 12, width: int = 480) -> None:
        self._keep = keep
        self._width = width
        self._step = 1
        self._seen = 0
        self._frames: list[tuple[float, Image.Image]] = []

    def offer(self, rgb: NDArray[np.uint8], seconds: float) -> None:
        """Look at a frame, (h, w, 3 or 4) uint8, shown `seconds` after the start."""
        if self._seen % self._step == 0:
            image = Image.fromarray(rgb[..., :3])
            height = max(1, round(image.height * self._width / image.width))
            self._frames.append((seconds, image.resize((self._width, height), Image.Resampling.BILINEAR)))
            if len(self._frames) >= 2 * self._keep:
                self._frames = self._frames[::2]
                self._step *= 2
        self._seen += 1

    @property
    def frames(self) -> list[tuple[float, Image.Image]]:
        """At most `keep` (seconds, picture), evenly spread, the first and last among them."""
        count = min(self._keep, len(self._frames))
        if count < 2:
            return self._frames[:count]
        return [self._frames[round(i * (len(self._frames) - 1) / (count - 1))] for i in range(count)]


def write_contact_sheet(frames: Sequence[tuple[float, Image.Image]], path: Path | str, title: str = "") -> None:
    """Write pictures of a run as one PNG, in reading order, each with its time.

    Raises:
        ValueError: If there are no frames.
    """
    if not frames:
        raise ValueError("a contact sheet needs at least one frame")
    width, height = frames[0][1].size
    columns = max(1, min(len(frames), round(math.sqrt(len(frames) * 1.2 * height / width) + 0.35)))
    rows = -(-len(frames) // columns)
    gap, words, head = 14, 30, 64 if title else 14
    sheet = Image.new("RGB", (columns * (width + gap) + gap, head + rows * (height + words + gap)), (12, 12, 13))
    if title:
        line = set_line(title, 24)
        sheet.paste((225, 222, 214), (gap, (head - line.height) // 2), line)
    for index, (seconds, image) in enumerate(frames):
        x = gap + (index % columns) * (width + gap)
        y = head + (index // columns) * (height + words + gap)
        sheet.paste(image, (x, y))
        line = set_line(f"{seconds:.1f} s", 15)
        sheet.paste((150, 148, 142), (x, y + height + (words - line.height) // 2), line)
    save_png(np.asarray(sheet), path)


def save_png(rgb: NDArray[np.uint8], path: Path | str) -> Path:
    """Save (h, w, 3 or 4) uint8 as a PNG that says it is synthetic; the folder is made.

    Raises:
        DisplayError: If it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(rgb))
    except OSError as error:
        raise DisplayError(f"cannot save the picture {path}: {error.strerror or error}") from error
    return path


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Encode (h, w, 3 or 4) uint8 as a PNG that says it is synthetic."""
    info = PngInfo()
    info.add_text("Description", SYNTHETIC_NOTE)
    info.add_text("DigitalSourceType", DIGITAL_SOURCE_TYPE)
    info.add_itxt("XML:com.adobe.xmp", _XMP)
    buffer = io.BytesIO()
    Image.fromarray(rgb[..., :3]).save(buffer, "PNG", pnginfo=info, compress_level=4)
    return buffer.getvalue()
