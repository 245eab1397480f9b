"""A sound server of our own, an input of PortAudio like any other: it goes and comes back, and the listener with it."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from installation.devices.audio import AudioListener
from installation.devices.instrument_config import AudioConfig
from installation.kiosk.sound import INPUT, SoundServer

PATIENCE_S = 60.0


def listen(environment: dict[str, str], told: Connection) -> None:
    """Listen in a process of its own: PortAudio keeps what it found at its start."""
    import os

    os.environ.update(environment)
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("installation.devices.audio").addHandler(handler)
    config = AudioConfig(source=INPUT, host_api="ALSA", gain="fixed", retry_first_s=0.2, retry_max_s=0.2)
    listener = AudioListener(config)
    listener.start()
    pause = threading.Event()
    while not told.poll():
        now = time.monotonic()
        level, heard = listener.features(now).level, listener.heard(now) is not None
        told.send((listener.health.state, level, heard, list(lines)))
        pause.wait(0.02)
    listener.stop()


@pytest.fixture
def server(tmp_path: Path):
    made = SoundServer(tmp_path / "sound")
    if made.missing:
        pytest.skip(made.missing)
    yield made
    made.kill()


def test_an_input_that_goes_is_silence_and_is_heard_again_when_it_is_back(server: SoundServer) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=listen, args=(server.environment, theirs))
    process.start()

    def wait_for(state: str, low: float, high: float, heard: bool) -> list[str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert ours.poll(PATIENCE_S), "the listener has died"
            now_state, level, now_heard, lines = ours.recv()
            if now_state == state and low <= level <= high and now_heard is heard:
                return list(lines)
            assert time.monotonic() < deadline, (now_state, level, now_heard, lines)

    wait_for("live", 0.5, 1.0, True)
    for _ in range(2):
        server.kill()
        lines = wait_for("lost", 0.0, 0.0, False)
        assert len(lines) % 2, "each loss is told once, and each return; a busy machine may add some of both"
        assert all(line.endswith("; the show goes on in silence") for line in lines[::2])
        server.start()
        lines = wait_for("live", 0.5, 1.0, True)
        assert all(line.startswith("audio: hearing pulse at ") for line in lines[1::2])
        assert lines
        assert len(lines) % 2 == 0
    ours.send("enough")
    process.join(PATIENCE_S)
    assert process.exitcode == 0


def test_a_server_may_be_taken_away_twice_and_comes_back(server: SoundServer) -> None:
    server.kill()
    server.kill()
    assert not server._answers()
    server.start()
    assert server._answers()


def test_without_pulseaudio_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    server = SoundServer(tmp_path / "sound")
    assert (
        server.missing == "needs PulseAudio (pulseaudio and pactl not found): apt install pulseaudio pulseaudio-utils"
    )
    server.kill()
