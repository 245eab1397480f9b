"""A MIDI controller, through mido and python-rtmidi (the extra `midi`): found by name, learnt, back after a replug."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from installation.core.instrument import Instrument, Outcome
from installation.core.midi_map import MidiMap, MidiMessage, format_midi_map, parse_midi_map
from installation.devices.instrument_config import MidiConfig
from installation.devices.watching import WatchedFile
from installation.errors import DeviceError, MissingExtra
from installation.runtime.worker import Worker

_SEQUENCER = Path("/dev/snd/seq")  # without it ALSA writes a line to standard error at every try

log = logging.getLogger(__name__)

Take = Callable[[MidiMessage], None]


class MidiPorts(Protocol):
    """The MIDI inputs of a machine."""

    def names(self) -> list[str]:
        """What is plugged in now.

        Raises:
            DeviceError: If the machine has no MIDI.
        """

    def open(self, name: str, take: Take) -> Callable[[], None]:
        """Open an input; `take` is called from a thread of its own. Returns what closes it.

        Raises:
            DeviceError: If it does not open.
        """


class RtMidiPorts:
    """MIDI through python-rtmidi.

    Raises:
        MissingExtra: If mido or python-rtmidi is not installed.
    """

    def __init__(self) -> None:
        try:
            import mido
            import rtmidi
        except ImportError as error:
            raise MissingExtra("python-rtmidi", "midi", "a MIDI controller") from error
        self._rtmidi = rtmidi
        self._backend = mido.Backend("mido.backends.rtmidi")
        self._probe: Any = None
        # rtmidi raises its own class where there is no sequencer, mido OSError where a port has gone
        self._errors = (rtmidi.RtMidiError, OSError)

    def names(self) -> list[str]:
        if sys.platform == "linux" and not _SEQUENCER.exists():
            raise DeviceError(f"this machine has no MIDI: {_SEQUENCER} is missing; modprobe snd-seq")
        try:
            if self._probe is None:  # kept, because a client of the sequencer for every look would not be free
                self._probe = self._rtmidi.MidiIn()
            return list(self._probe.get_ports())
        except self._errors as error:
            raise DeviceError(f"this machine has no MIDI: {error}") from error

    def open(self, name: str, take: Take) -> Callable[[], None]:
        def receive(message: Any) -> None:
            if message.type == "control_change":
                take(MidiMessage("cc", message.channel + 1, message.control, message.value))
            elif message.type == "note_on":
                take(MidiMessage("note", message.channel + 1, message.note, message.velocity))
            elif message.type == "note_off":
                take(MidiMessage("note", message.channel + 1, message.note, 0))

        try:
            port = self._backend.open_input(name, callback=receive)
        except self._errors as error:
            raise DeviceError(f"the MIDI input {name!r} does not open: {error}") from error
        return lambda: port.close()


class MidiPlayer:
    """Plays the instrument from one controller.

    Args:
        config: Section `[midi]`.
        instrument: To play.
        folder: Where the map lies.
        ports: The machine's inputs.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        config: MidiConfig,
        instrument: Instrument,
        folder: Path,
        ports: MidiPorts,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._instrument = instrument
        self._ports = ports
        self._clock = clock
        self._file = WatchedFile(folder / config.file)
        self._map = MidiMap()
        self._revision = 0
        self._lock = threading.Lock()
        self._worker = Worker("midi", self._run)
        self._told = ""
        self._close_port: Callable[[], None] = lambda: None
        self.connected = ""
        """Name of the input that is open, or ""."""

    def start(self) -> None:
        """Begin to look for the device."""
        self._worker.start()

    def stop(self) -> None:
        """Close the device; waits at most two seconds."""
        self._worker.stop()

    def learn(self, address: str) -> Outcome:
        """Bind the next knob or key that moves to `address`."""
        with self._lock:
            return self._map.learn(address, self._instrument.table)

    def poll(self) -> None:
        """Write what was learnt, or take what was edited.

        Raises:
            ConfigError: If the edited map is wrong; the old one stays.
            OSError: If the map cannot be written.
        """
        with self._lock:
            if self._map.revision != self._revision:
                self._file.write(format_midi_map(self._map.binds))
                self._revision = self._map.revision
                return
        text = self._file.read_if_changed()
        if text is not None:
            binds = parse_midi_map(text)
            with self._lock:
                self._map.binds = binds

    def _take(self, message: MidiMessage) -> None:
        with self._lock:
            self._map.play(message, self._instrument, self._clock())

    def _run(self) -> None:
        while True:
            try:
                self._look()
                self._told = ""
            except DeviceError as error:
                if str(error) != self._told:
                    log.warning("MIDI: %s", error)
                    self._told = str(error)
            if self._worker.ending.wait(self._config.retry_s):
                break
        self._close()

    def _look(self) -> None:
        """Open the device when it is there, close it when it has gone."""
        names = self._ports.names()
        if self.connected and self.connected not in names:
            log.warning("MIDI: %s has gone", self.connected)
            self._close()
        if not self.connected:
            wanted = self._config.device
            name = next((name for name in names if wanted.lower() in name.lower()), None)
            if name is None:
                raise DeviceError(f"no input has {wanted!r} in its name; there are: {'; '.join(names) or 'none'}")
            self._close_port, self.connected = self._ports.open(name, self._take), name
            log.info("MIDI: %s", name)

    def _close(self) -> None:
        if self.connected:
            self._close_port()
            self.connected = ""
