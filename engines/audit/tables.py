"""The same findings as CSV, for those who compute on: one file per question, one line per cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from engines.audit.document import Audit, write_text
from engines.audit.findings import Grid

_HEAD = ("axis", "high_end", "low_end", "primary", "effect", "low", "high", "n", "p", "q", "verdict")


def write_tables(folder: Path, audit: Audit) -> list[str]:
    """Write the CSV files; gives their names.

    Raises:
        EngineError: If the disk refuses.
    """
    s = audit.summary
    texts = {p.name: (p.text, p.theme) for p in s.prompts}
    tables = {
        "prompts.csv": _of_grid(audit, s.own, ("prompt", "text", "theme"), [(r, *texts[r]) for r in s.own.rows]),
        "themes.csv": _of_grid(audit, s.themes, ("theme",), [(row,) for row in s.themes.rows]),
        "added.csv": _of_grid(audit, s.kinds, ("variant",), [(row,) for row in s.kinds.rows]),
        "pairs.csv": _of_grid(
            audit, s.pairs, ("a", "b", "because"), [(pair.a, pair.b, pair.because) for pair in audit.pairs]
        ),
        "variants.csv": _of_texts(audit),
    }
    if audit.moves:
        m = audit.moves
        tables["words.csv"] = [
            ("word", "suspected", "n", "distance", "low", "high", "ratio_to_ordinary", "p", "q_holm"),
            *(
                (word, m.suspected[i], m.n[i], *(_short(c[i]) for c in (m.distance, m.low, m.high, m.ratio, m.p, m.q)))
                for i, word in enumerate(m.words)
            ),
        ]
    if audit.zero_shot:
        tables["zero_shot.csv"] = audit.zero_shot.table()
    for name, rows in tables.items():
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(rows)
        write_text(folder / name, buffer.getvalue())
    return list(tables)


def _of_grid(
    audit: Audit, grid: Grid, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> list[Iterable[object]]:
    lines: list[Iterable[object]] = [(*names, *_HEAD)]
    for r, row in enumerate(rows):
        for k, axis in enumerate(audit.summary.axes):
            cell = (grid.effects[r, k], grid.low[r, k], grid.high[r, k])
            primary = axis.name in audit.summary.primary
            lines.append(
                (
                    *row,
                    *(axis.name, axis.high, axis.low, primary),
                    *map(_short, cell),
                    grid.n[r],
                    *(_short(grid.p[r, k]), _short(grid.q[r, k]), grid.verdict(r, k)),
                )
            )
    return lines


def _of_texts(audit: Audit) -> list[Iterable[object]]:
    m = audit.measured
    lines: list[Iterable[object]] = [
        ("prompt", "variant", "text", "axis", "high_end", "low_end", "effect", "low", "high", "n", "p")
    ]
    for t, text in enumerate(m.texts):
        for k, axis in enumerate(m.axes):
            cell = (m.cells.effects[t, k], m.cells.low[t, k], m.cells.high[t, k])
            head = (m.prompts[text.prompt].name, text.kind, text.words, axis.name, axis.high, axis.low)
            lines.append((*head, *map(_short, cell), text.n, _short(m.cells.p[t, k])))
    return lines


def _short(value: float) -> str:
    return f"{value:.5g}"
