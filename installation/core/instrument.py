"""The instrument: everybody's one way to the controls, and the show's one way to their values.

Each row keeps one register for each layer; the highest layer that is live is heard. From low to high:

    visit      what the visitor's stay plays by itself; live until released
    mapping    sound, face measures and the other mappings; live for `MAPPING_LIFE_S` after each value
    operator   OSC, MIDI, keys and cues; live for `hold_s` after each touch
    panic      while on, every row is at its default and the layers below are not heard

When the operator's hold ends and nobody below plays the row, the operator's last value stays. Within
a layer the last writer wins, whoever it was, so that all clients of the network converge on one state.

Any thread may call any method; the lock is held for microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Lock

from installation.core.control import ROOT, Control, Kind, Value, ValueRefused
from installation.core.controls import ControlTable
from installation.core.cues import MAX_FADE_S, Cue, CueList
from installation.core.registers import Registers
from installation.core.snapshot import Snapshot

LAYERS = {"visit": 0, "audio": 1, "mapping": 1, "osc": 2, "midi": 2, "operator": 2}
"""Source -> layer, low to high."""

OPERATOR = 2
MAPPING_LIFE_S = 0.5
"""A mapping that stops speaking for this long is not heard any more."""

PANIC = f"{ROOT}/panic"
GLIDE = f"{ROOT}/glide"
EASING = f"{ROOT}/easing"
CUE_BRANCH = f"{ROOT}/cue/"


class Verdict(Enum):
    """What became of a message."""

    APPLIED = "applied"
    CLAMPED = "clamped"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message, and why."""

    verdict: Verdict
    reason: str = ""

    @property
    def heard(self) -> bool:
        """Whether it had an effect."""
        return self.verdict in (Verdict.APPLIED, Verdict.CLAMPED)


_APPLIED = Outcome(Verdict.APPLIED)
_CLAMPED = Outcome(Verdict.CLAMPED, "out of range; the nearest end was taken")
_PANIC = Outcome(Verdict.REFUSED, "panic is on; nobody else is heard")


class Instrument:
    """All controls of one show.

    Args:
        table: The rows.
        hold_s: How long an operator's touch keeps mappings and visit away from a row.
        now: Monotonic seconds of the start.
        cues: The cue list.
    """

    def __init__(
        self, table: ControlTable, *, hold_s: float = 20.0, now: float = 0.0, cues: CueList | None = None
    ) -> None:
        self.table = table
        self._lock = Lock()
        self._registers = Registers(table, (math.inf, MAPPING_LIFE_S, hold_s), now)
        self._panic = False
        self._cues = cues or CueList()
        self._cue = ""
        self._cue_revision = 0
        self._changes = 0
        self._changed_at = -math.inf
        self._newest = self._make_snapshot(now)

    @property
    def snapshot(self) -> Snapshot:
        """What the last tick gave; never waits."""
        return self._newest

    @property
    def changes(self) -> int:
        """How many changes operators have made since the start; never waits."""
        return self._changes

    @property
    def cues(self) -> CueList:
        """The cue list as it is now."""
        return self._cues

    def set(
        self, address: str, value: object, source: str = "osc", now: float = 0.0, *, glide_s: float | None = None
    ) -> Outcome:
        """Write one control.

        Args:
            address: Of a row that has a state.
            value: As it came from outside.
            source: Key of `LAYERS`.
            now: Monotonic seconds at which it was received.
            glide_s: Time of the move. None: `/mirror/glide` for an operator's floats, else no glide.

        Returns:
            What became of it; nothing from outside raises.
        """
        layer = LAYERS[source]
        slot = self.table.slots.get(address)
        if slot is None:
            return Outcome(Verdict.UNKNOWN, f"there is no control {address[:80]!r} to set")
        row = self.table.stateful[slot]
        try:
            number = row.accept(value)
        except ValueRefused as error:
            return Outcome(Verdict.REFUSED, str(error))
        with self._lock:
            self._registers.expire(now)
            if address == PANIC:
                if layer != OPERATOR:
                    return Outcome(Verdict.REFUSED, "only an operator may panic")
                self._set_panic(slot, number > 0.5, now)
            elif self._panic and layer == OPERATOR:
                return _PANIC
            else:
                glide_s = self._glide_for(row, layer, glide_s)
                self._registers.write(slot, number, layer, now, glide_s, str(self._goal(EASING)))
            if layer == OPERATOR:
                self._count(now)
        return _CLAMPED if row.clamps(value) else _APPLIED

    def command(self, address: str, args: Sequence[object] = (), source: str = "osc", now: float = 0.0) -> Outcome:
        """Take any message of the table: a value (with the seconds of its glide, if given) or a cue command.

        A toggle without argument is switched on. What only a server can do (`/mirror/subscribe`) is UNKNOWN here.
        """
        found = self.table.find(address)
        if found is None:
            return Outcome(Verdict.UNKNOWN, f"there is no control {address[:80]!r}")
        row, name = found
        if row.address in self.table.slots:
            if not args and row.kind is not Kind.TOGGLE:
                return Outcome(Verdict.REFUSED, f"{address} needs a value")
            seconds = _seconds(args[1]) if len(args) == 2 else None
            if len(args) > 2 or (len(args) == 2 and seconds is None):
                return Outcome(Verdict.REFUSED, f"{address} takes a value and, if wanted, 0 to {MAX_FADE_S:g} seconds")
            return self.set(address, args[0] if args else True, source, now, glide_s=seconds)
        if row.address.startswith(CUE_BRANCH) and row.kind is Kind.COMMAND:
            if LAYERS[source] != OPERATOR:
                return Outcome(Verdict.REFUSED, "only an operator may use cues")
            return self._cue_command(row.address.removeprefix(CUE_BRANCH), name, args, now)
        return Outcome(Verdict.UNKNOWN, f"{address} is not for the instrument")

    def release(self, source: str, address: str | None = None, now: float = 0.0) -> None:
        """Take the hands of a layer off one row, or off all: what lies below is heard again."""
        with self._lock:
            self._registers.expire(now)
            self._registers.release(LAYERS[source], None if address is None else self.table.slots[address], now)

    def standing(self) -> dict[str, Value]:
        """What operators have set and not undone, by address: what stays when mappings and the visit fall silent."""
        with self._lock:
            numbers = self._registers.standing.tolist()
        rows = zip(self.table.stateful, numbers, strict=True)
        return {row.address: row.present(number) for row, number in rows if number != row.default}

    def load_cues(self, cues: CueList) -> None:
        """Replace the cue list; what plays goes on."""
        with self._lock:
            self._cues = cues

    def go(self, cue: Cue, now: float, seconds: float | None = None) -> tuple[str, ...]:
        """Recall a cue as an operator's touch. Returns the addresses or values this table does not take."""
        fade = cue.seconds if seconds is None else seconds
        skipped: list[str] = []
        with self._lock:
            self._registers.expire(now)
            for address, value in cue.values.items():
                slot = self.table.slots.get(address)
                try:
                    number = None if slot is None else self.table.stateful[slot].accept(value)
                except ValueRefused:
                    number = None
                if slot is None or number is None:
                    skipped.append(address)
                    continue
                is_float = self.table.stateful[slot].kind is Kind.FLOAT
                self._registers.write(slot, number, OPERATOR, now, fade if is_float else 0.0, cue.easing)
            self._cue = cue.id
            self._count(now)
        return tuple(skipped)

    def tick(self, now: float) -> Snapshot:
        """Move everything to `now` and return the state; a `now` before the last one changes nothing."""
        with self._lock:
            self._registers.expire(now)
            self._newest = self._make_snapshot(now)
            return self._newest

    def _make_snapshot(self, now: float) -> Snapshot:
        numbers, goals = self._registers.move(now).copy(), self._registers.target.copy()
        numbers.flags.writeable = goals.flags.writeable = False
        return Snapshot(now, numbers, goals, self.table, self._changes, self._changed_at, self._cue, self._cue_revision)

    def _count(self, now: float) -> None:
        self._changes += 1
        self._changed_at = max(self._changed_at, now)

    def _goal(self, address: str) -> object:
        slot = self.table.slots[address]
        return self.table.stateful[slot].present(float(self._registers.target[slot]))

    def _glide_for(self, row: Control, layer: int, glide_s: float | None) -> float:
        if row.kind is not Kind.FLOAT or row.address == GLIDE:
            return 0.0
        if glide_s is not None:
            return glide_s
        return float(self._registers.target[self.table.slots[GLIDE]]) if layer == OPERATOR else 0.0

    def _set_panic(self, slot: int, on: bool, now: float) -> None:
        if on and not self._panic:
            self._registers.rest(now)
            self._cue = ""
        elif self._panic and not on:
            self._registers.wake(now)
        self._panic = on
        self._registers.show(slot, float(on))

    def _cue_command(self, what: str, name: str, args: Sequence[object], now: float) -> Outcome:
        """Do what stands behind `/mirror/cue/`: go, next, previous, or `<id>/` with go, store or delete."""
        seconds: float | None = None
        if name and args:
            seconds = _seconds(args[0])
            if seconds is None:
                return Outcome(Verdict.REFUSED, f"the time of a cue is 0 to {MAX_FADE_S:g} seconds")
        if what.endswith("/store"):
            return self._store(name, seconds or 0.0)
        if name:
            cue = self._cues.get(name)
        elif what == "previous":
            cue = self._cues.before(self._cue)
        else:
            cue = self._named(args[0]) if what == "go" and args else self._cues.after(self._cue)
        if cue is None:
            return Outcome(Verdict.REFUSED, f"there is no such cue; the list has {len(self._cues)}")
        if what.endswith("/delete"):
            with self._lock:
                self._cues = self._cues.without(name)
                self._cue_revision += 1
            return _APPLIED
        if self._panic:
            return _PANIC
        skipped = self.go(cue, now, seconds)
        return Outcome(Verdict.APPLIED, f"not in this table: {', '.join(skipped)}" if skipped else "")

    def _named(self, which: object) -> Cue | None:
        if isinstance(which, str):
            return self._cues.get(which)
        if isinstance(which, (int, float)) and math.isfinite(which):
            return self._cues.at(int(which))
        return None

    def _store(self, name: str, seconds: float) -> Outcome:
        with self._lock:
            values = {row.address: row.present(float(self._registers.target[slot])) for slot, row in self._cue_rows()}
            try:
                self._cues = self._cues.stored(Cue(name, values, seconds))
            except ValueError as error:
                return Outcome(Verdict.REFUSED, str(error))
            self._cue = name
            self._cue_revision += 1
            return _APPLIED

    def _cue_rows(self) -> list[tuple[int, Control]]:
        return [(slot, row) for slot, row in enumerate(self.table.stateful) if row.in_cue]


def _seconds(value: object) -> float | None:
    """A time from outside, or None if it is none."""
    if not isinstance(value, (int, float)) or not 0.0 <= value <= MAX_FADE_S:
        return None
    return float(value)
