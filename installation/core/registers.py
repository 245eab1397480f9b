"""The registers of the instrument: one value for each row and layer, who is heard, and how the values move.

Values move in closed form: between two events a row decays exponentially to its target or follows a
glide, and every event (also the end of a hold) is taken at its own time. So the length of the ticks
changes nothing. No lock here: the instrument has it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from installation.core.controls import ControlTable
from installation.core.glide import Glide

_NEVER = -math.inf
_MAX_HALF_LIVES = 60.0  # 2**-60 of the way is left, far below the snap; keeps exp2 from underflow
_SNAP = 1e-7  # of the range: nearer than this a value is at its target, so that ends are reached exactly


class Registers:
    """Values of all rows that have a state.

    Args:
        table: The rows.
        life_s: For each layer, low to high, how long a value is heard after it was written.
        now: Monotonic seconds of the start.
    """

    def __init__(self, table: ControlTable, life_s: tuple[float, ...], now: float) -> None:
        rows = table.stateful
        self._life_s = life_s
        self._top = len(life_s) - 1
        self._default = np.array([row.default for row in rows], np.float64)
        half_life = np.array([row.half_life_s for row in rows], np.float64)
        self._instant = half_life == 0.0
        self._half_lives_per_s = np.divide(1.0, half_life, out=np.zeros_like(half_life), where=~self._instant)
        self._snap = np.array([_SNAP * (row.high - row.low) for row in rows], np.float64)
        self._held = np.tile(self._default, (len(life_s), 1))
        self._live_until = np.full((len(life_s), len(rows)), _NEVER)
        self._next_expiry = math.inf
        self._value = self._default.copy()
        self._at = np.full(len(rows), now)
        self._glides: dict[int, Glide] = {}
        self._resting = False
        self.target: NDArray[np.float64] = self._default.copy()
        """(slots,) where each value goes."""

    def write(self, slot: int, number: float, layer: int, now: float, glide_s: float = 0.0, easing: str = "") -> None:
        """Write one register; the row moves if its layer is heard."""
        self._held[layer, slot] = number
        until = now + glide_s + self._life_s[layer]
        self._live_until[layer, slot] = until
        self._next_expiry = min(self._next_expiry, until)
        self._retarget(slot, now, glide_s, easing)

    def release(self, layer: int, slot: int | None, now: float) -> None:
        """Silence one register of a layer, or all of them."""
        for each in range(len(self.target)) if slot is None else (slot,):
            if self._live_until[layer, each] > _NEVER:
                self._live_until[layer, each] = _NEVER
                self._retarget(each, now)

    def rest(self, now: float) -> None:
        """Put every row at its default at once and forget what the top layer held; nobody is heard until `wake`."""
        self._resting = True
        self._held[self._top] = self._default
        self._live_until[self._top] = _NEVER
        self._glides.clear()
        self.target[:] = self._value[:] = self._default
        np.maximum(self._at, now, out=self._at)

    def wake(self, now: float) -> None:
        """Hear the layers again."""
        self._resting = False
        for slot in range(len(self.target)):
            self._retarget(slot, now)

    @property
    def standing(self) -> NDArray[np.float64]:
        """(slots,) what the top layer wrote last, which stays when nobody is heard; our own array."""
        held: NDArray[np.float64] = self._held[self._top]
        return held

    def show(self, slot: int, number: float) -> None:
        """Put one row at a value at once, whoever is heard: the state of the panic button itself."""
        self._held[self._top, slot] = self.target[slot] = self._value[slot] = number

    def expire(self, now: float) -> None:
        """Take every end of a hold up to `now` at its own time, in order. Call it before any other change."""
        while self._next_expiry <= now:
            when = self._next_expiry
            ended = np.argwhere((self._live_until <= when) & (self._live_until > _NEVER))
            for layer, slot in ended:
                self._live_until[layer, slot] = _NEVER
                self._retarget(int(slot), when)
            self._next_expiry = float(self._live_until.min(where=self._live_until > _NEVER, initial=math.inf))

    def move(self, now: float) -> NDArray[np.float64]:
        """Move every value to `now`; a `now` before the last one changes nothing. Returns our own array."""
        for slot in list(self._glides):
            self._advance(slot, now)
        half_lives = np.maximum(now - self._at, 0.0) * self._half_lives_per_s
        gliding = list(self._glides)
        kept = self._value[gliding]
        left = (self._value - self.target) * np.exp2(-np.minimum(half_lives, _MAX_HALF_LIVES))
        left[(np.abs(left) < self._snap) | self._instant] = 0.0
        np.add(self.target, left, out=self._value)
        self._value[gliding] = kept
        np.maximum(self._at, now, out=self._at)
        return self._value

    def _retarget(self, slot: int, now: float, glide_s: float = 0.0, easing: str = "") -> None:
        """Find who is heard on a row, and send its value there from where it is at `now`."""
        if self._resting:
            target = self._default[slot]
        else:
            live = (layer for layer in range(self._top, -1, -1) if self._live_until[layer, slot] > now)
            target = self._held[next(live, self._top), slot]
        if target == self.target[slot]:
            return
        self._advance(slot, now)
        self.target[slot] = target
        self._glides.pop(slot, None)
        if glide_s > 0.0:
            start, began = float(self._value[slot]), float(self._at[slot])
            self._glides[slot] = Glide(start, float(target), began, glide_s, easing or "linear")

    def _advance(self, slot: int, now: float) -> None:
        """Move one row to `now` along its glide or its decay."""
        glide = self._glides.get(slot)
        now = max(now, float(self._at[slot]))
        if glide is not None:
            self._value[slot] = glide.value(now)
            if glide.done(now):
                del self._glides[slot]
        elif self._instant[slot]:
            self._value[slot] = self.target[slot]
        else:
            half_lives = min((now - self._at[slot]) * self._half_lives_per_s[slot], _MAX_HALF_LIVES)
            self._value[slot] = self.target[slot] + (self._value[slot] - self.target[slot]) * 2.0**-half_lives
        self._at[slot] = now
