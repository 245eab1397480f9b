"""Pictures from CUDA's memory into OpenGL's: a real context of OpenGL, a stand-in of CUDA in host memory.

The stand-in keeps the rules of the interoperation: a registered buffer keeps its storage, is mapped once at a time, has
an address only while it is, and OpenGL finds in it what was written before it was unmapped.
"""

import ctypes
import logging
import sys

import moderngl
import numpy as np
import pytest
from fake_cuda import FakeCuda, give_gpu_to_opengl
from fake_tensorrt import pretend_gpu

from installation.core.device_images import DeviceImages
from installation.display.cuda_gl import CudaGl
from installation.display.reflection import Reflection
from installation.display.scene import Picture, Scene
from installation.display.shaders import ShaderLibrary
from installation.runtime.cuda import CudaError

MAP = ["cudaGraphicsMapResources", "cudaGraphicsResourceGetMappedPointer", "cudaMemcpyAsync"]


@pytest.fixture
def cuda(monkeypatch):
    """CUDA beside the context, which claims to be drawn by the GPU."""
    made = pretend_gpu(monkeypatch, tensorrt=False)
    give_gpu_to_opengl(made, monkeypatch)
    return made


class OnGpu:
    """Pictures in the stand-in's memory: the host's."""

    def __init__(self, count=1, side=16, seed=0):
        self.array = np.random.default_rng(seed).uniform(-1.3, 1.3, (count, 3, side, side)).astype(np.float32)
        images = DeviceImages(self.array.ctypes.data, self.array.shape)
        self.picture = Picture(images, 0.0, 1, 1, 0.0)
        self.fetched = Picture(self.array, 0.0, 1, 1, 0.0)


def held(cuda):
    """Everything that was not given back."""
    return [*cuda.blocks, *cuda.handles, *cuda.registered, *cuda.mapped]


def codes(array):
    """Encoded bytes as they have always been: (r, n * r, 3)."""
    values = np.fmin(np.fmax(array * np.float32(127.5) + np.float32(128.0), 0.0), 255.0).astype(np.uint8)
    return np.concatenate(list(values.transpose(0, 2, 3, 1)), axis=1)


@pytest.mark.parametrize(("count", "side"), [(1, 16), (5, 24), (6, 8)])
def test_both_ways_give_the_same_bytes(reflection, cuda, count, side):
    given = OnGpu(count, side)
    reflection.upload(given.fetched)
    np.testing.assert_array_equal(reflection.newest_rgb(), codes(given.array))
    assert reflection.takes_gpu()
    reflection.upload(Picture(np.zeros_like(given.array), 0.0, 1, 1, 0.0))
    assert not np.array_equal(reflection.newest_rgb(), codes(given.array))
    reflection.upload(given.picture)
    np.testing.assert_array_equal(reflection.newest_rgb(), codes(given.array))


def test_a_buffer_is_registered_once_and_mapped_for_each_picture(reflection, cuda):
    assert reflection.takes_gpu()
    reflection.upload(OnGpu().picture)
    cuda.calls.clear()
    for seed in range(3):
        reflection.upload(OnGpu(seed=seed).picture)
    assert cuda.names() == [*MAP, "cudaGraphicsUnmapResources"] * 3
    kinds = {arguments[3].name for name, arguments, _ in cuda.calls if name == "cudaMemcpyAsync"}
    assert kinds == {"cudaMemcpyDeviceToDevice"}
    reflection.upload(OnGpu(5).picture)
    assert [name for name in cuda.names() if "Register" in name or "Unregister" in name] == [
        "cudaGraphicsGLRegisterBuffer",
        "cudaGraphicsUnregisterResource",
    ], "another size has another buffer, and the old one is given back"


def test_pictures_of_host_and_gpu_take_turns_in_one_buffer(reflection, cuda):
    assert reflection.takes_gpu()
    for seed in range(4):
        given = OnGpu(seed=seed)
        reflection.upload(given.picture if seed % 2 else given.fetched)
        np.testing.assert_array_equal(reflection.newest_rgb(), codes(given.array))
    assert cuda.names().count("cudaGraphicsGLRegisterBuffer") == 2, "the test pattern's, and one"


def test_everything_is_given_back(ctx, cuda):
    library = ShaderLibrary(ctx)
    made = Reflection(library)
    assert made.takes_gpu()
    made.upload(OnGpu().picture)
    made.release()
    library.release()
    assert held(cuda) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda cuda: setattr(cuda, "garbles", True), "a test pattern written by CUDA is not what OpenGL reads"),
        (lambda cuda: setattr(cuda, "devices", [1]), "OpenGL draws on another GPU"),
        (lambda cuda: setattr(cuda, "devices", []), "the GPU answers cudaGLGetDevices with 100"),
        (lambda cuda: cuda.broken.add("cudaGraphicsGLRegisterBuffer"), "cudaGraphicsGLRegisterBuffer with 999"),
        (lambda cuda: cuda.broken.add("cudaGraphicsMapResources"), "cudaGraphicsMapResources with 999"),
        (lambda cuda: cuda.broken.add("cudaGraphicsResourceGetMappedPointer"), "MappedPointer with 999"),
        (lambda cuda: cuda.broken.add("cudaMemcpyAsync"), "cudaMemcpyAsync with 999"),
    ],
)
def test_whatever_fails_at_the_start_leaves_the_way_over_the_host_and_nothing_held(
    reflection, cuda, caplog, fault, words
):
    fault(cuda)
    for _ in range(3):
        assert not reflection.takes_gpu()
    assert caplog.text.count("pictures go to the screen through the host") == 1
    assert words in caplog.text
    assert held(cuda) == []
    given = OnGpu()
    reflection.upload(given.fetched)
    np.testing.assert_array_equal(reflection.newest_rgb(), codes(given.array))


def test_a_context_that_the_gpu_does_not_draw_is_not_even_tried(ctx, monkeypatch):
    made = FakeCuda()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", made)
    if "NVIDIA" in ctx.info["GL_VENDOR"]:
        pytest.skip("this context is drawn by a GPU of NVIDIA")
    with pytest.raises(CudaError, match="not by the GPU of the networks"):
        CudaGl(ctx)
    assert made.calls == []


def test_without_the_package_it_says_what_to_install(ctx, cuda, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(CudaError, match=r"pip install 'machine-reflections\[cuda\]'"):
        CudaGl(ctx)


def test_a_gpu_lost_in_mid_show_leaves_what_is_shown_and_the_host_takes_over(reflection, cuda, caplog):
    assert reflection.takes_gpu()
    first, second, third = (OnGpu(seed=seed) for seed in range(3))
    reflection.upload(first.picture)
    shown = reflection.render(1.0, 16.0).read()
    cuda.lost = True
    caplog.set_level(logging.WARNING)
    for late in (second, OnGpu(5)):
        reflection.upload(late.picture)
    np.testing.assert_array_equal(reflection.newest_rgb(), codes(first.array))
    assert reflection.render(1.0, 16.0).read() == shown
    assert not reflection.takes_gpu()
    assert caplog.text.count("pictures go to the screen through the host") == 1
    reflection.upload(third.fetched)
    np.testing.assert_array_equal(reflection.newest_rgb(), codes(third.array))
    cuda.lost = False


def test_a_picture_that_is_still_on_its_way_when_no_more_are_taken_is_left_out(reflection):
    reflection.upload(OnGpu().picture)
    assert reflection.render(1.0, 16.0) is None


def test_a_picture_larger_than_its_buffer_is_never_copied(ctx, cuda):
    shared = CudaGl(ctx)
    buffer = ctx.buffer(reserve=64)
    resource = shared.register(buffer)
    with pytest.raises(CudaError, match="a pixel buffer of 64 bytes cannot hold 3072"):
        shared.fill(resource, OnGpu().picture.images)
    assert not cuda.mapped, "it is OpenGL's again"
    shared.unregister(resource)
    shared.close()
    buffer.release()


def test_a_running_show_makes_nothing_for_each_picture(reflection, cuda, monkeypatch):
    assert reflection.takes_gpu()
    given = OnGpu(5)
    reflection.upload(given.picture)
    reflection.newest_rgb()
    before = held(cuda)
    for maker in ("texture", "texture_array", "buffer", "framebuffer"):
        monkeypatch.setattr(moderngl.Context, maker, None)
    for _ in range(5):
        reflection.upload(given.picture)
        reflection.newest_rgb()
    assert held(cuda) == before


def test_what_the_host_looks_at_is_small_and_leaves_the_drawing_as_it_was(reflection, cuda, ctx):
    given = OnGpu(2, 600)
    given.array[0, 0] = 1.0  # the first one's red
    given.array[1, 0] = -1.0
    reflection.upload(given.fetched)
    target = ctx.simple_framebuffer((8, 8))
    target.use()
    ctx.viewport = (1, 2, 3, 4)
    seen = reflection.newest_rgb()
    assert seen.shape == (200, 400, 3)
    assert (seen[:, :200, 0] == 255).all()
    assert (seen[:, 200:, 0] == 0).all()
    assert ctx.fbo is target
    assert ctx.viewport == (1, 2, 3, 4)
    ctx.detect_framebuffer(0).use()
    target.release()


def test_the_whole_canvas_is_the_same_by_both_ways(make_renderer, face_picture, shot, cuda):
    canvases = []
    for on_gpu in (False, True):
        renderer = make_renderer()
        assert renderer.takes_gpu()
        picture = face_picture(5, 64)
        array = np.ascontiguousarray(picture.images)
        images = DeviceImages(array.ctypes.data, array.shape)
        renderer.show_pictures(Picture(images, 0.0, 1, 1, 0.0) if on_gpu else picture)
        renderer.draw(Scene("series", 1.0), (320, 180))
        canvases.append(renderer.read(now=True))
    np.testing.assert_array_equal(*canvases)
    assert canvases[0].std() > 5.0, "something was drawn"


def test_the_stand_in_would_notice_a_second_mapping(cuda, ctx):
    buffer = ctx.buffer(reserve=64)
    _, resource = cuda.cudaGraphicsGLRegisterBuffer(buffer.glo, 2)
    cuda.cudaGraphicsMapResources(1, resource, 0)
    with pytest.raises(AssertionError):
        cuda.cudaGraphicsMapResources(1, resource, 0)
    _, address, size = cuda.cudaGraphicsResourceGetMappedPointer(resource)
    ctypes.memset(address, 5, size)
    cuda.cudaGraphicsUnmapResources(1, resource, 0)
    assert buffer.read() == b"\x05" * 64
    buffer.release()
