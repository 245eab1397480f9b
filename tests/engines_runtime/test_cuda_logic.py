"""The PyTorch back-end for GPUs, its logic on the CPU: buffers, precision, refusals. Captures need a GPU."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from engines.networks import cuda_backend  # noqa: E402
from engines.networks.cuda_backend import CudaBackend, CudaEngine  # noqa: E402
from engines.networks.torch_backend import Network  # noqa: E402
from engines.runtime import DEFAULT_PACK  # noqa: E402
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


def test_without_a_gpu_it_says_so():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert "finds no GPU" in CudaBackend().unavailable()
