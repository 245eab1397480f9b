"""Cues, mappings and feeds that live in files: changes are taken, mistakes are told and change nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ports import free_port

from installation.core.audio_features import AudioFeatures
from installation.core.controls import control_table
from installation.core.hands import HandMeasures
from installation.core.instrument import Instrument
from installation.core.types import FaceMeasures
from installation.devices.cue_file import CueFile
from installation.devices.feeds import FileFeed, MqttFeed, open_feed, read_csv, read_json
from installation.devices.instrument_config import AudioConfig, FeedConfig, MappingsConfig
from installation.devices.mapping_player import MappingPlayer, parse_mappings
from installation.devices.watching import WatchedFile, Watcher
from installation.errors import ConfigError, MissingExtra

TABLE = control_table(("strength",), ("age",))
A, B = "/mirror/amount", "/mirror/breath"


def test_a_file_is_read_once_for_each_change(tmp_path: Path) -> None:
    watched = WatchedFile(tmp_path / "x.txt")
    assert watched.read_if_changed() is None
    watched.path.write_text("one")
    assert watched.read_if_changed() == "one"
    assert watched.read_if_changed() is None
    watched.path.write_text("three")
    assert watched.read_if_changed() == "three"
    watched.write("ours")
    assert watched.read_if_changed() is None
    assert watched.path.read_text() == "ours"
    watched.path.write_bytes(b"\xff\xfe\xff")
    assert watched.read_if_changed() is None
    watched.path.unlink()
    assert watched.read_if_changed() is None


def test_the_watcher_tells_a_mistake_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    rounds = []

    def wrong() -> None:
        raise ConfigError("row 3 is wrong")

    watcher = Watcher([wrong, lambda: rounds.append(1)])
    for _ in range(5):
        watcher.round()
    assert len(rounds) == 5
    assert [record.getMessage() for record in caplog.records] == ["row 3 is wrong"]


def test_cues_are_kept_and_taken_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cues.toml"
    player = Instrument(TABLE)
    cues = CueFile(path, player)
    cues.load()
    player.set(A, 0.25)
    player.command("/mirror/cue/storm/store", [3.0])
    player.tick(1.0)
    cues.poll()
    again = Instrument(TABLE)
    CueFile(path, again).load()
    assert [(cue.id, cue.seconds, cue.values[A]) for cue in again.cues] == [("storm", 3.0, 0.25)]
    path.write_text(path.read_text().replace('id = "storm"', 'id = "gale"') + "\n# edited by hand\n")
    cues.poll()
    assert [cue.id for cue in player.cues] == ["gale"]
    path.write_text("[[cue]]\nid = 7\n# wrong")
    with pytest.raises(ConfigError, match=r"cues\.toml is wrong"):
        cues.poll()
    assert [cue.id for cue in player.cues] == ["gale"]


def test_cues_may_be_for_this_evening_only(tmp_path: Path) -> None:
    player = Instrument(TABLE)
    cues = CueFile(tmp_path / "cues.toml", player, keep=False)
    player.command("/mirror/cue/storm/store")
    player.tick(1.0)
    cues.poll()
    assert not (tmp_path / "cues.toml").exists()


CONFIG = """
[camera]
source = "auto"
[[mappings.row]]
source = "{source}"
address = "{address}"
"""


def test_mappings_are_reloaded_and_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(source="audio.level", address=A))
    player = Instrument(TABLE)
    mappings = MappingPlayer(
        parse_mappings(path.read_text()),
        player,
        audio=lambda now: AudioFeatures(level=0.25, bass=0.75),
        config_path=path,
    )
    mappings.play(1.0)
    assert player.tick(1.0).goal(A) == 0.25
    mappings.poll()
    path.write_text(CONFIG.format(source="audio.bass", address=B))
    mappings.poll()
    mappings.play(2.0)
    assert (player.tick(2.0).goal(A), player.tick(2.0).goal(B)) == (1.0, 0.75)
    path.write_text(CONFIG.format(source="audio.bas", address="/mirror/brth") + "gain = 1000\n# wrong")
    with pytest.raises(ConfigError, match=r"stay as they were(.|\n)*gain"):
        mappings.poll()
    path.write_text(CONFIG.format(source="audio.bas", address="/mirror/brth") + "# wrong twice")
    with pytest.raises(ConfigError, match=r"audio\.bas(.|\n)*/mirror/brth"):
        mappings.poll()
    path.write_text("[[mappings.row\n")
    with pytest.raises(ConfigError, match="not TOML"):
        mappings.poll()
    mappings.play(3.0)
    assert player.tick(3.0).goal(B) == 0.75
    mappings.stop()


def test_a_lost_microphone_leaves_its_controls_to_the_visit() -> None:
    player = Instrument(TABLE)
    player.set(A, 0.5, "visit", 0.0)
    heard = [AudioFeatures(level=0.9), AudioFeatures(level=0.0), None, None]
    rows = MappingsConfig.model_validate({"row": [{"source": "audio.level", "address": A}]})
    mappings = MappingPlayer(rows, player, audio=lambda now: heard[int(now)])
    goals = []
    for now in range(4):
        mappings.play(float(now))
        goals.append(player.tick(float(now)).goal(A))
    assert goals == [0.9, 0.0, 0.5, 0.5]


def test_every_kind_of_source_plays(tmp_path: Path) -> None:
    (tmp_path / "wind.json").write_text('{"wind": {"speed": 5}}')
    rows = [
        {"source": "audio.level", "address": A},
        {"source": "face.smile", "address": B, "low": -1.0},
        {"source": "hand.openness", "address": "/mirror/psi"},
        {"source": "visit.presence", "address": "/mirror/feedback"},
        {"source": "lfo.slow", "address": "/mirror/direction/age"},
        {"source": "feed.wind", "address": "/mirror/morph/strength", "high": 10.0},
    ]
    lfo, feed = (
        {"name": "slow", "shape": "saw", "period_s": 10.0},
        {"name": "wind", "file": "wind.json", "key": "wind.speed"},
    )
    config = MappingsConfig.model_validate({"row": rows, "lfo": [lfo], "feed": [feed]})
    player = Instrument(TABLE)
    now = time.monotonic() // 10.0 * 10.0 + 12.5
    mappings = MappingPlayer(
        config,
        player,
        audio=lambda _: AudioFeatures(level=0.1),
        config_path=tmp_path / "config.toml",
        clock=lambda: now,
    )
    mappings.poll()
    mappings.play(now, FaceMeasures(smile=0.0), HandMeasures(openness=0.3), {"presence": 0.4})
    snapshot = player.tick(now)
    goals = [snapshot.goal(str(row["address"])) for row in rows]
    assert goals == pytest.approx([0.1, 0.5, 0.3, 0.4, -0.5, 0.5])
    mappings.play(now + 1.0, None, None, None)  # nobody there, no hands: those rows go back
    snapshot = player.tick(now + 1.0)
    assert [snapshot.goal(path) for path in (B, "/mirror/psi", "/mirror/feedback")] == [0.0, 1.0, 0.0]


def test_names_must_be_unique_and_sections_sound() -> None:
    twice = {"lfo": [{"name": "x"}, {"name": "x"}], "row": [{"source": "lfo.x", "address": A}]}
    with pytest.raises(ConfigError, match="two waves are named 'x'"):
        MappingPlayer(MappingsConfig.model_validate(twice), Instrument(TABLE))
    for text, words in (
        ('[[mappings.feed]]\nname = "x"\n', "either file or topic"),
        ('[[mappings.row]]\nsource = "a"\naddress = "b"\nlow = 1\n', "could not move"),
        ("[mappings]\ncolour = 1\n", "colour"),
        ('[[mappings.lfo]]\nname = "a b"\n', "may hold letters"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_mappings(text)
    with pytest.raises(ValueError, match="must lie below"):
        AudioConfig(floor_db=-10, full_db=-20)


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ("5", "", 5.0),
        ('"5.5"', "", 5.5),
        ('{"a": [1, {"b": 2}]}', "a.1.b", 2.0),
        ("[1, 2, 3]", "-1", 3.0),
        ("true", "", 1.0),
    ],
)
def test_reads_json(text: str, key: str, wanted: float) -> None:
    assert read_json(text, key) == wanted


@pytest.mark.parametrize(
    ("text", "column", "wanted"),
    [
        ("1\n2\n3\n", "", 3.0),
        ("time,wind\n1,5\n2,6\n", "wind", 6.0),
        ("1,5\n2,6\n", "1", 2.0),
        ("t,w\n1,7\n\n", "", 7.0),
    ],
)
def test_reads_csv(text: str, column: str, wanted: float) -> None:
    assert read_csv(text, column) == wanted


@pytest.mark.parametrize(
    ("text", "key"),
    [("{", ""), ("{}", ""), ("NaN", ""), ("[1]", "1"), ('{"a": null}', "a"), ("[" * 5000, ""), ("", "")],
)
def test_what_is_no_number_in_json_is_refused(text: str, key: str) -> None:
    with pytest.raises(ConfigError):
        read_json(text, key)


@pytest.mark.parametrize(
    ("text", "column"), [("", ""), ("a,b\n1,x\n", "b"), ("a\n1\n", "c"), ("1\n", "9"), ("inf\n", "")]
)
def test_what_is_no_number_in_csv_is_refused(text: str, column: str) -> None:
    with pytest.raises(ConfigError):
        read_csv(text, column)


@given(st.text(), st.text(max_size=5))
def test_any_text_is_a_number_or_refused(text: str, key: str) -> None:
    for read in (read_json, read_csv):
        with contextlib.suppress(ConfigError):
            assert math.isfinite(read(text, key))


def test_a_file_feed_follows_and_goes_stale(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    feed = open_feed(FeedConfig(name="wind", file="wind.csv", stale_s=60), tmp_path, lambda: now[0])
    assert isinstance(feed, FileFeed)
    feed.poll()
    assert math.isnan(feed.value(100.0))
    (tmp_path / "wind.csv").write_text("speed\n3\n")
    feed.poll()
    assert feed.value(159.0) == 3.0
    assert math.isnan(feed.value(161.0))
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            (tmp_path / "wind.csv").write_text("speed\nstorm" + " " * number)
            feed.poll()
    assert feed.value(159.0) == 3.0
    assert len(caplog.records) <= 3


def test_without_paho_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt", None)
    with pytest.raises(MissingExtra, match=r"machine-reflections\[network\]"):
        open_feed(FeedConfig(name="wind", topic="hall/wind"), tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    if shutil.which("mosquitto") is None:
        pytest.skip("the MQTT broker mosquitto is not installed")
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    daemon = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)
    yield port
    daemon.terminate()
    daemon.wait(60)


def test_an_mqtt_topic_is_a_feed(broker: int, tmp_path: Path) -> None:
    from paho.mqtt import publish

    config = FeedConfig(name="wind", topic="hall/wind", broker=f"127.0.0.1:{broker}", key="speed")
    feed = open_feed(config, tmp_path)
    assert isinstance(feed, MqttFeed)
    try:
        end, pause = time.monotonic() + 60.0, threading.Event()
        while math.isnan(feed.value(time.monotonic())) and time.monotonic() < end:
            with contextlib.suppress(OSError):  # the broker is not up yet
                publish.single("hall/wind", json.dumps({"speed": 6.5}), hostname="127.0.0.1", port=broker)
            pause.wait(0.1)
        assert feed.value(time.monotonic()) == 6.5
    finally:
        feed.stop()
