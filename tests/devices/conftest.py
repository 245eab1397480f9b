"""Small videos made for the tests, scripted devices, and a clock that the test moves."""

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from installation.devices.source import Shot, SourceInfo
from installation.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
FOOTAGE = ROOT.parent / "shared" / "footage"
VISITOR = ROOT / "installation" / "devices" / "visitor.mp4"


def card(number: int, size_wh: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A picture that says who it is: red tells the number, the left half is green, the right half blue."""
    width, height = size_wh
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = (number * 8) % 256
    pixels[:, : width // 2, 1] = 200
    pixels[:, width // 2 :, 2] = 200
    return pixels


def number_of(pixels: NDArray[np.uint8]) -> int:
    """Read a card's number back, through a codec's losses."""
    return round(float(np.median(pixels[..., 0])) / 8.0)


def write_video(path: Path, frames: list[NDArray[np.uint8]], fps: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        stream.bit_rate = 4_000_000
        for pixels in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture
def card_video(tmp_path: Path) -> Path:
    """Ten cards at 25 frames per second."""
    return write_video(tmp_path / "cards.mp4", [card(k) for k in range(10)])


class Clock:
    """Monotonic time that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.now += seconds
        return stop.is_set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


class ScriptedSource:
    """A camera that follows a script. Each entry is one reading.

    A number delivers that card; an exception is raised; None ends the source; a callable is called and its result
    taken. Opening fails as often as `refuse` has exceptions. After the script the camera blocks until closed, as a
    frozen one does.
    """

    name = "camera:test"

    def __init__(self, clock: Callable[[], float], script: list, refuse: list | None = None) -> None:
        self.clock = clock
        self.script = list(script)
        self.refuse = list(refuse or [])
        self.opened_at: list[float] = []
        self.closed = 0
        self.exhausted = threading.Event()
        self._release = threading.Event()

    def open(self) -> SourceInfo:
        self.opened_at.append(self.clock())
        if self.refuse:
            raise self.refuse.pop(0)
        return SourceInfo((64, 48), 30.0, "")

    def read(self) -> Shot | None:
        if not self.script:
            self.exhausted.set()
            self._release.wait()
            raise ConfigError("the test is over")  # ends the reader's thread: nothing may spin on a virtual clock
        step = self.script.pop(0)
        if callable(step) and not isinstance(step, type):
            step = step()
        if isinstance(step, BaseException):
            raise step
        return None if step is None else Shot(card(step), self.clock())

    def close(self) -> None:
        self.closed += 1

    def let_go(self) -> None:
        self._release.set()


@pytest.fixture
def scripted(clock: Clock) -> Iterator[Callable[..., ScriptedSource]]:
    """Make scripted cameras; those that hang are let go afterwards."""
    made: list[ScriptedSource] = []

    def make(script: list, refuse: list | None = None) -> ScriptedSource:
        made.append(ScriptedSource(clock, script, refuse))
        return made[-1]

    yield make
    for source in made:
        source.let_go()


@pytest.fixture(scope="session")
def cards() -> SimpleNamespace:
    """`card(number)`, `number_of(pixels)`, `write_video(path, frames)`."""
    return SimpleNamespace(card=card, number_of=number_of, write_video=write_video)


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real footage beside the project, where there is one."""
    if not FOOTAGE.is_dir():
        pytest.skip("no real footage beside the project")
    return FOOTAGE


@pytest.fixture(autouse=True)
def _no_reader_is_left(monkeypatch):
    """Stop every reader a test started: on a virtual clock one that goes on would spin beside all later tests."""
    from installation.devices.reader import FrameReader

    started = []
    start = FrameReader.start

    def remembered(self):
        started.append(self)
        start(self)

    monkeypatch.setattr(FrameReader, "start", remembered)
    yield
    for reader in started:
        reader.stop()
