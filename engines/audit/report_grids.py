"""A grid of findings on the page: a chart for each primary axis, a table for the strongest of the others."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from engines.audit import charts, sentences
from engines.audit.document import Summary
from engines.audit.findings import FINDING, LEVEL, Grid

_TABLE_AXES = 12


def effect_charts(s: Summary, grid: Grid, names: Sequence[str]) -> str:
    """A chart for each primary axis, all to one scale: a row per row of the grid."""
    axes = s.measured_primary
    scale = charts.Scale(charts.reach_of(grid.low[:, axes], grid.high[:, axes]))
    return "".join(_effect_chart(s, grid, axis, names, scale) for axis in axes)


def _effect_chart(s: Summary, grid: Grid, axis: int, names: Sequence[str], scale: charts.Scale) -> str:
    name = s.axes[axis]
    lines = [
        f'<span class="name"><b>{escape(_words_of(name.name))}</b></span><span class="ends">'
        f'<span class="low">← {escape(name.low)}</span><span class="high">{escape(name.high)} →</span></span>'
        '<span class="value"></span>'
    ]
    lines += [
        f'<span class="name">{escape(label)}</span>{effect_track(scale, grid, row, axis)}'
        f'<span class="value">{sentences.interval(grid, row, axis)}</span>'
        for row, label in enumerate(names)
    ]
    return f'<div class="rows">{"".join(lines)}</div>'


def effect_track(scale: charts.Scale, grid: Grid, row: int, axis: int) -> str:
    """One cell of a grid as a track."""
    effect, low, high = (float(part[row, axis]) for part in (grid.effects, grid.low, grid.high))
    return charts.effect_track(scale, effect, low, high, grid.verdict(row, axis))


def heat_table(s: Summary, grid: Grid, names: Sequence[str]) -> str:
    """A table of the axes with the strongest effects among those that are not primary; findings stand bold."""
    rest = [i for i in range(len(s.axes)) if i not in s.apart]
    found = (grid.q <= LEVEL).sum(axis=0)
    ranked = sorted(rest, key=lambda i: (-int(found[i]), -float(np.abs(grid.effects[:, i]).max(initial=0.0))))
    axes = ranked[:_TABLE_AXES]
    if not axes:
        return ""
    most = max(1.0, float(np.abs(grid.effects[:, axes]).max(initial=0.0)))
    head = "".join(f'<th scope="col">{escape(s.axes[i].low)}<br>– {escape(s.axes[i].high)}</th>' for i in axes)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>' + "".join(_cell(grid, row, i, most) for i in axes) + "</tr>"
        for row, name in enumerate(names)
    )
    return f'<div class="wide"><table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(grid: Grid, row: int, axis: int, most: float) -> str:
    effect = float(grid.effects[row, axis])
    said = sentences.number(effect)
    if grid.verdict(row, axis) != FINDING:
        return f'<td class="tint none">{said}</td>'
    tone = "high" if effect >= 0 else "low"
    return f'<td class="tint {tone}" style="--much:{15 + 55 * abs(effect) / most:.0f}"><b>{said}</b></td>'


def _words_of(name: str) -> str:
    return name.replace("_", " ")
