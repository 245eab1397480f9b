"""Which key and which knob plays what. Pure: messages and learning, without a port.

    [[bind]]
    message = "cc"          # or "note"
    channel = 1             # 1 to 16
    number = 7              # 0 to 127
    address = "/mirror/amount"

A controller (cc) is a fader over the row's range and curve. A key is a press: it goes to a cue or another command,
turns a toggle over, or plays a fader by its velocity and lets it go.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from installation.core.control import Kind
from installation.core.controls import ControlTable
from installation.core.instrument import Instrument, Outcome, Verdict
from installation.errors import ConfigError

Trigger = tuple[str, int, int]
"""("cc" or "note", channel 1..16, number 0..127)."""


@dataclass(frozen=True, slots=True)
class MidiMessage:
    """One message. `value` 0..127: of the controller, or the key's velocity (0 is a release)."""

    message: str
    channel: int
    number: int
    value: int


class MidiMap:
    """Bindings of one controller. Owned by the thread that receives.

    Args:
        binds: Trigger -> address.
    """

    def __init__(self, binds: Mapping[Trigger, str] | None = None) -> None:
        self.binds: dict[Trigger, str] = dict(binds or {})
        self.learning: str | None = None
        self.revision = 0

    def play(self, message: MidiMessage, instrument: Instrument, now: float) -> Outcome:
        """Play a message, or learn it when somebody waits for one."""
        trigger = (message.message, message.channel, message.number)
        if self.learning is not None and not (message.message == "note" and message.value == 0):
            self.binds[trigger] = self.learning
            self.learning = None
            self.revision += 1
        address = self.binds.get(trigger)
        if address is None:
            return Outcome(Verdict.UNKNOWN, f"{trigger} plays nothing")
        found = instrument.table.find(address)
        if found is None:
            return Outcome(Verdict.UNKNOWN, f"there is no control {address!r} in this show")
        row, _ = found
        pressed = message.value > 0
        if row.kind is Kind.COMMAND:
            is_press = message.value >= 64 if message.message == "cc" else pressed
            return instrument.command(address, (), "midi", now) if is_press else Outcome(Verdict.APPLIED)
        if row.kind is Kind.TOGGLE and message.message == "note":
            if not pressed:
                return Outcome(Verdict.APPLIED)
            return instrument.set(address, not instrument.snapshot.goal(address), "midi", now)
        return instrument.set(address, row.from_fader(message.value / 127.0), "midi", now)

    def learn(self, address: str, table: ControlTable) -> Outcome:
        """Bind the next knob or key that moves to `address`."""
        found = table.find(address)
        if found is None or found[0].kind is Kind.SIGNAL:
            return Outcome(Verdict.UNKNOWN, f"there is no control {address!r} to learn")
        self.learning = address
        return Outcome(Verdict.APPLIED)


def parse_midi_map(text: str) -> dict[Trigger, str]:
    """Read bindings from TOML.

    Raises:
        ConfigError: With every problem, one a line.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the MIDI map is not TOML: {error}") from error
    entries = document.get("bind", [])
    if not isinstance(entries, list) or set(document) - {"bind"}:
        raise ConfigError("the MIDI map may hold [[bind]] tables and nothing else")
    binds: dict[Trigger, str] = {}
    problems: list[str] = []
    for place, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) != {"message", "channel", "number", "address"}:
            problems.append(f"bind {place}: needs message, channel, number and address, and nothing else")
            continue
        message, channel, number, address = (entry[key] for key in ("message", "channel", "number", "address"))
        if message not in ("cc", "note"):
            problems.append(f"bind {place}: message = {message!r}: must be cc or note")
        elif type(channel) is not int or not 1 <= channel <= 16:
            problems.append(f"bind {place}: channel = {channel!r}: must be 1 to 16")
        elif type(number) is not int or not 0 <= number <= 127:
            problems.append(f"bind {place}: number = {number!r}: must be 0 to 127")
        elif not isinstance(address, str) or not address.startswith("/"):
            problems.append(f"bind {place}: address = {address!r}: must be an address")
        else:
            binds[(message, channel, number)] = address
    if problems:
        raise ConfigError("\n".join(problems))
    return binds


def format_midi_map(binds: Mapping[Trigger, str]) -> str:
    """Write bindings as TOML that `parse_midi_map` reads back."""
    lines = ["# Which key (note) and knob (cc) plays what. Written by /mirror/midi/learn; may be edited."]
    for (message, channel, number), address in sorted(binds.items()):
        lines += ["", "[[bind]]", f'message = "{message}"', f"channel = {channel}", f"number = {number}"]
        lines += [f'address = "{address}"']
    return "\n".join(lines) + "\n"
