"""Many photographs: each a task for some worker; what is finished stays finished; one that fails stops no other.

A portrait's folder is there only when it is whole (see `portrait`), and a photograph that was refused leaves its
sentence in `refused/`. Both carry the hashes of photograph and order, so that a batch that was interrupted, however
hard, goes on where it was, and a batch with another order makes everything anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engines.runtime import load_pack
from engines.runtime.paths import find_pack
from installation.errors import DisplayError, MirrorError, PhotographError
from installation.runtime.progress import Progress
from installation.runtime.tasks import Done, Task, Workers
from installation.studio.order import Order
from installation.studio.photograph import MAX_BYTES
from installation.studio.portrait import RECORD

REFUSED = "refused"
SUMMARY = "summary.json"
MAX_RECORD_BYTES = 64 << 20

State = Literal["made", "kept", "refused", "refused before", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photograph.

    Attributes:
        photo: The photograph.
        name: Of its folder.
        state: "made" now, "kept" from before, "refused" now or "refused before" (the photograph cannot be used),
            "failed" (something else went wrong; it is tried again next time).
        sentence: Why it has no portrait, else "".
        bug: Traceback of a failure that is a bug of ours, else "".
    """

    photo: Path
    name: str
    state: State
    sentence: str = ""
    bug: str = ""


@dataclass(slots=True)
class Summary:
    """What became of a batch."""

    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, *states: State) -> int:
        """How many photographs ended so."""
        return sum(outcome.state in states for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 when every photograph has its portrait, 1 if something failed, else that of a refused photograph."""
        if self.count("failed"):
            return MirrorError.exit_code
        return PhotographError.exit_code if self.count("refused", "refused before") else 0

    def lines(self) -> list[str]:
        """For a person: a sentence for each refusal, and the figures."""
        without = [outcome for outcome in self.outcomes if outcome.sentence]
        made, kept = self.count("made"), self.count("kept")
        return [
            *(f"{outcome.photo}: {outcome.sentence}" for outcome in without),
            f"{len(self.outcomes)} photographs: {made} made, {kept} finished before, {len(without)} not possible",
        ]


def make_batch(photos: Sequence[Path], out: Path, order: Order, workers: Workers, *, again: bool = False) -> Summary:
    """Make portraits of photographs, with a progress bar; writes `summary.json` at the end.

    Args:
        photos: Files, none twice.
        out: Where the folders go.
        order: What to make.
        workers: Who makes it.
        again: Make even what is finished.

    Raises:
        MirrorError: If the order cannot be fulfilled at all, or `out` cannot be written.
    """
    order.check()
    with load_pack(find_pack(order.pack), order.settings().engine.backend) as pack:
        fingerprint = order.fingerprint(pack)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DisplayError(f"{out} cannot be made: {error.strerror or error}") from error
    names = dict(zip(folder_names(photos), photos, strict=True))
    summary = Summary()
    if not again:
        for name, photo in names.items():
            before = _before(out, name, photo, fingerprint)
            if before is not None:
                summary.outcomes.append(before)
    done = {outcome.name for outcome in summary.outcomes}
    todo = {name: photo for name, photo in names.items() if name not in done}
    with Progress(len(names), "portraits") as progress:
        progress.advance(len(done), f"{len(done)} finished before" if done else "")
        for outcome in _run(todo, out, order, fingerprint, workers):
            summary.outcomes.append(outcome)
            progress.advance(note=outcome.name)
    place = {name: index for index, name in enumerate(names)}
    summary.outcomes.sort(key=lambda outcome: place[outcome.name])
    _write_summary(out, summary, fingerprint)
    return summary


def folder_names(photos: Sequence[Path]) -> list[str]:
    """Name a folder for each photograph: its stem; suffix and folders as far as they are needed to tell them apart."""
    bare = Counter(photo.absolute().with_suffix("") for photo in photos)
    depth = 1
    while True:
        names = []
        for photo in photos:
            path = photo.absolute()
            folders = path.parts[1:-1]
            suffix = path.suffix.replace(".", "-") if bare[path.with_suffix("")] > 1 else ""
            names.append("-".join([*folders[max(len(folders) - depth + 1, 0) :], path.stem]) + suffix)
        if len(set(names)) == len(names):
            return names
        depth += 1


def _run(todo: dict[str, Path], out: Path, order: Order, fingerprint: str, workers: Workers) -> Iterator[Outcome]:
    tasks = (
        Task(
            name,
            "installation.studio.portrait:make_portraits",
            (order, str(photo.absolute()), str((out / name).absolute()), fingerprint),
        )
        for name, photo in todo.items()
    )
    for done in workers.run(tasks):
        photo = todo[done.name]
        if done.kind == PhotographError.__name__:
            _note_refusal(out, done, photo, fingerprint)
            yield Outcome(photo, done.name, "refused", done.error)
        elif done.error:
            yield Outcome(photo, done.name, "failed", done.error, done.traceback)
        else:
            (out / REFUSED / f"{done.name}.json").unlink(missing_ok=True)
            yield Outcome(photo, done.name, "made")


def _before(out: Path, name: str, photo: Path, fingerprint: str) -> Outcome | None:
    """What an earlier run says about a photograph, if it was the same photograph and the same order."""
    record = _read(out / name / RECORD)
    refusal = _read(out / REFUSED / f"{name}.json")
    if record is None and refusal is None:
        return None
    sha256 = _sha256(photo)
    if record is not None and _finished(out / name, record, sha256, fingerprint):
        return Outcome(photo, name, "kept")
    if refusal is not None and refusal.get("order") == fingerprint and refusal.get("sha256") == sha256:
        return Outcome(photo, name, "refused before", str(refusal.get("sentence", "")))
    return None


def _finished(folder: Path, record: dict[str, Any], sha256: str, fingerprint: str) -> bool:
    """Whether a portrait is the one that is asked for, with every file; whoever deletes one has it made again."""
    asked = record.get("order") == fingerprint and record.get("photograph", {}).get("sha256") == sha256
    return asked and all((folder / name).is_file() for name in record.get("files", {}))


def _note_refusal(out: Path, done: Done, photo: Path, fingerprint: str) -> None:
    """Remember that a photograph cannot be used, and why."""
    text = json.dumps({"sentence": done.error, "sha256": _sha256(photo), "order": fingerprint}, ensure_ascii=False)
    _replace(out / REFUSED / f"{done.name}.json", text)


def _write_summary(out: Path, summary: Summary, fingerprint: str) -> None:
    said = {
        "order": fingerprint,
        "photographs": len(summary.outcomes),
        "portraits": summary.count("made", "kept"),
        "not_possible": {outcome.name: outcome.sentence for outcome in summary.outcomes if outcome.sentence},
        "bugs": {outcome.name: outcome.bug for outcome in summary.outcomes if outcome.bug},
    }
    _replace(out / SUMMARY, json.dumps(said, indent=1, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        os.replace(part, path)
    except OSError as error:
        raise DisplayError(f"{path} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            return None
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None  # none, or a damaged one: the work is done again
    return record if isinstance(record, dict) else None


def _sha256(photo: Path) -> str:
    """Of a photograph's bytes; "" for what is no file or too large to be one."""
    try:
        if not photo.is_file() or photo.stat().st_size > MAX_BYTES:
            return ""
        return hashlib.sha256(photo.read_bytes()).hexdigest()
    except OSError:
        return ""
