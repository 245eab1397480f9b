"""What `mirror check` tries of the instrument: each function returns a note, or raises with what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from installation.core.audio_features import AudioAnalyser
from installation.core.controls import ControlTable
from installation.core.cues import parse_cues
from installation.devices.audio_sources import open_audio
from installation.devices.instrument_config import AudioConfig, CuesConfig, MappingsConfig, MidiConfig, OscConfig
from installation.devices.mapping_player import build_engine
from installation.devices.midi import RtMidiPorts
from installation.errors import ConfigError, DeviceError

LISTEN_S = 1.5


def rehearse_mappings(config: MappingsConfig, osc: OscConfig, table: ControlTable) -> str:
    """Every mapping and every Wekinator output names what is there.

    Raises:
        ConfigError: With every mistake.
    """
    build_engine(config, table)
    unknown = [address for address in osc.wekinator if address not in table.slots]
    if unknown:
        raise ConfigError(f"[osc] wekinator: no such control: {', '.join(unknown)}")
    return f"{len(config.row)} rows, {len(config.feed)} feeds" if config.row else "none"


def rehearse_cues(config: CuesConfig, folder: Path, table: ControlTable) -> str:
    """The cue list can be read, and its controls are those of this pack.

    Raises:
        ConfigError: If the list is wrong.
    """
    path = folder / config.file
    if not path.is_file():
        return "none yet"
    cues = parse_cues(path.read_text("utf-8", "replace"))
    unknown = sorted({address for cue in cues for address in cue.values if address not in table.slots})
    remark = f"; not in this pack and passed over: {', '.join(unknown)}" if unknown else ""
    return f"{len(cues)} cues{remark}"


def rehearse_audio(config: AudioConfig, clock: Callable[[], float] = time.monotonic) -> str:
    """The input opens, delivers, and is not mute.

    Raises:
        DeviceError: If it does not.
    """
    if config.source == "off":
        return "off"
    source = open_audio(config, clock)
    try:
        analyser = AudioAnalyser(source.sample_rate)
        end, samples, loudest, level_db = clock() + LISTEN_S, 0, 0.0, -100.0
        while clock() < end:
            block = source.read(0.2)
            if block is None:
                continue
            samples += len(block)
            loudest = max(loudest, float(np.abs(block).max(initial=0.0)))
            for frame in analyser.feed(block):
                level_db = max(level_db, frame.level_db)
        if samples < 0.5 * LISTEN_S * source.sample_rate:
            raise DeviceError(
                f"{source.name} opened but gave {samples} samples in {LISTEN_S:g} s; is it in use elsewhere?"
            )
        if loudest == 0.0:
            raise DeviceError(f"{source.name} gives only zeros; is it muted?")
        return f"{source.name}, {source.sample_rate} Hz, {source.latency_s * 1e3:.0f} ms, up to {level_db:.0f} dBFS"
    finally:
        source.close()


def rehearse_midi(config: MidiConfig) -> str:
    """The controller is plugged in.

    Raises:
        DeviceError: If it is not; names those that are.
        MissingExtra: If MIDI is wanted and its packages are not installed.
    """
    if not config.device:
        return "off"
    names = RtMidiPorts().names()
    found = [name for name in names if config.device.lower() in name.lower()]
    if not found:
        raise DeviceError(f"no input has {config.device!r} in its name; there are: {'; '.join(names) or 'none'}")
    return found[0]
