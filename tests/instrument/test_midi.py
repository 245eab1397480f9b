"""MIDI: playing, learning, the file, and a device that goes and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.controls import control_table
from installation.core.instrument import Instrument, Verdict
from installation.core.midi_map import MidiMap, MidiMessage, format_midi_map, parse_midi_map
from installation.devices.instrument_config import MidiConfig
from installation.devices.midi import MidiPlayer, RtMidiPorts, Take
from installation.errors import ConfigError, DeviceError, MissingExtra

TABLE = control_table(("strength",), ("age",))
A, AGE = "/mirror/amount", "/mirror/direction/age"


def player_with(binds: dict[tuple[str, int, int], str]) -> tuple[MidiMap, Instrument]:
    return MidiMap(binds), Instrument(TABLE)


def test_controllers_are_faders() -> None:
    midi, player = player_with({("cc", 1, 7): AGE, ("cc", 1, 8): "/mirror/view"})
    for value, wanted in ((0, -1.0), (127, 1.0)):
        assert midi.play(MidiMessage("cc", 1, 7, value), player, 0.0).heard
        assert player.tick(0.0).goal(AGE) == wanted
    midi.play(MidiMessage("cc", 1, 8, 127), player, 0.0)
    assert player.tick(0.0).goal("/mirror/view") == "series"
    assert midi.play(MidiMessage("cc", 2, 7, 1), player, 0.0).verdict is Verdict.UNKNOWN


def test_keys_are_presses() -> None:
    midi, player = player_with(
        {("note", 1, 36): "/mirror/cue/storm/go", ("note", 1, 37): "/mirror/freeze", ("note", 1, 38): A}
    )
    player.set(A, 0.25)
    player.command("/mirror/cue/storm/store")
    player.set(A, 0.75)
    for velocity in (90, 0):
        midi.play(MidiMessage("note", 1, 36, velocity), player, 1.0)
    assert player.tick(1.0).goal(A) == 0.25
    frozen = []
    for velocity in (90, 0, 90, 0):
        midi.play(MidiMessage("note", 1, 37, velocity), player, 1.0)
        frozen.append(player.tick(1.0).goal("/mirror/freeze"))
    assert frozen == [True, True, False, False]
    midi.play(MidiMessage("note", 1, 38, 127), player, 1.0)
    assert player.tick(1.0).goal(A) == 1.0
    midi.play(MidiMessage("note", 1, 38, 0), player, 1.0)
    assert player.tick(1.0).goal(A) == 0.0


def test_learning_takes_the_next_knob_or_key() -> None:
    midi, player = player_with({("cc", 1, 7): AGE})
    assert midi.learn("/mirror/nothing", TABLE).verdict is Verdict.UNKNOWN
    assert midi.learn("/mirror/beat", TABLE).verdict is Verdict.UNKNOWN
    assert midi.learn(A, TABLE).heard
    midi.play(MidiMessage("note", 1, 40, 0), player, 0.0)  # the release of a key pressed before
    assert midi.learning == A
    midi.play(MidiMessage("cc", 1, 7, 64), player, 0.0)
    assert midi.binds == {("cc", 1, 7): A}
    assert (midi.learning, midi.revision) == (None, 1)


triggers = st.tuples(st.sampled_from(["cc", "note"]), st.integers(1, 16), st.integers(0, 127))


@given(st.dictionaries(triggers, st.sampled_from([A, AGE, "/mirror/cue/storm/go"])))
def test_a_map_survives_its_file(binds: dict[tuple[str, int, int], str]) -> None:
    assert parse_midi_map(format_midi_map(binds)) == binds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[bind", "not TOML"),
        ("x = 1", "nothing else"),
        ('[[bind]]\nmessage = "cc"\n', "needs message"),
        ('[[bind]]\nmessage = "pitch"\nchannel = 1\nnumber = 1\naddress = "/a"', "cc or note"),
        ('[[bind]]\nmessage = "cc"\nchannel = 0\nnumber = 1\naddress = "/a"', "1 to 16"),
        ('[[bind]]\nmessage = "cc"\nchannel = 1\nnumber = 128\naddress = "/a"', "0 to 127"),
        ('[[bind]]\nmessage = "cc"\nchannel = 1\nnumber = 1\naddress = 5', "must be an address"),
    ],
)
def test_mistakes_in_a_map_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_midi_map(text)


class Desk:
    """Ports of a machine where things are plugged and unplugged. It honours `MidiPorts`."""

    def __init__(self) -> None:
        self.plugged: list[str] | None = []
        self.open_ports: dict[str, Take] = {}
        self.closed = 0

    def names(self) -> list[str]:
        if self.plugged is None:
            raise DeviceError("this machine has no MIDI")
        return list(self.plugged)

    def open(self, name: str, take: Take) -> Callable[[], None]:
        self.open_ports[name] = take

        def close() -> None:
            self.closed += 1
            self.open_ports.pop(name, None)

        return close


def wait_for(condition: Callable[[], bool]) -> bool:
    end, pause = time.monotonic() + 60.0, threading.Event()
    while not condition() and time.monotonic() < end:
        pause.wait(0.01)
    return condition()


def test_a_device_that_is_replugged_plays_again(tmp_path: Path) -> None:
    desk, player = Desk(), Instrument(TABLE)
    desk.plugged = None
    (tmp_path / "midi.toml").write_text(format_midi_map({("cc", 1, 7): A}))
    midi = MidiPlayer(MidiConfig(device="nano", retry_s=0.2), player, tmp_path, desk)
    midi.poll()
    midi.start()
    desk.plugged = ["Midi Through:0", "nanoKONTROL2:1"]
    assert wait_for(lambda: midi.connected == "nanoKONTROL2:1")
    desk.open_ports["nanoKONTROL2:1"](MidiMessage("cc", 1, 7, 0))
    assert player.tick(time.monotonic()).goal(A) == 0.0
    desk.plugged = ["Midi Through:0"]
    assert wait_for(lambda: midi.connected == "" and desk.closed == 1)
    desk.plugged = ["Midi Through:0", "nanoKONTROL2:5"]
    assert wait_for(lambda: midi.connected == "nanoKONTROL2:5")
    midi.learn(AGE)
    desk.open_ports["nanoKONTROL2:5"](MidiMessage("cc", 1, 9, 127))
    assert player.tick(time.monotonic()).goal(AGE) == 1.0
    midi.poll()
    assert parse_midi_map((tmp_path / "midi.toml").read_text()) == {("cc", 1, 7): A, ("cc", 1, 9): AGE}
    midi.stop()
    assert desk.closed == 2


def test_a_machine_without_midi_is_a_sentence() -> None:
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    if Path("/dev/snd/seq").exists():
        assert all(isinstance(name, str) for name in RtMidiPorts().names())
    else:
        with pytest.raises(DeviceError, match="no MIDI"):
            RtMidiPorts().names()


def test_without_rtmidi_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rtmidi", None)
    with pytest.raises(MissingExtra, match=r"machine-reflections\[midi\]"):
        RtMidiPorts()
