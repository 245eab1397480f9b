"""Everybody who plays the instrument beside the visit, started and stopped together.

    network (OSC, OSCQuery), sound, mappings, MIDI, hands, cue file  ->  Instrument

Each is optional at run time: what cannot start is told in a sentence, and the show goes on without it. Only a
mistake in the configuration is an error, and comes before anything has started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from installation.core.audio_features import AudioFeatures
from installation.core.control import ROOT
from installation.core.instrument import Instrument, Outcome, Verdict
from installation.core.types import FaceMeasures
from installation.devices.audio import AudioListener
from installation.devices.cue_file import CueFile
from installation.devices.hands import HandReader, NewestPicture
from installation.devices.instrument_config import (
    AudioConfig,
    CuesConfig,
    HandsConfig,
    MappingsConfig,
    MidiConfig,
    OscConfig,
)
from installation.devices.mapping_player import MappingPlayer
from installation.devices.midi import MidiPlayer, RtMidiPorts
from installation.devices.osc_codec import Argument
from installation.devices.osc_query import Announcement, OscQueryServer
from installation.devices.osc_server import OscServer
from installation.devices.watching import Watcher
from installation.errors import MirrorError


@dataclass(frozen=True, slots=True)
class PerformanceConfig:
    """The sections that matter here, and the file they came from (None: nothing is watched)."""

    osc: OscConfig = field(default_factory=OscConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    audio: AudioConfig = field(default_factory=AudioConfig)
    mappings: MappingsConfig = field(default_factory=MappingsConfig)
    midi: MidiConfig = field(default_factory=MidiConfig)
    hands: HandsConfig = field(default_factory=HandsConfig)
    path: Path | None = None


class Performance:
    """All players of one show.

    Args:
        config: Their sections.
        instrument: To play; the show ticks it.
        tell: Gets a sentence for each that cannot play.
        newest_picture: Camera pictures for the hands.
        clock: Monotonic seconds, the clock of the show.

    Raises:
        ConfigError: If a mapping or an address is wrong.
        MissingExtra: If a feed needs a package that is not installed.
    """

    def __init__(
        self,
        config: PerformanceConfig,
        instrument: Instrument,
        tell: Callable[[str], None],
        *,
        newest_picture: NewestPicture = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._tell = tell
        self._stops: list[Callable[[], None]] = []
        folder = Path() if config.path is None else config.path.parent
        self.audio = AudioListener(config.audio, on_frame=self._hear, clock=clock)
        self.mappings = MappingPlayer(
            config.mappings, instrument, audio=self.audio.heard, config_path=config.path, clock=clock
        )
        self.osc = OscServer(config.osc, instrument, now=clock, commands={"midi/learn": self._learn})
        self.midi: MidiPlayer | None = None
        self._instrument, self._folder, self._clock = instrument, folder, clock
        self._hands = HandReader(config.hands, newest_picture, clock=clock)
        self._cues = CueFile(folder / config.cues.file, instrument, keep=config.cues.keep)
        self._osc_is_on = False

    def start(self) -> None:
        """Start everybody who can; never raises."""
        self._try("cues", self._cues.load)
        if self._config.osc.enabled:
            self._osc_is_on = self._try("OSC", self._start_osc)
        self._try("MIDI", self._start_midi)
        self.audio.start()
        self._hands.start()
        polls = [self._cues.poll, self.mappings.poll]
        if self.midi is not None:
            polls.append(self.midi.poll)
        watcher = Watcher(polls)
        watcher.start()
        self._stops += [self.audio.stop, self._hands.stop, watcher.stop, self.mappings.stop]

    def stop(self) -> None:
        """Take all hands off, in reverse order."""
        while self._stops:
            self._stops.pop()()

    def play(self, now: float, face: FaceMeasures | None, visit: Mapping[str, float]) -> None:
        """Play the mappings; called by the show once a frame, before `Instrument.tick`.

        Args:
            now: Monotonic seconds.
            face: Of the followed visitor, or None.
            visit: presence, amount, seconds (since the approach) and visits.
        """
        hands = self._hands.measures(now) if self._config.hands.enabled else None
        self.mappings.play(now, face, hands, visit)

    def announce_stage(self, stage: str) -> None:
        """Tell the network that the visit has come to a stage."""
        self._announce(f"visit/{stage}")

    def describe(self, now: float) -> dict[str, str]:
        """How each player is doing, in a few words: for the technician's overlay and the report."""
        words: dict[str, str] = {}
        if self._osc_is_on:
            counts = self.osc.counts
            refused = counts.refused + counts.unknown + counts.malformed
            words["OSC"] = f"port {self.osc.port}, {self.osc.subscribers} listen"
            words["OSC refused"] = f"{refused} of {counts.messages}"
            if self.osc.failure is not None:
                words["OSC"] = f"stopped: {self.osc.failure}"
        if self._config.audio.source != "off":
            frame, health = self.audio.features(now), self.audio.health
            heard = f", {frame.level_db:.0f} dB, {frame.tempo_bpm:.0f} bpm" if health.state == "live" else ""
            words["sound"] = f"{health.state}{heard}"
            if health.lost_blocks or health.gaps:
                words["sound lost"] = f"{health.lost_blocks} blocks, {health.gaps} gaps"
        if self.midi is not None:
            words["MIDI"] = self.midi.connected or f"waiting for {self._config.midi.device!r}"
        if self._config.hands.enabled:
            failure = self._hands.failure
            seen = "seen" if self._hands.measures(now).present else "none"
            words["hands"] = seen if failure is None else f"stopped: {failure}"
        return words

    def meters(self, now: float) -> dict[str, float]:
        """What is heard, 0..1 each; empty when nobody listens."""
        if self._config.audio.source == "off":
            return {}
        frame = self.audio.features(now)
        return {
            "level": frame.level,
            "bass": frame.bass,
            "mid": frame.mid,
            "treble": frame.treble,
            "onset": frame.onset,
        }

    def _announce(self, path: str, *args: Argument) -> None:
        if self._osc_is_on:
            self.osc.announce(f"{ROOT}/{path}", *args)

    def _hear(self, frame: AudioFeatures) -> None:
        """The listening thread's: beats and onsets go out at once."""
        if frame.is_onset:
            self._announce("onset", frame.onset)
        if frame.is_beat:
            self._announce("beat", frame.beat_number, frame.tempo_confidence)
            self._announce("tempo", frame.tempo_bpm, frame.tempo_confidence)

    def _learn(self, args: Sequence[Argument]) -> Outcome:
        if self.midi is None:
            return Outcome(Verdict.REFUSED, "MIDI is off: give [midi] device")
        if len(args) != 1 or not isinstance(args[0], str):
            return Outcome(Verdict.REFUSED, "/mirror/midi/learn takes the address that shall be played")
        return self.midi.learn(args[0])

    def _start_osc(self) -> None:
        config = self._config.osc
        self.osc.start()
        self._stops.append(self.osc.stop)
        query: OscQueryServer | None = None
        if config.query:
            query = OscQueryServer(self._instrument, config.host, config.query_port, self.osc.port, self.osc.allowed)
            if self._try("OSCQuery", query.start):
                self._stops.append(query.stop)
            else:
                query = None
        if config.announce:
            addresses = () if config.host in ("0.0.0.0", "::") else (config.host,)
            self._try(
                "the announcement",
                lambda: self._stops.append(
                    Announcement(self.osc.port, None if query is None else query.port, addresses).stop
                ),
            )

    def _start_midi(self) -> None:
        if self._config.midi.device:
            midi = MidiPlayer(self._config.midi, self._instrument, self._folder, RtMidiPorts(), clock=self._clock)
            midi.poll()
            midi.start()
            self.midi = midi
            self._stops.append(midi.stop)

    def _try(self, what: str, start: Callable[[], None]) -> bool:
        try:
            start()
        except MirrorError as error:
            self._tell(f"{error}; the show goes on without {what}")
            return False
        return True
