"""The listening thread: a file through the same code, losses and returns, and a real device where there is one."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from installation.core.audio_features import AUDIO_REST, SOURCES, AudioFeatures
from installation.core.clicks import click_track, match_onsets
from installation.devices.audio import AudioListener, faded
from installation.devices.audio_sources import FileSource, open_audio
from installation.devices.instrument_config import AudioConfig
from installation.errors import DeviceError


def write_wav(path: Path, samples: np.ndarray, rate: int = 48000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat((samples * 32767).astype("<i2"), channels).tobytes())
    return path


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    end, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition() and time.monotonic() < end:
        pause.wait(0.01)
    return condition()


class Script:
    """A source that plays a list: a number of blocks of tone, or an error to raise. It honours `AudioSource`."""

    def __init__(self, steps: list[int | str], rate: int = 48000) -> None:
        self.name, self.sample_rate, self.latency_s, self.lost_blocks = "script", rate, 0.01, 0
        self.steps = steps
        self.closed = False

    def read(self, timeout_s: float) -> np.ndarray | None:
        if not self.steps:
            return None
        step = self.steps[0]
        if isinstance(step, str):
            self.steps.pop(0)
            raise DeviceError(step)
        self.steps[0] = step - 1
        if step <= 1:
            self.steps.pop(0)
        return (0.5 * np.sin(np.arange(2048) * 0.1)).astype(np.float32)

    def close(self) -> None:
        self.closed = True


def test_a_wav_file_goes_through_the_same_code(tmp_path: Path) -> None:
    times = np.arange(0.3, 3.0, 0.4)
    path = write_wav(tmp_path / "clicks.wav", click_track(times, 3.2, 44100, "tone", snr_db=20.0), 44100, channels=2)
    found: list[float] = []
    listener = AudioListener(
        AudioConfig(source=str(path), loop=False),
        on_frame=lambda frame: found.append(frame.time_s) if frame.is_onset else None,
    )
    listener.start()
    assert wait_for(lambda: listener.health.state == "lost")
    listener.stop()
    assert "has ended" in listener.health.message
    match = match_onsets(found, times[times > 0.5], after_s=0.5)
    assert match.f1 >= 0.95


def test_a_file_begins_again_and_a_silent_one_does_not_hang(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "short.wav", np.full(1000, 0.25))
    source = open_audio(AudioConfig(source=str(path), loop=True))
    assert isinstance(source, FileSource)
    samples = np.concatenate([source.read_next() for _ in range(30)])
    source.close()
    assert len(samples) == 30 * 240
    np.testing.assert_allclose(samples, 0.25, atol=1e-3)
    empty = FileSource(write_wav(tmp_path / "empty.wav", np.zeros(0)), loop=True)
    with pytest.raises(DeviceError, match="has ended"):
        empty.read_next()


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"not a sound at all" * 50])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=r"bad\.wav"):
        open_audio(AudioConfig(source=str(path)))
    with pytest.raises(DeviceError, match="no such file"):
        open_audio(AudioConfig(source=str(tmp_path / "gone.wav")))


def test_losses_are_survived_and_the_rate_may_change() -> None:
    opened: list[Script] = []
    scripts: list[Script | str] = [
        "no such input",
        "no such input",
        Script([20, "unplugged"], 48000),
        "no such input",
        Script([20, "unplugged again"], 44100),
        Script([100_000], 16000),
    ]

    def opener(config: AudioConfig) -> Script:
        step = scripts.pop(0)
        if isinstance(step, str):
            raise DeviceError(step)
        opened.append(step)
        return step

    config = AudioConfig(source="script", retry_first_s=0.05, retry_max_s=0.05)
    listener = AudioListener(config, opener=opener, clock=lambda: 7.0)  # what was heard last does not grow old
    listener.start()
    assert wait_for(lambda: listener.health.opened == 3 and listener.health.state == "live")
    listener.stop()
    assert [source.closed for source in opened] == [True, True, True]
    assert listener.features(7.0).level > 0.0


def test_each_loss_and_each_return_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "installation.devices.audio")
    steps: list[Script | str] = [
        Script([20, "unplugged"]),
        "no such input",
        "PortAudio does not start",
        "no such input",
        Script([20, "unplugged"]),
        "no such input",
        Script([100_000]),
    ]

    def opener(config: AudioConfig) -> Script:
        step = steps.pop(0)
        if isinstance(step, str):
            raise DeviceError(step)
        return step

    config = AudioConfig(source="script", retry_first_s=0.05, retry_max_s=0.05)
    listener = AudioListener(config, opener=opener, clock=lambda: 7.0)  # what was heard last does not grow old
    listener.start()
    assert wait_for(lambda: listener.health.opened == 3 and listener.health.state == "live")
    assert listener.health.message == ""
    listener.stop()
    gone = "audio: unplugged; the show goes on in silence"
    heard = "audio: hearing script at 48000 Hz"
    assert [record.getMessage() for record in caplog.records] == [heard, gone, heard, gone, heard]
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.INFO, *[logging.WARNING] * 4], "who is told of the loss is told of the return"


def test_a_device_that_was_heard_for_a_while_is_tried_again_at_once() -> None:
    now, waits = [0.0], []

    class Told(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if len(waits) == 8:
                self.set()
            return super().wait(0.0)

    class Hour(Script):
        def read(self, timeout_s: float) -> np.ndarray | None:
            now[0] += self.block_s
            return super().read(timeout_s)

        def __init__(self, block_s: float) -> None:
            super().__init__([20, "unplugged"])
            self.block_s = block_s

    steps: list[Script | str] = ["none", "none", "none", Hour(1.0), "none", Hour(0.04), "none", "none"]

    def opener(config: AudioConfig) -> Script:
        step = steps.pop(0)
        if isinstance(step, str):
            raise DeviceError(step)
        return step

    listener = AudioListener(AudioConfig(source="script"), clock=lambda: now[0], opener=opener)
    listener._worker.ending = Told()
    listener._run()
    assert waits == [0.5, 1.0, 2.0, 0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_device_may_take_its_time_to_begin_but_not_to_go_on() -> None:
    now = [0.0]

    class Slow(Script):
        def read(self, timeout_s: float) -> np.ndarray | None:
            now[0] += 0.1
            if now[0] < 2.5 or len(self.steps) == 0:
                return None
            return super().read(timeout_s)

    listener = AudioListener(
        AudioConfig(source="script", retry_first_s=60, retry_max_s=60),
        clock=lambda: now[0],
        opener=lambda config: Slow([3]),
    )
    listener.start()
    assert wait_for(lambda: listener.health.state == "lost")
    listener.stop()
    assert listener.health.frames > 0
    assert listener.health.message == "the audio input 'script' gives no sound for 1 s"
    assert now[0] < 4.5


def test_a_device_that_goes_quiet_is_lost() -> None:
    now = [0.0]

    class Mute(Script):
        def read(self, timeout_s: float) -> None:
            now[0] += timeout_s

    listener = AudioListener(
        AudioConfig(source="script", retry_first_s=0.05), clock=lambda: now[0], opener=lambda config: Mute([])
    )
    listener.start()
    assert wait_for(lambda: listener.health.opened >= 2)
    listener.stop()
    assert "gives no sound" in listener.health.message


def test_features_that_stop_coming_fall_to_rest_in_half_a_second() -> None:
    now = [10.0]
    listener = AudioListener(AudioConfig(source="script"), clock=lambda: now[0], opener=lambda config: Script([40]))
    listener.start()
    assert wait_for(lambda: listener.health.frames > 300)
    listener.stop()
    levels = [listener.features(10.0 + age).level for age in (0.0, 0.05, 0.2, 0.3, 0.45)]
    assert levels[0] == levels[1] > levels[2] > levels[3] > levels[4] > 0.0
    assert listener.features(10.5) is AUDIO_REST
    assert listener.heard(10.3) == listener.features(10.3)
    assert listener.heard(10.9) is AUDIO_REST
    assert listener.heard(11.0) is None


def test_samples_that_fall_behind_the_clock_are_counted() -> None:
    now = [0.0]

    class Lame(Script):
        def read(self, timeout_s: float) -> np.ndarray | None:
            now[0] += 0.05  # 2048 samples are 0.043 s: a second lacks 0.15 s
            return super().read(timeout_s)

    listener = AudioListener(
        AudioConfig(source="script", retry_first_s=60, retry_max_s=60),
        clock=lambda: now[0],
        opener=lambda config: Lame([200, "end"]),
    )
    listener.start()
    assert wait_for(lambda: listener.health.message == "end")
    listener.stop()
    assert listener.health.gaps == pytest.approx(200 * 0.05 * 0.147 / 0.25, abs=1)


def test_without_portaudio_there_is_silence_and_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    listener = AudioListener(AudioConfig(source="default"))
    listener.start()
    assert wait_for(lambda: listener.health.state == "lost")
    assert "libportaudio2" in listener.health.message
    listener.stop()
    assert listener.features(time.monotonic()) is AUDIO_REST


def test_off_is_silence() -> None:
    listener = AudioListener(AudioConfig())
    listener.start()
    assert listener.features(0.0) is AUDIO_REST
    assert listener.health.state == "off"
    listener.stop()


def test_fading_reaches_rest() -> None:
    loud = AudioFeatures(**dict.fromkeys(SOURCES, 1))
    quiet = faded(loud, 0.0)
    for name in SOURCES:
        if name not in ("level_db", "centroid_hz", "tempo_bpm", "pitch_class", "beat_phase"):
            assert getattr(quiet, name) == 0.0, name


@pytest.fixture
def null_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A PulseAudio daemon of our own with a null sink, whose monitor is the default input."""
    missing = [tool for tool in ("pulseaudio", "pactl", "paplay") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/pulse.sock")
    daemon = subprocess.Popen(
        [
            *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes"),
            *("-L", f"module-native-protocol-unix socket={tmp_path}/pulse.sock auth-anonymous=1"),
            *("-L", "module-null-sink sink_name=mirror rate=48000"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = wait_for(lambda: subprocess.run(["pactl", "info"], capture_output=True).returncode == 0)
        if not ready:
            pytest.skip("a PulseAudio daemon does not start here")
        subprocess.run(["pactl", "set-default-source", "mirror.monitor"], check=True)
        try:
            from installation.devices.audio_sources import list_inputs

            inputs = list_inputs()
        except DeviceError as error:
            pytest.skip(str(error))
        if not any("pulse" in name.lower() for name, _, _ in inputs):
            pytest.skip(f"PortAudio has no way to PulseAudio here; inputs: {inputs}")
        yield
    finally:
        daemon.terminate()
        daemon.wait(60)


@pytest.mark.usefixtures("null_sink")
def test_onsets_through_a_real_device(tmp_path: Path) -> None:
    times = np.arange(1.5, 4.5, 0.5)
    path = write_wav(tmp_path / "clicks.wav", click_track(times, 4.8, 48000, "tone", snr_db=20.0))
    found: list[float] = []
    listener = AudioListener(
        AudioConfig(source="pulse"), on_frame=lambda frame: found.append(frame.time_s) if frame.is_onset else None
    )
    listener.start()
    try:
        assert wait_for(lambda: listener.health.state == "live")
        subprocess.run(["paplay", "--device=mirror", str(path)], check=True, timeout=120)
        assert wait_for(lambda: len(found) >= 6)
    finally:
        listener.stop()
    # The median: where the machine is busy, player or recorder leave out a piece now and then.
    assert np.median(np.diff(found[-6:])) == pytest.approx(0.5, abs=0.03)
