"""The neural thread with the pack that ships: what it draws for nobody, for a visitor, and after they have gone."""

import time

import numpy as np
import pytest

from engines.runtime import load_pack
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.devices.eye_record import eye_fields
from installation.inference import Inference
from installation.reflection import ReflectionThread
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot
from installation.wish import Wish

PATIENCE_S = 60.0


class Stand:
    """A neural thread with an eye that the test plays."""

    def __init__(self):
        self.pack = load_pack()
        size = self.pack.manifest.encoder.input_size
        self.eye = SharedSlot(eye_fields(size, 64))
        rng = np.random.default_rng(5)
        five = {f"t{i}": self.pack.w_avg + rng.normal(size=self.pack.w_avg.shape).astype(np.float32) for i in range(5)}
        self.morph = Morph(self.pack.w_avg, self.pack.bands, five, {})
        self.series = Morph(self.pack.w_avg, self.pack.bands, five, {})
        self.instrument = Instrument(control_table(tuple(five), ()))
        inference = Inference(
            self.pack, self.morph, self.series, self.eye,
            psi=0.7, attract_s=1000.0, smoothing_s=0.0, stages=StageTimes(),
        )  # fmt: skip
        self.thread = ReflectionThread(self.pack, inference, self.instrument, 60.0)
        self.thread.start()
        self.frames = 0

    def look(self, face_id, brightness=128):
        """Publish one record of the eye."""
        self.frames += 1
        record = self.eye.begin()
        record["face_id"][...] = face_id
        record["frame_id"][...] = self.frames
        record["captured_at"][...] = 1000.0 + self.frames
        record["crop"][:] = brightness
        rng = np.random.default_rng(face_id)
        record["crop_landmarks"][:] = rng.uniform(0.2, 0.8, (478, 3))
        record["camera"][:] = 77
        record["frame_size"][:] = (64, 48)
        self.eye.commit()

    def draw(self, presence=1.0, **wish):
        """Ask, and wait for a reflection of that wish and the newest record."""
        self.thread.wish.publish(Wish(presence, **{"forget": False, **wish}))
        sequence, _ = self.thread.reflections.peek()
        for _ in range(3):  # one may have been on its way, with the old wish
            sequence, reflection = self.thread.reflections.wait_newer(sequence, PATIENCE_S)
            assert self.thread.is_alive(), self.thread.failure
        return reflection

    def close(self):
        self.thread.stop()
        self.thread.join(PATIENCE_S)
        self.eye.close(unlink=True)


@pytest.fixture
def stand():
    made = Stand()
    yield made
    made.close()
    assert not made.thread.is_alive()
    assert made.thread.failure == ""
    assert made.thread.error is None


def test_nobody_is_drawn_as_the_attract_walk_and_carries_no_face(stand):
    reflection = stand.draw(presence=0.0)
    assert reflection.picture.face_id == 0
    assert reflection.picture.images.shape == (1, 3, stand.pack.resolution, stand.pack.resolution)
    assert np.isfinite(reflection.picture.images).all()
    assert reflection.camera is None


def test_a_visitor_is_drawn_with_the_time_of_their_frame(stand):
    stand.look(face_id=3)
    reflection = stand.draw()
    assert reflection.picture.face_id == 3
    assert reflection.picture.frame_id == 1
    assert reflection.picture.captured_at == 1001.0


def test_the_picture_depends_on_who_stands_there(stand):
    stand.look(face_id=1, brightness=60)
    first = stand.draw().picture.images.copy()
    stand.look(face_id=2, brightness=200)
    second = stand.draw().picture.images
    assert np.abs(first - second).mean() > 0.02


def test_the_morph_reaches_the_target(stand):
    stand.look(face_id=1)
    plain = stand.draw().picture.images.copy()
    stand.instrument.set("/mirror/morph/t0", 1.0, "operator", 0.0)
    stand.instrument.tick(10.0)
    morphed = stand.draw().picture.images.copy()
    assert np.abs(plain - morphed).mean() > 0.02


def test_the_series_is_five_different_pictures(stand):
    stand.look(face_id=1)
    images = stand.draw(series=True).picture.images
    assert images.shape[0] == 5
    for i in range(5):
        for j in range(i):
            assert np.abs(images[i] - images[j]).mean() > 0.01


def test_the_ladder_climbs_from_the_reflection_to_the_morph(stand):
    stand.look(face_id=1)
    plain = stand.draw().picture.images[0].copy()
    stand.instrument.set("/mirror/morph/t0", 1.0, "operator", 0.0)
    stand.instrument.tick(10.0)
    ladder = stand.draw(ladder=True).picture.images
    assert ladder.shape[0] == 5
    assert np.abs(ladder[0] - plain).max() < 0.02, "a batch of five rounds differently"
    for rung in range(1, 5):
        assert np.abs(ladder[rung] - ladder[0]).mean() > 0.003


def test_the_morph_stands_before_the_series_when_another_window_shows_it(stand):
    stand.look(face_id=1)
    plain = stand.draw().picture.images[0].copy()
    five = stand.draw(series=True).picture.images.copy()
    both = stand.draw(series=True, single=True).picture
    assert both.single
    assert both.images.shape[0] == 6
    assert np.abs(both.images[0] - plain).max() < 0.02
    assert np.abs(both.images[1:] - five).max() < 0.02
    assert not stand.draw(single=True).picture.single, "one picture needs no order"


def test_half_present_lies_between_the_walk_and_the_visitor(stand):
    stand.look(face_id=1)
    whole = stand.draw(presence=1.0).picture.images.copy()
    half = stand.draw(presence=0.5).picture.images.copy()
    nobody = stand.draw(presence=0.0).picture.images.copy()
    between = np.abs(half - nobody).mean(), np.abs(half - whole).mean(), np.abs(whole - nobody).mean()
    assert max(between[:2]) < between[2]


def test_the_camera_picture_comes_only_when_it_is_asked_for(stand):
    stand.look(face_id=1)
    assert stand.draw().camera is None
    stand.thread.wish.publish(Wish(1.0, camera=True, forget=False))
    sequence, _ = stand.thread.reflections.peek()
    camera = None
    for _ in range(20):
        stand.look(face_id=1)
        sequence, reflection = stand.thread.reflections.wait_newer(sequence, PATIENCE_S)
        camera = camera or reflection.camera
    assert camera is not None
    assert camera.size_wh == (64, 48)
    assert (camera.pixels[:48, :64] == 77).all()


def test_a_visitor_who_has_gone_is_forgotten(stand):
    stand.look(face_id=1)
    stand.draw()
    reflection = stand.draw(presence=0.0, forget=True)
    assert reflection.picture.face_id == 0
    again = stand.draw(presence=1.0)
    assert again.picture.face_id == 0, "a face that was wiped must not come back without a new record"


def test_values_that_are_no_numbers_never_stop_the_thread(stand):
    record = stand.eye.begin()
    for name in ("crop_landmarks", "landmarks", "quad"):
        record[name][:] = np.nan
    record["face_id"][...] = 9
    stand.eye.commit()
    stand.draw()
    stand.look(face_id=9)
    assert np.isfinite(stand.draw().picture.images).all()


def test_what_is_played_reaches_the_picture_without_another_wish(stand):
    stand.look(1)
    stand.draw()
    before = stand.draw().picture.images.copy()
    now = time.monotonic()
    stand.instrument.set("/mirror/morph/t0", 1.0, now=now)
    stand.instrument.set("/mirror/amount", 1.0, now=now)
    sequence, _ = stand.thread.reflections.peek()
    for _ in range(60):
        sequence, reflection = stand.thread.reflections.wait_newer(sequence, PATIENCE_S)
        if np.abs(reflection.picture.images - before).max() > 0.1:
            break
    assert np.abs(reflection.picture.images - before).max() > 0.1
