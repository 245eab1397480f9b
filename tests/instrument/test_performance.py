"""All players together, with real sockets, a real sound file and real files on disk."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ports import free_port

from installation.core.clicks import click_track
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.core.types import FaceMeasures
from installation.devices.instrument_config import AudioConfig, MappingsConfig, MidiConfig, OscConfig
from installation.devices.osc_codec import build_message, parse_message
from installation.devices.performance import Performance, PerformanceConfig
from installation.errors import ConfigError

TABLE = control_table(("strength",), ("age",))
A = "/mirror/amount"


def wait_for(condition: Callable[[], bool]) -> bool:
    end, pause = time.monotonic() + 60.0, threading.Event()
    while not condition() and time.monotonic() < end:
        pause.wait(0.01)
    return condition()


def test_a_show_with_everything(tmp_path: Path) -> None:
    sound = tmp_path / "beat.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        clicks = click_track(np.arange(0.2, 4.0, 0.5), 4.0, 44100, "low", snr_db=30.0)
        file.writeframes((clicks * 32767).astype("<i2").tobytes())
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "cues.toml").write_text('[[cue]]\nid = "calm"\n[cue.values]\n"/mirror/psi" = 0.5\n')
    rows = [
        {"source": "audio.onset", "address": "/mirror/breath"},
        {"source": "face.smile", "address": "/mirror/direction/age", "low": -1.0},
        {"source": "visit.presence", "address": "/mirror/feedback"},
    ]
    told: list[str] = []
    player = Instrument(TABLE, now=time.monotonic())
    performance = Performance(
        PerformanceConfig(
            osc=OscConfig(port=0, query_port=0),
            audio=AudioConfig(source=str(sound)),
            mappings=MappingsConfig.model_validate({"row": rows}),
            path=tmp_path / "config.toml",
        ),
        player,
        told.append,
    )
    performance.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(60.0)
            sock.connect(("127.0.0.1", performance.osc.port))
            sock.send(build_message("/mirror/subscribe"))
            sock.send(build_message("/mirror/cue/calm/go"))
            highest, heard, wanted = 0.0, set(), {"/mirror/onset", "/mirror/cue/current", "/mirror/visit/reflect"}
            end = time.monotonic() + 60.0
            while (wanted - heard or highest == 0.0) and time.monotonic() < end:
                now = time.monotonic()
                performance.play(now, FaceMeasures(smile=1.0), {"presence": 0.25})
                highest = max(highest, player.tick(now).number("/mirror/breath"))
                performance.announce_stage("reflect")
                heard.add(parse_message(sock.recv(4096))[0])
            assert not wanted - heard
            sock.send(build_message("/mirror/midi/learn", [A]))
            while parse_message(sock.recv(4096))[0] != "/mirror/error":
                pass
        snapshot = player.tick(time.monotonic())
        assert snapshot.goal("/mirror/psi") == 0.5
        assert snapshot.goal("/mirror/direction/age") == 1.0
        assert snapshot.goal("/mirror/feedback") == 0.25
        assert highest > 0.0
        words = performance.describe(time.monotonic())
        assert words["OSC"] == f"port {performance.osc.port}, 1 listen"
        assert words["sound"].startswith("live, -")
        assert {"OSC", "OSC refused", "sound"} <= set(words)
        assert max(map(len, words.values())) <= 25  # the overlay has no more room
        assert set(performance.meters(time.monotonic())) == {"level", "bass", "mid", "treble", "onset"}
        assert told == []
    finally:
        performance.stop()


def test_oscquery_is_served_beside_osc(tmp_path: Path) -> None:
    told: list[str] = []
    port = free_port()
    config = PerformanceConfig(osc=OscConfig(port=0, query_port=port), path=tmp_path / "config.toml")
    performance = Performance(config, Instrument(TABLE), told.append)
    performance.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?HOST_INFO", timeout=60) as answer:
            assert json.load(answer)["OSC_PORT"] == performance.osc.port
    finally:
        performance.stop()


def test_what_cannot_start_is_told_and_missed(tmp_path: Path) -> None:
    (tmp_path / "cues.toml").write_text("[[cue")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        told: list[str] = []
        performance = Performance(
            PerformanceConfig(
                osc=OscConfig(port=taken.getsockname()[1], query_port=0),
                audio=AudioConfig(source="no such input at all"),
                path=tmp_path / "config.toml",
            ),
            Instrument(TABLE),
            told.append,
        )
        performance.start()
        performance.announce_stage("nobody")
        performance.play(1.0, None, {})
        assert wait_for(lambda: performance.audio.health.state == "lost")
        performance.stop()
    assert len(told) == 2
    assert told[0].endswith("goes on without cues")
    assert told[1].endswith("goes on without OSC")


def test_a_wrong_mapping_is_an_error_before_anything_starts() -> None:
    rows = [{"source": "audio.level", "address": "/mirror/nothing"}]
    with pytest.raises(ConfigError, match="/mirror/nothing"):
        Performance(PerformanceConfig(mappings=MappingsConfig.model_validate({"row": rows})), Instrument(TABLE), print)


def test_midi_that_is_missing_is_told_or_looked_for(tmp_path: Path) -> None:
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed")
    told: list[str] = []
    config = PerformanceConfig(
        osc=OscConfig(enabled=False), midi=MidiConfig(device="no such thing"), path=tmp_path / "config.toml"
    )
    performance = Performance(config, Instrument(TABLE), told.append)
    performance.start()
    assert performance.midi is not None
    assert performance.describe(0.0) == {"MIDI": "waiting for 'no such thing'"}
    performance.stop()
    assert told == []
