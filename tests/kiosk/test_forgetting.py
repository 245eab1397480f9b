"""Nothing of a visitor stays: not in the networks' buffers, not in the memory that eye and show share."""

import multiprocessing
import time

import numpy as np
import pytest

from engines.runtime import load_pack
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.eye import run_eye
from installation.devices.eye_record import eye_fields
from installation.devices.synthetic import VISITOR_CLIP
from installation.inference import Inference
from installation.kiosk.loopback import Loopback, Mood
from installation.report import StageTimes
from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.slots import BUFFERS, SharedSlot
from installation.wish import Wish

CONTEXT = multiprocessing.get_context("spawn")
LIMIT_S = 90.0
VISITOR = 1


@pytest.fixture
def networks():
    """The shipped pack's networks, with an eye of which the test writes the records."""
    with load_pack() as pack:
        eye = SharedSlot(eye_fields(pack.manifest.encoder.input_size, 64))
        five = {f"t{k}": pack.w_avg + np.float32(k) for k in range(5)}
        morph = Morph(pack.w_avg, pack.bands, five, {})
        made = Inference(
            pack, morph, morph, eye, psi=0.7, attract_s=1000.0, smoothing_s=0.0, stages=StageTimes()
        )  # fmt: skip
        made.warm_up()
        yield made, eye, Instrument(control_table(tuple(five), ()))
        eye.close(unlink=True)


def look(eye, frame):
    record = eye.begin()
    rng = np.random.default_rng(frame)
    record["face_id"][...] = VISITOR
    record["crop"][:] = rng.integers(0, 255, record["crop"].shape)
    record["crop_landmarks"][:] = rng.uniform(0.2, 0.8, (478, 3))
    record["camera"][:] = 77
    record["landmarks"][:] = 33.0
    record["frame_size"][:] = (64, 48)
    eye.commit()


def arrays(thing, seen=None):
    """Every array that an object holds, however deep in its own dictionaries and lists."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from arrays(value, seen)
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from arrays(value, seen)


def held(made):
    """All that the networks' side holds, but for the pack, the targets, the eye's memory and the attract walk."""
    own = {name: value for name, value in vars(made).items() if name != "_seeds"}
    return list(arrays([own, vars(made._drawing)]))


def meet(made, eye, instrument):
    """A visit with every view; returns what was known of the visitor."""
    for frame in range(1, 6):
        look(eye, frame)
        made.reflect(Wish(1.0, series=frame % 2 == 0, camera=True, forget=False), instrument.tick, float(frame))
    return [array.copy() for array in held(made) if array.any()]


def test_at_closing_time_every_buffer_is_zero(networks):
    made, eye, instrument = networks
    assert len(meet(made, eye, instrument)) > 10
    for _ in range(20):
        made.forget(resting=True)
    assert not [array.shape for array in held(made) if array.any()]


def test_after_a_visit_only_the_attract_walk_is_in_the_buffers(networks):
    made, eye, instrument = networks
    known = meet(made, eye, instrument)
    for k in range(20):
        made.reflect(Wish(0.0, forget=True, look=False), instrument.tick, 10.0 + k)
    left = [array for array in held(made) if array.any()]
    for array in left:
        same = [old for old in known if old.shape == array.shape and np.array_equal(old, array)]
        assert not same, f"an array of {array.shape} still holds what it held of the visitor"
    single = made._pack.resolution
    assert {array.shape[0] for array in left} == {1}, "only the single view is drawn for nobody"
    assert all(array.shape[-1] in (single, made._pack.w_dim) for array in left)


def until(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_face_that_has_gone_is_in_no_buffer_of_the_eye_and_a_wiped_slot_holds_nothing():
    camera, faces = CameraConfig(max_side_px=320), FacesConfig()
    slot = SharedSlot(eye_fields(128, camera.max_side_px))
    stop, film = StopFlag(CONTEXT), Loopback(VISITOR_CLIP, pictures=30)
    arguments = (slot.layout, camera, faces, film.url, 128, stop, Heartbeat(CONTEXT))
    eye = CONTEXT.Process(target=run_eye, args=arguments)
    eye.start()
    try:
        until(lambda: slot.sequence and int(slot.latest()[1]["face_id"]) > 0)
        film.mood = Mood.EMPTY
        until(lambda: int(slot.latest()[1]["face_id"]) == 0)
        gone = slot.sequence
        until(lambda: slot.sequence > gone + 3 * BUFFERS)
        # Pictures that were on their way may have shown the face once more.
        parts = ("crop", "landmarks", "crop_landmarks", "quad", "measures")
        until(lambda: not any(record[name].any() for record in slot._views for name in parts))
        assert all(record["camera"].any() for record in slot._views), "the camera goes on"
    finally:
        stop.set()
        eye.join(LIMIT_S)
        film.close()
    slot.wipe()
    assert not any(array.any() for record in slot._views for array in record.values())
    slot.close(unlink=True)
