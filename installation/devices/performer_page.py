"""The tables of `docs/PERFORMER.md`, written from the code: controls and sources.

python -m installation.devices.performer_page [--check]     rewrites what is between the markers
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from installation.core.audio_features import SOURCES as AUDIO_SOURCES
from installation.core.control import Control, Kind
from installation.core.controls import DEFAULT_VIEWS, ControlTable, control_table
from installation.core.glide import EASING_NAMES
from installation.devices.source_names import FACE_SOURCES, HAND_SOURCES, VISIT_SOURCES

PAGE = Path(__file__).parents[2] / "docs" / "PERFORMER.md"
BEGIN, END = "<!-- {}: written by python -m installation.devices.performer_page -->", "<!-- end of {} -->"

PAGE_VIEWS = (*DEFAULT_VIEWS, "strip", "ghosts")
"""The views of the show; the display has their drawings, and an edge does not import another."""


def control_rows(table: ControlTable) -> Iterator[tuple[str, str, str, str, str]]:
    """(address, type, range, default, help) of each row, for people."""
    for row in table.values():
        yield row.address, _type(row), _range(row), _default(row), row.help


def write_tables(text: str) -> str:
    """The page with its tables as the code has them now.

    Raises:
        ValueError: If a marker is missing.
    """
    table = control_table(("TARGET",), ("DIRECTION",), looks=("LOOK",), views=PAGE_VIEWS, num_ws=18, styles=("STYLE",))
    controls = _markdown(("address", "type", "range", "default", "what it does"), control_rows(table))
    rows = [(f"`audio.{name}`",) for name in AUDIO_SOURCES]
    rows += [(f"`{name}`",) for name in (*FACE_SOURCES, *HAND_SOURCES, *VISIT_SOURCES, "lfo.NAME", "feed.NAME")]
    sources = ", ".join(name for (name,) in rows) + "\n"
    easings = ", ".join(f"`{name}`" for name in EASING_NAMES) + "\n"
    for name, body in (("controls", controls), ("sources", sources), ("easings", easings)):
        text = _replace(text, name, body)
    return text


def main(argv: Sequence[str]) -> int:
    """Rewrite the page, or with `--check` tell whether it is up to date (exit code 1 if not)."""
    text = PAGE.read_text()
    fresh = write_tables(text)
    if "--check" in argv:
        return int(fresh != text)
    PAGE.write_text(fresh)
    return 0


def _replace(text: str, name: str, body: str) -> str:
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in text or end not in text:
        raise ValueError(f"{PAGE.name} needs the lines {begin!r} and {end!r}")
    head, rest = text.split(begin, 1)
    _, tail = rest.split(end, 1)
    return f"{head}{begin}\n{body}{end}{tail}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for address, *rest in rows:
        lines.append(f"| `{address}` | " + " | ".join(cell.replace("|", "\\|") for cell in rest) + " |")
    return "\n".join(lines) + "\n"


def _type(row: Control) -> str:
    return {Kind.COMMAND: "command", Kind.SIGNAL: "sent by the mirror"}.get(row.kind, row.kind.value)


def _range(row: Control) -> str:
    if row.kind is Kind.CHOICE:
        return ", ".join(row.choices)
    if row.kind in (Kind.FLOAT, Kind.INT):
        return f"{row.low:g} to {row.high:g}{f' {row.unit}' if row.unit else ''}"
    return "0, 1" if row.kind is Kind.TOGGLE else ""


def _default(row: Control) -> str:
    if row.kind in (Kind.COMMAND, Kind.SIGNAL):
        return ""
    return row.choices[round(row.default)] if row.kind is Kind.CHOICE else f"{row.default:g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
