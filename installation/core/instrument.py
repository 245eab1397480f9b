"""The instrument: who set which control, who is heard, and how the values move.

Each row keeps one register for each layer; the highest layer that is live is heard. From low to high:

    visit      what the visitor's stay plays by itself; live until released
    mapping    sound, face measures and the other mappings; live for `MAPPING_LIFE_S` after each value
    operator   OSC, MIDI, keys and cues; live for `hold_s` after each touch
    panic      while on, every row is at its default and the layers below are not heard

When the operator's hold ends and nobody below plays the row, the operator's last value stays. Within
a layer the last writer wins, whoever it was, so that all clients of the network converge on one state.

Values move in closed form: between two events a row decays exponentially to its target or follows a
glide, and every event (also the end of a hold) is taken at its own time. So the length of the ticks
changes nothing. Any thread may call any method; the lock is held for microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from installation.core.controls import ROOT, Control, ControlTable, Kind, ValueRefused
from installation.core.cues import MAX_FADE_S, Cue, CueList
from installation.core.glide import Glide
from installation.core.snapshot import Snapshot

LAYERS = {"visit": 0, "audio": 1, "mapping": 1, "osc": 2, "midi": 2, "operator": 2}
"""Source -> layer, low to high."""

OPERATOR = 2
MAPPING_LIFE_S = 0.5
"""A mapping that stops speaking for this long is not heard any more."""

_NEVER = -math.inf
_MAX_HALF_LIVES = 60.0  # 2**-60 of the way is left, far below the snap; keeps exp2 from underflow
_SNAP = 1e-7  # of the range: nearer than this a value is at its target, so that ends are reached exactly


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
    """All registers of one show.

    Args:
        table: The rows.
        hold_s: How long an operator's touch keeps mappings and visit away from a row.
        now: Monotonic seconds of the start.
        cues: The cue list.
    """

    def __init__(
        self, table: ControlTable, *, hold_s: float = 20.0, now: float = 0.0, cues: CueList | None = None
    ) -> None:
        rows = table.stateful
        self.table = table
        self._lock = Lock()
        self._life = (math.inf, MAPPING_LIFE_S, hold_s)
        self._default = np.array([row.default for row in rows], np.float64)
        half_life = np.array([row.half_life_s for row in rows], np.float64)
        self._instant = half_life == 0.0
        self._half_lives_per_s = np.divide(1.0, half_life, out=np.zeros_like(half_life), where=~self._instant)
        self._snap = np.array([_SNAP * (row.high - row.low) for row in rows], np.float64)
        self._register = np.tile(self._default, (3, 1))
        self._live_until = np.full((3, len(rows)), _NEVER)
        self._next_expiry = math.inf
        self._target = self._default.copy()
        self._value = self._default.copy()
        self._at = np.full(len(rows), now)
        self._glides: dict[int, Glide] = {}
        self._panic = False
        self._cues = cues or CueList()
        self._cue = ""
        self._cue_revision = 0
        self._changes = 0
        self._changed_at = _NEVER
        self._newest = self._make_snapshot(now)

    @property
    def snapshot(self) -> Snapshot:
        """What the last tick gave; never waits."""
        return self._newest

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
            self._expire(now)
            if address == f"{ROOT}/panic":
                if layer != OPERATOR:
                    return Outcome(Verdict.REFUSED, "only an operator may panic")
                self._set_panic(slot, number > 0.5, now)
            elif self._panic and layer == OPERATOR:
                return _PANIC
            else:
                self._write(slot, number, layer, now, self._glide_for(row, layer, glide_s))
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
        if row.address.startswith(f"{ROOT}/cue/") and row.kind is Kind.COMMAND:
            return self._cue_command(row.address.removeprefix(f"{ROOT}/cue/"), name, args, source, now)
        return Outcome(Verdict.UNKNOWN, f"{address} is not for the instrument")

    def release(self, source: str, address: str | None = None, now: float = 0.0) -> None:
        """Take the hands of a layer off one row, or off all: what lies below is heard again."""
        layer = LAYERS[source]
        with self._lock:
            self._expire(now)
            slots = range(len(self._target)) if address is None else (self.table.slots[address],)
            for slot in slots:
                if self._live_until[layer, slot] > _NEVER:
                    self._live_until[layer, slot] = _NEVER
                    self._retarget(slot, now, 0.0)

    def load_cues(self, cues: CueList) -> None:
        """Replace the cue list; what plays goes on."""
        with self._lock:
            self._cues = cues

    def go(self, cue: Cue, now: float, seconds: float | None = None) -> tuple[str, ...]:
        """Recall a cue as an operator's touch. Returns the addresses or values this table does not take."""
        skipped: list[str] = []
        with self._lock:
            self._expire(now)
            fade = cue.seconds if seconds is None else seconds
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
                self._write(slot, number, OPERATOR, now, fade if is_float else 0.0, cue.easing)
            self._cue = cue.id
            self._count(now)
        return tuple(skipped)

    def tick(self, now: float) -> Snapshot:
        """Move everything to `now` and return the state; a `now` before the last one changes nothing."""
        with self._lock:
            self._expire(now)
            for slot in list(self._glides):
                self._advance(slot, now)
            still = np.maximum(now - self._at, 0.0) * self._half_lives_per_s
            left = np.exp2(-np.minimum(still, _MAX_HALF_LIVES))
            gliding = list(self._glides)
            left[gliding] = 0.0
            rest = (self._value - self._target) * left
            rest[(np.abs(rest) < self._snap) | self._instant] = 0.0
            kept = self._value[gliding]
            np.add(self._target, rest, out=self._value)
            self._value[gliding] = kept
            np.maximum(self._at, now, out=self._at)
            self._newest = self._make_snapshot(now)
            return self._newest

    def _make_snapshot(self, now: float) -> Snapshot:
        numbers, goals = self._value.copy(), self._target.copy()
        numbers.flags.writeable = goals.flags.writeable = False
        return Snapshot(now, numbers, goals, self.table, self._changes, self._changed_at, self._cue, self._cue_revision)

    def _count(self, now: float) -> None:
        self._changes += 1
        self._changed_at = max(self._changed_at, now)

    def _glide_for(self, row: Control, layer: int, glide_s: float | None) -> float:
        if row.kind is not Kind.FLOAT or row.address == f"{ROOT}/glide":
            return 0.0
        if glide_s is not None:
            return glide_s
        return float(self._target[self.table.slots[f"{ROOT}/glide"]]) if layer == OPERATOR else 0.0

    def _write(self, slot: int, number: float, layer: int, now: float, glide_s: float, easing: str = "") -> None:
        self._register[layer, slot] = number
        until = now + glide_s + self._life[layer]
        self._live_until[layer, slot] = until
        self._next_expiry = min(self._next_expiry, until)
        self._retarget(slot, now, glide_s, easing)

    def _retarget(self, slot: int, now: float, glide_s: float, easing: str = "") -> None:
        """Find who is heard on a row, and send its value there from where it is at `now`."""
        live = [layer for layer in (2, 1, 0) if self._live_until[layer, slot] > now]
        target = self._default[slot] if self._panic else self._register[live[0] if live else OPERATOR, slot]
        if target == self._target[slot]:
            return
        self._advance(slot, now)
        self._target[slot] = target
        self._glides.pop(slot, None)
        if glide_s > 0.0:
            easing = easing or str(self._choice(f"{ROOT}/easing"))
            self._glides[slot] = Glide(float(self._value[slot]), float(target), self._at[slot], glide_s, easing)

    def _choice(self, address: str) -> object:
        slot = self.table.slots[address]
        return self.table.stateful[slot].present(float(self._target[slot]))

    def _advance(self, slot: int, now: float) -> None:
        """Move one row to `now` along its glide or its decay."""
        glide = self._glides.get(slot)
        now = max(now, float(self._at[slot]))
        if glide is not None:
            self._value[slot] = glide.value(now)
            if glide.done(now):
                del self._glides[slot]
        elif self._instant[slot]:
            self._value[slot] = self._target[slot]
        else:
            half_lives = min((now - self._at[slot]) * self._half_lives_per_s[slot], _MAX_HALF_LIVES)
            self._value[slot] = self._target[slot] + (self._value[slot] - self._target[slot]) * 2.0**-half_lives
        self._at[slot] = now

    def _expire(self, now: float) -> None:
        """Take every end of a hold up to `now` at its own time, in order."""
        while self._next_expiry <= now:
            when = self._next_expiry
            ended: NDArray[np.intp] = np.argwhere((self._live_until <= when) & (self._live_until > _NEVER))
            for layer, slot in ended:
                self._live_until[layer, slot] = _NEVER
                self._retarget(int(slot), when, 0.0)
            self._next_expiry = float(self._live_until.min(where=self._live_until > _NEVER, initial=math.inf))

    def _set_panic(self, slot: int, on: bool, now: float) -> None:
        if on and not self._panic:
            self._register[OPERATOR] = self._default
            self._live_until[OPERATOR] = _NEVER
            self._glides.clear()
            self._target[:] = self._value[:] = self._default
            self._at[:] = np.maximum(self._at, now)
            self._cue = ""
        if self._panic and not on:
            self._panic = False
            for other in range(len(self._target)):
                self._retarget(other, now, 0.0)
        self._panic = on
        self._register[OPERATOR, slot] = self._target[slot] = self._value[slot] = float(on)

    def _cue_command(self, what: str, name: str, args: Sequence[object], source: str, now: float) -> Outcome:
        if LAYERS[source] != OPERATOR:
            return Outcome(Verdict.REFUSED, "only an operator may use cues")
        seconds: float | None = None
        if what == "go":
            cue = self._named(args[0]) if args else self._cues.after(self._cue)
        elif what == "next":
            cue = self._cues.after(self._cue)
        elif what == "previous":
            cue = self._cues.before(self._cue)
        else:
            cue = self._cues.get(name)
            if args:
                seconds = _seconds(args[0])
                if seconds is None:
                    return Outcome(Verdict.REFUSED, f"the time of a cue is 0 to {MAX_FADE_S:g} seconds")
        if what.endswith("/store"):
            return self._store(name, 0.0 if seconds is None else seconds)
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
            rows = self.table.stateful
            values = {row.address: row.present(float(self._target[i])) for i, row in enumerate(rows) if row.in_cue}
            try:
                self._cues = self._cues.stored(Cue(name, values, seconds))
            except ValueError as error:
                return Outcome(Verdict.REFUSED, str(error))
            self._cue = name
            self._cue_revision += 1
            return _APPLIED


def _seconds(value: object) -> float | None:
    """A time from outside, or None if it is none."""
    if not isinstance(value, (int, float)) or not 0.0 <= value <= MAX_FADE_S:
        return None
    return float(value)
