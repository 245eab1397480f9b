"""What the instrument says at one moment; a frame is made from one snapshot and never mixes two states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.core.control import ROOT, Control, Value
from installation.core.controls import ControlTable


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot(Mapping[str, Value]):
    """All values at one tick: `snapshot["/mirror/amount"]` is a float, `snapshot["/mirror/view"]` a name.

    Attributes:
        now: Monotonic seconds of the tick.
        numbers: (slots,) float64, smoothed; read-only.
        goals: (slots,) float64, where the numbers go; read-only. Feedback and cues use these.
        table: Of the slots.
        changes: How many changes operators have made since the start.
        changed_at: Monotonic seconds at which the newest of them was received; -inf before the first. The time from
            there to the swap of the frame is the delay of the instrument.
        cue: Name of the cue recalled last, or "".
        cue_revision: Counts up whenever a cue is stored or deleted.
    """

    now: float
    numbers: NDArray[np.float64]
    goals: NDArray[np.float64]
    table: ControlTable
    changes: int
    changed_at: float
    cue: str
    cue_revision: int

    def __getitem__(self, address: str) -> Value:
        slot = self.table.slots[address]
        return self.table.stateful[slot].present(float(self.numbers[slot]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.slots)

    def __len__(self) -> int:
        return len(self.table.slots)

    def number(self, address: str) -> float:
        """The value as the number the vector holds."""
        return float(self.numbers[self.table.slots[address]])

    def goal(self, address: str) -> Value:
        """Where the value goes, in the row's own type."""
        slot = self.table.slots[address]
        return self.table.stateful[slot].present(float(self.goals[slot]))

    def uniforms(self) -> dict[str, float]:
        """Values of the looks' uniforms, by name."""
        head = f"{ROOT}/uniform/"
        rows: tuple[Control, ...] = self.table.stateful
        return {
            row.address[len(head) :]: float(value)
            for row, value in zip(rows, self.numbers, strict=True)
            if row.address.startswith(head)
        }
