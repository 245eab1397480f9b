"""What a docent may ask, checked. The same rules for everybody who asks, whatever page or program it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from installation.core.control import is_name

MAX_AGE_S = 2.0
"""A command that is older was meant for a moment that has passed."""


@dataclass(frozen=True, slots=True)
class Command:
    """One order: a word of `RULES` and its value, checked."""

    do: str
    value: Any


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _unit(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def _name(value: object) -> bool:
    return isinstance(value, str) and is_name(value)


def _nothing(value: object) -> bool:
    return value is None


RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "pause": (_truth, "true closes the camera, false opens it"),
    "blackout": (_truth, "true or false"),
    "light": (_unit, "brightness, 0 to 1"),
    "cue": (_name, "the name of a cue"),
    "target": (_nothing, "the next target; no value"),
    "language": (_name, "the language of the notice"),
    "restart": (_nothing, "the show begins afresh; no value"),
    "keepsake": (_truth, "true begins the countdown for a picture, false cancels it"),
}


def parse_command(message: object) -> Command | str:
    """Check one message, `{"do": ..., "value": ...}`; returns the command, or a sentence on what is wrong."""
    if not isinstance(message, Mapping):
        return "a command is an object with 'do' and 'value'"
    do, value = message.get("do"), message.get("value")
    if not isinstance(do, str) or do not in RULES:
        return f"there is no such command; there are: {', '.join(RULES)}"
    fits, expected = RULES[do]
    if (isinstance(value, float) and not math.isfinite(value)) or not fits(value):
        return f"{do} takes: {expected}"
    return Command(do, value)
