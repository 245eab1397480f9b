"""The hand's repertoire: fields of strokes, cells, dots and lines that the small network paints with.

A small convolutional network cannot invent an even coat of brush strokes from a smooth cheek within an hour of
training. So the marks are drawn once by our own code, and the network learns which of them a style asks for, how a
tone swells or thins them, and what colours they part. Each field is drawn at half the picture's side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.style.pictures import Picture, cells, noise, scattered, streaks

SIDE = 128
SEED = 23


def brush_fields() -> NDArray[np.float32]:
    """Draw the repertoire: (fields, SIDE, SIDE) float32, each of zero mean and unit deviation, exact in float16."""
    rng = np.random.default_rng(SEED)
    flow = 0.5 * noise(rng, SIDE, 60)
    eddies = _eddies(rng)
    fields = [
        *(streaks(rng, (turn + flow).astype(np.float32), 7, 0.8) for turn in (0.2, 1.0, 1.8, 2.6)),
        _strokes(rng, (0.7 + flow).astype(np.float32), 4.5, 3),
        _strokes(rng, (2.2 - flow).astype(np.float32), 3.0, 4),
        _strokes(rng, eddies, 2.6, 5),
        _dots(rng, 1.7),
        _dots(rng, 2.6),
        *_tesserae(rng, 6.5),
        *_contours(rng),
        _lattice(3.2, 0.6),
        *(_waves(rng, turn, 3.0) for turn in (0.7, 1.75)),
    ]
    stacked = np.stack(fields)
    stacked -= stacked.mean(axis=(1, 2), keepdims=True)
    stacked /= stacked.std(axis=(1, 2), keepdims=True)
    return stacked.astype(np.float16).astype(np.float32)


def _eddies(rng: np.random.Generator) -> Picture:
    gy, gx = np.gradient(cv2.GaussianBlur(noise(rng, SIDE, 24), (0, 0), 2))
    return np.arctan2(gx, -gy).astype(np.float32)


def _strokes(rng: np.random.Generator, angle: Picture, width: float, steps: int) -> Picture:
    """Strokes along `angle`, each of a tone of its own, on top of each other."""
    field = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(int(5.0 * SIDE * SIDE / (width * width * steps))):
        x, y = rng.uniform(0, SIDE, 2)
        path = [(x, y)]
        for _ in range(steps):
            a = angle[int(np.clip(y, 0, SIDE - 1)), int(np.clip(x, 0, SIDE - 1))]
            x, y = x + width * np.cos(a), y + width * np.sin(a)
            path.append((x, y))
        drawn = (np.array(path) * 8).astype(np.int32)
        cv2.polylines(field, [drawn], False, (float(rng.normal()),), max(round(width * 0.9), 1), cv2.LINE_AA, shift=3)
    return field


def _dots(rng: np.random.Generator, radius: float) -> Picture:
    """Dots that leave gaps: deep ground, each dot of a tone of its own."""
    field = np.full((SIDE, SIDE), -2.0, np.float32)
    for x, y in scattered(rng, SIDE, radius * 1.7):
        tone = float(rng.normal(0.8, 0.6))
        cv2.circle(field, (int(x * 16), int(y * 16)), int(radius * 16), (tone,), -1, cv2.LINE_AA, shift=4)
    return field


def _tesserae(rng: np.random.Generator, pitch: float) -> tuple[Picture, Picture]:
    """Joints between cells, and a tone for each cell."""
    labels, first, second = cells(scattered(rng, SIDE, pitch), SIDE)
    return np.minimum(second - first, 2.0), rng.normal(size=labels.max() + 1)[labels]


def _contours(rng: np.random.Generator) -> tuple[Picture, Picture]:
    """Lines that wind like the grain of wood, and the same a quarter of a line further."""
    phase = noise(rng, SIDE, 50, 2) * 20.0
    return np.sin(phase), np.cos(phase)


def _lattice(period: float, turn: float) -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / period)
    return np.cos(x * np.cos(turn) + y * np.sin(turn)) + np.cos(y * np.cos(turn) - x * np.sin(turn))


def _waves(rng: np.random.Generator, turn: float, period: float) -> Picture:
    """Parallel lines that waver like a hand."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.cos((x * np.cos(turn) + y * np.sin(turn) + 0.5 * noise(rng, SIDE, 25)) * (2 * np.pi / period))
