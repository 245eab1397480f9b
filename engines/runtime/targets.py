"""Targets on disk: `targets/<name>.npz` and `targets/<name>.json` in a model pack.

The numbers are NumPy arrays, the reasons are JSON; nothing is pickled. The show reads targets here and
`engines/targets` writes them here. A target belongs to one W+ space and is refused on another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.errors import EngineError

FORMAT_VERSION = 1

LABELS = (
    "dominantly masculine",
    "more masculine",
    "neutral or not human",
    "more feminine",
    "dominantly feminine",
)
"""How the original work sorted its prompt pictures. Given by a person, never computed."""

ROUTES = ("text", "clip", "images", "diffusers")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_ARRAYS = ("w_plus", "edit", "uncurated")


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that had a say in a target: its name, what it did, and the sha256 of its weights ("" if unknown)."""

    name: str
    role: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Why a target looks as it does.

    Attributes:
        prompt: The words, as given.
        route: How it was made, one of `ROUTES`.
        models: Every model that had a say.
        scores: Direction -> effect size: how far the words lie toward its high end, in spreads of neutral words.
        doubts: Direction -> standard error of its effect size.
        moves: Direction -> move before curation, as a part of the direction's useful range, -1..1.
        curation: Curator's weights in force: "direction.<name>" or "band.<name>" -> weight; others are 1.
        seeds: Random seeds, in the order used.
        steps: Optimisation steps; 0 where nothing was optimised.
        settings: What else a remake needs, as plain JSON values.
        pack: Name of the pack it was made on, for people.
        space: Fingerprint of the W+ space it belongs to, see `space_id`.
        date: UTC, ISO 8601, when it was made.
    """

    prompt: str
    route: str
    models: tuple[ModelUsed, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, float] = field(default_factory=dict)
    moves: Mapping[str, float] = field(default_factory=dict)
    curation: Mapping[str, float] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    steps: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    pack: str = ""
    space: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A prompt-derived latent with its reasons.

    Attributes:
        name: Identifier in files and OSC addresses: lower-case letters, digits and `_`.
        caption: What the audience reads.
        w_plus: (num_ws, w_dim) float32, curated: what a full morph arrives at.
        edit: (num_ws, w_dim) float32, `w_plus - w_avg`: what is added to a visitor's own latent.
        uncurated: (num_ws, w_dim) float32, the edit before the curator's weights; a new curation starts from it.
        provenance: Prompt, route, models, scores.
        order: Place in the series; equal places go by name.
        label: One of `LABELS`, or "".
    """

    name: str
    caption: str
    w_plus: NDArray[np.float32]
    edit: NDArray[np.float32]
    uncurated: NDArray[np.float32]
    provenance: Provenance
    order: int = 0
    label: str = ""


def space_id(w_avg: NDArray[np.float32]) -> str:
    """Fingerprint a W+ space: sha256 of its average latent (num_ws, w_dim) as little-endian float32.

    It does not depend on how the generator is exported or compiled, and every training gives another one.
    """
    num_ws, w_dim = w_avg.shape
    digest = hashlib.sha256(f"w_plus {num_ws} {w_dim}\n".encode())
    digest.update(np.ascontiguousarray(w_avg, "<f4").tobytes())
    return digest.hexdigest()


def check_name(name: str) -> str:
    """Return `name` if it can be a file name and an OSC address.

    Raises:
        EngineError: If it cannot; says what is allowed.
    """
    if not _NAME.fullmatch(name):
        raise EngineError(
            f"{name[:60]!r} cannot name a target: use 1 to 48 lower-case letters, digits or _, beginning with a letter"
        )
    return name


def list_targets(folder: Path) -> tuple[str, ...]:
    """Name the targets in `folder`, sorted; empty if there is no such folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.stem for p in folder.glob("*.json") if _NAME.fullmatch(p.stem)))


def read_targets(folder: Path, *, space: str | None = None) -> dict[str, Target]:
    """Read every target of a folder, in the order of the series.

    Raises:
        EngineError: See `read_target`.
    """
    targets = [read_target(folder, name, space=space) for name in list_targets(folder)]
    return {t.name: t for t in sorted(targets, key=lambda t: (t.order, t.name))}


def read_target(folder: Path, name: str, *, space: str | None = None) -> Target:
    """Read one target.

    Args:
        folder: A pack's `targets/`.
        name: Which one.
        space: `space_id` of the pack that will draw it; None skips the check.

    Raises:
        EngineError: If a file is missing, damaged or of another version, or the target belongs to another W+ space.
    """
    record_path, arrays_path = folder / f"{check_name(name)}.json", folder / f"{name}.npz"
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        blob = arrays_path.read_bytes()
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EngineError(f"the target {name!r} in {folder} cannot be read ({error}); make it again") from error
    version = record.get("format") if isinstance(record, dict) else None
    if version != FORMAT_VERSION:
        raise EngineError(
            f"{record_path}: this program reads targets of format {FORMAT_VERSION}, found {version!r}; make it again"
        )
    if hashlib.sha256(blob).hexdigest() != record.get("sha256"):
        raise EngineError(f"{arrays_path} is not the file that {record_path.name} describes; make the target again")
    try:
        provenance = _provenance_from(record["provenance"])
        arrays = _arrays_from(blob)
        target = Target(
            name=name,
            caption=str(record["caption"]),
            provenance=provenance,
            order=int(record["order"]),
            label=str(record["label"]),
            **arrays,
        )
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise EngineError(f"the target {name!r} in {folder} is damaged ({error}); make it again") from error
    if space is not None and provenance.space != space:
        raise EngineError(
            f"the target {name!r} was made for another W+ space (pack {provenance.pack!r}, "
            f"{provenance.space[:12]}...) than this pack's ({space[:12]}...); make it again on this pack: "
            "mirror targets make"
        )
    return target


def write_target(folder: Path, target: Target) -> bool:
    """Write a target so that a full disk or a power cut leaves the former one whole.

    Returns:
        False if the same target was there already (only its date differs): the files are then left as they are.

    Raises:
        EngineError: If the name, label or numbers are not fit to be stored, or the disk refuses.
    """
    _check(target)
    blob = _arrays_blob(target)
    record = {
        "format": FORMAT_VERSION,
        "name": target.name,
        "caption": target.caption,
        "order": target.order,
        "label": target.label,
        "sha256": hashlib.sha256(blob).hexdigest(),
        "provenance": dataclasses.asdict(target.provenance),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    record_path, arrays_path = folder / f"{target.name}.json", folder / f"{target.name}.npz"
    if arrays_path.is_file() and _undated(record_path) == _undated(text):
        return False
    staged: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in ((arrays_path, blob), (record_path, text.encode("utf-8"))):
            part = path.with_name(f".{path.name}.part")
            staged.append((part, path))
            _write_through(part, data)
        for part, path in staged:
            os.replace(part, path)
    except OSError as error:
        for part, _ in staged:
            with contextlib.suppress(OSError):
                part.unlink()
        raise EngineError(
            f"the target {target.name!r} could not be written to {folder} ({error.strerror or error}); "
            "finished targets are kept; make room and run the same command again"
        ) from error
    return True


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _arrays_blob(target: Target) -> bytes:
    """Pack the arrays; the same numbers give the same bytes (members carry no time of their own)."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.ascontiguousarray(getattr(target, name), "<f4") for name in _ARRAYS})
    return buffer.getvalue()


def _arrays_from(blob: bytes) -> dict[str, NDArray[np.float32]]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        arrays = {name: np.asarray(stored[name], np.float32) for name in _ARRAYS}
    _check_arrays(arrays)
    return arrays


def _check_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> None:
    shapes = {name: a.shape for name, a in arrays.items()}
    if len(set(shapes.values())) != 1 or len(shapes["w_plus"]) != 2:
        raise ValueError(f"w_plus, edit and uncurated must all be (num_ws, w_dim), found {shapes}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are not numbers")


def _check(target: Target) -> None:
    check_name(target.name)
    if target.label and target.label not in LABELS:
        raise EngineError(f"{target.label!r} is not a label; choose one of: {', '.join(LABELS)}")
    if target.provenance.route not in ROUTES:
        raise EngineError(f"{target.provenance.route!r} is not a route; choose one of: {', '.join(ROUTES)}")
    try:
        _check_arrays({name: getattr(target, name) for name in _ARRAYS})
    except ValueError as error:
        raise EngineError(f"the target {target.name!r} cannot be stored: {error}") from error


def _provenance_from(values: Mapping[str, Any]) -> Provenance:
    known = {f.name for f in dataclasses.fields(Provenance)}
    if unknown := set(values) - known:
        raise ValueError(f"unknown provenance {', '.join(sorted(unknown))}")
    return Provenance(
        **{
            **values,
            "models": tuple(ModelUsed(**m) for m in values.get("models", ())),
            "seeds": tuple(int(s) for s in values.get("seeds", ())),
        }
    )


def _undated(source: Path | str) -> object:
    """Give a record without its date; None if there is no readable record."""
    try:
        record = json.loads(source.read_text(encoding="utf-8") if isinstance(source, Path) else source)
        record["provenance"].pop("date", None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record
