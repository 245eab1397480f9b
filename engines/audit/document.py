"""The audit as a document: everything that was found, for the report, for `audit.json`, and for a later comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engines.audit.findings import Control, Grid, Moves
from engines.audit.labels import Labelling
from engines.audit.measured import AxisName, Measured
from engines.audit.questions import AuditPrompt, Pair
from engines.audit.zero_shot import ZeroShot
from engines.runtime.targets import ModelUsed
from engines.targets.files import replace_file
from installation.errors import ConfigError, EngineError

FORMAT_VERSION = 1
JSON_NAME = "audit.json"
_DECIMALS = 5
_GRIDS = ("own", "themes", "kinds", "pairs")


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What of an audit can be compared with another one's.

    Attributes:
        route: words, clip, images or diffusers.
        models: Every model that had a say, with hashes.
        prompts, axes, primary, blind: As asked.
        own, themes, kinds, pairs: The findings.
        questions: sha256 of the list of prompts.
        date: UTC, ISO 8601.
    """

    route: str
    models: tuple[ModelUsed, ...]
    prompts: tuple[AuditPrompt, ...]
    axes: tuple[AxisName, ...]
    primary: tuple[str, ...]
    blind: tuple[str, ...]
    own: Grid
    themes: Grid
    kinds: Grid
    pairs: Grid
    questions: str
    date: str

    def axis(self, name: str) -> int | None:
        """Where an axis stands; None if it was not measured."""
        return next((i for i, axis in enumerate(self.axes) if axis.name == name), None)

    @property
    def blind_axes(self) -> list[int]:
        """Places of the axes of which no word can know anything."""
        return [i for i, axis in enumerate(self.axes) if axis.name in self.blind]

    @property
    def apart(self) -> list[int]:
        """Places of the axes that are shown by themselves or count for nothing: the primary and the blind ones."""
        return [*self.measured_primary, *self.blind_axes]

    @property
    def measured_primary(self) -> list[int]:
        """Places of the primary axes that were measured, in their order."""
        return [place for name in self.primary if (place := self.axis(name)) is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """One audit.

    Attributes:
        summary: The findings.
        measured: Every text on every axis.
        pairs: With the reason why each should not differ.
        moves: How far added words move; None where that was not asked.
        control: What is found where there is nothing.
        versions: Program or package -> version.
        faces: Row of `measured.texts` -> file name of its face in the folder of faces.
        pack: Name of the pack that drew the faces.
        zero_shot: What a vision-language model calls the project's own portraits; None without one.
        labelling: What people said about the pictures; None if nobody did.
        other: Another audit to be set beside this one.
        seconds: How long the measuring took.
    """

    summary: Summary
    measured: Measured
    pairs: tuple[Pair, ...]
    moves: Moves | None
    control: Control | None
    versions: Mapping[str, str]
    faces: Mapping[int, str] = field(default_factory=dict)
    pack: str = ""
    zero_shot: ZeroShot | None = None
    labelling: Labelling | None = None
    other: Summary | None = None
    seconds: float = 0.0

    def ordinary_range(self, axis: int) -> tuple[float, float] | None:
        """How far ordinary words shift a prompt on an axis, from least to most; None where they were not asked."""
        if self.moves is None:
            return None
        usual = [shift[axis] for shift, s in zip(self.moves.shifts, self.moves.suspected, strict=True) if not s]
        return float(min(usual)), float(max(usual))

    def face(self, prompt: int, kind: str) -> str | None:
        """File name of the face of a variant."""
        row = self.measured.row(prompt, kind)
        return None if row is None else self.faces.get(row)

    def place(self, name: str) -> int | None:
        """Where a prompt stands; None if it was not asked."""
        return next((i for i, prompt in enumerate(self.summary.prompts) if prompt.name == name), None)


def write_json(path: Path, audit: Audit) -> None:
    """Write `audit.json` in one step.

    Raises:
        EngineError: If the disk refuses.
    """
    s, m = audit.summary, audit.measured
    document: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "says": "This measures a model and not people.",
        "route": s.route,
        "models": [{"name": x.name, "role": x.role, "sha256": x.sha256} for x in s.models],
        "questions_sha256": s.questions,
        "date": s.date,
        "versions": dict(audit.versions),
        "unit": m.unit,
        "observation": m.observation,
        "settings": dict(m.settings),
        "notes": list(m.notes),
        "primary": list(s.primary),
        "blind": list(s.blind),
        "axes": [{"name": a.name, "high": a.high, "low": a.low} for a in s.axes],
        "prompts": [{"name": p.name, "text": p.text, "theme": p.theme, "feature": p.feature} for p in s.prompts],
        **{name: _grid_json(getattr(s, name)) for name in _GRIDS},
    }
    if audit.moves:
        moves = audit.moves
        document["added_words"] = [
            {
                "word": word,
                "suspected": moves.suspected[i],
                "n": moves.n[i],
                **{k: _plain(getattr(moves, k)[i]) for k in ("distance", "low", "high", "ratio", "p", "q", "shifts")},
            }
            for i, word in enumerate(moves.words)
        ]
    if audit.control:
        c = audit.control
        document["control"] = {
            "false_tests": c.false_tests,
            "false_findings": c.false_findings,
            "any_finding": c.any_finding,
            "power": {str(k): v for k, v in c.power.items()},
            "rounds": c.rounds,
            "n": c.n,
        }
    if audit.zero_shot:
        document["zero_shot"] = audit.zero_shot.to_json()
    if audit.labelling:
        document["labels"] = audit.labelling.to_json()
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read_summary(path: Path) -> Summary:
    """Read another audit's findings, from its folder or its `audit.json`.

    Raises:
        ConfigError: If there is none, or it is of another format.
    """
    file = path / JSON_NAME if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}; give the folder of an earlier audit") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from error
    try:
        if found["format"] != FORMAT_VERSION:
            raise ConfigError(f"{file} has format {found['format']}; this is {FORMAT_VERSION}: run that audit again")
        return Summary(
            route=str(found["route"]),
            models=tuple(ModelUsed(m["name"], m["role"], m["sha256"]) for m in found["models"]),
            prompts=tuple(AuditPrompt(p["name"], p["text"], p["theme"], p["feature"]) for p in found["prompts"]),
            axes=tuple(AxisName(a["name"], a["high"], a["low"]) for a in found["axes"]),
            primary=tuple(found["primary"]),
            blind=tuple(found["blind"]),
            **{name: _grid_from(found[name], len(found["axes"])) for name in _GRIDS},
            questions=str(found["questions_sha256"]),
            date=str(found["date"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{file} is not an audit ({type(error).__name__}: {error})") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step.

    Raises:
        EngineError: If the disk refuses; the former file is kept.
    """
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise EngineError(f"{path} could not be written ({error.strerror}); the former one is kept") from error


def _grid_json(grid: Grid) -> dict[str, Any]:
    return {
        "rows": list(grid.rows),
        "n": list(grid.n),
        **{k: _plain(getattr(grid, k)) for k in ("effects", "low", "high", "p", "q")},
    }


def _grid_from(found: Mapping[str, Any], axes: int) -> Grid:
    columns = [np.asarray(found[k], np.float64).reshape(-1, axes) for k in ("effects", "low", "high", "p", "q")]
    rows: Sequence[str] = found["rows"]
    if any(len(column) != len(rows) for column in columns) or len(found["n"]) != len(rows):
        raise ValueError("rows of different lengths")
    return Grid(tuple(map(str, rows)), tuple(map(int, found["n"])), *columns)


def _plain(values: Any) -> Any:
    return np.round(values, _DECIMALS).tolist()
