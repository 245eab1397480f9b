"""Style pictures drawn by our own code: what the small network learns style from, and what ships as its styles.

Twelve manners of painting, each a function of a random generator and a side in pixels: a palette, a field of tones and
what a hand would do with them. The same seed gives the same picture on every machine with the same OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
"""(s, s, 3) float32 RGB in 0..1; a field is (s, s)."""

_GOLDEN = 0.618034


def draw_style(manner: str, seed: int, size: int = 256) -> NDArray[np.uint8]:
    """Draw one picture: (size, size, 3) uint8 sRGB.

    Raises:
        KeyError: If there is no such manner.
    """
    rng = np.random.default_rng([seed, list(MANNERS).index(manner)])
    picture = MANNERS[manner](rng, size)
    return np.clip(np.rint(picture * 255.0), 0, 255).astype(np.uint8)


def palette(rng: np.random.Generator, count: int = 6) -> Picture:
    """Choose colours that go together, dark to light: (count, 3)."""
    hue = rng.random()
    spread = rng.choice((0.06, 0.12, 0.33, 0.5))
    saturation = rng.uniform(0.25, 0.95)
    value = np.linspace(rng.uniform(0.05, 0.25), rng.uniform(0.8, 1.0), count)
    hues = (hue + spread * rng.integers(0, 3, count) + rng.normal(0, 0.03, count)) % 1.0
    saturations = np.clip(saturation * (1.15 - 0.6 * value) + rng.normal(0, 0.12, count), 0.0, 1.0)
    hsv = np.stack([hues * 360.0, saturations, value], axis=1).astype(np.float32)[None]
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]


def noise(rng: np.random.Generator, size: int, cell: float, octaves: int = 1) -> Picture:
    """Smooth noise (size, size), zero mean and unit deviation; features are about `cell` pixels."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        grid = max(int(size / cell * 2**octave), 1) + 3
        coarse = rng.normal(size=(grid, grid)).astype(np.float32)
        side = int(np.ceil(size * grid / (grid - 2)))
        big = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        start = (side - size) // 2
        total += big[start : start + size, start : start + size] * 0.5**octave
    return (total - total.mean()) / (total.std() + 1e-6)


def ranked(field: Picture) -> Picture:
    """Spread a field evenly over 0..1, so that every colour of a palette gets its share."""
    order = field.ravel().argsort().argsort()
    return (order / order.size).reshape(field.shape).astype(np.float32)


def tint(field: Picture, colours: Picture, hard: bool = False) -> Picture:
    """Colour a field of 0..1 with a palette, in steps or flowing."""
    place = np.clip(field, 0.0, 0.9999) * (len(colours) if hard else len(colours) - 1)
    index = place.astype(int)
    if hard:
        return colours[index]
    part = (place - index)[..., None].astype(np.float32)
    return colours[index] * (1 - part) + colours[index + 1] * part


def streaks(rng: np.random.Generator, angle: Picture, length: int, grain: float = 1.2) -> Picture:
    """Noise drawn out along a field of directions (line integral convolution): zero mean, unit deviation."""
    size = angle.shape[0]
    field = cv2.GaussianBlur(rng.normal(size=(size, size)).astype(np.float32), (0, 0), grain)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    total: Picture = field
    for sign in (1.0, -1.0):
        px, py = x.copy(), y.copy()
        for _ in range(length):
            a = cv2.remap(angle, px, py, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
            px = px + sign * np.cos(a)
            py = py + sign * np.sin(a)
            total = total + cv2.remap(field, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return (total - total.mean()) / (total.std() + 1e-6)


def strokes(rng: np.random.Generator, size: int) -> Picture:
    """Oil: layers of strokes along a slow flow, bristles in them, light on their ridges."""
    colours, angle = palette(rng, 7), noise(rng, size, size / 2) * rng.uniform(0.3, 1.6) + rng.uniform(0, np.pi)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 5), 2))
    picture = tint(tone, colours)
    width = rng.uniform(5, 11)
    for scale, part in ((1.6, 0.8), (1.0, 1.0), (0.6, 0.35)):
        _lay_strokes(rng, picture, colours, tone, angle, width * scale, rng.uniform(3, 6), part)
    return _relief(picture + 0.035 * streaks(rng, angle, 7)[..., None], rng.uniform(0.3, 0.7))


def swirls(rng: np.random.Generator, size: int) -> Picture:
    """Short thick strokes that run round eddies, neighbours apart in tone."""
    colours = palette(rng, 7)
    potential = noise(rng, size, size / rng.uniform(3, 6))
    gy, gx = np.gradient(cv2.GaussianBlur(potential, (0, 0), 3))
    angle = np.arctan2(gx, -gy).astype(np.float32)
    tone = ranked(noise(rng, size, size / 3, 2) + 0.7 * np.sin(potential * 6.0))
    picture = tint(tone, colours) * 0.7
    _lay_strokes(rng, picture, colours, tone, angle, rng.uniform(4, 6.5), 4.5, 1.6, 0.16)
    return _relief(picture, rng.uniform(0.4, 0.8))


def points(rng: np.random.Generator, size: int) -> Picture:
    """Dots of pure colour side by side on a ground."""
    colours = palette(rng, 8)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 4), 2))
    ground = colours[-1] if rng.random() < 0.7 else colours[0]
    picture = np.ones((size, size, 3), np.float32) * ground
    radius = rng.uniform(2.0, 4.2)
    for x, y in scattered(rng, size, radius * 1.55):
        level = tone[min(int(y), size - 1), min(int(x), size - 1)] + rng.normal(0, 0.14)
        colour = tint(np.array([np.clip(level, 0, 1)], np.float32), colours, hard=True)[0]
        _disc(picture, x, y, radius * rng.uniform(0.75, 1.2), colour)
    return picture


def ink(rng: np.random.Generator, size: int) -> Picture:
    """Pen hatching: more directions of lines where it is darker."""
    colours = palette(rng, 6)
    paper, pen = 0.75 + 0.25 * colours[-1], colours[0] * rng.uniform(0.2, 1.0)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 4), 2))
    first, period = rng.uniform(0, np.pi), rng.uniform(4.5, 8.0)
    cover = np.zeros((size, size), np.float32)
    for layer, limit in enumerate((0.72, 0.48, 0.24)):
        angle = np.full((size, size), first + layer * 1.05, np.float32) + 0.12 * noise(rng, size, size / 2)
        line = _lines(rng, size, float(first + layer * 1.05), period, 0.9)
        cover = np.maximum(cover, line * np.clip((limit - tone) * 8 + 0.5, 0, 1) * (0.8 + 0.1 * streaks(rng, angle, 5)))
    cover = np.clip(cover, 0, 1)[..., None]
    return paper * (1 - cover) + pen * cover + 0.02 * noise(rng, size, 2.0)[..., None]


def washes(rng: np.random.Generator, size: int) -> Picture:
    """Watercolour: transparent layers with dark rims on rough paper."""
    colours = palette(rng, 7)[1:]
    picture = np.ones((size, size, 3), np.float32) * (0.9 + 0.1 * colours[-1])
    for _ in range(rng.integers(5, 9)):
        field = noise(rng, size, size / rng.uniform(1.5, 5), 3)
        distance = field - rng.normal(0, 0.6)
        inside = 0.5 + 0.5 * np.tanh(distance * 11.0)
        rim = np.exp(-((distance * 7.0) ** 2)) * (distance > -0.1)
        density = inside * rng.uniform(0.35, 0.75) * (1 + 0.22 * noise(rng, size, 22, 3)) + 0.25 * rim * inside
        picture *= 1.0 - np.clip(density, 0, 1)[..., None] * (1.0 - colours[rng.integers(len(colours))])
    return picture + 0.022 * noise(rng, size, 3.0, 2)[..., None]


def mosaic(rng: np.random.Generator, size: int) -> Picture:
    """Tesserae or stained glass: cells of one colour with dark joints."""
    colours = palette(rng, 8)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 4), 2))
    sites = scattered(rng, size, rng.uniform(9, 17))
    labels, first, second = cells(sites, size)
    level = np.clip([tone[min(int(y), size - 1), min(int(x), size - 1)] for x, y in sites], 0, 1).astype(np.float32)
    cell = tint(np.clip(level + rng.normal(0, 0.06, len(level)).astype(np.float32), 0, 1), colours)
    joint = np.clip((second - first) / rng.uniform(1.6, 3.0) - 0.3, 0, 1)[..., None]
    shade = 1.0 + 0.05 * noise(rng, size, 6, 2)[..., None]
    return (cell[labels] * shade) * joint + colours[0] * 0.35 * (1 - joint)


def woodcut(rng: np.random.Generator, size: int) -> Picture:
    """Two or three flat inks: contour lines that swell with the tone."""
    colours = palette(rng, 5)
    light, dark, middle = colours[-1], colours[0] * 0.6, colours[2]
    field = noise(rng, size, size / rng.uniform(1.5, 3.5), 2)
    tone = ranked(noise(rng, size, size / 3, 1))
    y, x = np.mgrid[:size, :size]
    phase = (x * np.cos(rng.uniform(0, 3)) + y * 0.6) * rng.uniform(0.0, 0.5) + field * rng.uniform(8, 16)
    cut = np.clip((np.sin(phase) - (tone * 2.2 - 1.1)) * 2.5 + 0.5, 0, 1)[..., None]
    ground = light * 0.6 + middle * 0.4 if rng.random() < 0.4 else light
    return ground * (1 - cut) + dark * cut


def marble(rng: np.random.Generator, size: int) -> Picture:
    """Marbled paper: colours combed into bands that never mix."""
    colours = palette(rng, 6)
    rng.shuffle(colours)
    warp = noise(rng, size, size / rng.uniform(1.5, 3), 3) * rng.uniform(0.25, 0.6)
    comb = 0.12 * np.sin(np.mgrid[:size, :size][1] / rng.uniform(3, 7))
    bands = (np.mgrid[:size, :size][0] / size * rng.uniform(1, 3) + warp + comb) * rng.uniform(2, 4)
    picture = tint((bands % 1.0).astype(np.float32), colours, hard=True)
    return cv2.GaussianBlur(picture, (0, 0), 0.7)


def charcoal(rng: np.random.Generator, size: int) -> Picture:
    """Charcoal or pastel: grainy strokes that leave the paper's tooth white."""
    colours = palette(rng, 5)
    grey = rng.random() < 0.5
    angle = rng.uniform(0, np.pi) + 0.35 * noise(rng, size, size / 2)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 4), 2))
    tooth = streaks(rng, angle.astype(np.float32), rng.integers(4, 12), 0.9)
    cover = np.clip((1.0 - tone) * 1.5 - 0.35 + 0.3 * tooth, 0, 1)[..., None]
    paper = np.array([0.95, 0.93, 0.89], np.float32) if grey else colours[-1]
    chalk = np.array([0.1, 0.1, 0.11], np.float32) if grey else tint(tone, colours[:-1])
    return paper * (1 - cover) + chalk * cover


def knife(rng: np.random.Generator, size: int) -> Picture:
    """Palette knife: broad flat planes of thick paint, bright on one edge."""
    colours = palette(rng, 7)
    tone = ranked(noise(rng, size, size / rng.uniform(2, 4), 2))
    picture, height = tint(tone, colours), np.zeros((size, size), np.float32)
    turn = rng.uniform(0, np.pi)
    for _ in range(int(rng.uniform(260, 420))):
        x, y = rng.uniform(0, size, 2)
        level = np.clip(tone[int(y), int(x)] + rng.normal(0, 0.09), 0, 1)
        colour = tint(np.array([level], np.float32), colours)[0] + rng.normal(0, 0.03, 3).astype(np.float32)
        length, width = rng.uniform(12, 34), rng.uniform(6, 14)
        box = cv2.boxPoints(((x, y), (length, width), np.degrees(turn + rng.normal(0, 0.5))))
        cv2.fillConvexPoly(picture, box.astype(np.int32), colour.tolist(), cv2.LINE_AA)
        cv2.fillConvexPoly(height, box.astype(np.int32), (float(rng.random()),), cv2.LINE_AA)
    return _relief(picture, 0.3) + 0.10 * _slope(height)[..., None]


def screen(rng: np.random.Generator, size: int) -> Picture:
    """Screen print: flat inks and a dot screen whose dots grow with the tone."""
    colours = palette(rng, 5)
    tone = ranked(noise(rng, size, size / rng.uniform(1.5, 3), 1))
    flat = tint(tone, colours[2:], hard=True)
    turn, period = rng.uniform(0.2, 1.3), rng.uniform(5.0, 8.0)
    y, x = np.mgrid[:size, :size] * (2 * np.pi / period)
    pattern = np.cos(x * np.cos(turn) + y * np.sin(turn)) + np.cos(y * np.cos(turn) - x * np.sin(turn))
    dots = np.clip((pattern - (tone * 3.6 - 1.6)) * 2.0 + 0.5, 0, 1)[..., None]
    return flat * (1 - dots) + colours[0] * dots


def cutouts(rng: np.random.Generator, size: int) -> Picture:
    """Cut paper: flat shapes on top of each other, with soft shadows or drawn outlines."""
    colours = palette(rng, 7)
    picture = np.ones((size, size, 3), np.float32) * colours[rng.integers(7)]
    outlined = rng.random() < 0.5
    for _ in range(rng.integers(14, 28)):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(0.06, 0.22) * size
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        wave = 1 + rng.uniform(0.1, 0.4) * np.sin(turn * rng.integers(2, 6) + rng.uniform(0, 6))
        shape = (centre + (radius * wave)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.int32)
        mask = np.zeros((size, size), np.float32)
        cv2.fillPoly(mask, [shape], (1.0,), cv2.LINE_AA)
        if not outlined:
            shadow = np.roll(cv2.GaussianBlur(mask, (0, 0), 3), (2, 2), (0, 1))[..., None]
            picture *= 1.0 - 0.35 * shadow
        picture = picture * (1 - mask[..., None]) + colours[rng.integers(7)] * mask[..., None]
        if outlined:
            cv2.polylines(picture, [shape], True, (colours[0] * 0.4).tolist(), 3, cv2.LINE_AA)
    return picture + 0.015 * noise(rng, size, 2.0)[..., None]


MANNERS: dict[str, Callable[[np.random.Generator, int], Picture]] = {
    "strokes": strokes,
    "swirls": swirls,
    "points": points,
    "ink": ink,
    "washes": washes,
    "mosaic": mosaic,
    "woodcut": woodcut,
    "marble": marble,
    "charcoal": charcoal,
    "knife": knife,
    "screen": screen,
    "cutouts": cutouts,
}
"""Name -> how to paint. The order is part of the seed."""


def _lay_strokes(
    rng: np.random.Generator,
    picture: Picture,
    colours: Picture,
    tone: Picture,
    angle: Picture,
    width: float,
    aspect: float,
    part: float,
    jitter: float = 0.07,
) -> None:
    """Paint strokes along `angle` until they would cover `part` of the picture."""
    size = picture.shape[0]
    for _ in range(int(part * 2.2 * size * size / (width * width * aspect))):
        x, y = rng.uniform(0, size, 2)
        level = np.clip(tone[int(y), int(x)] + rng.normal(0, jitter), 0, 1)
        colour = tint(np.array([level], np.float32), colours)[0] + rng.normal(0, 0.035, 3).astype(np.float32)
        path = [(x, y)]
        for _ in range(int(aspect)):
            a = angle[int(np.clip(y, 0, size - 1)), int(np.clip(x, 0, size - 1))]
            x, y = x + width * np.cos(a), y + width * np.sin(a)
            path.append((x, y))
        drawn = (np.array(path) * 8).astype(np.int32)
        cv2.polylines(picture, [drawn], False, colour.tolist(), max(int(width * 0.9), 1), cv2.LINE_AA, shift=3)


def _relief(picture: Picture, strength: float) -> Picture:
    """Light the ridges of thick paint from the upper left."""
    return picture + strength * 0.4 * _slope(picture.mean(axis=2))[..., None]


def _slope(height: Picture) -> Picture:
    return (height - np.roll(cv2.GaussianBlur(height, (0, 0), 0.8), (1, 1), (0, 1))).astype(np.float32)


def _disc(picture: Picture, x: float, y: float, radius: float, colour: Picture) -> None:
    centre = (int(x * 16), int(y * 16))
    cv2.circle(picture, centre, int(radius * 16), colour.tolist(), -1, cv2.LINE_AA, shift=4)


def scattered(rng: np.random.Generator, size: int, pitch: float) -> NDArray[np.float64]:
    """Points (n, 2) on a shaken grid, in random order."""
    count = int(size / pitch) + 2
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2) * pitch
    found = grid + rng.uniform(-0.42, 0.42, grid.shape) * pitch
    rng.shuffle(found)
    return np.clip(found, 0, size - 1)


def cells(sites: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], Picture, Picture]:
    """Nearest site of each pixel, its distance, and that of the second nearest."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    first, second = np.full((size, size), 1e9, np.float32), np.full((size, size), 1e9, np.float32)
    labels = np.zeros((size, size), np.int64)
    for index, (sx, sy) in enumerate(sites):
        distance = np.hypot(x - sx, y - sy).astype(np.float32)
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        labels[nearer] = index
        first = np.minimum(first, distance)
    return labels, first, second


def _lines(rng: np.random.Generator, size: int, angle: float, period: float, width: float) -> Picture:
    """Parallel lines that waver like a hand: 1 on a line."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    across = -x * np.sin(angle) + y * np.cos(angle) + 0.7 * noise(rng, size, 40)
    distance = np.abs((across % period) - period / 2)
    return np.clip(width + 0.5 - distance, 0, 1).astype(np.float32)
