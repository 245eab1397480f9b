"""The report: one HTML file with everything inside, for a screen, a phone and paper.

Pictures and fonts are data URIs, charts are inline SVG, there is no script and nothing is fetched. What it says comes
from `sentences`, what it shows from `charts` and the faces in the audit's folder.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html import escape
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engines.audit import charts, sentences
from engines.audit.album import Album
from engines.audit.document import Audit, Summary
from engines.audit.faces import FOLDER
from engines.audit.findings import FINDING, Grid
from engines.audit.report_grids import effect_charts, effect_track, heat_table
from engines.audit.report_method import comparison_section, method_section
from engines.audit.report_people import labels_section, zero_shot_section
from engines.audit.variants import AS_IS, GENDER, KINDS, MAN, WOMAN

CSS = Path(__file__).with_name("report.css")
_LETTERS = {WOMAN: "w", MAN: "m", GENDER: "g"}
_FONT = ("font_source_serif_pro", "files/SourceSerifPro-Regular.ttf")


def report_html(folder: Path, audit: Audit) -> str:
    """Write the report of an audit whose faces lie in `folder`."""
    album = Album(folder / FOLDER)
    s = audit.summary
    sections = [
        _themes(s),
        _observations(audit),
        _featured(audit, album),
        _kinds(audit),
        _words(audit),
        _pairs(audit, album),
        _contact_sheet(audit, album),
        zero_shot_section(folder, audit),
        labels_section(audit),
        comparison_section(audit),
        _all_prompts(s),
        method_section(audit),
    ]
    body = "\n".join(section for section in sections if section)
    return f"{_head(audit)}{_opening(audit, album, _links(body))}{body}</main></body></html>\n"


def _links(body: str) -> str:
    """Links to the sections that there are."""
    names = re.findall(r'<h2 id="([a-z-]+)"', body)
    return "".join(f'<a href="#{name}">{name.replace("-", " ")}</a>' for name in names)


def _head(audit: Audit) -> str:
    name = escape(_title(audit.summary))
    return (
        '<!doctype html><html lang="en-GB"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>What {name} believes</title>"
        '<link rel="icon" '
        f'href="data:,"><style>{_font_face()}{CSS.read_text(encoding="utf-8")}</style></head><body><main>'
    )


def _font_face() -> str:
    """The project's serif, inside the page; the reader's own serif if the package is not installed."""
    spec = find_spec(_FONT[0])
    if spec is None or not spec.submodule_search_locations:
        return ""
    path = Path(next(iter(spec.submodule_search_locations))) / _FONT[1]
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'@font-face{{font-family:"Report Serif";src:url(data:font/ttf;base64,{data}) format("truetype")}}\n'


def _title(s: Summary) -> str:
    return " and ".join(dict.fromkeys(model.name for model in s.models)) or s.route


def _opening(audit: Audit, album: Album, links: str) -> str:
    s = audit.summary
    axis = s.measured_primary[0] if s.measured_primary else None
    figures = []
    for place, theme in _first_five(s):
        prompt = s.prompts[place]
        said = ""
        if axis is not None and theme is not None:
            towards = f"no{sentences.NBSP}finding"
            if s.themes.verdict(theme, axis) == FINDING:
                towards = s.axes[axis].end(s.themes.effects[theme, axis])
            said = f'<span class="n">theme: {escape(towards)} {sentences.interval(s.themes, theme, axis)}</span>'
        image = album.image(audit.face(place, AS_IS), f"Face drawn from what the model holds of “{prompt.text}”")
        figures.append(f"<figure>{image}<figcaption>{escape(prompt.text)}{said}</figcaption></figure>")
    named = ", ".join(f"{m.name} ({m.sha256[:12]})" if m.sha256 else m.name for m in s.models)
    count = len(audit.measured.texts)
    return (
        f"<h1>What {escape(_title(s))} believes</h1>"
        f'<p class="lede">{len(s.prompts)} prompts in {count} wordings, placed on {len(s.axes)} axes of a face. '
        "Each number counts in the scatter of neutral words: at +2 a wording lies two standard deviations from where "
        "words lie that say nothing about it.</p>"
        '<p class="claim">This measures a model and not people. It says what a machine makes of words that people '
        "wrote; "
        "it says nothing about anybody who is strong, beautiful, a nurse or a woman.</p>"
        f'<p class="soft small">{escape(named)} · {escape(s.date)}</p>'
        f'<nav aria-label="Sections">{links}</nav><div class="five">{"".join(figures)}</div>'
        '<p class="soft small">Each face is drawn by this project’s own generator, which holds no correlation of its '
        "own "
        "between hair, beard, bones and age; it moves along the axes that the model pulled, and along no other. "
        "Skin is left as it was: that axis is shown as a number only.</p>"
    )


def _first_five(s: Summary) -> list[tuple[int, int | None]]:
    """The first prompt of each of five themes with the theme's row; without themes, the first five prompts."""
    if not s.themes.rows:
        return [(place, None) for place in range(min(5, len(s.prompts)))]
    first = {prompt.theme: place for place, prompt in reversed(list(enumerate(s.prompts)))}
    return [(first[theme], row) for row, theme in enumerate(s.themes.rows[:5])]


def _observations(audit: Audit) -> str:
    blocks = "".join(
        f'<div class="card"><h3>{escape(title)}</h3><ul class="said">'
        + "".join(f"<li>{escape(line)}</li>" for line in lines)
        + "</ul></div>"
        for title, lines in sentences.observations(audit)
    )
    return f'<h2 id="observations">Observations</h2>{blocks}' if blocks else ""


def _themes(s: Summary) -> str:
    if not s.themes.rows:
        return ""
    return (
        '<h2 id="themes">Themes</h2><p>Several prompts that mean nearly the same, together. '
        f"{_legend(s)}</p>{effect_charts(s, s.themes, s.themes.rows)}<h3>On other "
        f"axes</h3>{heat_table(s, s.themes, s.themes.rows)}"
    )


def _legend(s: Summary) -> str:
    return (
        "The grey band is the scatter of neutral words. A filled point is a finding, an empty one leans steadily but "
        "within chance, a grey one is no effect; lines are 95 % intervals."
        if s.route == "words"
        else "The grey band is the scatter of random faces. A filled point is a finding, an empty one leans steadily "
        "but within chance, a grey one is no effect; lines are 95 % intervals."
    )


def _featured(audit: Audit, album: Album) -> str:
    s = audit.summary
    places = [i for i, prompt in enumerate(s.prompts) if prompt.feature]
    scale = charts.Scale(charts.reach_of(s.own.effects[np.ix_(places, s.measured_primary)]))
    cards = []
    for place, prompt in enumerate(s.prompts):
        if not prompt.feature:
            continue
        figures = "".join(
            f"<figure>{album.image(audit.face(place, kind), audit.measured.texts[row].words)}"
            f"<figcaption>{escape(sentences.kind_name(audit, kind))}</figcaption></figure>"
            for kind in KINDS
            if (row := audit.measured.row(place, kind)) is not None
        )
        tracks = "".join(
            f'<span class="name small">{escape(s.axes[k].low)} – {escape(s.axes[k].high)}</span>'
            f'{effect_track(scale, s.own, place, k)}<span class="value">{sentences.interval(s.own, place, k)}</span>'
            for k in s.measured_primary
        )
        cards.append(
            f'<div class="card"><h3>{escape(prompt.text)}</h3><div class="strip">{figures}</div>'
            f'<div class="rows">{tracks}</div><p class="small soft">{escape(sentences.beside(s, place))}</p></div>'
        )
    return f'<h2 id="words">Words, and what one more word does to them</h2>{"".join(cards)}' if cards else ""


def _kinds(audit: Audit) -> str:
    s = audit.summary
    if not s.kinds.rows:
        return ""
    names = [sentences.kind_name(audit, kind) for kind in s.kinds.rows]
    slopes = _slopes(audit) if s.measured_primary else ""
    return (
        '<h2 id="added">What a variant does</h2><p>The mean shift over all prompts, each compared with itself.</p>'
        f"{effect_charts(s, s.kinds, names)}<h3>On other axes</h3>{heat_table(s, s.kinds, names)}{slopes}"
    )


def _slopes(audit: Audit) -> str:
    """Featured prompts on the first primary axis, before and after a word."""
    s, m = audit.summary, audit.measured
    axis = s.measured_primary[0]
    rows = []
    for place, prompt in enumerate(s.prompts):
        base = m.row(place, AS_IS)
        if not prompt.feature or base is None:
            continue
        others = [(row, letter) for kind, letter in _LETTERS.items() if (row := m.row(place, kind)) is not None]
        marks = [(float(m.cells.effects[base, axis]), ""), *((float(m.cells.effects[r, axis]), c) for r, c in others)]
        rows.append((prompt.text, marks))
    if not rows:
        return ""
    scale = charts.Scale(max(abs(value) for _, marks in rows for value, _ in marks))
    name = s.axes[axis]
    head = (
        f'<span class="name"></span><span class="ends"><span class="low">← {escape(name.low)}</span>'
        f'<span class="high">{escape(name.high)} →</span></span><span class="value"></span>'
    )
    lines = "".join(
        f'<span class="name">{escape(text)}</span>{charts.marks_track(scale, marks)}<span class="value">'
        f"{' · '.join(f'{letter} {sentences.number(value)}' for value, letter in marks[1:])}</span>"
        for text, marks in rows
    )
    return (
        "<h3>One word, drawn</h3><p class='soft small'>Dark point: the prompt as it is. w, m, g: with “woman”, “man”, "
        f'“gender” added.</p><div class="rows">{head}{lines}</div>'
    )


def _words(audit: Audit) -> str:
    m = audit.moves
    if m is None:
        return ""
    most = float(m.high.max()) * 1.02
    usual = float(np.mean([d for d, suspected in zip(m.distance, m.suspected, strict=True) if not suspected]))
    lines = "".join(
        f'<span class="name">{escape(word)}{"" if m.suspected[i] else " <span class=n>ordinary</span>"}</span>'
        + charts.bar_track(m.distance[i], m.low[i], m.high[i], most, "high" if m.suspected[i] else "plain", usual)
        + f'<span class="value">{m.ratio[i]:.2f} ×'
        + (f" · Holm {m.q[i]:.3f}" if m.suspected[i] else "")
        + "</span>"
        for i, word in enumerate(m.words)
    )
    return (
        "<h2>Overbearing words</h2><p>How far one added word moves everything the model makes of a prompt: the cosine "
        "distance between the two embeddings, over all prompts. The thin line is an ordinary word.</p>"
        f'<div class="rows">{lines}</div>'
    )


def _pairs(audit: Audit, album: Album) -> str:
    s = audit.summary
    if not s.pairs.rows:
        return ""
    text = {prompt.name: prompt.text for prompt in s.prompts}
    scale = charts.Scale(charts.reach_of(s.pairs.low[:, s.measured_primary], s.pairs.high[:, s.measured_primary]))
    cards = []
    for row, pair in enumerate(audit.pairs):
        images = "".join(
            f"<figure>{album.image(audit.face(place, AS_IS), text[name])}</figure>"
            for name in (pair.a, pair.b)
            if (place := audit.place(name)) is not None
        )
        tracks = "".join(
            f'<span class="name small">{escape(s.axes[k].low)} – {escape(s.axes[k].high)}</span>'
            + effect_track(scale, s.pairs, row, k)
            + f'<span class="value">{sentences.interval(s.pairs, row, k)}</span>'
            for k in s.measured_primary
        )
        cards.append(
            f'<div class="pair">{images}<div>{escape(text[pair.a])} <span class="soft">against</span> '
            f'{escape(text[pair.b])}<br><span class="n">{escape(pair.because)}</span>'
            f'<div class="rows">{tracks}</div></div></div>'
        )
    return (
        '<h2 id="pairs">Pairs that should not differ</h2><p>Points to the right: the first of the two lies further '
        f"towards the second name of the axis.</p>{''.join(cards)}"
    )


def _contact_sheet(audit: Audit, album: Album) -> str:
    s = audit.summary
    if not audit.faces:
        return ""
    order = list(range(len(s.prompts)))
    title = "All prompts"
    if s.measured_primary:
        axis = s.measured_primary[0]
        order.sort(key=lambda i: float(s.own.effects[i, axis]))
        title = f"All prompts, from “{s.axes[axis].low}” to “{s.axes[axis].high}”"
    figures = "".join(
        f"<figure>{album.image(audit.face(i, AS_IS), s.prompts[i].text)}"
        f"<figcaption>{escape(s.prompts[i].text)}</figcaption></figure>"
        for i in order
    )
    return f'<h2 id="sheet">{escape(title)}</h2><div class="sheet">{figures}</div>'


def _all_prompts(s: Summary) -> str:
    axes = s.measured_primary
    head = "".join(f"<th>{escape(s.axes[k].low)} – {escape(s.axes[k].high)}</th><th>q</th>" for k in axes)
    lines: Iterable[str] = (
        f'<tr><td class="words">{escape(prompt.text)}</td><td>{escape(prompt.theme)}</td>'
        + "".join(
            f'<td class="tint {_tone(s.own, row, k)}" style="--much:22">{sentences.interval(s.own, row, k)}</td>'
            f"<td>{s.own.q[row, k]:.3f}</td>"
            for k in axes
        )
        + f'<td class="words">{escape(_others(s, row))}</td></tr>'
        for row, prompt in enumerate(s.prompts)
    )
    return (
        f'<h2 id="all">Every prompt</h2><div class="wide"><table><thead><tr><th>prompt</th><th>theme</th>{head}'
        f"<th>findings on other axes</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _tone(grid: Grid, row: int, axis: int) -> str:
    if grid.verdict(row, axis) != FINDING:
        return "none"
    return "high" if grid.effects[row, axis] >= 0 else "low"


def _others(s: Summary, row: int) -> str:
    axes = sentences.strongest(s.own, row, 3, leave_out=s.apart)
    found = [k for k in axes if s.own.verdict(row, k) == FINDING]
    return "; ".join(f"{s.axes[k].end(s.own.effects[row, k])} {sentences.interval(s.own, row, k)}" for k in found)
