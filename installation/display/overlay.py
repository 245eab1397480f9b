"""What the technician sees on F1: stage times, values, keys, meters, trouble, the face, a calibration grid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from installation.display.flat import Color, FlatLayer
from installation.display.layout import Rect
from installation.display.pasteback import FACE_OVAL
from installation.display.scene import OverlayData

INK: Color = (0.93, 0.92, 0.89, 1.0)
DIM: Color = (0.62, 0.61, 0.58, 1.0)
ALERT: Color = (1.0, 0.55, 0.35, 1.0)
PANEL: Color = (0.03, 0.03, 0.035, 0.78)
FACE: Color = (0.45, 0.95, 0.75, 0.8)
GRID: Color = (1.0, 1.0, 1.0, 0.45)
STAGE_COLORS: tuple[Color, ...] = (
    (0.45, 0.72, 1.0, 0.95), (0.98, 0.70, 0.30, 0.95), (0.50, 0.85, 0.45, 0.95), (0.95, 0.45, 0.55, 0.95),
    (0.72, 0.58, 0.98, 0.95), (0.35, 0.85, 0.85, 0.95), (0.95, 0.88, 0.40, 0.95), (0.75, 0.75, 0.72, 0.95),
)  # fmt: skip
GRAPH_MS = 50.0
"""Height of the stage graph in milliseconds."""


def text_size(size: tuple[int, int]) -> int:
    """Letter size in pixels for a canvas: readable from the ladder, at any resolution."""
    return max(7, min(40, round(min(size[1], size[0] * 0.8) / 52)))


def draw_panel(flat: FlatLayer, size: tuple[int, int], data: OverlayData, name: str) -> None:
    """Collect the technician's panel: title, values, stage graph, meters, keys, notice."""
    width_px, row = flat.cell
    margin = row
    columns = 34
    x, y = margin, margin
    stages = {stage: times for stage, times in data.stages_ms.items() if times}
    rows = 1.0 + len(data.values) + (6.25 + len(stages) if stages else 0.0)
    rows += sum(0.5 + len(part) for part in (data.meters, data.keys) if part)
    flat.box(x - row / 2, y - row / 2, columns * width_px + row, rows * row + row, PANEL)
    flat.text(x, y, name[:columns], DIM)
    y += row
    for label, value in data.values.items():
        flat.text(x, y, label[: columns - 1], DIM)
        value = value[: columns - 8]
        flat.text(x + (columns - len(value)) * width_px, y, value, INK)
        y += row
    if stages:
        y = _draw_stages(flat, x, y + row / 2, columns, stages)
    if data.meters:
        y += row / 2
        for label, level in data.meters.items():
            flat.text(x, y, label[:12], DIM)
            flat.box(x + 13 * width_px, y + row * 0.3, (columns - 13) * width_px, row * 0.4, (*DIM[:3], 0.25))
            level = min(1.0, max(0.0, level))
            flat.box(x + 13 * width_px, y + row * 0.3, (columns - 13) * width_px * level, row * 0.4, STAGE_COLORS[2])
            y += row
    if data.keys:
        y += row / 2
        for key, what in data.keys.items():
            flat.text(x, y, key[:10], INK)
            flat.text(x + 11 * width_px, y, what[: columns - 11], DIM)
            y += row
    if data.notice:
        draw_notice(flat, size, data.notice)


def draw_notice(flat: FlatLayer, size: tuple[int, int], notice: str) -> None:
    """Collect trouble, at the lower edge, wrapped to the canvas."""
    width_px, row = flat.cell
    columns = max(8, int((size[0] - 3 * row) / width_px))
    lines = [line[i : i + columns] for line in notice.splitlines() for i in range(0, max(1, len(line)), columns)][:8]
    y = size[1] - (len(lines) + 1) * row
    flat.box(row / 2, y - row / 2, size[0] - row, (len(lines) + 1) * row, PANEL)
    for line in lines:
        flat.text(row, y, line, ALERT)
        y += row


def draw_face(
    flat: FlatLayer, landmarks: NDArray[np.float32], quad: NDArray[np.float32], to_canvas: NDArray[np.float64]
) -> None:
    """Collect the landmarks, the oval and the crop quad.

    Args:
        flat: Where to.
        landmarks: (478, 2 or more) camera pixels.
        quad: (4, 2) camera pixels.
        to_canvas: (2, 3) affine map from camera to canvas pixels.
    """
    matrix, shift = to_canvas[:, :2], to_canvas[:, 2]
    points = landmarks[:, :2] @ matrix.T + shift
    dot = max(1.5, flat.cell[1] / 10)
    flat.boxes(points - dot / 2, np.array([dot, dot]), FACE)
    for ring in (points[list(FACE_OVAL)], quad @ matrix.T + shift):
        for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            flat.line(tuple(start), tuple(end), dot * 0.8, FACE)


def draw_corner(flat: FlatLayer, size: tuple[int, int], chosen: int) -> None:
    """Collect a mark in the corner that the corner-pin editor moves: 0 top-left, then clockwise."""
    side = 2.0 * flat.cell[1]
    flat.box((0.0, size[0] - side)[chosen in (1, 2)], (0.0, size[1] - side)[chosen in (2, 3)], side, side, ALERT)


def draw_grid(flat: FlatLayer, size: tuple[int, int], area: Rect) -> None:
    """Collect a calibration grid: squares from the centre, the safe area, the diagonals, sizes in words."""
    width, height = size
    step = max(4.0, min(width, height) / 8)
    thin = max(1.0, round(min(width, height) / 720))
    centre_x, centre_y = width / 2, height / 2
    for k in range(-int(centre_x / step), int(centre_x / step) + 1):
        flat.box(round(centre_x + k * step - thin / 2), 0, thin * (3 if k == 0 else 1), height, GRID)
    for k in range(-int(centre_y / step), int(centre_y / step) + 1):
        flat.box(0, round(centre_y + k * step - thin / 2), width, thin * (3 if k == 0 else 1), GRID)
    for start, end in (((0, 0), (width, height)), ((width, 0), (0, height))):
        flat.line(start, end, thin, GRID)
    edge = 2 * thin
    for rect, color in ((Rect(0, 0, width, height), INK), (area, ALERT)):
        for x, y, w, h in (
            (rect.x, rect.y, rect.width, edge),
            (rect.x, rect.y + rect.height - edge, rect.width, edge),
            (rect.x, rect.y, edge, rect.height),
            (rect.x + rect.width - edge, rect.y, edge, rect.height),
        ):
            flat.box(x, y, w, h, color)
    radius = min(width, height) * 0.375
    angles = np.linspace(0.0, 2.0 * np.pi, 129)
    ring = np.stack([centre_x + radius * np.cos(angles), centre_y + radius * np.sin(angles)], axis=1)
    for start, end in pairwise(ring):
        flat.line(tuple(start), tuple(end), 2 * thin, GRID)
    label = f"{width} x {height}"
    flat.box(centre_x - flat.cell[0] * (len(label) / 2 + 1), centre_y - flat.cell[1], flat.cell[0] * (len(label) + 2),
             2 * flat.cell[1], PANEL)  # fmt: skip
    flat.text(centre_x - flat.cell[0] * len(label) / 2, centre_y - flat.cell[1] / 2, label, INK)


def _draw_stages(flat: FlatLayer, x: float, y: float, columns: int, stages: dict[str, tuple[float, ...]]) -> float:
    """Collect a graph of stage times, stacked by run, and a legend with the last and the worst; returns the next y."""
    width_px, row = flat.cell
    width, height = columns * width_px, 5.5 * row
    flat.box(x, y, width, height, (0.0, 0.0, 0.0, 0.5))
    for limit in (16.7, 33.3):
        flat.box(x, y + height * (1 - limit / GRAPH_MS), width, 1.0, (*DIM[:3], 0.5))
    for times, color in zip(stages.values(), STAGE_COLORS * 4, strict=False):
        shown = np.array(times[-int(width / 2) :], np.float32)
        heights = np.clip(shown / GRAPH_MS, 0.0, 1.0) * height
        left = x + width - 2.0 * len(shown) + 2.0 * np.arange(len(shown))
        corners = np.stack([left, y + height - heights], axis=1)
        flat.boxes(corners, np.array([2.0, max(1.0, row / 9)]), color)
    y += height + row * 0.25
    for (stage, times), color in zip(stages.items(), STAGE_COLORS * 4, strict=False):
        flat.box(x, y + row * 0.3, width_px, row * 0.45, color)
        flat.text(x + 2 * width_px, y, stage[:14], INK)
        words = f"{times[-1]:6.1f} ms  worst {max(times):6.1f}"
        flat.text(x + (columns - len(words)) * width_px, y, words, DIM)
        y += row
    return y
