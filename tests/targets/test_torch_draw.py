"""The differentiable form of a pack's generator: the same picture as the back-end, and the gradient of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

pytest.importorskip("torch", reason="needs the extra [prompts]")

import torch

from engines.runtime import load_pack
from engines.targets.torch_draw import OPERATORS, TorchGraph, torch_generator
from installation.errors import EngineError

RNG = np.random.default_rng(0)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


CASES = [
    ("Abs", [], {}),
    ("Add", [floats(2, 4, 1, 1)], {}),
    ("Cast", [], {"to": TensorProto.FLOAT}),
    ("Clip", [np.float32(-0.5), np.float32(0.5)], {}),
    ("Concat", [floats(2, 3, 6, 6)], {"axis": 1}),
    ("Conv", [floats(5, 4, 3, 3), floats(5)], {"kernel_shape": [3, 3], "pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", [floats(4, 1, 3, 3)], {"kernel_shape": [3, 3], "group": 4, "dilations": [2, 2]}),
    ("ConvTranspose", [floats(4, 3, 3, 3), floats(3)], {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ("ConvTranspose", [floats(4, 3, 3, 3)], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]}),
    ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}),
    ("DepthToSpace", [], {"blocksize": 2}),
    ("Div", [floats(4, 1, 1) + 5], {}),
    ("Exp", [], {}),
    ("Expand", [ints(3, 2, 4, 6, 6)], {}),
    ("Flatten", [], {"axis": 2}),
    ("Gather", [ints(2, -1)], {"axis": 1}),
    ("Gather", [np.array(1, np.int64)], {"axis": 2}),
    ("Identity", [], {}),
    ("LeakyRelu", [], {"alpha": 0.2}),
    ("MatMul", [floats(6, 3)], {}),
    ("Max", [floats(4, 1, 1)], {}),
    ("Min", [np.float32(0.1)], {}),
    ("Mul", [floats(6)], {}),
    ("Neg", [], {}),
    ("Pow", [np.float32(2.0)], {}),
    ("ReduceMax", [ints(1)], {"keepdims": 0}),
    ("ReduceMean", [ints(2, 3)], {"keepdims": 1}),
    ("ReduceSum", [ints(-1)], {}),
    ("Reciprocal", [], {}),
    ("Relu", [], {}),
    ("Reshape", [ints(0, -1, 9)], {}),
    ("Resize", [None, np.array([1, 1, 2, 2], np.float32)], {"mode": "nearest", "nearest_mode": "floor",
                                                            "coordinate_transformation_mode": "asymmetric"}),
    ("Resize", [None, None, ints(2, 4, 12, 12)], {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}),
    ("Sigmoid", [], {}),
    ("Slice", [ints(1, 0), ints(3, 100), ints(1, 3), ints(1, 2)], {}),
    ("Slice", [ints(-3), ints(-1), ints(2)], {}),
    ("Split", [ints(1, 3)], {"axis": 1}),
    ("Squeeze", [], {}),
    ("Sub", [floats(6)], {}),
    ("Tanh", [], {}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", [ints(0, 3)], {}),
]  # fmt: skip


def graph_of(op: str, inputs: list, attributes: dict, shape: tuple[int, ...]) -> onnx.ModelProto:
    names = ["x"] + ["" if value is None else f"c{i}" for i, value in enumerate(inputs)]
    constants = [numpy_helper.from_array(np.asarray(v), f"c{i}") for i, v in enumerate(inputs) if v is not None]
    outputs = ["y", "rest"] if op == "Split" else ["y"]
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize(("op", "inputs", "attributes"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_an_operator_does_what_onnx_says(tmp_path: Path, op: str, inputs: list, attributes: dict) -> None:
    x = floats(2, 4, 6, 6) if op != "Squeeze" else floats(2, 1, 6, 1)
    model = graph_of(op, inputs, attributes, x.shape)
    onnx.save(model, tmp_path / "one.onnx")
    (wanted, *_) = ReferenceEvaluator(model).run(None, {"x": x})
    found = TorchGraph(tmp_path / "one.onnx")(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_every_operator_has_a_case() -> None:
    covered = {case[0] for case in CASES} | {"Sqrt", "Shape", "Gemm"}  # the three of the next tests
    assert covered == set(OPERATORS)


def test_shapes_may_be_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["four"], value=numpy_helper.from_array(np.float32(4.0))),
        helper.make_node("Sqrt", ["four"], ["two"]),
        helper.make_node("Shape", ["x"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "rest"], ["size"], axis=0),
        helper.make_node("Expand", ["two", "size"], ["wide"]),
        helper.make_node("Gemm", ["x", "w", "b"], ["flat"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("Mul", ["wide", "flat"], ["y"]),
    ]
    x, w, b = floats(3, 5), floats(2, 5), floats(2)
    graph = helper.make_graph(
        nodes,
        "shapes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(ints(2), "rest"),
            numpy_helper.from_array(w.astype(np.float16), "w"),
            numpy_helper.from_array(b, "b"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "g.onnx")
    found = TorchGraph(tmp_path / "g.onnx")(torch.from_numpy(x))
    wanted = 2.0 * (0.5 * x @ w.astype(np.float16).astype(np.float32).T + 2.0 * b)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_a_pack_is_drawn_as_its_back_end_draws_it(standin: Path) -> None:
    with load_pack(standin) as pack:
        w_plus = floats(3, pack.num_ws, pack.w_dim)
        drawn = torch_generator(pack)(torch.from_numpy(w_plus))
        np.testing.assert_allclose(drawn.numpy(), pack.synthesize(w_plus), atol=1e-5)


def test_the_gradient_is_that_of_the_picture(standin: Path) -> None:
    with load_pack(standin) as pack:
        draw = torch_generator(pack)
        weight = torch.from_numpy(floats(1, 3, pack.resolution, pack.resolution))
        w_plus = torch.from_numpy(floats(1, pack.num_ws, pack.w_dim)).requires_grad_(True)
        (gradient,) = torch.autograd.grad((draw(w_plus) * weight).sum(), w_plus)
        step = torch.zeros_like(w_plus)
        step[0, 3, 2] = 0.5
        with torch.no_grad():
            rise = ((draw(w_plus + step) - draw(w_plus - step)) * weight).sum()
        assert float(gradient[0, 3, 2]) == pytest.approx(float(rise), rel=1e-3, abs=1e-4)


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    onnx.save(graph_of("Softmax", [], {}, (2, 3)), tmp_path / "one.onnx")
    with pytest.raises(EngineError, match="uses Softmax, which has no differentiable form"):
        TorchGraph(tmp_path / "one.onnx")
    with pytest.raises(EngineError, match="cannot be read"):
        TorchGraph(tmp_path / "none.onnx")
