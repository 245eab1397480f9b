"""The whole show with a GPU: loop, neural thread, back-end and renderer are real, CUDA and TensorRT are stand-ins."""

import time

import numpy as np
import pytest
from fake_cuda import give_gpu_to_opengl
from fake_tensorrt import pretend_gpu, tensorrt_backend

from engines.runtime import load_pack
from installation.config import Config
from installation.core.controls import control_table
from installation.core.device_images import DeviceImages
from installation.core.instrument import Instrument
from installation.core.morph import Morph
from installation.devices.eye_record import eye_fields
from installation.display.further_windows import FurtherWindows
from installation.display.renderer import Renderer
from installation.display.windows import open_window
from installation.film import Film
from installation.inference import Inference
from installation.reflection import ReflectionThread
from installation.report import ShowFigures, StageTimes
from installation.runtime.slots import SharedSlot
from installation.show import Show

LIMIT_S = 120.0


@pytest.fixture
def cuda(monkeypatch):
    made = pretend_gpu(monkeypatch)
    give_gpu_to_opengl(made, monkeypatch)
    return made


@pytest.fixture
def show(cuda, tmp_path):
    pack = load_pack(backend=tensorrt_backend(tmp_path))
    config = Config.model_validate({"display": {"size": (64, 36), "hz": 60}})
    eye = SharedSlot(eye_fields(pack.manifest.encoder.input_size, 64))
    instrument = Instrument(control_table((), ()))
    morph = Morph(pack.w_avg, pack.bands, {}, {})
    inference = Inference(
        pack, morph, morph, eye, psi=0.7, attract_s=1000.0, smoothing_s=0.0, stages=StageTimes()
    )  # fmt: skip
    thread = ReflectionThread(pack, inference, instrument, 60.0)
    thread.start()
    window = open_window(config.display, headless=True)
    renderer = Renderer(window.ctx, config.display)
    further = FurtherWindows(window, config.display, config.captions)
    film = Film(renderer, (64, 36), config.record, film=None, sheet=None, snapshots=None)
    made = Show(config, window, renderer, eye, thread, instrument, ShowFigures(), {}, film, further)
    yield made
    film.close()
    further.close()
    renderer.release()
    window.close()
    thread.stop()
    thread.join(LIMIT_S)
    eye.close(unlink=True)
    assert thread.failure == ""
    assert not thread.is_alive()


def play(show, until):
    """Run the show until something is so; fails if it never is."""
    deadline = time.monotonic() + LIMIT_S
    show.run(lambda: until() or time.monotonic() > deadline, lambda count: None)
    assert until(), "waited in vain"


def comes_from_gpu(show):
    return show._newest is not None and isinstance(show._newest.images, DeviceImages)


def test_pictures_stay_on_the_gpu_up_to_the_screen_and_come_over_the_host_when_opengl_loses_it(show, cuda):
    play(show, lambda: comes_from_gpu(show))
    shown = show._renderer.read(now=True)
    assert shown[..., :3].std() > 5.0, "the attract walk is on the screen"
    cuda.broken.add("cudaGraphicsMapResources")
    play(show, lambda: show._newest is not None and not comes_from_gpu(show))
    assert "cudaGraphicsMapResources with 999" in show._renderer.why_not_gpu
    after = show._renderer.read(now=True)
    assert np.abs(after.astype(int) - shown)[..., :3].mean() < 20.0, "the same face goes on"
    cuda.broken.clear()


def test_everything_is_given_back_at_the_end(show, cuda):
    play(show, lambda: comes_from_gpu(show))
    assert cuda.registered
    show._thread.stop()
    show._thread.join(LIMIT_S)
    show._renderer.release()
    assert [*cuda.blocks, *cuda.handles, *cuda.registered] == []
