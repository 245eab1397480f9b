"""The report's last sections: another model beside this one, how it was measured, what it cannot say, and from what."""

from __future__ import annotations

from html import escape

import numpy as np

from engines.audit import charts, sentences
from engines.audit.document import Audit, Summary
from engines.audit.findings import FINDING, LEVEL
from engines.audit.statistics.intervals import LEVEL as INTERVAL

_LISTED = 12
_SHARED_WORDS = (
    "Prompts and caption pairs share words and forms. On the axes that were not declared beforehand, even a text model "
    "of random weights gives a finding in about one of six tests of themes, though none on the declared ones. Take "
    "those as hints, and set a random model beside yours.",
)
"""Measured with a BERT of six layers and random weights on the shipped questions, 21 November 2026: 151 of 840."""


def comparison_section(audit: Audit) -> str:
    """Two models side by side, on the prompts and primary axes that both were asked; nothing without a second one."""
    other = audit.other
    if other is None:
        return ""
    s = audit.summary
    here = {prompt.name: i for i, prompt in enumerate(s.prompts)}
    shared = [
        (here[p.name], i)
        for i, p in enumerate(other.prompts)
        if p.name in here and p.text == s.prompts[here[p.name]].text
    ]
    axes = [(k, j) for k in s.measured_primary if (j := other.axis(s.axes[k].name)) is not None]
    if len(shared) < 2 or not axes:
        return '<h2 id="beside">Beside another model</h2><p>The two audits share no prompts or no axes.</p>'
    names = (_name(s), _name(other))
    if names[0] == names[1]:
        names = ("this audit", "the other")
    one, two = np.array([a for a, _ in shared]), np.array([b for _, b in shared])
    parts = []
    for k, j in axes:
        x, y = s.own.effects[one, k], other.own.effects[two, j]
        both = sum(
            s.own.verdict(a, k) == FINDING and other.own.verdict(b, j) == FINDING and x[i] * y[i] > 0
            for i, (a, b) in enumerate(shared)
        )
        axis = s.axes[k]
        likeness = float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else float("nan")
        points = [(float(x[i]), float(y[i]), s.prompts[a].text) for i, (a, _) in enumerate(shared)]
        parts.append(
            f"<figure>{charts.scatter(points, (axis.low, axis.high), names)}<figcaption>{escape(axis.low)} – "
            f"{escape(axis.high)}: correlation {likeness:.2f} over {len(shared)} prompts; "
            f"{both} found by both in the same direction.</figcaption></figure>"
        )
    return (
        f'<h2 id="beside">{escape(names[0])} beside {escape(names[1])}</h2><p>Each point is a prompt; on the diagonal '
        f'the two models agree.</p><div class="beside">{"".join(parts)}</div>{_theme_table(s, other, axes, names)}'
        f"<h3>Where they differ most</h3>{_differences(s, other, shared, axes[0], names)}"
    )


def _theme_table(s: Summary, other: Summary, axes: list[tuple[int, int]], names: tuple[str, str]) -> str:
    rows = [(i, other.themes.rows.index(t), t) for i, t in enumerate(s.themes.rows) if t in other.themes.rows]
    if not rows:
        return ""
    head = "".join(
        f"<th>{escape(s.axes[k].low)} – {escape(s.axes[k].high)}<br>{escape(name)}</th>"
        for k, _ in axes
        for name in names
    )
    body = "".join(
        f'<tr><th scope="row">{escape(theme)}</th>'
        + "".join(
            f"<td>{_bold(sentences.interval(s.themes, a, k), s.themes.verdict(a, k))}</td>"
            f"<td>{_bold(sentences.interval(other.themes, b, j), other.themes.verdict(b, j))}</td>"
            for k, j in axes
        )
        + "</tr>"
        for a, b, theme in rows
    )
    return (
        "<h3>Themes</h3><p class='soft small'>Findings stand bold.</p>"
        f'<div class="wide"><table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _differences(
    s: Summary, other: Summary, shared: list[tuple[int, int]], axis: tuple[int, int], names: tuple[str, str]
) -> str:
    k, j = axis
    ranked = sorted(shared, key=lambda ab: -abs(s.own.effects[ab[0], k] - other.own.effects[ab[1], j]))[:_LISTED]
    body = "".join(
        f'<tr><td class="words">{escape(s.prompts[a].text)}</td>'
        f"<td>{sentences.interval(s.own, a, k)}</td><td>{sentences.interval(other.own, b, j)}</td></tr>"
        for a, b in ranked
    )
    return (
        f'<div class="wide"><table><thead><tr><th>{escape(s.axes[k].low)} – {escape(s.axes[k].high)}</th>'
        f"<th>{escape(names[0])}</th><th>{escape(names[1])}</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def method_section(audit: Audit) -> str:
    """Method, control, limits, versions and hashes."""
    s, m = audit.summary, audit.measured
    tests = s.own.p.size
    found = int((s.own.q <= LEVEL).sum())
    paragraphs = [
        "An effect size says how far a wording lies towards one end of an axis, counted in the scatter of neutral "
        f"things ({m.unit}). {_how(audit)}",
        f"Intervals hold the middle {INTERVAL:.0%} of {m.settings.get('resamples', '')} bootstrap resamples of "
        f"{m.observation} and of how was asked. n counts {m.observation} for a prompt, and prompts for a theme or a "
        "variant.",
        "A prompt is a finding where one more neutral thing would hardly lie as far out; a theme, where shuffling it "
        "with neutral things hardly ever sets it as far apart; a variant, where turning the sign of each prompt’s "
        "shift at "
        "random hardly ever does as much. Themes and variants are permutation tests; no scatter is assumed to be "
        "normal "
        "but that of the neutral things, in the test of single prompts and pairs.",
        f"There are many tests ({tests} of prompts alone), so p is corrected by Benjamini and Hochberg: among "
        "findings at "
        f"q ≤ {LEVEL}, one in twenty is expected to be false. The axes {', '.join(s.primary)} were declared "
        "beforehand and "
        f"are corrected among themselves, all others apart. {found} of the {tests} are findings. Added words are "
        "corrected by Holm.",
    ]
    if audit.control:
        c = audit.control
        power = ", ".join(f"{effect:g}: {part:.0%}" for effect, part in c.power.items())
        paragraphs.append(
            f"Control, on these very numbers: with the labels of themes and neutral things shuffled {c.rounds} times, "
            f"{c.false_tests:.1%} of the single tests fall below 0.05, and {c.false_findings:.2%} remain findings "
            "after the "
            f"correction. A planted effect in {c.n} prompts is found, by size, in – {power} – of the rounds, under a "
            "stricter correction than the one in use. What is smaller than one scatter may well be there and not be "
            "found."
        )
    blind = s.blind_axes
    if blind:
        grids = (("themes", s.themes), ("variants", s.kinds), ("single prompts", s.own))
        counts = ", ".join(
            f"{int((grid.q[:, blind] <= LEVEL).sum())} of {len(grid.rows) * len(blind)} tests of {name}"
            for name, grid in grids
        )
        paragraphs.append(
            f"Blind axes: {len(blind)} axes were asked of which no word can know anything, such as left and right. "
            "Found "
            f"there: {counts}. That much is in the questions and not in the words, for “right” also means correct, "
            "and any "
            "added word moves all prompts a little in one direction. A single finding on an axis nobody expected "
            "deserves "
            "that doubt; a variant counts where it moves further than ordinary words do."
        )
    limits = [
        "It measures a model and not people. A finding is a fact about these weights, hash below, and about no other.",
        "It can only find what is asked. The caption pairs are a few English phrases by a few people; other words "
        "for the "
        "same ends give other numbers, which is what the interval tries to say. Two ends are asked for on each axis, "
        "and "
        "not everybody lies between them.",
        "Prompts of one theme are not independent, and they were chosen, not drawn. Themes speak for these prompts.",
        "“No effect” means none found at this size of sample. It is not proof that there is none.",
        "Axes overlap: what pulls to “beard” pulls to “masculine”. The axes are not added up.",
        *(_SHARED_WORDS if s.route == "words" else ()),
        *m.notes,
    ]
    facts = [
        (
            "Models",
            "<br>".join(
                f"{escape(x.name)}, {escape(x.role)}<br><span class=mono>sha256 {x.sha256 or 'unknown'}</span>"
                for x in s.models
            ),
        ),
        ("List of prompts", f"<span class=mono>sha256 {s.questions}</span>"),
        ("Route", escape(s.route)),
        ("Faces", escape(f"drawn by the pack “{audit.pack}”") if audit.pack else "none"),
        ("Measured", f"{escape(s.date)}; this run took {audit.seconds:.0f} s"),
        ("Versions", escape(", ".join(f"{name} {version}" for name, version in audit.versions.items()))),
        ("Settings", f"<span class=mono>{escape(', '.join(f'{k} = {v}' for k, v in m.settings.items()))}</span>"),
    ]
    return (
        '<h2 id="method">Method</h2>'
        + "".join(f"<p>{escape(p)}</p>" for p in paragraphs)
        + '<h2 id="limits">Limits</h2><ul class="said">'
        + "".join(f"<li>{escape(limit)}</li>" for limit in limits)
        + '</ul><h2 id="versions">From what</h2><dl>'
        + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
        + "</dl><p class='soft small'>The same numbers lie beside this page: audit.json, and CSV files by question.</p>"
    )


def _how(audit: Audit) -> str:
    if audit.summary.route == "words":
        return (
            "A text model turns each wording into a direction; caption pairs such as “a man” and “a woman” say which "
            "way "
            "each end of an axis lies. Every wording is asked in several carrier sentences, and so are the neutral "
            "words, "
            "so that what a carrier pulls by itself cancels."
        )
    return (
        "Faces are found in pictures of each wording, or made by guidance, and encoded into the latent space of the "
        "model "
        "pack; their place along its directions is compared with random faces of the same space."
    )


def _name(s: Summary) -> str:
    models = " and ".join(dict.fromkeys(model.name for model in s.models)) or "unnamed"
    return models if s.route == "words" else f"{models} ({s.route})"


def _bold(text: str, verdict: str) -> str:
    return f"<b>{text}</b>" if verdict == FINDING else text
