"""Findings in plain words, each with its number, its interval and its n; and "no effect" where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.audit.document import Audit, Summary
from engines.audit.findings import FINDING, LEAN, LEVEL, Grid
from engines.audit.variants import OVERBEARING, WOMAN

NBSP = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """A signed number with a real minus: "+1.2", "−0.4", "0.0"."""
    said = f"{value:+.1f}"
    return "0.0" if said in ("+0.0", "-0.0") else said.replace("-", "−")


def interval(grid: Grid, row: int, axis: int) -> str:
    """ "+1.2 [+0.3, +2.0]", not to be broken over lines."""
    said = f"{number(grid.effects[row, axis])} [{number(grid.low[row, axis])}, {number(grid.high[row, axis])}]"
    return said.replace(" ", NBSP)


def chance(q: float) -> str:
    """ "q < 0.001" or "q = 0.032", not to be broken over lines."""
    said = "q < 0.001" if q < 0.0005 else f"q = {q:.3f}"
    return said.replace(" ", NBSP)


def strongest(grid: Grid, row: int, count: int, *, leave_out: Sequence[int] = ()) -> list[int]:
    """Axes on which a row has findings, or else leans: the strongest first, at most `count`."""
    order = [int(i) for i in np.argsort(-np.abs(grid.effects[row])) if i not in leave_out]
    found = [i for i in order if grid.verdict(row, i) == FINDING]
    return (found or [i for i in order if grid.verdict(row, i) == LEAN])[:count]


def lean(summary: Summary, grid: Grid, row: int, axis: int, subject: str) -> str:
    """One cell as a sentence.

    A finding "leans to"; a lean says that it is steady, but within chance; nothing is said to be "no effect".
    """
    name = summary.axes[axis]
    said = f"{interval(grid, row, axis)}, n{NBSP}={NBSP}{grid.n[row]}, {chance(grid.q[row, axis])}"
    verdict = grid.verdict(row, axis)
    if verdict == FINDING:
        return f"{subject} leans to “{name.end(grid.effects[row, axis])}”: {said}."
    if verdict == LEAN:
        return (
            f"{subject} leans a little to “{name.end(grid.effects[row, axis])}” ({said}): steady, "
            "but not beyond what chance gives among so many tests."
        )
    return f"{subject}: no effect between “{name.low}” and “{name.high}” ({said})."


def beside(summary: Summary, row: int) -> str:
    """What else a prompt pulls, in one line: findings on axes that are not primary, or else its steadiest leans."""
    axes = strongest(summary.own, row, 4, leave_out=summary.apart)
    if not axes:
        return "On no other axis does it lean steadily."
    said = "; ".join(
        f"{summary.axes[k].end(summary.own.effects[row, k])} {interval(summary.own, row, k)}" for k in axes
    )
    if summary.own.verdict(row, axes[0]) == FINDING:
        return f"Findings on other axes: {said}."
    return f"On other axes it leans within chance, most to: {said}."


def moved(audit: Audit, row: int, axis: int) -> str:
    """What a kind of variant does on one axis, as half a sentence; a q below 0.001 is left unsaid."""
    s = audit.summary
    name, grid = s.axes[axis], s.kinds
    q, effect = grid.q[row, axis], float(grid.effects[row, axis])
    said = interval(grid, row, axis) + ("" if q < 0.0005 else f" ({chance(q)})")
    verdict = grid.verdict(row, axis)
    if verdict == LEAN:
        return f"{name.end(effect)} {said}, but within chance"
    if verdict != FINDING:
        return f"{name.low} – {name.high}: no effect, {said}"
    usual = audit.ordinary_range(axis)
    if usual is not None and usual[0] <= effect <= usual[1]:
        return f"{name.end(effect)} {said}, no more than some ordinary word"
    return f"{name.end(effect)} {said}"


def kind_name(audit: Audit, kind: str) -> str:
    """The name of a kind, with the word that was added."""
    if kind != OVERBEARING:
        return kind
    text = next((t.words for t in audit.measured.texts if t.kind == kind), "")
    return f"+ {text.rpartition(', ')[2]}" if text else kind


def five_words(summary: Summary) -> list[tuple[str, str]]:
    """The themes' verdict on the first primary axis: (theme, sentence)."""
    if not summary.measured_primary:
        return []
    axis = summary.measured_primary[0]
    return [(t, lean(summary, summary.themes, row, axis, f"“{t}”")) for row, t in enumerate(summary.themes.rows)]


def observations(audit: Audit) -> list[tuple[str, list[str]]]:
    """The questions of the work, answered: (question, sentences). Questions that were not asked are left out."""
    s = audit.summary
    found: list[tuple[str, list[str]]] = []
    primary = s.measured_primary
    themes = [
        lean(s, s.themes, row, axis, f"The theme “{s.themes.rows[row]}”")
        for row in range(min(5, len(s.themes.rows)))
        for axis in primary
        if axis == primary[0] or s.themes.verdict(row, axis) == FINDING
    ]
    if themes:
        found.append((f"Where do {_listed(s.themes.rows[:5])} lean?", themes))
    if WOMAN in s.kinds.rows:
        added = []
        for row, kind in enumerate(s.kinds.rows):
            axes = [*primary, *strongest(s.kinds, row, 1, leave_out=s.apart)]
            said = "; ".join(moved(audit, row, axis) for axis in axes)
            added.append(f"{kind_name(audit, kind)}, in {s.kinds.n[row]} prompts – {said}.")
        usual = [
            f"{s.axes[k].low} – {s.axes[k].high} by {number(reach[0])} to {number(reach[1])}"
            for k in primary
            if (reach := audit.ordinary_range(k)) is not None
        ]
        if usual:
            added.append(f"For comparison, ordinary words shift a prompt on {'; '.join(usual)}.")
        found.append(("What does “+ woman” do, and what do the other variants?", added))
    for title, names in (
        ("What happens to “portrait of a person”?", ("portrait_of_a_person",)),
        ("The weak gender, the strong gender", ("weak_gender", "strong_gender")),
    ):
        rows = [place for name in names if (place := audit.place(name)) is not None]
        if rows:
            found.append((title, [sentence for row in rows for sentence in _prompt(s, row)]))
    if s.pairs.rows:
        found.append(("Pairs that differ though they should not", _pairs(audit)))
    if audit.moves:
        found.append(("Which added words are overbearing?", _words(audit)))
    return found


def _prompt(s: Summary, row: int) -> list[str]:
    subject = f"“{s.prompts[row].text}”"
    sentences = [lean(s, s.own, row, axis, subject) for axis in s.measured_primary]
    others = strongest(s.own, row, 2, leave_out=s.apart)
    return [*sentences, *(lean(s, s.own, row, axis, subject) for axis in others if s.own.verdict(row, axis) == FINDING)]


def _pairs(audit: Audit) -> list[str]:
    s = audit.summary
    text = {prompt.name: prompt.text for prompt in s.prompts}
    sentences, same = [], []
    for row, pair in enumerate(audit.pairs):
        axes = [axis for axis in s.measured_primary if s.pairs.verdict(row, axis) == FINDING]
        if not axes:
            same.append(f"{text[pair.a]} / {text[pair.b]}")
        for axis in axes:
            end = s.axes[axis].end(s.pairs.effects[row, axis])
            sentences.append(
                f"“{text[pair.a]}” lies further to “{end}” than “{text[pair.b]}”: {interval(s.pairs, row, axis)}, "
                f"{chance(s.pairs.q[row, axis])}; yet {pair.because}."
            )
    if same:
        sentences.append(f"No difference beyond chance: {'; '.join(same)}.")
    return sentences


def _words(audit: Audit) -> list[str]:
    m = audit.moves
    assert m is not None
    more = [i for i, word in enumerate(m.words) if m.suspected[i] and m.q[i] <= LEVEL and m.ratio[i] > 1.0]
    less = [i for i, word in enumerate(m.words) if m.suspected[i] and m.q[i] <= LEVEL and m.ratio[i] < 1.0]
    said = [f"{m.words[i]} ({m.ratio[i]:.2f} times as far, Holm q = {m.q[i]:.3f})" for i in more]
    first = (
        f"Further than an ordinary word moves a prompt: {', '.join(said)}."
        if said
        else "None of the suspected words moves a prompt further than an ordinary word does."
    )
    tame = [f"{m.words[i]} ({m.ratio[i]:.2f})" for i in less]
    second = f"Less far than an ordinary word: {', '.join(tame)}." if tame else ""
    axis = audit.summary.measured_primary
    third = ""
    if axis:
        k = axis[0]
        furthest = int(np.argmax(np.abs(m.shifts[:, k])))
        name = audit.summary.axes[k]
        third = (
            f"Yet on the axis {name.low} – {name.high}, “{m.words[furthest]}” shifts a prompt furthest: "
            f"{number(m.shifts[furthest, k])} towards “{name.end(m.shifts[furthest, k])}”."
        )
    return [sentence for sentence in (first, second, third) if sentence]


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
