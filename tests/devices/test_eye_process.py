"""The eye process, whole: spawned, watched through shared memory, stopped, killed."""

import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from installation.core.types import FaceMeasures
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.eye import run_eye
from installation.devices.eye_record import MESSAGE_BYTES, eye_fields, read_message, write_message
from installation.devices.source import SourceState
from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.slots import SharedSlot

CROP_PX = 128
PATIENCE_S = 60.0


class Eye:
    """One spawned eye and the memory it writes."""

    def __init__(self, source, *, camera=None, as_fast_as_possible=True):
        context = multiprocessing.get_context("spawn")
        self.camera = camera or CameraConfig(max_side_px=320)
        self.slot = SharedSlot(eye_fields(CROP_PX, self.camera.max_side_px))
        self.stop = StopFlag(context)
        self.heartbeat = Heartbeat(context)
        self.process = context.Process(
            target=run_eye,
            args=(
                self.slot.layout,
                self.camera,
                FacesConfig(),
                str(source),
                CROP_PX,
                self.stop,
                self.heartbeat,
                as_fast_as_possible,
            ),
        )
        self.process.start()

    def records(self):
        """Copies of records as they come; fails when the eye dies or stays silent."""
        import time

        seen = 0
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            sequence, record = self.slot.latest()
            if record is None or sequence == seen:
                assert self.process.is_alive(), f"the eye ended with {self.process.exitcode}"
                self.process.join(0.005)
                continue
            copy = {name: np.array(field) for name, field in record.items()}
            if self.slot.still_valid(sequence):
                seen = sequence
                yield copy
        pytest.fail("the eye fell silent")

    def close(self):
        self.stop.set()
        self.process.join(PATIENCE_S)
        self.slot.close(unlink=True)


@pytest.fixture
def start():
    eyes = []

    def make(source, **options):
        eyes.append(Eye(source, **options))
        return eyes[-1]

    yield make
    for eye in eyes:
        eye.close()


def test_the_record_has_room_for_every_measure():
    fields = eye_fields(64, 640)
    assert fields["measures"][0] == (len(FaceMeasures.__slots__),)
    assert fields["camera"][0] == (640, 640, 3)
    assert fields["crop"][0] == (64, 64, 3)


@pytest.mark.parametrize("text", ["", "all is well", "é" * 400, "x" * 1000])
def test_messages_are_cut_at_a_whole_character(text):
    record = {"source_message": np.full(MESSAGE_BYTES, 7, np.uint8)}
    write_message(record, text)
    assert text.startswith(read_message(record))
    assert len(read_message(record).encode()) >= min(len(text.encode()), MESSAGE_BYTES - 1)


def test_the_synthetic_visitor_arrives_in_shared_memory(start):
    eye = start("synthetic")
    for record in eye.records():
        if record["face_id"] > 0 and int(record["source_state"]) == SourceState.LIVE:
            break
    width, height = record["frame_size"]
    assert max(width, height) == 320
    assert record["camera"][:height, :width].std() > 5
    assert record["crop"].std() > 5
    assert record["faces"] == 1
    # Pixels of the reduced picture, and the same point in both systems.
    corner, right, down = record["quad"][0], record["quad"][3], record["quad"][1]
    nose = record["crop_landmarks"][4]
    expected = corner + nose[0] * (right - corner) + nose[1] * (down - corner)
    np.testing.assert_allclose(record["landmarks"][4, :2], expected, atol=0.05)
    assert 0 < record["landmarks"][4, 0] < width
    assert record["captured"] >= record["frame_id"] > 0
    assert eye.heartbeat.progress > 0


def test_pictures_are_published_without_anybody(start, tmp_path, cards):
    video = cards.write_video(tmp_path / "cards.mp4", [cards.card(k) for k in range(8)])
    ids = []
    for record in start(video).records():
        assert record["face_id"] == 0
        if record["frame_id"] > 0:  # before the first picture there may be news that it is being opened
            assert tuple(record["frame_size"]) == (64, 48)
            assert record["camera"][4, 4, 1] > 120
            ids.append(int(record["frame_id"]))
        if len(ids) == 5:
            break
    assert ids == sorted(set(ids))


def test_a_camera_on_its_side_is_turned(start, tmp_path, cards):
    video = cards.write_video(tmp_path / "cards.mp4", [cards.card(k) for k in range(8)])
    for record in start(video, camera=CameraConfig(max_side_px=320, rotation=90)).records():
        if record["frame_id"] > 0:
            break
    assert tuple(record["frame_size"]) == (48, 64)
    # Green was left; turned clockwise, left becomes the top.
    assert record["camera"][8, 24, 1] > 120 > record["camera"][56, 24, 1]


def test_a_black_picture_is_told(start, tmp_path, cards):
    video = cards.write_video(tmp_path / "night.mp4", [np.zeros((48, 64, 3), np.uint8)] * 25)
    for record in start(video).records():
        if "black" in read_message(record) and int(record["source_state"]) == SourceState.LIVE:
            break
    assert "uncover the lens" in read_message(record)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("missing.mp4", None, "does not exist"), ("notes.txt", "hello", "not a video|holds no video")],
)
def test_a_source_that_cannot_work_is_told_and_the_eye_lives_on(start, tmp_path, name, text, words):
    import re

    path = tmp_path / name
    if text is not None:
        path.write_text(text * 300)
    eye = start(path)
    for record in eye.records():
        if int(record["source_state"]) == SourceState.FAILED:
            break
    assert re.search(words, read_message(record))
    assert name in read_message(record)
    beats = eye.heartbeat.progress
    while eye.heartbeat.progress < beats + 3:
        eye.process.join(0.05)
        assert eye.process.is_alive()


def test_a_camera_that_is_not_there_is_a_state(start):
    for record in start("camera:no such camera").records():
        if int(record["source_state"]) == SourceState.STALLED:
            break
    assert "there is no camera 'no such camera'" in read_message(record)
    assert record["captured"] == 0


def test_it_ends_when_told(start, tmp_path, cards):
    video = cards.write_video(tmp_path / "cards.mp4", [cards.card(k) for k in range(8)])
    eye = start(video)
    next(eye.records())
    eye.stop.set()
    eye.process.join(PATIENCE_S)
    assert eye.process.exitcode == 0


def test_ctrl_c_is_left_to_the_supervisor(start, tmp_path, cards):
    import os

    video = cards.write_video(tmp_path / "cards.mp4", [cards.card(k) for k in range(8)])
    eye = start(video)
    records = eye.records()
    next(records)
    os.kill(eye.process.pid, signal.SIGINT)
    for _ in range(5):
        next(records)
    assert eye.process.is_alive()


def test_a_killed_eye_leaves_the_memory_to_its_owner(start, tmp_path, cards):
    """Killed at any moment; another takes its place in the same memory."""
    video = cards.write_video(tmp_path / "cards.mp4", [cards.card(k) for k in range(8)])
    eye = start(video)
    next(eye.records())
    eye.process.kill()
    eye.process.join(PATIENCE_S)
    name = eye.slot.layout.name
    assert (Path("/dev/shm") / name).exists()
    eye.slot.close(unlink=True)
    assert not (Path("/dev/shm") / name).exists()


def test_loading_the_eye_pulls_in_neither_plots_nor_sound():
    """Regression: `import mediapipe` costs a second, 70 MB and an open sound system."""
    code = (
        "import sys\n"
        "from installation.devices.landmarks import FaceFinder\n"
        "FaceFinder().close()\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'matplotlib', 'sounddevice', 'jax', 'torch'}))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_slow_growth_of_the_process_is_noticed_once_it_has_settled():
    from installation.devices.eye import _MemoryGuard

    guard = _MemoryGuard(max_growth_mb=60.0)
    begun = guard._started_at
    assert not guard.overgrown(begun + 11.0)  # networks are still loading: this is the baseline
    assert not guard.overgrown(begun + 71.0)
    ballast = np.ones(120_000_000, np.uint8)
    assert not guard.overgrown(begun + 72.0)  # looked at every ten seconds
    assert guard.overgrown(begun + 82.0)
    assert ballast.any()
