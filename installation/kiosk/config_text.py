"""Write a config as TOML: for kiosks that are started with a changed copy of the operator's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from installation.config import Config


def as_toml(config: Config) -> str:
    """The keys that differ from their defaults; reading it back gives an equal config."""
    lines: list[str] = []
    for name, values in config.model_dump(mode="json", exclude_defaults=True).items():
        _write_table(lines, name, values)
    return "\n".join(lines) + "\n"


def _write_table(lines: list[str], name: str, values: Mapping[str, Any]) -> None:
    """One table, then its tables; JSON's strings, numbers, truth values and lists of them are TOML's as well."""
    lines.append(f"[{name}]")
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    rows = {key: value for key, value in values.items() if _is_rows(value)}
    for key, value in values.items():
        if key not in inner and key not in rows and value is not None:
            lines.append(f"{json.dumps(key)} = {json.dumps(value)}")
    for key, value in inner.items():
        _write_table(lines, f"{name}.{json.dumps(key)}", value)
    for key, value in rows.items():
        for row in value:
            lines.append(f"[[{name}.{json.dumps(key)}]]")
            lines += [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in row.items() if v is not None]


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)
