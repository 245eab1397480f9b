"""Runs that are begun, left to compute, and waited for: the same numbers, faults told at the wait, nothing left."""

import gc
import sys

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines.runtime import DEFAULT_PACK
from engines.runtime.backends import QueuedEngine
from engines.runtime.chain import Chain
from engines.runtime.openvino_backend import OpenVinoBackend, OpenVinoEngine
from installation.errors import EngineError


def buffers(engine, seed=0):
    rng = np.random.default_rng(seed)
    inputs = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in engine.inputs.items()}
    return inputs, {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}


@pytest.fixture(scope="module")
def backend():
    return OpenVinoBackend(threads=1)


@pytest.fixture
def mapping(backend):
    engine = backend.compile(DEFAULT_PACK, "mapping", 1)
    yield engine
    engine.close()


def folding_engine(requests):
    """An engine that can fail while it runs: each row, (1, 6), is a shape and four numbers to fold into it and sum."""
    row = ops.parameter([1, 6], np.float32, name="row")
    row.output(0).set_names({"row"})
    shape, numbers = ops.variadic_split(row, 1, np.array([2, 4])).outputs()
    folded = ops.reshape(numbers, ops.convert(ops.reshape(shape, np.array([2]), False), "i64"), False)
    total = ops.reshape(ops.reduce_sum(folded, np.array([0, 1]), True), np.array([1, 1]), False)
    total.output(0).set_names({"total"})
    compiled = ov.Core().compile_model(ov.Model([total], [row]), "CPU", {"NUM_STREAMS": str(min(requests, 2))})
    return OpenVinoEngine(compiled, requests=requests)


@pytest.fixture(params=[1, 3], ids=["one request", "three requests"])
def folding(request):
    engine = folding_engine(request.param)
    yield engine
    engine.close()


def rows_of(engine, *, bad=None, side=3):
    """Rows that fold, but for one; the sum of row i is 10 + i.

    No two faults of a test have the same `side`: OpenVINO looks at a shape once, and not again if it comes twice.
    """
    count = engine.inputs["row"].shape[0]
    rows = np.float32([[2, 2, 1 + i, 2, 3, 4] for i in range(count)])
    if bad is not None:
        rows[bad, 0] = side
    return rows


def test_the_numbers_are_those_of_a_plain_run(mapping):
    inputs, expected = buffers(mapping)
    mapping.run(inputs, expected)
    _, outputs = buffers(mapping)
    for _ in range(3):
        mapping.start(inputs, outputs)
        mapping.wait()
        for name, values in expected.items():
            np.testing.assert_array_equal(outputs[name], values)
            outputs[name][:] = 0.0
    assert isinstance(mapping, QueuedEngine)


def test_a_fault_while_running_is_told_by_the_wait_and_forgotten(folding):
    """All requests are finished before it is told, so the next run finds them idle."""
    count = folding.inputs["row"].shape[0]
    total, expected = np.zeros((count, 1), np.float32), 10 + np.arange(count, dtype=np.float32)[:, None]
    for bad in range(count):
        total[:] = 0.0
        folding.start({"row": rows_of(folding, bad=bad, side=3 + bad)}, {"total": total})
        with pytest.raises(EngineError, match=r"OpenVINO failed while running: .*Reshape"):
            folding.wait()
        good = np.arange(count) != bad
        np.testing.assert_array_equal(total[good], expected[good])
    folding.start({"row": rows_of(folding)}, {"total": total})
    folding.wait()
    np.testing.assert_array_equal(total, expected)
    with pytest.raises(EngineError, match="OpenVINO failed while running"):
        folding.run({"row": rows_of(folding, bad=0, side=9)}, {"total": total})


def test_one_run_at_a_time(mapping):
    inputs, outputs = buffers(mapping)
    with pytest.raises(EngineError, match="no run was started"):
        mapping.wait()
    mapping.start(inputs, outputs)
    for begin in (mapping.start, mapping.run):
        with pytest.raises(EngineError, match="wait for it first"):
            begin(inputs, outputs)
    mapping.wait()
    with pytest.raises(EngineError, match="no run was started"):
        mapping.wait()


def test_a_wrong_tensor_is_refused_before_anything_begins(mapping):
    inputs, outputs = buffers(mapping)
    with pytest.raises(EngineError, match="'z' must be"):
        mapping.start({"z": np.zeros((2, 2), np.float32)}, outputs)
    mapping.run(inputs, outputs)


def test_closing_finishes_what_is_under_way(backend, folding):
    engine = backend.compile(DEFAULT_PACK, "mapping", 1)
    inputs, expected = buffers(engine)
    engine.run(inputs, expected)
    _, outputs = buffers(engine)
    engine.start(inputs, outputs)
    engine.close()
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values)
    with pytest.raises(EngineError, match="closed"):
        engine.start(inputs, outputs)
    folding.start({"row": rows_of(folding, bad=0)}, {"total": np.zeros(folding.outputs["total"].shape, np.float32)})
    folding.close()  # nobody asks any more what went wrong


def test_nothing_grows(mapping):
    inputs, outputs = buffers(mapping)

    def repeat(times):
        for _ in range(times):
            mapping.start(inputs, outputs)
            mapping.wait()
        gc.collect()
        return sys.getallocatedblocks()

    repeat(50)
    before = repeat(50)
    assert repeat(1000) - before < 100


class Faulty:
    """A back-end of engines with faults that a test switches on."""

    def __init__(self, inner, name, *, queues=True):
        self.inner, self.name = inner, name
        self.kind = FaultyQueue if queues else FaultyEngine
        self.fails = set()
        self.garbage = False
        self.calls = []

    def unavailable(self):
        return None

    def compile(self, pack, part, batch):
        return self.kind(self, self.inner.compile(pack, part, batch))


class FaultyEngine:
    def __init__(self, backend, engine):
        self.backend, self.engine = backend, engine
        self.inputs, self.outputs, self.precision = engine.inputs, engine.outputs, engine.precision

    def run(self, inputs, outputs):
        self._called("run")
        self.engine.run(inputs, outputs)
        self._spoil(outputs)

    def close(self):
        self.engine.close()

    def _called(self, what):
        self.backend.calls.append(what)
        if what in self.backend.fails:
            raise EngineError("the device is lost")

    def _spoil(self, outputs):
        if self.backend.garbage:
            for values in outputs.values():
                values[:] = np.nan


class FaultyQueue(FaultyEngine):
    def start(self, inputs, outputs):
        self._called("start")
        self.given = outputs
        self.engine.start(inputs, outputs)

    def wait(self):
        self.engine.wait()
        self._called("wait")
        self._spoil(self.given)


@pytest.fixture
def first(backend):
    return Faulty(backend, "first")


@pytest.fixture
def second(backend):
    return Faulty(backend, "second", queues=False)


@pytest.fixture
def chain(first, second):
    made = Chain(DEFAULT_PACK, iter((first, second)), lambda text: None)
    yield made
    made.close()


@pytest.fixture
def guarded(chain, first):
    engine = chain.engine("mapping", 1)
    first.calls.clear()  # the golden vectors
    return engine


@pytest.fixture
def expected(mapping):
    inputs, outputs = buffers(mapping)
    mapping.run(inputs, outputs)
    return outputs


def finish(engine, expected):
    inputs, outputs = buffers(engine)
    engine.start(inputs, outputs)
    engine.wait()
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values)


def test_a_healthy_engine_is_begun_and_waited_for(guarded, chain, first, expected):
    finish(guarded, expected)
    assert first.calls == ["start", "wait"]
    assert chain.notes == []


def test_one_that_cannot_compute_by_itself_runs_at_the_wait(backend, expected):
    plain = Faulty(backend, "plain", queues=False)
    chain = Chain(DEFAULT_PACK, iter((plain,)), lambda text: None)
    engine = chain.engine("mapping", 1)
    plain.calls.clear()
    inputs, outputs = buffers(engine)
    engine.start(inputs, outputs)
    assert plain.calls == []
    engine.wait()
    assert plain.calls == ["run"]
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values)
    chain.close()


@pytest.mark.parametrize("fails", [{"start", "run"}, {"wait", "run"}])
def test_a_device_that_is_lost_under_way_is_followed_by_the_next(guarded, chain, first, second, expected, fails):
    first.fails = fails
    finish(guarded, expected)
    assert chain.current is second
    assert "first failed at the mapping: the device is lost" in chain.notes[0]


def test_a_fault_that_does_not_return_costs_one_plain_run(guarded, chain, first, expected):
    first.fails = {"wait"}
    finish(guarded, expected)
    assert first.calls == ["start", "wait", "run"]
    assert chain.current is first


def test_garbage_is_not_taken(guarded, chain, first, second, expected):
    first.garbage = True
    finish(guarded, expected)
    assert chain.current is second


def test_a_back_end_given_up_meanwhile_has_its_run_repeated(guarded, chain, first, second, expected):
    inputs, outputs = buffers(guarded)
    guarded.start(inputs, outputs)
    assert chain.step_down(first, "was lost elsewhere")
    guarded.wait()
    assert second.calls[-1] == "run"
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values)


def test_a_misuse_is_told_by_the_wait_and_no_back_end_is_given_up(guarded, chain, first):
    _, outputs = buffers(guarded)
    guarded.start({}, outputs)
    with pytest.raises(EngineError, match=r"'z' .* is missing"):
        guarded.wait()
    assert chain.current is first
    with pytest.raises(EngineError, match="no run of the mapping was started"):
        guarded.wait()


def test_a_guarded_engine_has_one_run_under_way(guarded):
    inputs, outputs = buffers(guarded)
    guarded.start(inputs, outputs)
    for begin in (guarded.start, guarded.run):
        with pytest.raises(EngineError, match="a run of the mapping is under way"):
            begin(inputs, outputs)
    guarded.wait()
