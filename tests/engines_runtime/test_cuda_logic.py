"""The PyTorch back-end for GPUs, its logic on the CPU: buffers, precision, refusals. Captures need a GPU."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from fake_cuda import at

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from engines.networks import cuda_backend  # noqa: E402
from engines.networks.cuda_backend import CudaBackend, CudaEngine  # noqa: E402
from engines.networks.torch_backend import Network  # noqa: E402
from engines.runtime import DEFAULT_PACK  # noqa: E402
from engines.runtime.backends import ByteEngine, KeepingEngine, ResidentEngine  # noqa: E402
from engines.runtime.golden import Deviation  # noqa: E402
from installation.errors import EngineError  # noqa: E402


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(nn.Conv2d(3, 4, 3, padding=1).eval(), {"crop": (3, 8, 8)}, ("w_plus", (4, 8, 8)))


def run(engine, seed=0):
    crop = np.random.default_rng(seed).normal(size=engine.inputs["crop"].shape).astype(np.float32)
    out = np.zeros(engine.outputs["w_plus"].shape, np.float32)
    engine.run({"crop": crop}, {"w_plus": out})
    return crop, out


def test_each_run_takes_its_own_input(network):
    engine = CudaEngine(network, 2, torch.device("cpu"), "fp32")
    for seed in (1, 2):
        crop, out = run(engine, seed)
        with torch.inference_mode():
            expected = network.module(torch.from_numpy(crop)).numpy()
        np.testing.assert_allclose(out, expected, atol=1e-5)


def test_a_wrong_buffer_and_a_closed_engine_are_refused(network):
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    with pytest.raises(EngineError, match="'crop' must be C-contiguous float32"):
        engine.run({}, {})
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        run(engine)


@pytest.mark.parametrize(("half_is_good", "chosen"), [(True, "fp16"), (False, "fp32")])
def test_half_precision_is_taken_only_where_the_golden_vectors_allow_it(monkeypatch, network, half_is_good, chosen):
    def check(engine, pack, part):
        if engine.precision == "fp16" and not half_is_good:
            raise EngineError("too far off")
        return Deviation(0.0, 0.0, 99.0)

    monkeypatch.setattr(cuda_backend, "build_network", lambda pack, part: network)
    monkeypatch.setattr(cuda_backend, "check_golden", check)
    engine = CudaBackend("cpu").compile(DEFAULT_PACK, "encoder", 1)
    assert engine.precision == chosen
    assert np.isfinite(run(engine)[1]).all()


def test_a_pack_without_weights_is_refused_with_the_reason():
    with pytest.raises(EngineError, match="which PyTorch cannot rebuild"):
        CudaBackend("cpu").compile(DEFAULT_PACK, "generator", 1)


def test_a_crop_of_bytes_gives_what_its_numbers_give_to_the_bit(network):
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    for seed in (1, 2):
        given = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        crop = np.zeros((1, 3, 8, 8), np.float32)
        np.multiply(
            given.transpose(2, 0, 1), np.float32(1.0 / 127.5), out=crop[0], casting="unsafe"
        )  # as the show does
        crop -= 1.0
        by_numbers, by_bytes = np.zeros((2, 1, 4, 8, 8), np.float32)
        engine.run({"crop": crop}, {"w_plus": by_numbers})
        engine.run_bytes(given, {"w_plus": by_bytes})
        np.testing.assert_array_equal(by_bytes, by_numbers)


def test_every_byte_becomes_the_number_that_it_always_became(network):
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    given = np.resize(np.arange(256, dtype=np.uint8), (8, 8, 3))
    engine.run_bytes(given, {"w_plus": np.zeros((1, 4, 8, 8), np.float32)})
    expected = given.transpose(2, 0, 1) * np.float32(1.0 / 127.5) - np.float32(1.0)
    np.testing.assert_array_equal(engine._given["crop"][0].numpy(), expected)


@pytest.mark.parametrize("crop", [np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_bytes_of_another_kind_are_refused(network, crop):
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    with pytest.raises(EngineError, match=r"'crop' must be uint8 \(8, 8, 3\)"):
        engine.run_bytes(crop, {"w_plus": np.zeros((1, 4, 8, 8), np.float32)})


def test_only_single_crops_come_as_bytes(network):
    with pytest.raises(EngineError, match="only an encoder of single crops takes bytes"):
        CudaEngine(network, 2, torch.device("cpu"), "fp32").run_bytes(np.zeros((8, 8, 3), np.uint8), {
            "w_plus": np.zeros((2, 4, 8, 8), np.float32)
        })  # fmt: skip
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run_bytes(np.zeros((8, 8, 3), np.uint8), {"w_plus": np.zeros((1, 4, 8, 8), np.float32)})


def test_the_output_that_stays_lies_in_planes_though_convolutions_do_not(network):
    network.module.to(memory_format=torch.channels_last)
    engine = CudaEngine(network, 2, torch.device("cpu"), "fp32")
    crop, out = run(engine)
    address, stream = engine.launch({"crop": crop})
    np.testing.assert_array_equal(at(address, out.shape), out)
    assert stream == 0
    assert isinstance(engine, ResidentEngine)
    assert isinstance(engine, ByteEngine)


def test_nothing_of_what_passed_through_is_kept(network):
    engine = CudaEngine(network, 1, torch.device("cpu"), "fp32")
    engine.run_bytes(np.full((8, 8, 3), 99, np.uint8), {"w_plus": np.zeros((1, 4, 8, 8), np.float32)})
    crop, out = run(engine)
    engine.launch({"crop": crop})
    kept = [*engine._staged.values(), *engine._given.values(), *engine._bytes.copies, engine._fetched, engine._made]
    assert all(tensor.any() for tensor in kept)
    engine.forget()
    assert not any(tensor.any() for tensor in kept)
    assert isinstance(engine, KeepingEngine)
    again = np.zeros_like(out)
    engine.run({"crop": crop}, {"w_plus": again})
    np.testing.assert_array_equal(again, out)


def test_what_is_asked_of_pytorch_for_a_gpu_exists():
    """Captures cannot run without one; their names and keywords can be looked up."""
    assert "capture_error_mode" in inspect.signature(torch.cuda.graph.__init__).parameters
    assert {"wait_stream", "synchronize"} <= set(dir(torch.cuda.Stream))
    assert {"replay", "pool"} <= set(dir(torch.cuda.CUDAGraph))
    assert "device" in inspect.signature(torch.cuda.current_stream).parameters
    stubs = (Path(torch.__file__).parent / "_C/__init__.pyi").read_text("utf-8")
    assert "cuda_stream: _int" in stubs, "an attribute that only a build for CUDA has"


def test_without_a_gpu_it_says_so():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert "finds no GPU" in CudaBackend().unavailable()
