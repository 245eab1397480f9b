"""Charts of the report: inline SVG that fits any width, follows the page's colours and prints.

A track is as wide as its column and is measured in percent, so that points stay round and lines stay thin on a phone,
on a desk and on paper. Every chart has its numbers beside it in words; none needs colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from engines.audit.findings import FINDING, LEAN

TRACK_PX = 22
_MARK = {FINDING: "finding", LEAN: "lean"}


class Scale:
    """Effects to percent of a track, zero in the middle, with a little room at both ends."""

    def __init__(self, reach: float) -> None:
        self.reach = max(reach, 1.0) * 1.06

    def __call__(self, value: float) -> float:
        return 50.0 + 50.0 * float(np.clip(value / self.reach, -1.0, 1.0))


def reach_of(*values: NDArray[np.float64]) -> float:
    """The largest size among all values; 1 if there are none."""
    return max([1.0, *(float(np.abs(v).max()) for v in values if v.size)])


def effect_track(scale: Scale, effect: float, low: float, high: float, verdict: str) -> str:
    """One effect with its interval, over the band of the reference's own scatter."""
    mark, tone = _MARK.get(verdict, "none"), _tone(effect)
    return _svg(
        _band(scale),
        _line("reach", scale(low), scale(high), tone),
        f'<circle class="dot {mark} {tone}" cx="{scale(effect):.2f}%" cy="50%" r="5"/>',
    )


def marks_track(scale: Scale, marks: Sequence[tuple[float, str]]) -> str:
    """Several points on one track, each with a letter: the first is where the others start from."""
    start = scale(marks[0][0])
    lines = "".join(_line("way", start, scale(value), _tone(value - marks[0][0])) for value, _ in marks[1:])
    points = "".join(
        f'<circle class="dot {"origin" if i == 0 else "finding"} {_tone(value - marks[0][0])}" '
        f'cx="{scale(value):.2f}%" cy="50%" r="{9 if i else 5}"/>'
        + (f'<text class="letter" x="{scale(value):.2f}%" y="50%" dy="0.36em">{escape(letter)}</text>' if i else "")
        for i, (value, letter) in enumerate(marks)
    )
    return _svg(_band(scale), lines, points)


def bar_track(value: float, low: float, high: float, most: float, tone: str, mark: float | None = None) -> str:
    """A bar from the left with its interval, and a mark to compare with."""
    part = 100.0 / most
    line = f'<line class="zero" x1="{mark * part:.2f}%" x2="{mark * part:.2f}%" y1="0" y2="100%"/>' if mark else ""
    return _svg(
        f'<rect class="bar {tone}" x="0" y="25%" width="{min(value * part, 100.0):.2f}%" height="50%"/>',
        line,
        _line("reach", low * part, min(high * part, 100.0), "ink"),
    )


def scatter(points: Sequence[tuple[float, float, str]], ends: tuple[str, str], names: tuple[str, str]) -> str:
    """Two models against each other on one axis: (x, y, name) per prompt; on the diagonal they agree."""
    size, edge = 420.0, 34.0
    reach = max([1.0, *(abs(v) for x, y, _ in points for v in (x, y))]) * 1.08

    def place(value: float) -> float:
        return edge + (size - 2 * edge) * (value / reach + 1.0) / 2.0

    dots = "".join(
        f'<circle class="dot finding {_tone(x)}" cx="{place(x):.1f}" cy="{size - place(y):.1f}" r="4">'
        f"<title>{escape(name)}: {x:+.1f}, {y:+.1f}</title></circle>"
        for x, y, name in points
    )
    a, b, middle = place(-reach), place(reach), place(0.0)
    label = f"{names[0]} across, {names[1]} up, from {ends[0]} to {ends[1]}"
    return (
        f'<svg class="scatter" viewBox="0 0 {size:.0f} {size:.0f}" role="img" aria-label="{escape(label)}">'
        f'<rect class="frame" x="{a:.1f}" y="{a:.1f}" width="{b - a:.1f}" height="{b - a:.1f}"/>'
        f'<line class="way ink" x1="{a:.1f}" y1="{b:.1f}" x2="{b:.1f}" y2="{a:.1f}"/>'
        f'<line class="zero" x1="{a:.1f}" y1="{middle:.1f}" x2="{b:.1f}" y2="{middle:.1f}"/>'
        f'<line class="zero" x1="{middle:.1f}" y1="{a:.1f}" x2="{middle:.1f}" y2="{b:.1f}"/>{dots}'
        f'<text class="axis" x="{a:.1f}" y="{size - 12:.1f}">{escape(ends[0])}</text>'
        f'<text class="axis" x="{b:.1f}" y="{size - 12:.1f}" text-anchor="end">{escape(ends[1])}</text>'
        f'<text class="axis" x="{size / 2:.1f}" y="{size - 12:.1f}" text-anchor="middle">{escape(names[0])} →</text>'
        f'<text class="axis" transform="translate(18 {size / 2:.1f}) rotate(-90)" text-anchor="middle">'
        f"{escape(names[1])} →</text></svg>"
    )


def _svg(*parts: str) -> str:
    return f'<svg class="track" width="100%" height="{TRACK_PX}" aria-hidden="true">{"".join(parts)}</svg>'


def _band(scale: Scale) -> str:
    left, right = scale(-1.0), scale(1.0)
    return (
        f'<rect class="band" x="{left:.2f}%" y="0" width="{right - left:.2f}%" height="100%"/>'
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="100%"/>'
    )


def _line(kind: str, a: float, b: float, tone: str) -> str:
    return f'<line class="{kind} {tone}" x1="{a:.2f}%" x2="{b:.2f}%" y1="50%" y2="50%"/>'


def _tone(value: float) -> str:
    return "high" if value >= 0 else "low"
