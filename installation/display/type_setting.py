"""Words to coverage masks with Pillow's FreeType: tracking, small capitals, both writing directions.

The bundled faces are Source Serif Pro for captions and DejaVu Sans for everything else and for
letters that the first lacks (Hebrew, Arabic, Armenian, Georgian); both come in packages, both under
free licences. DejaVu is matplotlib's, which mediapipe brings; matplotlib itself is never imported.

Shaping and mixed directions are done by raqm, which Pillow's wheels carry and which loads the
system's fribidi. Without it words are still set, unjoined, and the notice says what to install.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, features

from installation.display.config import CaptionConfig
from installation.errors import DisplayError

SERIF = ("font_source_serif_pro", "files/SourceSerifPro-Regular.ttf")
SERIF_FALLBACK = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSerif.ttf")
SANS = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf")
MONO = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf")

SMALL_CAPITAL = 0.8
"""Height of a drawn-down capital where a face has no small capitals of its own."""

# Scripts whose letters stand apart, so that space between them does not break words.
_SPACED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_RAQM_MISSING = "right-to-left words and joined letters need the system library fribidi: sudo apt install libfribidi0"


@dataclass(frozen=True, slots=True)
class SetLine:
    """One line of type.

    Attributes:
        mask: "L" picture, coverage of the letters, cut to the ink with `pad` pixels around.
        notice: What could not be set as asked, or "".
    """

    mask: Image.Image
    notice: str = ""


def bundled_font(package_file: tuple[str, str]) -> Path:
    """Find a font file inside an installed package, without importing the package.

    Raises:
        DisplayError: If it is not there.
    """
    package, file = package_file
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / file
        if path.is_file():
            return path
    raise DisplayError(f"no bundled font: the package {package} with {file} is missing; install the project again")


def caption_fonts(config: CaptionConfig) -> tuple[Path, ...]:
    """Font files for captions, in the order in which they are asked for a letter."""
    found = [Path(name) for name in (config.font, config.fallback_font) if name]
    if not config.font:
        try:
            found.insert(0, bundled_font(SERIF))
        except DisplayError:  # the caption face is an ornament: DejaVu's serif says the same words
            found.insert(0, bundled_font(SERIF_FALLBACK))
    return (*found, bundled_font(SANS))


def usable_fonts(config: CaptionConfig) -> tuple[tuple[Path, ...], list[str]]:
    """Return the fonts of `caption_fonts` that can be opened, and a sentence for each that cannot."""
    usable, notices = [], []
    for path in caption_fonts(config):
        try:
            load_font(path, 24)
        except DisplayError as error:
            notices.append(str(error))
        else:
            usable.append(path)
    return tuple(usable), notices


@lru_cache(maxsize=64)
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


@lru_cache(maxsize=4096)
def has_glyph(path: Path, letter: str) -> bool:
    """Whether a font draws a letter as itself and not as its empty box."""
    if letter.isspace() or unicodedata.category(letter) in ("Cf", "Mn", "Cc"):
        return True
    font = load_font(path, 24)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def set_caption(text: str, size_px: int, config: CaptionConfig, pad: int = 0) -> SetLine:
    """Set one line as [captions] says.

    Args:
        text: Any Unicode; line breaks become spaces.
        size_px: Size of the letters, pixels per em.
        config: Fonts, case, tracking, direction and language.
        pad: Pixels left free around the ink, for a shadow.
    """
    text = " ".join(text.split()) or " "
    fonts, notices = usable_fonts(config)
    missing = {path: [c for c in text if not has_glyph(path, c)] for path in fonts}
    path = min(fonts, key=lambda p: len(missing[p]))
    if missing[path]:
        notices.append(
            f"no font has the letters {' '.join(sorted(set(missing[path])))}; give one in [captions] fallback_font"
        )
        text = "".join(c for c in text if c not in missing[path]) or " "  # a gap, and no boxes on the wall
    raqm = bool(features.check("raqm"))
    rtl = config.direction == "rtl" or (config.direction == "auto" and is_rtl(text))
    if rtl and not raqm:
        notices.append(_RAQM_MISSING)
        text = text[::-1]
    spaced = _is_spaced(text)
    line = _Line(path, size_px, config if spaced else config.model_copy(update={"case": "as_written"}), rtl, raqm)
    mask = line.draw(text, config.tracking * size_px if spaced else 0.0, pad)
    return SetLine(mask, "; ".join(notices))


def set_line(text: str, size_px: int, package_file: tuple[str, str] = SANS) -> Image.Image:
    """Set one plain line; returns an "L" coverage mask cut to the ink."""
    font = load_font(bundled_font(package_file), max(1, size_px))
    left, top, right, bottom = font.getbbox(text or " ")
    mask = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))), 0)
    ImageDraw.Draw(mask).text((-left, -top), text, 255, font)
    return mask


def is_rtl(text: str) -> bool:
    """Whether the first letter with a direction runs right to left (Unicode's rule P2)."""
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


class _Line:
    """Draws one line with one font."""

    def __init__(self, path: Path, size_px: int, config: CaptionConfig, rtl: bool, raqm: bool) -> None:
        self._font = load_font(path, size_px)
        self._small = load_font(path, max(1, round(size_px * SMALL_CAPITAL)))
        self._config = config
        self._case = config.case
        self._options: dict[str, Any] = {}
        if raqm:
            self._options = {"direction": "rtl" if rtl else "ltr"}
            if config.language:
                self._options["language"] = config.language

    def draw(self, text: str, tracking_px: float, pad: int) -> Image.Image:
        """Draw `text` with extra space between letters (0 keeps joined scripts joined)."""
        pieces = [self._cased(cluster) for cluster in (clusters(text) if tracking_px else [text])]
        size = int(self._font.size)
        width = sum(piece_font.getlength(piece, **options) + tracking_px for piece, piece_font, options in pieces)
        canvas = Image.new("L", (int(width) + size * 2, size * 3), 0)
        pen = ImageDraw.Draw(canvas)
        x = float(size)
        for piece, piece_font, options in pieces:
            pen.text((x, size * 2), piece, 255, piece_font, anchor="ls", **options)
            x += piece_font.getlength(piece, **options) + tracking_px
        # Cut sideways to the ink, but keep the heights: lines of different words then share a base line.
        box = canvas.getbbox() or (0, 0, 1, 1)
        ascent, descent = round(size * 0.95), round(size * 0.3)
        ink = canvas.crop((box[0], size * 2 - ascent, box[2], size * 2 + descent))
        mask = Image.new("L", (ink.width + 2 * pad, ink.height + 2 * pad), 0)
        mask.paste(ink, (pad, pad))
        return mask

    def _cased(self, cluster: str) -> tuple[str, ImageFont.FreeTypeFont, dict[str, Any]]:
        """Apply the case: (letters, font, Pillow options)."""
        if self._case == "lower":
            return cluster.lower(), self._font, self._options
        if self._case == "upper":
            return self._upper(cluster), self._font, self._options
        if self._case == "small_caps" and self._upper(cluster) != cluster:
            if "direction" in self._options:
                capitals = {**self._options, "features": ["smcp"]}
                if bytes(self._font.getmask(cluster, **capitals)) != bytes(
                    self._font.getmask(cluster, **self._options)
                ):
                    return cluster, self._font, capitals
            return self._upper(cluster), self._small, self._options
        return cluster, self._font, self._options

    def _upper(self, text: str) -> str:
        if self._config.language.split("-")[0] in ("tr", "az"):
            text = text.replace("i", "İ")
        return text.upper()


def clusters(text: str) -> list[str]:
    """Split into letters, each with the marks that stand on it."""
    found: list[str] = []
    for letter in text:
        if found and unicodedata.combining(letter):
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _is_spaced(text: str) -> bool:
    letters = [c for c in text if unicodedata.category(c).startswith("L")]
    return all(unicodedata.name(c, "").startswith(_SPACED_SCRIPTS) for c in letters)
