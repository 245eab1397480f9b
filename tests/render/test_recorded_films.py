"""Films and pictures on disk: complete, in order, marked, and whole after the worst."""

import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from installation.display.capture import FrameReader
from installation.display.pictures import DIGITAL_SOURCE_TYPE, FrameSampler, save_png, write_contact_sheet
from installation.display.recorder import Recorder
from installation.display.scene import Scene
from installation.display.targets import Target
from installation.errors import DisplayError


def card(level, size=(64, 48)):
    """A flat grey picture, RGBA."""
    return np.full((size[1], size[0], 4), level, np.uint8)


def decoded(path):
    with av.open(str(path)) as film:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]


def record(path, frames, *, size=(64, 48), fps=10.0):
    """Write (time, picture) pairs, each after the one before was taken, so that none is dropped."""
    recorder = Recorder(path, size, fps)
    for number, (at, picture) in enumerate(frames, start=1):
        recorder.submit(picture, at)
        assert recorder.drain(60.0)
        assert recorder.dropped == 0, number
    recorder.close(60.0)
    return recorder


def test_a_film_has_its_frames_in_order_at_their_times(tmp_path):
    recorder = record(tmp_path / "f.mp4", [(5.0 + k / 10, card(20 + 20 * k)) for k in range(8)])
    assert recorder.failure is None
    frames = decoded(tmp_path / "f.mp4")
    assert [at for at, _ in frames] == pytest.approx([k / 10 for k in range(8)])
    assert [picture.mean() for _, picture in frames] == pytest.approx([20 + 20 * k for k in range(8)], abs=3)


def test_colours_survive(tmp_path):
    picture = card(0)
    picture[:, :32, :3] = (200, 60, 40)
    picture[:, 32:, :3] = (30, 120, 210)
    record(tmp_path / "f.mp4", [(0.0, picture)])
    ((_, seen),) = decoded(tmp_path / "f.mp4")
    assert seen[24, 8] == pytest.approx((200, 60, 40), abs=6)
    assert seen[24, 56] == pytest.approx((30, 120, 210), abs=6)


def test_a_late_frame_leaves_a_gap_and_a_fast_one_is_left_out(tmp_path):
    times = [0.0, 0.1, 0.5, 0.51, 0.52, 0.6]
    record(tmp_path / "f.mp4", [(at, card(100)) for at in times])
    assert [at for at, _ in decoded(tmp_path / "f.mp4")] == pytest.approx([0.0, 0.1, 0.5, 0.6])


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (64, 48)])
def test_odd_and_tiny_sizes_are_filmed(tmp_path, size):
    record(tmp_path / "f.mp4", [(k / 10, card(90, size)) for k in range(3)], size=size)
    assert len(decoded(tmp_path / "f.mp4")) == 3


def test_frames_of_another_size_are_scaled(tmp_path):
    record(tmp_path / "f.mp4", [(0.0, card(50)), (0.1, card(150, (128, 96)))])
    assert [picture.shape for _, picture in decoded(tmp_path / "f.mp4")] == [(48, 64, 3)] * 2


def test_a_film_says_that_it_is_synthetic(tmp_path):
    record(tmp_path / "f.mp4", [(0.0, card(1))])
    with av.open(str(tmp_path / "f.mp4")) as film:
        assert "Synthetic media" in film.metadata["comment"]


def test_submitting_never_waits_and_every_frame_is_written_or_counted(tmp_path):
    recorder = Recorder(tmp_path / "f.mp4", (640, 480), 100.0)
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 4), np.uint8)  # noise: slow to encode
    for number in range(50):
        recorder.submit(picture, number / 100)
    recorder.close(60.0)
    assert recorder.failure is None
    assert recorder.written + recorder.dropped == 50
    assert recorder.written == len(decoded(tmp_path / "f.mp4")) >= 1


@pytest.mark.parametrize("where", ["folder", "file-as-folder"])
def test_a_place_that_cannot_be_written_is_refused_with_a_sentence(tmp_path, where):
    (tmp_path / "file-as-folder").write_text("")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" if where == "folder" else tmp_path / "file-as-folder" / "f.mp4"
    with pytest.raises(DisplayError, match=r"cannot record to .*--record"):
        Recorder(path, (64, 48), 10.0)


def test_a_show_without_a_frame_leaves_the_film_of_the_last_one(tmp_path):
    path = tmp_path / "f.mp4"
    Recorder(path, (64, 48), 10.0).close()
    assert not path.exists()
    path.write_bytes(b"yesterday's film")
    Recorder(path, (64, 48), 10.0).close()
    assert path.read_bytes() == b"yesterday's film"


def test_a_failure_while_writing_ends_the_film_and_not_the_show(tmp_path):
    recorder = Recorder(tmp_path / "f.mp4", (64, 48), 10.0)
    recorder.submit(np.zeros((2, 2, 2), np.uint8), 0.0)  # no picture: stands for any fault of the encoder
    recorder.close()
    assert recorder.failure is not None
    assert "after 0 frames" in recorder.failure
    recorder.submit(card(1), 1.0)
    recorder.close()


CHILD = """
import sys, numpy as np
from installation.display.recorder import Recorder
recorder = Recorder(sys.argv[1], (64, 48), 30.0)
k = 0
while True:
    recorder.submit(np.full((48, 64, 4), k % 200, np.uint8), k / 30)
    recorder.drain(60.0)
    k += 1
    if k == 150:
        print("recorded", flush=True)
"""


def test_a_killed_show_leaves_a_film_that_plays(tmp_path):
    path = tmp_path / "killed.mp4"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().strip() == "recorded"
    child.kill()
    child.wait()
    child.stdout.close()
    frames = decoded(path)
    assert len(frames) >= 110, "all but the last second of five are there"
    assert [picture.mean() for _, picture in frames[40:50]] == pytest.approx(range(40, 50), abs=3)


def test_reading_back_gives_every_frame_in_order_one_late(ctx):
    target, reader = Target(ctx), FrameReader(ctx, (8, 4))
    target.resize((8, 4))
    seen = []
    for level in (10, 20, 30, 40):
        target.framebuffer.clear(level / 255, 0, 0, 1)
        reader.start(target.framebuffer)
        pixels = reader.take()
        seen.append(None if pixels is None else int(pixels[0, 0, 0]))
    assert seen == [None, 10, 20, 30]
    assert int(reader.take(newest=True)[0, 0, 0]) == 40
    assert reader.take(newest=True) is None
    reader.release()
    target.release()


def test_the_top_row_comes_first(make_renderer, face_picture, shot):
    renderer = make_renderer(grain=0.0, vignette=0.0)
    picture = face_picture(1, 16)
    picture.images[:] = -1.0
    picture.images[:, :, :8] = 1.0
    renderer.show_pictures(picture)
    canvas = shot(renderer, Scene(), (32, 32))
    assert canvas[:10, :, :3].min() > 240
    assert canvas[22:, :, :3].max() < 15


def test_everybody_who_reads_between_two_frames_gets_the_same(make_renderer, face_picture):
    renderer = make_renderer()
    assert renderer.read() is None
    renderer.show_pictures(face_picture())
    for _ in range(3):
        renderer.draw(Scene(), (32, 32))
        first = renderer.read()
        assert renderer.read() is first


def test_a_saved_picture_says_that_it_is_synthetic(tmp_path):
    path = save_png(card(128), tmp_path / "new" / "p.png")
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert "Synthetic media" in image.text["Description"]
        assert image.text["DigitalSourceType"] == DIGITAL_SOURCE_TYPE
        assert DIGITAL_SOURCE_TYPE in image.text["XML:com.adobe.xmp"]


def test_a_picture_that_cannot_be_saved_says_why(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(DisplayError, match="cannot save"):
        save_png(card(1), tmp_path / "f" / "p.png")


@pytest.mark.parametrize("count", [1, 2, 11, 12, 13, 100, 1000])
def test_sampled_frames_are_spread_over_the_whole_run(count):
    sampler = FrameSampler(keep=12, width=8)
    for number in range(count):
        sampler.offer(card(number % 200, (16, 8)), float(number))
    times = [at for at, _ in sampler.frames]
    assert len(times) == min(count, 12)
    assert times[0] == 0.0
    assert times[-1] >= 0.9 * (count - 1)
    assert len(sampler._frames) < 24
    if count > 12:
        assert max(np.diff(times)) <= 2.2 * count / 12


def test_a_contact_sheet_holds_its_frames(tmp_path):
    frames = [(float(k), Image.new("RGB", (96, 54), (20 * k, 90, 120))) for k in range(7)]
    write_contact_sheet(frames, tmp_path / "sheet.png", "Machine Reflections")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet).reshape(-1, 3)
        for k in range(7):
            assert (pixels == (20 * k, 90, 120)).all(axis=1).sum() == 96 * 54
    with pytest.raises(ValueError, match="at least one"):
        write_contact_sheet([], tmp_path / "none.png")
