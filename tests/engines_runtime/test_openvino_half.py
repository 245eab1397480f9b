"""Half precision in OpenVINO: what is rounded and what is not, and what is done when that is not good enough."""

import shutil

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engines.runtime import DEFAULT_PACK
from engines.runtime import openvino_backend as backend_module
from engines.runtime.openvino_backend import OpenVinoBackend
from engines.runtime.openvino_half import narrow_products, round_bf16
from installation.errors import EngineError

HAS_BF16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bf16 = pytest.mark.skipif(not HAS_BF16, reason="this processor does not compute in bfloat16")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolved(x, seed, kernel=3):
    y = ops.convolution(x, normal(8, 8, kernel, kernel, seed=seed), [1, 1], *[[kernel // 2] * 2] * 2, [1, 1])
    return ops.add(y, normal(1, 8, 1, 1, seed=seed + 50))


def residual(depth=2):
    """Blocks as in a residual encoder: product, activation, product, squeeze-and-excite, sum."""
    crop = ops.parameter([1, 8, 16, 16], np.float32, name="crop")
    x = crop
    for block in range(depth):
        y = ops.prelu(convolved(x, 3 * block), np.full((8,), 0.25, np.float32))
        y = convolved(y, 3 * block + 1)
        mean = convolved(ops.reduce_mean(y, np.array([2, 3]), True), 3 * block + 2, kernel=1)
        x = ops.add(ops.multiply(y, ops.sigmoid(mean)), x, name=f"sum{block}")
    return ov.Model([ops.reduce_mean(x, np.array([2, 3]), False)], [crop], "residual")


def kinds(model, kind):
    return [node for node in model.get_ordered_ops() if node.get_type_name() == kind]


def compute(model, value):
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return np.array(ov.Core().compile_model(model, "CPU", hints)([value])[0])


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (-2.5, -2.5),
        (1.0 + 2**-8, 1.0),  # a tie goes to the even neighbour, below ...
        (1.0 + 3 * 2**-8, 1.0 + 2**-6),  # ... or above
        (1.0 + 2**-8 + 2**-20, 1.0 + 2**-7),
        (-(1.0 + 2**-8 + 2**-20), -(1.0 + 2**-7)),
        (255.9, 256.0),
    ],
)
def test_rounding_to_the_nearest(number, expected):
    assert round_bf16(np.float32([number]))[0] == np.float32(expected)


def test_rounding_has_no_bias_and_at_most_half_a_step():
    values = normal(100_000)
    error = (round_bf16(values) - values) / np.abs(values)
    assert np.abs(error).max() <= 2.0**-8
    assert abs(float((error * np.sign(values)).mean())) < 1e-4  # cutting off would give -2.7e-3


def test_products_are_narrow_and_sums_are_not():
    model = residual()
    assert narrow_products(model) == 4
    wide = [node for node in kinds(model, "Convolution") if node.get_element_type() == ov.Type.f32]
    assert len(wide) == 2, "squeeze-and-excite works on single pixels and stays as it is"
    assert all(list(node.shape)[2:] == [1, 1] for node in wide)
    types = {node.get_friendly_name(): node.get_element_type() for node in model.get_ordered_ops()}
    assert types["sum0"] == types["sum1"] == ov.Type.f32
    assert [node.get_element_type() for node in kinds(model, "Multiply")] == [ov.Type.f32] * 2
    assert [node.get_element_type() for node in kinds(model, "PRelu")] == [ov.Type.bf16] * 2
    assert model.output(0).get_element_type() == ov.Type.f32


def test_a_product_behind_a_product_takes_what_it_gave():
    """No rounding there and back between an activation and the next convolution."""
    model = residual(depth=1)
    narrow_products(model)
    (activation,) = kinds(model, "PRelu")
    (consumer,) = activation.output(0).get_target_inputs()
    assert consumer.get_node().get_type_name() == "Convolution"


def test_the_numbers_are_those_of_bfloat16():
    """Close to float32, and not the same: the graph is really computed with rounded kernels."""
    value = normal(1, 8, 16, 16, seed=99)
    exact = compute(residual(), value)
    narrowed = residual()
    narrow_products(narrowed)
    error = np.linalg.norm(compute(narrowed, value) - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 0.02


class Judge:
    """Golden vectors that refuse the first engines they see."""

    def __init__(self, refusals):
        self.refusals = refusals
        self.seen = []

    def __call__(self, engine, pack, part):
        self.seen.append(engine)
        if len(self.seen) <= self.refusals:
            raise EngineError("misses the golden vectors")
        return object()


@needs_bf16
@pytest.mark.parametrize(("refusals", "precision"), [(0, "bf16"), (1, "bf16"), (2, "fp32")])
def test_an_engine_gets_wider_until_it_is_good_enough(monkeypatch, refusals, precision):
    judge = Judge(refusals)
    narrowed = []
    monkeypatch.setattr(backend_module, "check_golden", judge)
    monkeypatch.setattr(backend_module, "narrow_products", lambda model: narrowed.append(narrow_products(model)))
    engine = OpenVinoBackend(threads=1, precision="half").compile(DEFAULT_PACK, "mapping", 1)
    assert engine.precision == precision
    assert len(judge.seen) == min(refusals + 1, 2)
    assert len(narrowed) == min(refusals, 1)
    for refused in judge.seen[:refusals]:
        with pytest.raises(EngineError, match="closed"):
            refused.run({}, {})
    engine.close()


@needs_bf16
def test_without_golden_vectors_full_precision_stays(tmp_path):
    shutil.copytree(DEFAULT_PACK, tmp_path / "pack")
    (tmp_path / "pack" / "golden.npz").unlink()
    engine = OpenVinoBackend(threads=1, precision="half").compile(tmp_path / "pack", "mapping", 1)
    assert engine.precision == "fp32"
    engine.close()
