"""The way inside the GPU on a real one: an NVIDIA GPU that also draws, cuda-bindings, and PyTorch for CUDA."""

import numpy as np
import pytest

from engines.runtime.nvidia import why_no_nvidia
from installation.core.device_images import DeviceImages
from installation.display.reflection import Reflection
from installation.display.scene import Picture
from installation.display.shaders import ShaderLibrary
from installation.runtime.cuda import Cuda

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(why_no_nvidia() is not None, reason="no NVIDIA GPU here")]


def test_a_picture_that_pytorch_made_is_drawn_without_the_host(ctx):
    pytest.importorskip("cuda.bindings.runtime")
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available() or "NVIDIA" not in ctx.info["GL_VENDOR"]:
        pytest.skip(f"PyTorch {torch.__version__} and OpenGL on {ctx.info['GL_RENDERER']} share no GPU")
    library = ShaderLibrary(ctx)
    reflection = Reflection(library)
    assert reflection.takes_gpu(), reflection.refused
    for count, side in ((1, 1024), (5, 256)):
        made = torch.rand((count, 3, side, side), device="cuda") * 2.4 - 1.2
        torch.cuda.synchronize()
        reflection.upload(Picture(DeviceImages(made.data_ptr(), tuple(made.shape)), 0.0, 1, 1, 0.0))
        kept = reflection.newest_rgb().copy()
        reflection.upload(Picture(made.cpu().numpy(), 0.0, 1, 1, 0.0))
        np.testing.assert_array_equal(kept, reflection.newest_rgb())
        assert kept.std() > 5.0
    reflection.release()
    library.release()


def test_an_engine_is_captured_and_both_ways_in_agree():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip(f"PyTorch {torch.__version__} finds no GPU")
    from engines.networks.cuda_backend import CudaEngine
    from engines.networks.torch_backend import Network

    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 4, 3, padding=1).eval().requires_grad_(False).cuda()
    network = Network(module.to(memory_format=torch.channels_last), {"crop": (3, 64, 64)}, ("w_plus", (4, 64, 64)))
    engine = CudaEngine(network, 1, torch.device("cuda"), "fp32")
    assert engine._forward.result is not None, "captured"
    for seed in (1, 2):
        given = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
        crop = given.transpose(2, 0, 1)[None] * np.float32(1.0 / 127.5) - np.float32(1.0)
        by_numbers, by_bytes, kept = np.zeros((3, 1, 4, 64, 64), np.float32)
        engine.run({"crop": np.ascontiguousarray(crop)}, {"w_plus": by_numbers})
        engine.run_bytes(given, {"w_plus": by_bytes})
        np.testing.assert_allclose(by_bytes, by_numbers, atol=1e-5)
        expected = torch.nn.functional.conv2d(torch.from_numpy(crop), module.weight.cpu(), module.bias.cpu(), padding=1)
        np.testing.assert_allclose(by_numbers, expected.numpy(), atol=1e-4)
        pytest.importorskip("cuda.bindings.runtime")
        cuda = Cuda()
        address, stream = engine.launch({"crop": np.ascontiguousarray(crop)})
        cuda.call("cudaStreamSynchronize", stream)
        to_host = cuda.names.cudaMemcpyKind.cudaMemcpyDeviceToHost
        cuda.call("cudaMemcpy", kept.ctypes.data, address, kept.nbytes, to_host)
        np.testing.assert_array_equal(kept, by_numbers)
    engine.close()
