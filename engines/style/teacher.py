"""The teacher: a painter made of plain rules, who shows the network what a picture looks like in each manner.

It sees the content in the style's colours, the darkest and the lightest colour of the style, and paints with the marks
of `engines.style.brushes`: each stroke takes the mean colour of what it covers, a line swells where it is dark. The
network learns to do the same from the style picture's statistics alone, and so also what lies between the manners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.style.brushes import Brushes, Labels, tones
from engines.style.pictures import Picture

AROUND_PX = 18.0
"""How far around a place light and shade are compared."""

KEPT = 0.45
"""How much of the content is seen through opaque marks: all covered, eyes and mouths would be gone."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What is painted, and with what.

    Attributes:
        base: (h, w, 3) the content in the style's colours.
        tone: (h, w) 0 where it is dark, 1 where it is light.
        dark, light: (3,) the style's darkest and lightest colours.
        spread: How far apart those are.
    """

    base: Picture
    tone: Picture
    dark: Picture
    light: Picture
    spread: float


class Teacher:
    """Paints on one window of the brushes.

    Args:
        marks: The repertoire.
        window: (rows, columns) of it that lie under the picture.
    """

    def __init__(self, marks: Brushes, window: tuple[slice, slice]) -> None:
        self._marks = marks
        self._window = window

    def paint(self, manner: str, base: Picture, dark: Picture, light: Picture) -> Picture:
        """Paint (h, w, 3) RGB in [-1, 1] in a manner.

        Args:
            manner: A name of `engines.style.pictures.MANNERS`.
            base: The content in the style's colours.
            dark, light: (3,) the style's darkest and lightest colours.
        """
        low, high = float(dark.mean()), float(light.mean())
        grey = base.mean(axis=2).astype(np.float32)
        grey = grey + 0.6 * (grey - _around(grey))  # a dark face keeps its features
        tone = np.clip((grey - low) / max(high - low, 0.1), 0.0, 1.0)
        painted = RULES[manner](self, Sitting(base, tone, dark, light, 0.5 * max(high - low, 0.2)))
        return np.clip(painted, -1.0, 1.0).astype(np.float32)

    def _strokes(self, s: Sitting) -> Picture:
        marks = self._cut(self._marks.oil)
        painted = _filled(s.base, marks) + 0.16 * s.spread * tones(self._marks.oil)[marks][..., None]
        return _lit(painted + 0.13 * s.spread * self._cut(self._marks.bristle[0])[..., None], 0.5)

    def _swirls(self, s: Sitting) -> Picture:
        marks = self._cut(self._marks.eddies)
        return _lit(_filled(s.base, marks) + 0.34 * s.spread * tones(self._marks.eddies)[marks][..., None], 0.5)

    def _knife(self, s: Sitting) -> Picture:
        marks = self._cut(self._marks.knife)
        return _lit(_filled(s.base, marks) + 0.2 * s.spread * tones(self._marks.knife)[marks][..., None], 0.6)

    def _points(self, s: Sitting) -> Picture:
        marks = self._cut(self._marks.dot)
        dots = _filled(s.base, marks, 0.25) + 0.36 * s.spread * tones(self._marks.dot)[marks][..., None]
        ground = 0.55 * s.light + 0.45 * cv2.GaussianBlur(s.base, (0, 0), 4)
        return np.where(marks[..., None] > 0, dots, ground)

    def _mosaic(self, s: Sitting) -> Picture:
        marks, joint = self._cut(self._marks.cell), self._cut(self._marks.joint)[..., None]
        cells = _filled(s.base, marks) + 0.16 * s.spread * tones(self._marks.cell)[marks][..., None]
        return cells * joint + (0.7 * s.dark - 0.3) * (1.0 - joint)

    def _ink(self, s: Sitting) -> Picture:
        cover = np.zeros_like(s.tone)
        for field, limit in zip(self._marks.hatch, (0.72, 0.5, 0.28), strict=True):
            width = np.clip((limit - s.tone) * 3.5, 0.0, 1.0)
            cover = np.maximum(cover, _step(self._cut(field) - 1.15 + 1.05 * width, 3.0) * np.minimum(width * 8, 1.0))
        drawn = np.clip((_edges(s.base) - 0.10) * 7.0, 0.0, 1.0)
        cover = np.maximum(cover, drawn)[..., None]
        return s.light * (1.0 - cover) + s.dark * cover

    def _charcoal(self, s: Sitting) -> Picture:
        grain = 0.26 * self._cut(self._marks.bristle[1]) + 0.1 * self._cut(self._marks.tooth)
        cover = np.clip((1.0 - s.tone) * 1.7 - 0.42 + grain, 0.0, 1.0)[..., None]
        return s.light * (1.0 - cover) + s.dark * cover

    def _woodcut(self, s: Sitting) -> Picture:
        cover = _step(self._cut(self._marks.contour[0]) - (s.tone * 2.8 - 1.3), 3.0)[..., None]
        return s.light * (1.0 - cover) + s.dark * cover

    def _marble(self, s: Sitting) -> Picture:
        bands = _step(self._cut(self._marks.contour[1]), 3.0) * 2.0 - 1.0
        return s.base + 0.5 * s.spread * bands[..., None] + 0.06 * s.spread * self._cut(self._marks.tooth)[..., None]

    def _screen(self, s: Sitting) -> Picture:
        dots = _step(self._cut(self._marks.lattice) - (s.tone * 3.6 - 1.5), 2.2)[..., None]
        flat = _levels(s.base, s.tone, 3)
        return flat * (1.0 - dots) + s.dark * dots

    def _washes(self, s: Sitting) -> Picture:
        soft = cv2.GaussianBlur(s.tone, (0, 0), 1.5) + 0.05 * self._cut(self._marks.contour[1])
        flat = _levels(cv2.GaussianBlur(s.base, (0, 0), 2.0), soft, 4)
        rim = np.clip(_edges(flat) * 1.4, 0.0, 0.35)[..., None]
        grain = 0.10 * s.spread * self._cut(self._marks.tooth)[..., None]
        return flat + 0.25 * s.spread - rim * 2.0 * s.spread + grain

    def _cutouts(self, s: Sitting) -> Picture:
        soft = cv2.GaussianBlur(s.tone, (0, 0), 2.0)
        flat = _levels(cv2.GaussianBlur(s.base, (0, 0), 3.0), soft, 4, contrast=1.35)
        line = np.clip((_edges(flat) - 0.12) * 5.0, 0.0, 1.0)[..., None]
        return flat * (1.0 - line) + (0.8 * s.dark - 0.2) * line

    def _cut(self, plane: NDArray[Any]) -> NDArray[Any]:
        return plane[self._window]


RULES: dict[str, Callable[[Teacher, Sitting], Picture]] = {
    "strokes": Teacher._strokes,
    "swirls": Teacher._swirls,
    "points": Teacher._points,
    "ink": Teacher._ink,
    "washes": Teacher._washes,
    "mosaic": Teacher._mosaic,
    "woodcut": Teacher._woodcut,
    "marble": Teacher._marble,
    "charcoal": Teacher._charcoal,
    "knife": Teacher._knife,
    "screen": Teacher._screen,
    "cutouts": Teacher._cutouts,
}
"""Manner of `engines.style.pictures` -> how the teacher paints in it."""


def _filled(base: Picture, labels: Labels, kept: float = KEPT) -> Picture:
    """Give each mark the mean colour of what it covers; `kept` of the content shines through."""
    flat = labels.ravel()
    count = np.maximum(np.bincount(flat), 1)
    means = np.stack([np.bincount(flat, base[..., c].ravel()) / count for c in range(3)], axis=1)
    return (means[labels] * (1.0 - kept) + base * kept).astype(np.float32)


def _around(grey: Picture) -> Picture:
    height, width = grey.shape
    small = cv2.resize(grey, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), AROUND_PX / 4), (width, height))


def _lit(painted: Picture, strength: float) -> Picture:
    """Light the ridges of thick paint from the upper left."""
    height = painted.mean(axis=2)
    return (
        painted + strength * 0.5 * (height - np.roll(cv2.GaussianBlur(height, (0, 0), 0.8), (1, 1), (0, 1)))[..., None]
    )


def _step(value: Picture, sharpness: float) -> Picture:
    return np.clip(value * sharpness + 0.5, 0.0, 1.0)


def _edges(picture: Picture) -> Picture:
    grey = cv2.GaussianBlur(picture.mean(axis=2).astype(np.float32), (0, 0), 0.9)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 4.0


def _levels(base: Picture, tone: Picture, count: int, contrast: float = 1.15) -> Picture:
    """Flatten the tones into a few steps, each of one colour: the mean of what lies in it, further from the middle."""
    labels = np.clip(tone * count, 0, count - 1e-3).astype(np.int64)
    middle = base.mean(axis=(0, 1))
    return (_filled(base, labels, 0.25) - middle) * contrast + middle
