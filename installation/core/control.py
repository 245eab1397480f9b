"""One row of the control table: an address, what it holds, and how what comes from outside becomes a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

ROOT = "/mirror"

ID_PLACE = "<id>"
"""Stands in an address for any name that `is_name` accepts."""

MAX_NAME_LENGTH = 40

Value = float | int | bool | str


class Kind(StrEnum):
    """What a row holds. The first four have a state."""

    FLOAT = "float"
    INT = "int"
    TOGGLE = "toggle"
    CHOICE = "choice"
    COMMAND = "command"
    SIGNAL = "signal"


STATEFUL = frozenset({Kind.FLOAT, Kind.INT, Kind.TOGGLE, Kind.CHOICE})


class Curve(StrEnum):
    """How a fader's way 0..1 is spread over the range; every curve is monotonic and keeps both ends."""

    LINEAR = "linear"
    SQUARE = "square"
    CUBE = "cube"
    ROOT = "root"


_EXPONENT = {Curve.LINEAR: 1.0, Curve.SQUARE: 2.0, Curve.CUBE: 3.0, Curve.ROOT: 0.5}


class ValueRefused(ValueError):
    """A value from outside does not fit its row; the message says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Control:
    """One row.

    Attributes:
        address: OSC address; a command may hold one `<id>`.
        kind: See `Kind`.
        help: One sentence for the performer.
        unit: Of the value, empty where it is a plain number.
        low, high: Range of the value, both included.
        default: Value at rest, and after a panic.
        curve: How faders, MIDI controllers and mappings spread over the range.
        half_life_s: Smoothing: half of a step is done after this time. 0 is at once.
        clamp: Out of range: True takes the nearest end, False refuses.
        choices: Names of a choice, in order.
        in_cue: Whether a cue stores this row.
    """

    address: str
    kind: Kind
    help: str
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    default: float = 0.0
    curve: Curve = Curve.LINEAR
    half_life_s: float = 0.0
    clamp: bool = True
    choices: tuple[str, ...] = ()
    in_cue: bool = True

    def __post_init__(self) -> None:
        if not self.help:
            raise ValueError(f"{self.address} has no help")
        if self.kind in STATEFUL and not self.low <= self.default <= self.high:
            raise ValueError(f"{self.address}: default {self.default} is not in {self.low}..{self.high}")

    def accept(self, value: object) -> float:
        """Turn what came from outside into the number the vector holds.

        Numbers and truth values stand for each other; a choice is given by name or number.

        Raises:
            ValueRefused: Wrong type, not finite, unknown name, or out of range where the row does not clamp.
        """
        if self.kind is Kind.CHOICE and isinstance(value, str):
            if value not in self.choices:
                raise ValueRefused(f"{self.address} takes one of {', '.join(self.choices)}, not {value[:40]!r}")
            return float(self.choices.index(value))
        if not isinstance(value, (int, float)):
            raise ValueRefused(f"{self.address} takes a {self._expected()}, not {type(value).__name__}")
        try:
            number = float(value)
        except OverflowError as error:
            raise ValueRefused(f"{self.address}: the number is too large") from error
        if not math.isfinite(number):
            raise ValueRefused(f"{self.address} takes a finite number, not {number}")
        if self.kind is Kind.TOGGLE:
            return 1.0 if number > 0.0 else 0.0
        if self.kind in (Kind.INT, Kind.CHOICE):
            number = float(round(number))
        if self.kind is Kind.CHOICE and not 0 <= number < len(self.choices):
            raise ValueRefused(f"{self.address} has {len(self.choices)} choices, counted from 0, not {number:g}")
        if not self.low <= number <= self.high:
            if not self.clamp:
                raise ValueRefused(f"{self.address} takes {self.low:g} to {self.high:g}, not {number:g}")
            number = min(max(number, self.low), self.high)
        return number

    def clamps(self, value: object) -> bool:
        """Whether `accept` took the nearest end in place of this value."""
        has_ends = self.kind in (Kind.FLOAT, Kind.INT) and isinstance(value, (int, float))
        return has_ends and not self.low <= value <= self.high  # type: ignore[operator]

    def present(self, number: float) -> Value:
        """Give the held number as the row's own type: float, int, bool, or the name of a choice."""
        if self.kind is Kind.FLOAT:
            return float(number)
        if self.kind is Kind.INT:
            return round(number)
        if self.kind is Kind.TOGGLE:
            return number > 0.5
        return self.choices[round(number)]

    def from_fader(self, position: float) -> float:
        """Value at a fader's position 0..1 (outside is clamped), over the curve."""
        way = min(max(position, 0.0), 1.0)
        if self.kind is Kind.TOGGLE:
            return 1.0 if way >= 0.5 else 0.0
        number = self.low + (self.high - self.low) * float(way ** _EXPONENT[self.curve])
        return float(round(number)) if self.kind in (Kind.INT, Kind.CHOICE) else min(max(number, self.low), self.high)

    def to_fader(self, number: float) -> float:
        """Position 0..1 of a value; the inverse of `from_fader` for floats."""
        if self.high == self.low:
            return 0.0
        way = min(max((number - self.low) / (self.high - self.low), 0.0), 1.0)
        return float(way ** (1.0 / _EXPONENT[self.curve]))

    def _expected(self) -> str:
        if self.kind is Kind.CHOICE:
            return f"name ({', '.join(self.choices)}) or its number"
        return {Kind.INT: "whole number", Kind.TOGGLE: "number or truth value"}.get(self.kind, "number")


def is_name(text: str) -> bool:
    """Whether `text` may be one part of an address: letters, digits, `_`, `-` and `.`, 1 to 40 of them, ASCII."""
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isascii() and all(c.isalnum() or c in "_-." for c in text)
