"""What the rehearsal before doors says of the instrument."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from installation.core.controls import control_table
from installation.devices.instrument_config import AudioConfig, CuesConfig, MappingsConfig, MidiConfig, OscConfig
from installation.devices.rehearsal import rehearse_audio, rehearse_cues, rehearse_mappings, rehearse_midi
from installation.errors import ConfigError, DeviceError

TABLE = control_table(("strength",), ())


def write(path: Path, samples: np.ndarray) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return str(path)


def test_mappings() -> None:
    assert rehearse_mappings(MappingsConfig(), OscConfig(), TABLE) == "none"
    row = {"source": "audio.level", "address": "/mirror/amount"}
    assert rehearse_mappings(MappingsConfig.model_validate({"row": [row]}), OscConfig(), TABLE) == "1 rows, 0 feeds"
    with pytest.raises(ConfigError, match="/mirror/gone"):
        rehearse_mappings(MappingsConfig(), OscConfig(wekinator=("/mirror/gone",)), TABLE)
    wrong = MappingsConfig.model_validate({"row": [row | {"source": "audio.smell"}]})
    with pytest.raises(ConfigError, match="no such source"):
        rehearse_mappings(wrong, OscConfig(), TABLE)


def test_cues(tmp_path: Path) -> None:
    assert rehearse_cues(CuesConfig(), tmp_path, TABLE) == "none yet"
    (tmp_path / "cues.toml").write_text('[[cue]]\nid = "a"\n[cue.values]\n"/mirror/psi" = 1.0\n"/mirror/gone" = 1.0\n')
    assert rehearse_cues(CuesConfig(), tmp_path, TABLE) == "1 cues; not in this pack and passed over: /mirror/gone"
    (tmp_path / "cues.toml").write_text("[[cue]]\n")
    with pytest.raises(ConfigError, match="cue 1: id"):
        rehearse_cues(CuesConfig(), tmp_path, TABLE)


def test_sound(tmp_path: Path) -> None:
    assert rehearse_audio(AudioConfig()) == "off"
    loud = write(tmp_path / "loud.wav", 0.5 * np.sin(np.arange(48000) * 0.1))
    assert rehearse_audio(AudioConfig(source=loud)).startswith("loud.wav, 48000 Hz")
    with pytest.raises(DeviceError, match="muted"):
        rehearse_audio(AudioConfig(source=write(tmp_path / "mute.wav", np.zeros(48000))))
    with pytest.raises(DeviceError):
        rehearse_audio(AudioConfig(source="no such input at all"))


def test_midi() -> None:
    assert rehearse_midi(MidiConfig()) == "off"
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    with pytest.raises(DeviceError):
        rehearse_midi(MidiConfig(device="no such controller at all"))
