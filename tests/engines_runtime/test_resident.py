"""Pictures that stay on the GPU, by the real TensorRT back-end over stand-ins of TensorRT and CUDA in host memory."""

import functools
import logging
import sys

import numpy as np
import pytest
from fake_cuda import at
from fake_tensorrt import pretend_gpu, tensorrt_backend

from engines.runtime import DEFAULT_PACK
from engines.runtime.chain import Chain
from engines.runtime.openvino_backend import OpenVinoBackend
from engines.runtime.resident import ResidentPictures
from installation.errors import EngineError

SLOTS = 4


@pytest.fixture
def cuda(monkeypatch):
    return pretend_gpu(monkeypatch)


@pytest.fixture
def chain(cuda, tmp_path):
    made = Chain(DEFAULT_PACK, iter((tensorrt_backend(tmp_path), OpenVinoBackend(threads=1))), lambda text: None)
    yield made
    made.close()


@pytest.fixture
def pictures(cuda):
    made = ResidentPictures(SLOTS)
    yield made
    made.close()


def latents(engine, count, seed=0):
    shape = engine.inputs["w_plus"].shape[1:]
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


@functools.cache
def reference():
    return OpenVinoBackend(threads=1).compile(DEFAULT_PACK, "generator", 1)


def ordinary(w_plus):
    engine = reference()
    images = np.zeros((len(w_plus), *engine.outputs["image"].shape[1:]), np.float32)
    for n, latent in enumerate(w_plus):
        engine.run({"w_plus": latent[None].copy()}, {"image": images[n : n + 1]})
    return images


@pytest.mark.parametrize(("batch", "given", "wanted"), [(1, 1, 1), (1, 6, 6), (5, 5, 5), (5, 5, 4)])
def test_what_lies_on_the_gpu_is_what_would_have_been_fetched(chain, pictures, batch, given, wanted):
    engine = chain.engine("generator", batch)
    w_plus = latents(engine, given)
    drawn = pictures.draw(engine, w_plus, wanted)
    assert drawn.shape == (wanted, *engine.outputs["image"].shape[1:])
    np.testing.assert_allclose(at(drawn.address, drawn.shape), ordinary(w_plus[:wanted]), atol=1e-5)


def test_nothing_but_a_sample_comes_to_the_host(chain, pictures, cuda):
    engine = chain.engine("generator", 1)
    cuda.calls.clear()
    drawn = pictures.draw(engine, latents(engine, 1), 1)
    assert sum(cuda.fetched()) <= 2 * 4 * 1024 < drawn.nbytes
    assert cuda.names()[-1] == "cudaStreamSynchronize", "it is finished when it is handed on"


def test_a_picture_stays_whole_for_as_long_as_the_ring_is(chain, pictures):
    engine = chain.engine("generator", 1)
    drawn = [pictures.draw(engine, latents(engine, 1, seed), 1) for seed in range(SLOTS)]
    assert len({images.address for images in drawn}) == SLOTS
    for seed, images in enumerate(drawn):
        np.testing.assert_allclose(at(images.address, images.shape), ordinary(latents(engine, 1, seed)), atol=1e-5)
    assert pictures.draw(engine, latents(engine, 1), 1).address == drawn[0].address


def test_no_memory_is_taken_for_further_pictures(chain, pictures, cuda):
    engine = chain.engine("generator", 1)
    pictures.draw(engine, latents(engine, 1), 1)
    held = len(cuda.blocks)
    for seed in range(3 * SLOTS):
        pictures.draw(engine, latents(engine, 1, seed), 1)
    assert len(cuda.blocks) == held


def test_numbers_that_are_none_are_left_to_the_ordinary_way_which_steps_down(chain, pictures, cuda):
    engine = chain.engine("generator", 1)
    sys.modules["tensorrt"].offset = np.nan
    w_plus = latents(engine, 1)
    assert pictures.draw(engine, w_plus, 1) is None
    images = np.zeros(engine.outputs["image"].shape, np.float32)
    engine.run({"w_plus": w_plus}, {"image": images})
    np.testing.assert_array_equal(images, ordinary(w_plus))
    assert chain.current.name == "openvino"
    assert not engine.resident
    assert pictures.draw(engine, w_plus, 1) is None


def test_a_single_stray_number_is_found_within_one_turn_of_the_sample(chain, pictures, cuda, monkeypatch):
    engine = chain.engine("generator", 1)
    launch = engine.launch

    def with_a_hole(inputs):
        address, stream = launch(inputs)
        at(address, engine.outputs["image"].shape)[0, 1, 20, 30] = np.inf
        return address, stream

    monkeypatch.setattr(engine, "launch", with_a_hole)
    size = int(np.prod(engine.outputs["image"].shape))
    turns = [pictures.draw(engine, latents(engine, 1), 1) is None for _ in range(size // 1024)]
    assert any(turns)


def test_a_gpu_lost_in_mid_show_is_left_to_the_ordinary_way(chain, pictures, cuda, caplog):
    engine = chain.engine("generator", 1)
    w_plus = latents(engine, 1)
    pictures.draw(engine, w_plus, 1)
    cuda.lost = True
    assert pictures.draw(engine, w_plus, 1) is None
    images = np.zeros(engine.outputs["image"].shape, np.float32)
    engine.run({"w_plus": w_plus}, {"image": images})
    np.testing.assert_array_equal(images, ordinary(w_plus))
    pictures.wipe(resting=True)
    pictures.close()
    assert "could not be given back" in caplog.text
    cuda.lost = False


def test_without_memory_for_a_ring_pictures_are_fetched_and_it_is_said_once(chain, pictures, cuda, caplog):
    engine = chain.engine("generator", 1)
    cuda.memory = 1000
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        assert pictures.draw(engine, latents(engine, 1), 1) is None
    assert caplog.text.count("pictures are fetched from the GPU: the GPU answers cudaMalloc with 2") == 1


def test_an_engine_of_the_processor_leaves_nothing_on_a_gpu(cuda, pictures):
    chain = Chain(DEFAULT_PACK, iter((OpenVinoBackend(threads=1),)), lambda text: None)
    engine = chain.engine("generator", 1)
    assert pictures.draw(engine, latents(engine, 1), 1) is None
    assert cuda.calls == []
    chain.close()


def test_at_closing_time_pictures_are_wiped_and_after_a_visit_only_those_side_by_side(chain, pictures):
    one, five = chain.engine("generator", 1), chain.engine("generator", 5)
    single = pictures.draw(one, latents(one, 1), 1)
    several = pictures.draw(five, latents(five, 5), 5)
    pictures.wipe(resting=False)
    assert at(single.address, single.shape).any()
    assert not at(several.address, several.shape).any()
    pictures.wipe(resting=True)
    assert not at(single.address, single.shape).any()


def test_closing_gives_all_memory_back(chain, cuda):
    made = ResidentPictures(SLOTS)
    for batch in (1, 5):
        engine = chain.engine("generator", batch)
        made.draw(engine, latents(engine, batch), batch)
    made.close()
    chain.close()
    assert not cuda.blocks
    assert not cuda.handles


class BytesOverOpenVino:
    """OpenVINO with a way in for bytes, which may fail."""

    name = "bytes"

    def __init__(self, fault):
        self.fault = fault

    def unavailable(self):
        return None

    def compile(self, pack, part, batch):
        engine = OpenVinoBackend(threads=1).compile(pack, part, batch)
        engine.run_bytes = self.run_bytes
        return engine

    def run_bytes(self, crop, outputs):
        if self.fault == "error":
            raise EngineError("the GPU has fallen off the bus")
        outputs["image"][...] = np.nan if self.fault == "garbage" else crop.mean()


@pytest.mark.parametrize(("fault", "taken"), [("", True), ("error", False), ("garbage", False)])
def test_bytes_are_taken_or_the_ordinary_way_is_asked_for(fault, taken):
    chain = Chain(DEFAULT_PACK, iter((BytesOverOpenVino(fault),)), lambda text: None)
    engine = chain.engine("generator", 1)
    images = np.zeros(engine.outputs["image"].shape, np.float32)
    assert engine.run_bytes(np.full((8, 8, 3), 7, np.uint8), {"image": images}) is taken
    assert not taken or (images == 7.0).all()
    w_plus = latents(engine, 1)
    engine.run({"w_plus": w_plus}, {"image": images})
    np.testing.assert_array_equal(images, ordinary(w_plus))
    chain.close()


def test_an_engine_without_a_way_in_for_bytes_is_run_the_ordinary_way(chain):
    engine = chain.engine("mapping", 1)
    assert engine.run_bytes(np.zeros((8, 8, 3), np.uint8), {}) is False
