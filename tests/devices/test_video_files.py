"""Video files as sources: time, loops, rotation, and every kind of bad file."""

import threading

import av
import numpy as np
import pytest

from installation.devices.config import CameraConfig
from installation.devices.sources import open_source
from installation.devices.video_file import VideoFile
from installation.errors import ConfigError


def read_all(source, limit=1000):
    source.open()
    shots = []
    while len(shots) < limit and (shot := source.read()) is not None:
        shots.append(shot)
    source.close()
    return shots


def test_every_picture_comes_once_in_order_and_upright(card_video, cards):
    shots = read_all(VideoFile(card_video, as_fast_as_possible=True, loop=False))
    assert [cards.number_of(shot.pixels) for shot in shots] == list(range(10))
    left, right = shots[0].pixels[24, 8], shots[0].pixels[24, -8]
    assert left[1] > 150 > left[2]  # green on the left, blue on the right: RGB, not mirrored
    assert right[2] > 150 > right[1]


def test_what_it_is_told_is_what_the_file_is(card_video):
    info = VideoFile(card_video).open()
    assert info.size_wh == (64, 48)
    assert info.fps == pytest.approx(25.0)


def test_times_advance_by_the_file_and_across_loops(card_video):
    source = VideoFile(card_video, as_fast_as_possible=True, now=lambda: 50.0)
    times = [shot.captured_at for shot in read_all(source, limit=25)]
    np.testing.assert_allclose(times, 50.0 + np.arange(25) / 25.0, atol=1e-6)


def test_pictures_wait_for_their_time(card_video, monkeypatch):
    """The waits ask for exactly the time that is missing; a clock that the test moves stands in for sleep."""
    now = [10.0]
    source = VideoFile(card_video, loop=False, now=lambda: now[0])

    def wait(seconds):
        now[0] += seconds
        return False

    monkeypatch.setattr(source, "_closed", FakeEvent(wait))
    times = [shot.captured_at for shot in read_all(source)]
    np.testing.assert_allclose(times, 10.0 + np.arange(10) / 25.0, atol=1e-6)


def test_a_late_player_does_not_chase(card_video, monkeypatch):
    """After a hitch of one second the next pictures keep their distance instead of rushing."""
    now = [0.0]
    source = VideoFile(card_video, loop=False, now=lambda: now[0])

    def wait(seconds):
        now[0] += seconds
        return False

    monkeypatch.setattr(source, "_closed", FakeEvent(wait))
    source.open()
    times = []
    for k in range(10):
        if k == 4:
            now[0] += 1.0
        times.append(source.read().captured_at)
    steps = np.diff(times)
    assert steps[3] > 0.9
    np.testing.assert_allclose(np.delete(steps, 3), 0.04, atol=1e-6)


class FakeEvent:
    def __init__(self, wait):
        self.wait = wait

    def is_set(self):
        return False

    def set(self):
        pass

    def clear(self):
        pass


def test_closing_wakes_a_reader_that_waits(card_video):
    source = VideoFile(card_video, now=lambda: 0.0)  # time stands still: the second picture is never due
    source.open()
    assert source.read() is not None
    results = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.close()
    thread.join(60.0)
    assert results == [None]


@pytest.mark.parametrize(("turn", "corner"), [(90, "red below"), (-90, "red above"), (180, "red right")])
def test_a_phone_video_stands_upright(card_video, tmp_path, turn, corner):
    """Phones write landscape pixels and a display matrix; the picture is turned as it says."""
    turned = tmp_path / "turned.mov"
    with av.open(str(card_video)) as given, av.open(str(turned), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    _write_display_matrix(turned, turn)
    info_wh = VideoFile(turned).open().size_wh
    shot = read_all(VideoFile(turned, as_fast_as_possible=True, loop=False), limit=1)[0]
    assert shot.pixels.shape[1::-1] == info_wh == ((48, 64) if abs(turn) == 90 else (64, 48))
    green = np.argwhere(shot.pixels[..., 1] > 120).mean(axis=0) / shot.pixels.shape[:2]
    expected = {"red below": (0.75, 0.5), "red above": (0.25, 0.5), "red right": (0.5, 0.75)}[corner]
    np.testing.assert_allclose(green, expected, atol=0.06)


def _write_display_matrix(path, turn):
    """Put a rotation, anticlockwise in degrees, into the track header of a QuickTime file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    cos, sin = {90: (0, 1), -90: (0, -1), 180: (-1, 0)}[turn]
    matrix = [cos, -sin, 0, sin, cos, 0, 0, 0, 1]
    scale = [1 << 16, 1 << 16, 1 << 30] * 3
    for k, (value, unit) in enumerate(zip(matrix, scale, strict=True)):
        data[at + 4 * k : at + 4 * k + 4] = int(value * unit).to_bytes(4, "big", signed=True)
    path.write_bytes(data)


def test_a_still_picture_plays_for_ever(tmp_path, cards):
    from PIL import Image

    path = tmp_path / "card.png"
    Image.fromarray(cards.card(3)).save(path)
    shots = read_all(VideoFile(path, as_fast_as_possible=True), limit=5)
    assert [cards.number_of(shot.pixels) for shot in shots] == [3] * 5


def test_a_video_of_16_by_16_plays(tmp_path, cards):
    path = cards.write_video(tmp_path / "tiny.mp4", [cards.card(k, (16, 16)) for k in range(4)])
    assert [shot.pixels.shape for shot in read_all(VideoFile(path, as_fast_as_possible=True, loop=False))] == [
        (16, 16, 3)
    ] * 4


def test_a_damaged_place_is_stepped_over(card_video, cards):
    data = bytearray(card_video.read_bytes())
    start = data.index(b"mdat") + 400
    data[start : start + 60] = bytes(60)
    card_video.write_bytes(data)
    shots = read_all(VideoFile(card_video, as_fast_as_possible=True, loop=False))
    assert 1 <= len(shots) <= 10
    assert len(read_all(VideoFile(card_video, as_fast_as_possible=True), limit=30)) == 30


def _text(path):
    path.write_text("hello\n" * 500)


def _truncated(path):
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(3000))


def _noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(20_000))


def _empty(path):
    path.write_bytes(b"")


def _folder(path):
    path.mkdir()


def _sound(path):
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (None, "missing.mp4", "does not exist"),
        (_folder, "folder.mp4", "is not a file"),
        (_empty, "empty.mp4", "not a video"),
        (_text, "notes.txt", "holds no video"),
        (_truncated, "cut.mp4", "not a video|can be decoded"),
        (_noise, "noise.mp4", "not a video|can be decoded|holds no video"),
        (_sound, "song.wav", "holds no video"),
    ],
)
def test_bad_files_are_told_in_a_sentence(tmp_path, make, name, words):
    path = tmp_path / name
    if make is not None:
        make(path)
    with pytest.raises(ConfigError, match=words) as caught:
        VideoFile(path).open()
    assert name in str(caught.value)
    assert not caught.value.transient


def test_the_factory_takes_a_path_and_a_file_url(card_video):
    for spec in (str(card_video), f"file:{card_video}", f"file://{card_video}", f"  {card_video} "):
        assert open_source(spec, CameraConfig()).open().size_wh == (64, 48)


@pytest.mark.parametrize("spec", ["ftp://example.org/a.mp4", "gopher://x/y"])
def test_the_factory_refuses_other_schemes(spec):
    with pytest.raises(ConfigError, match="http://, https://, rtsp://, rtsps://"):
        open_source(spec, CameraConfig())


def test_the_factory_knows_each_kind():
    kinds = {
        "camera:0": "Camera",
        "/dev/video7": "Camera",
        "synthetic": "VideoFile",
        "http://localhost/a": "NetworkStream",
        "rtsp://localhost/a": "NetworkStream",
        "clip.mp4": "VideoFile",
    }
    assert {spec: type(open_source(spec, CameraConfig())).__name__ for spec in kinds} == kinds
