"""What people say about the pictures: one file per labeller, only ever added to, and how far two of them agree.

    [[label]]
    picture = "nurse.as_is.png"
    label = "dominantly feminine"

The last entry about a picture counts; an empty label takes the former one back. The five labels are those of the
original work (`engines.runtime.targets.LABELS`). The program never labels anything itself.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from engines.audit.statistics.agreement import cohens_kappa, confusion, kappa_interval
from engines.runtime.targets import LABELS
from installation.errors import ConfigError, EngineError

FOLDER = "labels"
_NAME = re.compile(r"[\w][\w .-]{0,39}", re.UNICODE)
_HEADER = "# Added to by the labelling page, never rewritten. The last entry about a picture counts.\n"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    picture: str
    label: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    label: list[_Row] = []


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two labellers on the pictures that both labelled.

    Attributes:
        a, b: Who.
        n: Pictures.
        kappa, low, high: Cohen's kappa with its interval; not a number where both gave one label only.
        weighted: Kappa with linear weights: neighbours on the scale count as half-agreement.
        table: Counts, rows are a's labels.
    """

    a: str
    b: str
    n: int
    kappa: float
    low: float
    high: float
    weighted: float
    table: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Labelling:
    """All labels of an audit: labeller -> picture -> label, and every two labellers' agreement."""

    labels: Mapping[str, Mapping[str, str]]
    agreements: tuple[Agreement, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is not a number becomes null."""
        return {
            "labels": {who: dict(sorted(given.items())) for who, given in self.labels.items()},
            "agreement": [
                {
                    "a": x.a,
                    "b": x.b,
                    "n": x.n,
                    **{k: None if v != v else round(v, 4) for k, v in (("kappa", x.kappa), ("low", x.low))},
                    **{k: None if v != v else round(v, 4) for k, v in (("high", x.high), ("weighted", x.weighted))},
                    "table": x.table,
                }
                for x in self.agreements
            ],
        }


def label_file(folder: Path, labeller: str) -> Path:
    """Where a labeller's file lies in an audit's folder.

    Raises:
        ConfigError: If the name cannot be a file's.
    """
    if not _NAME.fullmatch(labeller):
        raise ConfigError(f"the labeller's name {labeller!r} needs 1 to 40 letters, digits, spaces, dots or dashes")
    return folder / FOLDER / f"{labeller}.toml"


def read_labels(path: Path) -> dict[str, str]:
    """Read one labeller's file: picture -> label, in the order they were first given; {} if there is none.

    Raises:
        ConfigError: If the file is not valid.
    """
    try:
        rows = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).label
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} is not a file of labels: {str(error).splitlines()[0]}") from error
    found: dict[str, str] = {}
    for row in rows:
        if row.label and row.label not in LABELS:
            raise ConfigError(f"{path}: {row.label!r} is not one of: {', '.join(LABELS)}")
        found[row.picture] = row.label
    return {picture: label for picture, label in found.items() if label}


def add_label(path: Path, picture: str, label: str) -> None:
    """Add one entry at the file's end and see it on the disk; nothing that is there is touched.

    Args:
        path: From `label_file`.
        picture: File name.
        label: One of `LABELS`, or "" to take the former one back.

    Raises:
        ConfigError: If the label is none of the five.
        EngineError: If the disk refuses.
    """
    if label and label not in LABELS:
        raise ConfigError(f"{label!r} is not a label; choose one of: {', '.join(LABELS)}")
    entry = f"\n[[label]]\npicture = {_string(picture)}\nlabel = {_string(label)}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(entry if file.tell() else _HEADER + entry)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EngineError(f"{path} could not be added to ({error.strerror}); what was there is kept") from error


def read_labelling(folder: Path) -> Labelling | None:
    """Read all labellers of an audit; None if there is none.

    Raises:
        ConfigError: If a file is not valid.
    """
    given = {path.stem: read_labels(path) for path in sorted((folder / FOLDER).glob("*.toml"))}
    given = {who: labels for who, labels in given.items() if labels}
    return Labelling(given, tuple(agreements(given))) if given else None


def agreements(given: Mapping[str, Mapping[str, str]]) -> Iterable[Agreement]:
    """Compare every two labellers who share a picture."""
    for a, b in combinations(given, 2):
        shared = sorted(set(given[a]) & set(given[b]))
        if not shared:
            continue
        first = [LABELS.index(given[a][picture]) for picture in shared]
        second = [LABELS.index(given[b][picture]) for picture in shared]
        table = confusion(first, second, len(LABELS))
        low, high = kappa_interval(first, second, len(LABELS))
        yield Agreement(
            a,
            b,
            len(shared),
            cohens_kappa(table),
            low,
            high,
            cohens_kappa(table, ordered=True),
            tuple(tuple(int(x) for x in row) for row in table),
        )


def _string(text: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's, but JSON leaves DEL as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
