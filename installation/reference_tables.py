"""Write `docs/CONFIG.md` from the code: `make docs`, or `python -m installation.reference_tables`.

The tables are made from the models that check `config.toml`, so they cannot say something else than the code does.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from installation.config import Config

CONFIG_PAGE = Path(__file__).resolve().parents[1] / "docs" / "CONFIG.md"

_HEAD = """# config.toml

Every key, made from the code by `make docs`. An empty file is a valid one: what is not set has the default below.
Unknown keys are refused, and all problems are told together. `mirror check` tries a file before doors.
"""


def config_page() -> str:
    """The whole page, as Markdown."""
    lines = [_HEAD]
    for name, field in Config.model_fields.items():
        section: Any = field.annotation
        doc = (section.__doc__ or "").strip().splitlines()[0].removeprefix(f"[{name}]: ")
        lines += [f"## [{name}]", "", doc[:1].upper() + doc[1:], ""]
        lines += [*_table(section), ""]
        for row in _rows(section):
            lines += [f"### {(row.__doc__ or '').strip().splitlines()[0]}", "", *_table(row), ""]
    return "\n".join(lines)


def _table(section: Any) -> list[str]:
    lines = ["| key | default | range | what it does |", "| --- | --- | --- | --- |"]
    for key, field in section.model_fields.items():
        lines.append(f"| `{key}` | {_default(field)} | {_range(field)} | {_cell(field.description or '')} |")
    return lines


def _rows(section: Any) -> list[Any]:
    """Models of which a section holds a list, such as [[display.windows]]; those that name themselves so."""
    kinds = [kind for field in section.model_fields.values() for kind in get_args(field.annotation)]
    return [kind for kind in kinds if (getattr(kind, "__doc__", None) or "").startswith("[[")]


def main() -> None:
    """Write the page."""
    CONFIG_PAGE.write_text(config_page(), "utf-8")
    print(f"wrote {CONFIG_PAGE.relative_to(CONFIG_PAGE.parents[1])}")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, Enum):
        value = value.value
    text = (
        str(value).lower()
        if isinstance(value, bool)
        else repr(value).replace("'", '"').replace("(", "[").replace(")", "]")
    )
    return f"`{_cell(text)}`"


def _range(field: FieldInfo) -> str:
    signs = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}
    bounds = [
        f"{sign} {next(iter(vars_of(part).values())):g}"
        for part in field.metadata
        for kind, sign in signs.items()
        if isinstance(part, kind)
    ]
    return ", ".join(bounds)


def vars_of(bound: Any) -> dict[str, float]:
    """The one number of a bound, by its name."""
    return {name: getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name)}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
