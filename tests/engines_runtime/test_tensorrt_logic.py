"""The TensorRT back-end against a stand-in of TensorRT and CUDA that computes with OpenVINO.

The stand-in records calls and keeps the rules that matter: buffers by name, a stream, captures that replay what was
enqueued between the same addresses, handles that must be freed. No GPU is involved, and no speed is shown.
"""

import importlib
import os
import sys

import numpy as np
import pytest
from fake_tensorrt import plan, pretend_gpu, tensorrt_backend

from engines.runtime import DEFAULT_PACK
from engines.runtime.ahead import SlowBackend
from engines.runtime.openvino_backend import OpenVinoBackend
from engines.runtime.tensorrt_build import BuildSettings, build, build_in_child
from installation.errors import EngineError


@pytest.fixture
def cuda(monkeypatch):
    return pretend_gpu(monkeypatch)


@pytest.fixture
def trt(cuda):
    return sys.modules["tensorrt"]


@pytest.fixture
def built():
    return []


@pytest.fixture
def make(trt, tmp_path, built):
    def child(graph, batch, settings, timing, report):
        built.append((graph.name, batch, timing))
        report("Building", 1, 2)
        return plan(graph, batch)

    return lambda: tensorrt_backend(tmp_path / "engines", build=child)


def run(engine, seed=0):
    rng = np.random.default_rng(seed)
    inputs = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}
    engine.run(inputs, outputs)
    return inputs, outputs


def test_runs_give_what_the_network_gives_each_time_anew(make):
    engine = make().compile(DEFAULT_PACK, "generator", 1)
    own = OpenVinoBackend(threads=1).compile(DEFAULT_PACK, "generator", 1)
    for seed in (1, 2):
        inputs, outputs = run(engine, seed)
        expected = {"image": np.zeros_like(outputs["image"])}
        own.run(inputs, expected)
        np.testing.assert_array_equal(outputs["image"], expected["image"])


def test_an_engine_is_built_once_and_then_comes_from_the_cache(make, built):
    make().compile(DEFAULT_PACK, "mapping", 1).close()
    make().compile(DEFAULT_PACK, "mapping", 1).close()
    assert built == [("mapping.onnx", 1, "tensorrt-10.13.3.9-sm9.0-13010")]
    make().compile(DEFAULT_PACK, "mapping", 5).close()
    assert [batch for _, batch, _ in built] == [1, 5]


def test_another_version_of_tensorrt_builds_anew(make, built, trt):
    make().compile(DEFAULT_PACK, "mapping", 1).close()
    trt.__version__ = "11.4.0.106"
    make().compile(DEFAULT_PACK, "mapping", 1).close()
    assert len(built) == 2


def test_a_cached_engine_that_tensorrt_refuses_is_put_aside_and_built_again(make, built, tmp_path):
    backend = make()
    backend.compile(DEFAULT_PACK, "mapping", 1).close()
    backend._cache.store(backend._key("mapping", 1, DEFAULT_PACK / "mapping.onnx", "fp32"), b"not a plan")
    run(backend.compile(DEFAULT_PACK, "mapping", 1))
    assert len(built) == 2
    (reason,) = (tmp_path / "engines" / "quarantine").glob("*.txt")
    assert "TensorRT refuses" in reason.read_text("utf-8")


def test_an_engine_that_misses_the_golden_vectors_is_neither_used_nor_kept(make, trt, cuda, tmp_path):
    trt.offset = 0.01
    with pytest.raises(EngineError, match="does not give the golden vectors"):
        make().compile(DEFAULT_PACK, "mapping", 1)
    assert not list((tmp_path / "engines").glob("*.engine"))
    assert not cuda.blocks
    assert not cuda.handles


def test_closing_frees_every_handle(make, cuda):
    engine = make().compile(DEFAULT_PACK, "encoder", 1)
    assert len(cuda.blocks) == 6
    engine.close()
    assert not cuda.blocks
    assert not cuda.handles
    with pytest.raises(EngineError, match="closed"):
        run(engine)


def test_a_lost_gpu_is_an_engine_error_in_run_and_in_close(make, cuda):
    engine = make().compile(DEFAULT_PACK, "mapping", 1)
    cuda.lost = True
    with pytest.raises(EngineError, match="cudaGraphLaunch with 719"):
        run(engine)
    with pytest.raises(EngineError, match="719"):
        engine.close()


def test_too_little_memory_is_an_engine_error_and_leaves_nothing(make, cuda):
    cuda.memory = 1000
    with pytest.raises(EngineError, match="cudaMalloc"):
        make().compile(DEFAULT_PACK, "generator", 1)
    assert not cuda.blocks
    assert not cuda.handles


@pytest.mark.parametrize(("version", "usable"), [("10.12.0.36", False), ("11.4.0.106", True), ("12.0.0.1", False)])
def test_only_supported_versions_are_used(make, trt, version, usable):
    trt.__version__ = version
    why = make().unavailable()
    assert (why is None) == usable
    assert usable or version in why


RECORDER = """
class Anything:
    calls = []

    def __init__(self, name="trt"):
        self.__dict__["_name"] = name

    def __getattr__(self, name):
        return Anything(self._name + "." + name)

    def __setattr__(self, name, value):
        Anything.calls.append((self._name + "." + name, value))

    def __call__(self, *given):
        Anything.calls.append((self._name, given))
        return RESULTS.get(self._name.rpartition(".")[2], Anything)(self._name)

    def __int__(self):
        return 1

    def __iter__(self):
        return iter((-1, 18, 512))


class Network(Anything):
    num_inputs = 1


class Parser(Anything):
    num_errors = 1


class Config(Anything):
    def __setattr__(self, name, value):
        Anything.__setattr__(self, name, value)
        if name == "progress_monitor":
            value.phase_start("Tactics", None, 2)
            value.step_complete("Tactics", 0)
            value.phase_finish("Tactics")


class IProgressMonitor:
    pass


PARSES = True
RESULTS = {
    "build_serialized_network": lambda name: b"plan",
    "serialize": lambda name: b"timings",
    "OnnxParser": lambda name: Parser("parser"),
    "parse_from_file": lambda name: PARSES,
    "get_error": lambda name: "In node 3: no such operator",
    "get_input": lambda name: Anything("tensor"),
    "create_network": lambda name: Network("network"),
    "create_builder_config": lambda name: Config("config"),
}


def __getattr__(name):
    return getattr(Anything(), name)
"""
# A module that takes any call, notes it, and answers what a successful build would.


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    (tmp_path / "recorded_trt.py").write_text(RECORDER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.setenv("MIRROR_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "recorded_trt", raising=False)
    return importlib.import_module("recorded_trt")


def test_the_builder_is_asked_for_a_strongly_typed_static_network(recorder, tmp_path):
    steps = []
    graph = tmp_path / "g.onnx"
    plan, timings = build(recorder, graph, 5, BuildSettings(5, 64), b"", lambda *step: steps.append(step))
    assert (plan, timings) == (b"plan", b"timings")
    calls = recorder.Anything.calls
    assert ("trt.Builder.create_network", (2,)) in calls, "1 << 1: the flag of strong typing, and no other"
    assert ("tensor.shape", (5, 18, 512)) in calls
    assert ("config.builder_optimization_level", 5) in calls
    assert any(name == "config.set_memory_pool_limit" and value[1] == 64 << 20 for name, value in calls)
    assert steps == [("Tactics", 0, 2), ("Tactics", 1, 2), ("Tactics", 2, 2)]


def test_a_build_in_a_child_reports_and_keeps_its_timings(recorder, tmp_path):
    steps = []
    settings = BuildSettings()
    report = lambda *step: steps.append(step)  # noqa: E731
    plan = build_in_child(tmp_path / "g.onnx", 1, settings, "test", report, module="recorded_trt")
    assert plan == b"plan"
    assert steps[-1] == ("Tactics", 2, 2)
    assert (tmp_path / "cache" / "timing" / "test.timing").read_bytes() == b"timings"


def test_a_child_that_cannot_build_says_why(tmp_path, recorder):
    (tmp_path / "recorded_trt.py").write_text(RECORDER.replace("PARSES = True", "PARSES = False"))
    with pytest.raises(EngineError, match=r"cannot read .*: In node 3: no such operator"):
        build_in_child(tmp_path / "g.onnx", 1, BuildSettings(), "t", lambda *s: None, module="recorded_trt")
    with pytest.raises(EngineError, match="No module named 'no_such_trt'"):
        build_in_child(tmp_path / "g.onnx", 1, BuildSettings(), "t", lambda *s: None, module="no_such_trt")


def test_it_says_what_it_would_have_to_build(make):
    backend = make()
    assert isinstance(backend, SlowBackend)
    assert backend.builds(DEFAULT_PACK, "mapping", 1)
    backend.compile(DEFAULT_PACK, "mapping", 1).close()
    assert not backend.builds(DEFAULT_PACK, "mapping", 1)
    assert backend.builds(DEFAULT_PACK, "mapping", 5)


def test_what_missed_the_golden_vectors_is_remembered_and_not_built_at_each_start(make, built, trt):
    trt.offset = 0.01
    for _ in range(2):
        with pytest.raises(EngineError, match="does not give the golden vectors"):
            make().compile(DEFAULT_PACK, "mapping", 1)
    assert len(built) == 1
    assert not make().builds(DEFAULT_PACK, "mapping", 1)
    with pytest.raises(EngineError, match=r"remembered; delete .* to try again"):
        make().compile(DEFAULT_PACK, "mapping", 1)
