"""`mirror bench --screen`: what it prints on this machine, and with stand-ins of CUDA and TensorRT."""

import json

import pytest
from fake_cuda import give_gpu_to_opengl
from fake_tensorrt import pretend_gpu, tensorrt_backend

from engines.runtime import load_pack
from engines.runtime.nvidia import why_no_nvidia
from installation.cli import main
from installation.display.config import DisplayConfig
from installation.display.renderer import Renderer
from installation.display.windows import open_window
from installation.screen_bench import describe, measure

RUNS = 3


def test_without_a_gpu_it_measures_the_way_over_the_host_and_says_why(capsys):
    if why_no_nvidia() is None:
        pytest.skip("there is a GPU")
    assert main(["bench", "--screen", "--runs", str(RUNS), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["ms"]) == {"encode, numbers go up", "generate, fetched", "show, fetched"}
    assert told["why_not"] == "openvino draws on no GPU of NVIDIA"
    assert told["same"] is None


@pytest.fixture
def figures(monkeypatch, tmp_path):
    """What is measured with stand-ins; `wrong` lets what OpenGL reads from the GPU be so after the test pattern."""
    cuda = pretend_gpu(monkeypatch)
    give_gpu_to_opengl(cuda, monkeypatch)

    def take(*, wrong=False):
        config = DisplayConfig(size=(64, 64))
        window = open_window(config, headless=True)
        renderer = Renderer(window.ctx, config)
        with load_pack(backend=tensorrt_backend(tmp_path)) as pack:
            assert renderer.takes_gpu()
            cuda.garbles = wrong
            result = measure(pack, renderer, window.ctx, RUNS)
        renderer.release()
        window.close()
        assert not cuda.handles
        return result

    return take


def test_both_ways_are_measured_and_compared(figures):
    result = figures()
    assert {"generate, kept", "generate, the host's part", "show, kept", "show, the host's part"} <= set(result["ms"])
    assert result["same"] is True
    assert set(result["growth_mb"]) == {"host", "gpu"}
    assert result["growth_mb"]["gpu"] == 0.0
    words = describe({"pack": "default", "resolution": 128, "screen": "none", **result})
    assert "both ways show the same: yes" in words


def test_a_way_that_shows_something_else_is_told(figures):
    result = figures(wrong=True)
    assert result["same"] is False
    words = describe({"pack": "default", "resolution": 128, "screen": "none", **result})
    assert "both ways show the same: NO" in words
