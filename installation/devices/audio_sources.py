"""Where sound comes from: an input of this machine, or a file played in its own time.

Both give mono float32 blocks through `read`, so everything after them is the same code. sounddevice is imported
when a device is opened: without PortAudio the show goes on in silence and says why.

PortAudio lists devices once, and a number may mean another device after a replug (python-sounddevice#125, #427): so
inputs are chosen by name, and each try to open begins with a fresh list.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from installation.devices.instrument_config import AudioConfig
from installation.errors import DeviceError

MAX_HELD_BLOCKS = 256
"""Blocks that wait for the analyser; when it is later than this, the oldest are lost and counted."""

FILE_BLOCK_S = 0.005
_LATE_S = 0.25  # a file that is this much behind the clock goes on from now instead of catching up
_RATES = (48000, 44100, 96000, 32000, 16000)

Block = NDArray[np.float32]


class AudioSource(Protocol):
    """One open stream of sound. Owned by one thread."""

    name: str
    sample_rate: int
    latency_s: float
    """What the device says lies between the air and `read`."""

    lost_blocks: int
    """Blocks that the device or we could not keep."""

    def read(self, timeout_s: float) -> Block | None:
        """Wait for the next block (n,) float32, mono; None if none came in time.

        Raises:
            DeviceError: If the stream has ended or failed.
        """

    def close(self) -> None:
        """Give the device back."""


def open_audio(config: AudioConfig, clock: Callable[[], float] = time.monotonic) -> AudioSource:
    """Open what `[audio] source` names.

    Raises:
        DeviceError: If it cannot be opened; says what is there instead.
    """
    if Path(config.source).suffix and Path(config.source).is_file():
        return FileSource(Path(config.source), loop=config.loop, clock=clock)
    if Path(config.source).suffix.lower() in (".wav", ".flac", ".mp3", ".ogg"):
        raise DeviceError(f"[audio] source = {config.source!r}: there is no such file")
    return DeviceSource(config)


def list_inputs() -> list[tuple[str, str, int]]:
    """All inputs of this machine: (name, host API, default rate in Hz).

    Raises:
        DeviceError: If PortAudio is missing.
    """
    sound = _fresh_sounddevice()
    apis = sound.query_hostapis()
    return [
        (str(device["name"]), str(apis[device["hostapi"]]["name"]), int(device["default_samplerate"]))
        for device in sound.query_devices()
        if device["max_input_channels"] > 0
    ]


class DeviceSource:
    """An input of this machine, through PortAudio. The callback copies its block and returns."""

    def __init__(self, config: AudioConfig) -> None:
        sound = _fresh_sounddevice()
        self.name = config.source
        self.lost_blocks = 0
        self._ended = False
        self._blocks: deque[Block] = deque(maxlen=MAX_HELD_BLOCKS)
        self._came = threading.Event()
        self._failure: type[Exception] = sound.PortAudioError
        try:
            index, self.name = _find_input(sound, config)
            self.sample_rate = _usable_rate(sound, index, config.sample_rate)
            self._stream = sound.InputStream(
                device=index,
                channels=1,
                samplerate=self.sample_rate,
                dtype="float32",
                blocksize=0,
                latency="low",
                callback=self._take,
                finished_callback=self._finish,
            )
            self._stream.start()
        except sound.PortAudioError as error:
            raise DeviceError(f"the audio input {self.name!r} does not open: {error}") from error
        self.latency_s = float(self._stream.latency)

    def read(self, timeout_s: float) -> Block | None:
        if not self._blocks and not self._came.wait(timeout_s):
            if self._ended or not self._is_active():
                raise DeviceError(f"the audio input {self.name!r} has gone")
            return None
        self._came.clear()
        blocks = [self._blocks.popleft() for _ in range(len(self._blocks))]
        return np.concatenate(blocks) if blocks else None

    def close(self) -> None:
        self._stream.close(ignore_errors=True)

    def _is_active(self) -> bool:
        try:
            return bool(self._stream.active)
        except self._failure:  # the stream of a device that has gone may answer with an error
            return False

    def _take(self, data: NDArray[np.float32], frames: int, when: Any, status: Any) -> None:
        """PortAudio's thread: no work here."""
        if status.input_overflow or len(self._blocks) == MAX_HELD_BLOCKS:
            self.lost_blocks += 1
        self._blocks.append(data[:, 0].copy())
        self._came.set()

    def _finish(self) -> None:
        self._ended = True
        self._came.set()


class FileSource:
    """A sound file, mixed to mono and given out in its own time."""

    def __init__(self, path: Path, *, loop: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = path.name
        self.latency_s = 0.0
        self.lost_blocks = 0
        self._path, self._loop, self._clock = path, loop, clock
        self._wait = threading.Event().wait
        self._closed = False
        self.sample_rate, self._stream = _open_file(path)
        self._held = np.zeros(0, np.float32)
        self._block = max(round(FILE_BLOCK_S * self.sample_rate), 1)
        self._due = clock()

    def read(self, timeout_s: float) -> Block | None:
        now = self._clock()
        if now > self._due + _LATE_S:
            self.lost_blocks += 1
            self._due = now
        if self._due - now > timeout_s:
            self._wait(timeout_s)
            return None
        if self._due > now:
            self._wait(self._due - now)
        block = self.read_next()
        self._due += len(block) / self.sample_rate
        return block

    def read_next(self) -> Block:
        """Give the next block at once, for analysis faster than time.

        Raises:
            DeviceError: At the end of a file that does not loop.
        """
        began_again = False
        while len(self._held) < self._block:
            piece = next(self._stream, None)
            if piece is not None:
                self._held = np.concatenate([self._held, piece])
                began_again = False
            elif self._loop and not began_again:
                _, self._stream = _open_file(self._path)
                began_again = True
            elif len(self._held):
                break
            else:
                raise DeviceError(f"the sound file {self.name!r} has ended")
        block, self._held = self._held[: self._block], self._held[self._block :]
        return block

    def close(self) -> None:
        self._stream.close()


def _open_file(path: Path) -> tuple[int, Generator[Block, None, None]]:
    """Rate, and a generator of mono pieces."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise DeviceError(f"{path.name!r} holds no sound")
            rate = int(container.streams.audio[0].rate)
    except (FFmpegError, OSError) as error:
        raise DeviceError(f"{path.name!r} cannot be read as sound: {error}") from error

    def pieces() -> Generator[Block, None, None]:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        try:
            with av.open(str(path)) as container:
                for frame in container.decode(audio=0):
                    for mono in resampler.resample(frame):
                        yield mono.to_ndarray()[0].astype(np.float32)
        except FFmpegError as error:
            raise DeviceError(f"{path.name!r} is damaged: {error}") from error

    return rate, pieces()


def _fresh_sounddevice() -> ModuleType:
    """sounddevice with a new list of devices; only when no stream is open, because a new list ends all streams."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, PortAudio itself is not
        problem = DeviceError("PortAudio is not installed, so no input can be heard: apt install libportaudio2")
        problem.transient = False
        raise problem from error
    try:
        sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"PortAudio does not start: {error}") from error
    return sounddevice  # type: ignore[no-any-return]


def _find_input(sound: ModuleType, config: AudioConfig) -> tuple[int, str]:
    apis = sound.query_hostapis()
    devices = list(sound.query_devices())
    inputs = [
        (index, str(device["name"]), str(apis[device["hostapi"]]["name"]))
        for index, device in enumerate(devices)
        if device["max_input_channels"] > 0 and config.host_api.lower() in apis[device["hostapi"]]["name"].lower()
    ]
    if config.source == "default":
        wanted = sound.default.device[0]
        chosen = [entry for entry in inputs if entry[0] == wanted] or inputs[:1]
    else:
        chosen = [entry for entry in inputs if config.source.lower() in entry[1].lower()]
        chosen.sort(key=lambda entry: len(entry[1]))  # the nearest name first
    if not chosen:
        there = "; ".join(f"{name} ({api})" for _, name, api in inputs) or "none"
        raise DeviceError(f"[audio] source = {config.source!r}: no such input; there are: {there}")
    return chosen[0][0], chosen[0][1]


def _usable_rate(sound: ModuleType, index: int, wanted: int) -> int:
    default = int(sound.query_devices(index)["default_samplerate"])
    problem: Exception | None = None
    for rate in (wanted, default, *_RATES):
        try:
            sound.check_input_settings(device=index, channels=1, dtype="float32", samplerate=rate)
        except (sound.PortAudioError, ValueError) as error:
            problem = error
        else:
            return rate
    raise DeviceError(f"the audio input takes none of the usual rates: {problem}")
