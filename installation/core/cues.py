"""Cues: stored states of the instrument with a fade time, in the order of a list.

A cue holds values by address, so a list made for one pack still loads with another: what the table
does not know is skipped and named. The list is immutable; the text form is TOML:

    [[cue]]
    id = "storm"
    seconds = 4.0
    easing = "smooth"
    [cue.values]
    "/mirror/amount" = 0.8
    "/mirror/look" = "plain"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from installation.core.control import MAX_NAME_LENGTH, Value, is_name
from installation.core.glide import EASING_NAMES
from installation.errors import ConfigError

MAX_CUES = 500
"""Storing from the network is bounded, so that a flood cannot fill the memory."""

MAX_FADE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Cue:
    """One stored state.

    Attributes:
        id: Name in addresses.
        values: Address -> value in the row's own type.
        seconds: Fade time of the floats; everything else changes at the start.
        easing: Shape of the fade.
    """

    id: str
    values: Mapping[str, Value]
    seconds: float = 0.0
    easing: str = "smooth"


@dataclass(frozen=True, slots=True)
class CueList:
    """Cues in order."""

    cues: tuple[Cue, ...] = ()
    _by_id: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {cue.id: index for index, cue in enumerate(self.cues)}
        if len(by_id) != len(self.cues):
            raise ValueError("two cues have the same id")
        object.__setattr__(self, "_by_id", by_id)

    def __iter__(self) -> Iterator[Cue]:
        return iter(self.cues)

    def __len__(self) -> int:
        return len(self.cues)

    def get(self, cue_id: str) -> Cue | None:
        """The cue of this id, or None."""
        index = self._by_id.get(cue_id)
        return None if index is None else self.cues[index]

    def at(self, number: int) -> Cue | None:
        """The cue of this number, counted from 1 as performers do, or None."""
        return self.cues[number - 1] if 1 <= number <= len(self.cues) else None

    def after(self, cue_id: str) -> Cue | None:
        """The next cue; the first if `cue_id` is not in the list; None at the end."""
        return self.at(self._by_id.get(cue_id, -1) + 2)

    def before(self, cue_id: str) -> Cue | None:
        """The cue before; None at the start or if `cue_id` is not in the list."""
        return self.at(self._by_id.get(cue_id, 0))

    def stored(self, cue: Cue) -> CueList:
        """The list with `cue` in the place of the one with its id, or at the end.

        Raises:
            ValueError: If the list is full.
        """
        index = self._by_id.get(cue.id)
        if index is not None:
            return CueList((*self.cues[:index], cue, *self.cues[index + 1 :]))
        if len(self.cues) >= MAX_CUES:
            raise ValueError(f"the list holds {MAX_CUES} cues; delete one first")
        return CueList((*self.cues, cue))

    def without(self, cue_id: str) -> CueList:
        """The list without the cue of this id."""
        return CueList(tuple(cue for cue in self.cues if cue.id != cue_id))


def parse_cues(text: str) -> CueList:
    """Read a cue list from TOML.

    Raises:
        ConfigError: With every problem, one a line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the cue list is not TOML: {error}") from error
    entries = document.get("cue", [])
    if not isinstance(entries, list) or set(document) - {"cue"}:
        raise ConfigError("the cue list may hold [[cue]] tables and nothing else")
    problems: list[str] = []
    cues: dict[str, Cue] = {}
    for number, entry in enumerate(entries, 1):
        cue = _parse_cue(entry, number, problems)
        if cue is not None and cue.id in cues:
            problems.append(f"cue {number}: the id {cue.id!r} is there twice")
        elif cue is not None:
            cues[cue.id] = cue
    if len(cues) > MAX_CUES:
        problems.append(f"{len(cues)} cues; at most {MAX_CUES}")
    if problems:
        raise ConfigError("\n".join(problems))
    return CueList(tuple(cues.values()))


def _parse_cue(entry: object, number: int, problems: list[str]) -> Cue | None:
    found = len(problems)
    if not isinstance(entry, dict):
        problems.append(f"cue {number}: must be a table")
        return None
    cue_id, seconds = entry.get("id"), entry.get("seconds", 0.0)
    easing, values = entry.get("easing", "smooth"), entry.get("values", {})
    for key in sorted(set(entry) - {"id", "seconds", "easing", "values"}):
        problems.append(f"cue {number}: there is no key {key!r}")
    if not isinstance(cue_id, str) or not is_name(cue_id):
        problems.append(f"cue {number}: id = {cue_id!r}: a name of letters, digits, _-. and at most {MAX_NAME_LENGTH}")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0.0 <= seconds <= MAX_FADE_S:
        problems.append(f"cue {number}: seconds = {seconds!r}: must be between 0 and {MAX_FADE_S:g}")
    if easing not in EASING_NAMES:
        problems.append(f"cue {number}: easing = {easing!r}: must be one of {', '.join(EASING_NAMES)}")
    if not isinstance(values, dict):
        problems.append(f"cue {number}: values must be a table of addresses")
        return None
    for address, value in values.items():
        if not isinstance(value, (int, float, str)) or (isinstance(value, float) and not math.isfinite(value)):
            problems.append(f"cue {number}: {address} = {value!r}: must be a finite number, a truth value or a name")
    if len(problems) > found:
        return None
    assert isinstance(cue_id, str)
    return Cue(cue_id, values, float(seconds), easing)


def format_cues(cues: CueList) -> str:
    """Write a cue list as TOML that `parse_cues` reads back to the same values."""
    lines = ["# Cues of the mirror, in order. May be edited while the show runs."]
    for cue in cues:
        lines += ["", "[[cue]]", f"id = {_quoted(cue.id)}", f"seconds = {cue.seconds!r}"]
        lines += [f"easing = {_quoted(cue.easing)}", "[cue.values]"]
        lines += [f"{_quoted(address)} = {_formatted(value)}" for address, value in cue.values.items()]
    return "\n".join(lines) + "\n"


def _formatted(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
