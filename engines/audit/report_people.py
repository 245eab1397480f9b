"""The report's sections about portraits: what a vision-language model calls them, and what people do."""

from __future__ import annotations

from html import escape
from pathlib import Path

from engines.audit.album import Album
from engines.audit.document import Audit
from engines.audit.labels import Agreement
from engines.audit.sitters import FACTORS, FOLDER, file_name
from engines.audit.zero_shot import Rate, ZeroShot
from engines.runtime.targets import LABELS


def zero_shot_section(folder: Path, audit: Audit) -> str:
    """Portraits, and tables of rates, a table per factor; nothing if no such model was asked."""
    z = audit.zero_shot
    if z is None:
        return ""
    categories = list(dict.fromkeys(rate.category for rate in z.rates))
    tables = []
    for factor, levels in FACTORS.items():
        cells = {(r.level, r.category): r for r in z.rates if r.factor == factor}
        tests = {category: (spread, p, q) for f, category, spread, p, q in z.tests if f == factor}
        head = "".join(f'<th scope="col">{escape(level)}</th>' for level in levels)
        body = "".join(
            f'<tr><th scope="row">{escape(category.replace("_", " "))}</th>'
            + "".join(_rate(cells[level, category]) for level in levels)
            + f"<td>{100 * tests[category][0]:.0f}</td><td>{_q(tests[category][2])}</td></tr>"
            for category in categories
        )
        tables.append(
            f'<h3>By {escape(factor)}</h3><div class="wide"><table><thead><tr><th>called, % of portraits</th>{head}'
            f"<th>widest difference</th><th>q</th></tr></thead><tbody>{body}</tbody></table></div>"
        )
    found = [test for test in z.tests if test[4] <= 0.05]
    said = (
        "; ".join(
            f"{category.replace('_', ' ')} by {factor} ({100 * spread:.0f} points)"
            for factor, category, spread, _, _ in found
        )
        or "none: the model’s choice does not depend on skin, age or gender expression beyond chance"
    )
    chosen = ", ".join(f"{word} {count}" for word, count in list(z.chosen.items())[:8])
    return (
        f'<h2 id="zero-shot">What {escape(z.model.name)} calls the same people</h2>'
        f"<p>{z.portraits} portraits: the same few drawn people in every skin tone, age and gender expression, nothing "
        "else changed. The model must choose one word for each. In brackets: how far other people would change a "
        "rate; q: "
        f"whether its difference is chance among these portraits. Differences beyond chance: {escape(said)}.</p>"
        f'<p class="soft small">Words it chose most: {escape(chosen)}. Model {escape(z.model.sha256[:12])}.</p>'
        f"{_portraits(folder, z)}{''.join(tables)}"
    )


def _portraits(folder: Path, z: ZeroShot) -> str:
    """One person in twelve ways, and the portraits that the model was surest of."""
    album = Album(folder / FOLDER)
    one = "".join(
        f"<figure>{album.image(file_name(i), f'The same person, {how}')}<figcaption>{escape(how)}</figcaption></figure>"
        for i, how in z.shown.items()
    )
    rows = "".join(
        f'<h3>Surest of “{escape(category.replace("_", " "))}”</h3><div class="strip">'
        + "".join(f"<figure>{album.image(file_name(i), f'Portrait {i}')}</figure>" for i in examples)
        + "</div>"
        for category, examples in z.examples.items()
    )
    return f'<div class="twelve">{one}</div><details><summary>Portraits by category</summary>{rows}</details>'


def labels_section(audit: Audit) -> str:
    """What people said about the pictures, and how far two of them agree; nothing if nobody labelled."""
    labelling = audit.labelling
    if labelling is None:
        return ""
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in LABELS)
    body = "".join(
        f'<tr><th scope="row">{escape(who)}</th>'
        + "".join(f"<td>{list(given.values()).count(label)}</td>" for label in LABELS)
        + f"<td>{len(given)}</td></tr>"
        for who, given in labelling.labels.items()
    )
    return (
        '<h2 id="labels">What people said</h2><p>Labels are given by people, never by a program. Kappa is agreement '
        "beyond "
        "chance: 1 is perfect, 0 is what chance gives.</p>"
        "<div "
        f'class="wide"><table><thead><tr><td></td>{head}<th>pictures</th></tr></thead><tbody>{body}</tbody></table>'
        f"</div>{''.join(_agreement(x) for x in labelling.agreements)}"
    )


def _agreement(x: Agreement) -> str:
    if x.kappa != x.kappa:
        said = f"both gave one and the same label to all {x.n} pictures, so chance alone would agree and kappa says "
        "nothing"
    else:
        said = (
            f"kappa {x.kappa:.2f} [{x.low:.2f}, {x.high:.2f}], with neighbours half-counted {x.weighted:.2f}, n = {x.n}"
        )
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in LABELS)
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>' + "".join(f"<td>{count}</td>" for count in row) + "</tr>"
        for label, row in zip(LABELS, x.table, strict=True)
    )
    return (
        f"<h3>{escape(x.a)} and {escape(x.b)}</h3><p>{escape(said)}.</p>"
        f'<div class="wide"><table><thead><tr><th>{escape(x.a)} ↓ {escape(x.b)} →</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rate(rate: Rate) -> str:
    return (
        f'<td class="tint high" style="--much:{60 * rate.rate:.0f}">{100 * rate.rate:.0f} '
        f'<span class="n">[{100 * rate.low:.0f}, {100 * rate.high:.0f}]</span></td>'
    )


def _q(q: float) -> str:
    return f"<b>{q:.3f}</b>" if q <= 0.05 else f"{q:.3f}"
