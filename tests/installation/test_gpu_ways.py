"""The short ways of a GPU in the neural thread: bytes in, pictures that stay. CUDA and TensorRT are stand-ins."""

import numpy as np
import pytest
from fake_cuda import at
from fake_tensorrt import pretend_gpu, tensorrt_backend

from engines.runtime import load_pack
from engines.runtime.manifest import EncoderSpec
from installation.core.controls import control_table
from installation.core.device_images import DeviceImages
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.devices.eye_record import eye_fields
from installation.inference import Inference
from installation.report import StageTimes
from installation.runtime.slots import SharedSlot
from installation.wish import Wish

VISITOR = 1


class Stand:
    """The networks of a show with an eye that the test plays, one tick after another."""

    def __init__(self, pack):
        size = pack.manifest.encoder.input_size
        self.pack = pack
        self.eye = SharedSlot(eye_fields(size, 64))
        five = {f"t{k}": pack.w_avg + np.float32(k) for k in range(5)}
        morph = Morph(pack.w_avg, pack.bands, five, {})
        self.instrument = Instrument(control_table(tuple(five), ()))
        self.made = Inference(
            pack, morph, morph, self.eye, psi=0.7, attract_s=1000.0, smoothing_s=0.0, stages=StageTimes()
        )  # fmt: skip
        self.made.warm_up()
        self.frames = 0

    def look(self):
        """Publish one record of the eye; returns its crop."""
        self.frames += 1
        record = self.eye.begin()
        rng = np.random.default_rng(self.frames)
        record["face_id"][...] = VISITOR
        record["crop"][:] = rng.integers(0, 255, record["crop"].shape)
        record["crop_landmarks"][:] = rng.uniform(0.2, 0.8, (478, 3))
        crop = record["crop"].copy()
        self.eye.commit()
        return crop

    def draw(self, **wish):
        wanted = Wish(1.0, **{"forget": False, **wish})
        return self.made.reflect(wanted, self.instrument.tick, float(self.frames)).picture

    def close(self):
        self.made.close()
        self.pack.close()
        self.eye.close(unlink=True)


@pytest.fixture
def cuda(monkeypatch):
    return pretend_gpu(monkeypatch)


@pytest.fixture
def stand(cuda, tmp_path):
    made = Stand(load_pack(backend=tensorrt_backend(tmp_path)))
    yield made
    made.close()
    assert not cuda.blocks
    assert not cuda.handles


def numbers(picture):
    images = picture.images
    return at(images.address, images.shape) if isinstance(images, DeviceImages) else images


@pytest.mark.parametrize("views", [{}, {"series": True}, {"ladder": True}, {"series": True, "single": True}])
def test_a_picture_that_stays_is_the_one_that_would_have_been_fetched(stand, cuda, views):
    stand.look()
    fetched = stand.draw(**views)
    expected = numbers(fetched).copy()
    cuda.calls.clear()
    kept = stand.draw(resident=True, **views)
    assert isinstance(kept.images, DeviceImages)
    assert (kept.face_id, kept.single) == (fetched.face_id, fetched.single) == (VISITOR, "single" in views)
    np.testing.assert_array_equal(numbers(kept), expected)
    assert max(cuda.fetched()) < kept.images.nbytes / len(expected) / 2, "no picture came to the host"


def test_it_says_that_pictures_could_stay_and_waits_to_be_asked(stand):
    assert stand.made.resident
    assert isinstance(stand.draw().images, np.ndarray)


def test_what_is_fed_back_into_the_camera_picture_is_fetched(stand):
    stand.instrument.set("/mirror/feedback", 0.5, "osc", 0.0)
    stand.look()
    for _ in range(50):
        stand.frames += 1
        picture = stand.draw(resident=True)
    assert isinstance(picture.images, np.ndarray)


def test_nothing_of_a_visitor_stays_on_the_gpu(stand, cuda):
    stand.look()
    kept = [numbers(stand.draw(resident=True)).copy(), numbers(stand.draw(resident=True, series=True)).copy()]
    for _ in range(20):
        stand.frames += 1
        stand.draw(resident=True, forget=True, look=False)
    on_gpu = b"".join(bytes(block) for block in cuda.blocks.values())
    for images in kept:
        middle = images[0, :, images.shape[2] // 2].tobytes()
        assert middle[: len(middle) // 3] not in on_gpu


class Bytes:
    """An encoder that takes bytes, or does not."""

    def __init__(self, shape, takes=True):
        self.takes = takes
        self.shape = shape
        self.crops, self.numbers = [], []

    def run_bytes(self, crop, outputs):
        if self.takes:
            self.crops.append(crop.copy())
        return self.takes

    def run(self, inputs, outputs):
        self.numbers.append(inputs["crop"].copy())


@pytest.fixture
def encoder(monkeypatch):
    """The shipped networks, but with an encoder that needs no landmarks."""
    pack = load_pack(backend="openvino")
    spec = EncoderSpec(input_size=pack.manifest.encoder.input_size)
    monkeypatch.setattr(pack, "manifest", pack.manifest.model_copy(update={"encoder": spec}))
    made = Bytes((1, pack.num_ws, pack.w_dim))
    engine = pack.engine
    monkeypatch.setattr(pack, "engine", lambda part, batch: made if part == "encoder" else engine(part, batch))
    stand = Stand(pack)
    made.crops.clear()
    yield stand, made
    stand.close()


def test_a_crop_goes_up_as_the_bytes_that_the_eye_gave(encoder):
    stand, made = encoder
    crops = []
    for _ in range(3):
        crops.append(stand.look())
        stand.draw()
    np.testing.assert_array_equal(made.crops, crops)
    assert made.numbers == []


def test_numbers_are_made_of_it_where_bytes_are_not_taken(encoder):
    stand, made = encoder
    made.takes = False
    crop = stand.look()
    stand.draw()
    assert made.crops == []
    np.testing.assert_allclose(made.numbers[-1][0], crop.transpose(2, 0, 1) / 127.5 - 1.0, atol=1e-6)
