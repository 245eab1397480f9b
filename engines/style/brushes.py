"""The hand's repertoire: strokes, cells, dots and lines, drawn once by our own code.

The network does not have to invent an even coat of brush strokes: it is given these marks as fields, and learns which
of them a style asks for, how a tone swells or thins them, and what colours they part. The teacher
(`engines.style.teacher`) paints with the same marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.style.pictures import Picture, cells, noise, scattered, streaks

SIDE = 256
"""Of the marks, in pixels of the picture."""

SEED = 23

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Brushes:
    """All marks on SIDE x SIDE pixels; labels number the marks from 0, and their neighbours differ.

    Attributes:
        oil, eddies, knife, cell: Labels that cover everything: strokes along a slow flow, strokes round eddies, palette
            knife, tesserae.
        dot: Labels of dots, 0 where the ground shows.
        joint: 0 on the joints between tesserae, 1 inside.
        bristle: Two fields of fine streaks, along the oil strokes and across.
        contour: Two fields of winding lines, wide and narrow.
        lattice: A dot screen.
        hatch: Three fields of parallel lines.
        tooth: The paper's grain.
    """

    oil: Labels
    eddies: Labels
    knife: Labels
    cell: Labels
    dot: Labels
    joint: Picture
    bristle: tuple[Picture, Picture]
    contour: tuple[Picture, Picture]
    lattice: Picture
    hatch: tuple[Picture, Picture, Picture]
    tooth: Picture

    def fields(self) -> NDArray[np.float32]:
        """What the network sees: (fields, SIDE / 2, SIDE / 2), zero mean and unit deviation each, exact in float16."""
        planes = [
            *(tones(labels)[labels] for labels in (self.oil, self.eddies, self.knife, self.cell, self.dot)),
            (self.dot > 0).astype(np.float32),
            self.joint,
            *self.bristle,
            *self.contour,
            self.lattice,
            *self.hatch,
            self.tooth,
        ]
        size = (SIDE // 2, SIDE // 2)
        half: Picture = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes])
        half = half - half.mean(axis=(1, 2), keepdims=True)
        half = half / half.std(axis=(1, 2), keepdims=True)
        return half.astype(np.float16).astype(np.float32)


def tones(labels: Labels) -> NDArray[np.float32]:
    """A tone for each mark, zero mean and unit deviation."""
    return np.random.default_rng(SEED).normal(size=int(labels.max()) + 1).astype(np.float32)


@cache
def brushes() -> Brushes:
    """Draw the repertoire; always the same."""
    rng = np.random.default_rng(SEED)
    flow = 0.6 * noise(rng, SIDE, 120)
    gy, gx = np.gradient(cv2.GaussianBlur(noise(rng, SIDE, 44), (0, 0), 4))
    along = (0.7 + flow).astype(np.float32)
    labels, first, second = cells(scattered(rng, SIDE, 12.5), SIDE)
    return Brushes(
        oil=_strokes(rng, along, 8.0, 3),
        eddies=_strokes(rng, np.arctan2(gx, -gy).astype(np.float32), 5.0, 5),
        knife=_knife(rng),
        cell=labels,
        dot=_dots(rng, 3.4),
        joint=np.clip((second - first) / 2.4 - 0.3, 0, 1).astype(np.float32),
        bristle=(streaks(rng, along, 9), streaks(rng, (2.2 - flow).astype(np.float32), 9)),
        contour=_contours(rng),
        lattice=_lattice(6.4, 0.6),
        hatch=(_waves(rng, 0.7, 6.0), _waves(rng, 1.75, 6.0), _waves(rng, 2.8, 6.0)),
        tooth=noise(rng, SIDE, 3.0, 2),
    )


def _strokes(rng: np.random.Generator, angle: Picture, width: float, steps: int) -> Labels:
    """Strokes along `angle` on top of each other, until nothing of the ground is seen."""
    drawn = np.zeros((SIDE, SIDE), np.float32)
    for number in range(int(7.0 * SIDE * SIDE / (width * width * steps))):
        x, y = rng.uniform(-width, SIDE + width, 2)
        path = [(x, y)]
        for _ in range(steps):
            a = angle[int(np.clip(y, 0, SIDE - 1)), int(np.clip(x, 0, SIDE - 1))]
            x, y = x + width * np.cos(a), y + width * np.sin(a)
            path.append((x, y))
        cv2.polylines(drawn, [(np.array(path) * 8).astype(np.int32)], False, (number,), round(width * 0.9), shift=3)
    return drawn.astype(np.int64)


def _knife(rng: np.random.Generator) -> Labels:
    """Broad rectangles, mostly in one direction."""
    drawn = np.zeros((SIDE, SIDE), np.float32)
    for number in range(1400):
        centre = rng.uniform(-8, SIDE + 8, 2)
        size = (rng.uniform(12, 26), rng.uniform(6, 12))
        box = cv2.boxPoints((tuple(centre), size, float(np.degrees(0.9 + rng.normal(0, 0.45)))))
        cv2.fillConvexPoly(drawn, box.astype(np.int32), (number,))
    return drawn.astype(np.int64)


def _dots(rng: np.random.Generator, radius: float) -> Labels:
    drawn = np.zeros((SIDE, SIDE), np.float32)
    for number, (x, y) in enumerate(scattered(rng, SIDE, radius * 1.9), start=1):
        size = int(radius * rng.uniform(0.85, 1.2) * 16)
        cv2.circle(drawn, (int(x * 16), int(y * 16)), size, (number,), -1, shift=4)
    return drawn.astype(np.int64)


def _contours(rng: np.random.Generator) -> tuple[Picture, Picture]:
    """Lines that wind like the grain of wood, or like combed paint."""
    return np.sin(noise(rng, SIDE, 100, 2) * 17.0), np.sin(noise(rng, SIDE, 60, 2) * 9.0)


def _lattice(period: float, turn: float) -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / period)
    return np.cos(x * np.cos(turn) + y * np.sin(turn)) + np.cos(y * np.cos(turn) - x * np.sin(turn))


def _waves(rng: np.random.Generator, turn: float, period: float) -> Picture:
    """Parallel lines that waver like a hand."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.cos((x * np.cos(turn) + y * np.sin(turn) + 0.7 * noise(rng, SIDE, 50)) * (2 * np.pi / period))
