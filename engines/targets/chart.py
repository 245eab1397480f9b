"""Say which axes a target's words pulled, and by how much: as text and as a bar chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from engines.runtime.targets import Target
from engines.targets.captions import Attribute

INK, PAPER, FAINT, HIGH, LOW = "#1c1a18", "#f6f3ee", "#b9b2a8", "#b4532a", "#2f5d73"
ROW, MARGIN, LABEL, HALF = 30, 36, 190, 230  # pixels: row height, margin, label column, half of the bar column
MIN_SPAN = 2.0
"""The chart reaches at least to this effect size, so that a faint word looks faint."""


@dataclass(frozen=True, slots=True)
class Row:
    """One axis of a target, ready to be shown.

    Attributes:
        direction: As the pack calls it.
        low, high: What its ends look like.
        effect: Effect size, or the move where the route has no scores.
        doubt: Standard error of the effect.
        move: Part of the useful range, before the curator.
        weight: The curator's.
    """

    direction: str
    low: str
    high: str
    effect: float
    doubt: float
    move: float
    weight: float

    @property
    def applied(self) -> float:
        """The move that is in the target."""
        return self.move * self.weight


def rows_of(target: Target, named: Mapping[str, tuple[Attribute, int]]) -> list[Row]:
    """Collect what a target knows about each direction, the strongest effect first.

    Args:
        target: Any route's.
        named: Direction -> (attribute, sign), for the words at both ends; a direction without one shows its name.
    """
    known = target.provenance
    rows = []
    for name, move in known.moves.items():
        attribute, sign = named.get(name, (None, 1))
        ends = (attribute.low, attribute.high) if attribute else ("less", name.replace("_", " "))
        low, high = ends if sign > 0 else ends[::-1]
        effect = known.scores.get(name, move)
        weight = known.curation.get(f"direction.{name}", 1.0)
        rows.append(Row(name, low, high, effect, known.doubts.get(name, 0.0), move, weight))
    return sorted(rows, key=lambda row: (-abs(row.effect), row.direction))


def describe(target: Target, rows: list[Row]) -> str:
    """Write a target's reasons as lines of text."""
    known = target.provenance
    lines = [f'{target.name}: "{known.prompt}"' + (f" ({target.label})" if target.label else "")]
    lines.append(f"  route {known.route}, pack {known.pack}, made {known.date}")
    lines += [f"  {m.role}: {m.name}" + (f", sha256 {m.sha256[:16]}..." if m.sha256 else "") for m in known.models]
    if known.seeds:
        lines.append(f"  seeds {', '.join(map(str, known.seeds))}" + (f", {known.steps} steps" if known.steps else ""))
    if note := known.settings.get("note"):
        lines.append(f"  note: {note}")
    bands = {k.removeprefix("band."): w for k, w in known.curation.items() if k.startswith("band.")}
    if bands:
        lines.append("  curator's bands: " + ", ".join(f"{name} {weight:g}" for name, weight in bands.items()))
    if rows:
        unit = "effect size ± doubt" if known.scores else "found in the edit  "
        lines.append(f"  {'direction':<22} {'toward':<24} {unit:>19}  {'move':>6}  applied")
    for row in rows:
        toward = row.high if row.effect >= 0 else row.low
        size = f"{row.effect:+.2f} ± {row.doubt:.2f}" if known.scores else f"{row.effect:+.2f}"
        reason = "" if row.weight == 1.0 else f"  (weight {row.weight:g})"
        lines.append(f"  {row.direction:<22} {toward:<24} {size:>19}  {row.move:+6.2f}  {row.applied:+6.2f}{reason}")
    return "\n".join(lines)


def draw_chart(target: Target, rows: list[Row]) -> Image.Image:
    """Draw the axes of a target as bars: to the right toward the high end, to the left toward the low end.

    A full bar is what moves the face; an outline is measured but left alone by the curator or too faint.
    """
    known = target.provenance
    width = 2 * (MARGIN + LABEL + HALF) + 90
    height = 150 + ROW * max(len(rows), 1) + MARGIN
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    title, text, small = (ImageFont.load_default(size) for size in (30, 16, 13))
    draw.text((MARGIN, 28), _fit(draw, known.prompt, title, width - 2 * MARGIN), INK, title)
    readers = ", ".join(f"{m.name} {m.sha256[:8]}" for m in known.models)
    unit = "effect size against neutral words" if known.scores else "parts of each direction's useful range"
    draw.text((MARGIN, 72), _fit(draw, f"{unit}; {readers}", small, width - 2 * MARGIN), INK, small)
    draw.text((MARGIN, 92), "full bar: moves the face; outline: measured, not applied", INK, small)
    centre, top = MARGIN + LABEL + HALF, 126
    span = max([MIN_SPAN, *(abs(row.effect) + row.doubt for row in rows)])
    for tick in range(-int(span), int(span) + 1):
        x = centre + HALF * tick / span
        draw.line((x, top, x, top + ROW * len(rows)), FAINT, 2 if tick == 0 else 1)
        draw.text((x, top + ROW * len(rows) + 6), f"{tick:+d}" if tick else "0", INK, small, anchor="ma")
    for i, row in enumerate(rows):
        y = top + ROW * i + ROW / 2
        x = centre + HALF * row.effect / span
        box = (min(x, centre), y - 8, max(x, centre), y + 8)
        colour = HIGH if row.effect >= 0 else LOW
        draw.rectangle(box, colour if abs(row.applied) >= 0.01 else PAPER, colour)
        for end in (row.effect - row.doubt, row.effect + row.doubt):
            mark = centre + HALF * end / span
            draw.line((x, y, mark, y), INK)
            draw.line((mark, y - 3, mark, y + 3), INK)
        draw.text((MARGIN + LABEL - 8, y), row.low, INK if row.effect < 0 else FAINT, text, anchor="rm")
        draw.text((centre + HALF + 8, y), row.high, INK if row.effect >= 0 else FAINT, text, anchor="lm")
        draw.text((width - MARGIN, y), f"{row.effect:+.2f}", INK, text, anchor="rm")
    return image


def _fit(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten `text` until it fits into `width` pixels."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."
