"""A back-end fails, the next one takes over: at compile time, at the golden vectors, in mid-show."""

import shutil
import threading

import numpy as np
import openvino
import pytest

from engines.runtime import DEFAULT_PACK, load_pack
from engines.runtime.backends import AUTO_ORDER, BACKENDS, NEEDS_NVIDIA, usable_backends
from engines.runtime.chain import Chain
from engines.runtime.golden import check_golden
from engines.runtime.openvino_backend import OpenVinoBackend
from installation.errors import EngineError


class Faulty:
    """OpenVINO under another name, with faults that a test switches on: what a GPU does in a bad night."""

    def __init__(self, name="gpu"):
        self.name = name
        self.engines = []
        self.refuses_to_compile = False
        self.lost = False
        self.garbage = False
        self.offset = 0.0

    def unavailable(self):
        return None

    def compile(self, pack, part, batch):
        if self.refuses_to_compile:
            raise EngineError("out of memory: 2048 MB were asked for")
        engine = FaultyEngine(self, OpenVinoBackend(threads=1).compile(pack, part, batch))
        self.engines.append(engine)
        return engine


class FaultyEngine:
    def __init__(self, backend, inner):
        self.backend, self.inner = backend, inner
        self.inputs, self.outputs, self.precision = inner.inputs, inner.outputs, "fp32"
        self.closed = False

    def run(self, inputs, outputs):
        if self.backend.lost:
            raise EngineError("the GPU has fallen off the bus")
        self.inner.run(inputs, outputs)
        for name in self.outputs:
            outputs[name][...] += self.backend.offset
            if self.backend.garbage:
                outputs[name][...] = np.nan

    def close(self):
        self.closed = True
        if self.backend.lost:
            raise EngineError("the GPU has fallen off the bus")
        self.inner.close()


@pytest.fixture
def first():
    return Faulty("first")


@pytest.fixture
def second():
    return Faulty("second")


@pytest.fixture
def told():
    return []


@pytest.fixture
def chain(first, second, told):
    made = Chain(DEFAULT_PACK, iter((first, second)), told.append)
    yield made
    made.close()


def buffers(engine, seed=0):
    rng = np.random.default_rng(seed)
    inputs = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
    return inputs, {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}


def reference(part, inputs):
    own = OpenVinoBackend(threads=1).compile(DEFAULT_PACK, part, 1)
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in own.outputs.items()}
    own.run(inputs, outputs)
    return outputs


def test_a_healthy_back_end_is_used_alone(chain, first, second):
    engine = chain.engine("mapping", 1)
    inputs, outputs = buffers(engine)
    engine.run(inputs, outputs)
    assert chain.current is first
    assert not second.engines
    assert chain.notes == []


def test_one_that_cannot_compile_is_left_with_its_reason(chain, first, second, told):
    first.refuses_to_compile = True
    chain.engine("mapping", 1)
    assert chain.current is second
    assert "first cannot prepare the mapping (batch 1): out of memory" in told[1]
    assert told[1].endswith("going on with second")
    assert chain.notes == [told[1]]


def test_one_that_misses_the_golden_vectors_is_left(chain, first, second):
    first.offset = 0.01
    chain.engine("generator", 1)
    assert chain.current is second
    assert "does not give the golden vectors of default: differs by 0.01" in chain.notes[0]
    assert first.engines[0].closed


def test_a_gpu_lost_in_mid_show_gives_the_same_picture_from_the_next_back_end(chain, first, second, caplog):
    generator, mapping = chain.engine("generator", 1), chain.engine("mapping", 1)
    inputs, outputs = buffers(generator)
    generator.run(inputs, outputs)
    first.lost = True
    outputs["image"][:] = 7.0
    generator.run(inputs, outputs)
    np.testing.assert_array_equal(outputs["image"], reference("generator", inputs)["image"])
    assert "first failed at the generator: the GPU has fallen off the bus; going on with second" in caplog.text
    assert all(engine.closed for engine in first.engines), "nothing of a lost device is held"
    first.lost = False
    z, w_plus = buffers(mapping)
    mapping.run(z, w_plus)
    assert mapping._backend is second, "a device that failed once is not trusted again"


def test_numbers_that_are_none_are_not_shown(chain, first, second):
    engine = chain.engine("generator", 1)
    inputs, outputs = buffers(engine)
    engine.run(inputs, outputs)
    first.garbage = True
    engine.run(inputs, outputs)
    assert chain.current is second
    assert np.isfinite(outputs["image"]).all()
    assert "no numbers at the generator" in chain.notes[0]


def test_inputs_that_are_no_numbers_are_nobodys_fault(chain, first):
    engine = chain.engine("mapping", 1)
    _, outputs = buffers(engine)
    engine.run({"z": np.full(engine.inputs["z"].shape, np.nan, np.float32)}, outputs)
    assert chain.current is first


def test_a_wrong_buffer_is_the_callers_fault(chain, first):
    engine = chain.engine("mapping", 1)
    with pytest.raises(EngineError, match="'z'"):
        engine.run({"z": np.zeros((1, 3), np.float32)}, buffers(engine)[1])
    assert chain.current is first


def test_the_last_back_end_raises(chain, first, second):
    engine = chain.engine("mapping", 1)
    first.lost = second.lost = True
    with pytest.raises(EngineError, match="fallen off the bus"):
        engine.run(*buffers(engine))


def test_garbage_from_the_last_back_end_is_told_once(chain, first, second, caplog):
    engine = chain.engine("mapping", 1)
    inputs, outputs = buffers(engine)
    first.lost = True
    engine.run(inputs, outputs)
    second.garbage = True
    for _ in range(3):
        engine.run(inputs, outputs)
    assert caplog.text.count("there is no other back-end") == 1


def test_a_part_that_the_pack_does_not_have_costs_no_back_end(chain, first):
    with pytest.raises(EngineError, match=r"has no nothing\.onnx"):
        chain.engine("nothing", 1)
    assert chain.current is first


def test_a_pack_tells_what_failed_and_names_the_back_end_that_runs(first):
    first.lost = True
    with load_pack(DEFAULT_PACK, first) as pack:
        with pytest.raises(EngineError, match="fallen off"):
            pack.map(np.zeros((1, pack.manifest.z_dim), np.float32))
        assert pack.backend is first
        assert pack.failures == ()


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("part", ["encoder", "generator", "mapping", "readout"])
def test_the_default_pack_gives_its_golden_vectors_in_openvino(part, batch):
    deviation = check_golden(OpenVinoBackend(threads=1).compile(DEFAULT_PACK, part, batch), DEFAULT_PACK, part)
    assert deviation.largest <= 1e-3
    assert deviation.psnr_db > 60


def test_golden_vectors_that_do_not_fit_are_named(tmp_path):
    pack = tmp_path / "pack"
    shutil.copytree(DEFAULT_PACK, pack)
    engine = OpenVinoBackend(threads=1).compile(pack, "mapping", 1)
    np.savez(pack / "golden.npz", **{"mapping.in.z": np.zeros((1, 3), np.float32)})
    with pytest.raises(EngineError, match=r"has \(1, 3\) for mapping\.in\.z"):
        check_golden(engine, pack, "mapping")
    (pack / "golden.npz").unlink()
    assert check_golden(engine, pack, "mapping") is None


def test_auto_says_of_each_back_end_why_it_is_not_used(monkeypatch):
    monkeypatch.setattr("engines.runtime.backends.why_no_nvidia", lambda: "there is no NVIDIA driver here")
    reasons = []
    names = [backend.name for backend in usable_backends("auto", announce=reasons.append)]
    assert names == ["openvino"]
    assert reasons == ["tensorrt: there is no NVIDIA driver here", "cuda: there is no NVIDIA driver here"]
    assert set(AUTO_ORDER) <= set(BACKENDS)
    assert set(BACKENDS) >= NEEDS_NVIDIA


@pytest.mark.parametrize("part", ["generator", "encoder"])
def test_half_precision_proves_itself_or_gives_way(part):
    engine = OpenVinoBackend(threads=1, precision="half").compile(DEFAULT_PACK, part, 1)
    capable = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert engine.precision in ("fp32", "bf16", "fp16")
    assert engine.precision == "fp32" or set(capable) & {"BF16", "FP16"}
    deviation = check_golden(engine, DEFAULT_PACK, part)
    assert deviation is not None
    assert deviation.problem(part, engine.precision) is None


def test_half_precision_that_is_too_coarse_gives_way_to_full(tmp_path):
    """Golden vectors that no 16 bits can give: full precision takes over; in full precision they are refused."""
    pack = shutil.copytree(DEFAULT_PACK, tmp_path / "pack")
    golden = dict(np.load(pack / "golden.npz", allow_pickle=False))
    golden["generator.out.image"] = -golden["generator.out.image"]
    np.savez(pack / "golden.npz", **golden)
    engine = OpenVinoBackend(threads=1, precision="half").compile(pack, "generator", 1)
    assert engine.precision == "fp32"


def test_half_precision_without_golden_vectors_is_full(tmp_path):
    pack = shutil.copytree(DEFAULT_PACK, tmp_path / "pack")
    (pack / "golden.npz").unlink()
    assert OpenVinoBackend(threads=1, precision="half").compile(pack, "generator", 1).precision == "fp32"


class Slow(Faulty):
    """A back-end that builds until the test lets it go on."""

    def __init__(self, name="gpu"):
        super().__init__(name)
        self.go = threading.Event()
        self.kept = set()
        self.keeps = True
        self.report = lambda phase, done, total: None

    def builds(self, pack, part, batch):
        return (part, batch) not in self.kept

    def compile(self, pack, part, batch):
        if self.builds(pack, part, batch):
            while not self.go.wait(0.001):
                self.report("Building", 1, 4)
            if self.keeps:
                self.kept.add((part, batch))
        return super().compile(pack, part, batch)


@pytest.fixture
def slow():
    made = Slow()
    yield made
    made.go.set()


WORK = (("mapping", 1), ("generator", 1))


@pytest.fixture
def meanwhile(slow, told):
    chain = Chain(DEFAULT_PACK, iter((slow, Faulty("cpu"))), told.append, WORK)
    yield chain
    chain.close()


def test_another_back_end_plays_until_the_engines_are_built(slow, told, meanwhile):
    engine = meanwhile.engine("mapping", 1)
    first = run_mapping(engine)
    assert meanwhile.current.name == "cpu"
    assert not slow.engines
    ahead = meanwhile._ahead
    while "25 %" not in meanwhile.preparing:
        assert ahead.is_alive()
    assert meanwhile.preparing == "building mapping (batch 1), engine 1 of 2: building 25 %"
    slow.go.set()
    ahead.join()
    assert slow.kept == set(WORK)
    np.testing.assert_allclose(run_mapping(engine), first, atol=1e-5)
    assert meanwhile.current is slow
    assert meanwhile.preparing == ""
    assert told[-2:] == ["gpu has built its engines and takes over from cpu", "preparing mapping (batch 1) on gpu"]
    slow.lost = True  # and steps down again like any other
    np.testing.assert_allclose(run_mapping(engine), first, atol=1e-5)
    assert meanwhile.current.name == "cpu"


def test_a_build_that_fails_leaves_the_other_playing(slow, meanwhile):
    slow.refuses_to_compile = True
    play_until_built(slow, meanwhile)
    assert meanwhile.current.name == "cpu"
    assert meanwhile.notes == [
        "gpu could not build its engines: out of memory: 2048 MB were asked for; cpu goes on",
    ]


def test_engines_that_cannot_be_kept_are_not_built_for_ever(slow, meanwhile):
    slow.keeps = False
    play_until_built(slow, meanwhile)
    assert meanwhile.current.name == "cpu"
    assert "could not keep the engine of its mapping (batch 1)" in meanwhile.notes[-1]


def test_closing_gives_the_build_up(slow, meanwhile):
    meanwhile.engine("mapping", 1)
    ahead = meanwhile._ahead
    meanwhile.close()
    ahead.join(60.0)
    assert not ahead.is_alive()
    assert "it was stopped" in ahead.failure


def test_who_does_not_play_meanwhile_waits(slow, told):
    slow.go.set()
    chain = Chain(DEFAULT_PACK, iter((slow, Faulty("cpu"))), told.append)
    chain.engine("mapping", 1)
    assert chain.current is slow
    chain.close()


def play_until_built(slow, meanwhile):
    """Ask for an engine, let the build come to its end, and run once more."""
    engine = meanwhile.engine("mapping", 1)
    ahead = meanwhile._ahead
    slow.go.set()
    ahead.join()
    run_mapping(engine)


def run_mapping(engine):
    """Run the mapping on the same z each time."""
    z = np.random.default_rng(3).normal(size=engine.inputs["z"].shape).astype(np.float32)
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}
    engine.run({"z": z}, outputs)
    return outputs["w_plus"]
