"""ONNX of PyTorch modules: a free batch axis, constants folded, no trace of this machine, the module's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from torch import Tensor, nn

from engines.export.half import write_half
from engines.export.lint import lint_file
from engines.export.torch_export import export_onnx
from engines.training.least_squares import damped_step


class Modulated(nn.Module):
    """A modulated convolution with two inputs and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.affine = nn.Linear(6, 4)
        self.weight = nn.Parameter(torch.randn(5, 4, 3, 3))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        style = self.affine(w[:, 0])
        weight = self.weight * 0.25
        scale = torch.rsqrt(style.square() @ weight.square().sum((2, 3)).T + 1e-8)
        out = nn.functional.conv2d(x * style[:, :, None, None], weight, padding=1) * scale[:, :, None, None]
        return self.dropout(out), style


def test_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Modulated().train()
    path = tmp_path / "m.onnx"
    export_onnx(module, {"x": ("n", 4, 8, 8), "w": ("n", 3, 6)}, ["out", "style"], path)
    assert module.training
    assert lint_file(path) == []
    model = onnx.load(path)
    assert [i.name for i in model.graph.input] == ["x", "w"]
    kernels = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    assert kernels[0] in {i.name for i in model.graph.initializer}
    assert str(Path.cwd()).encode() not in path.read_bytes()
    assert b"test_torch_modules" not in path.read_bytes()
    module.eval()
    core = openvino.Core()
    for batch in (1, 5):
        x, w = torch.randn(batch, 4, 8, 8), torch.randn(batch, 3, 6)
        graph = core.read_model(path)
        graph.reshape({"x": [batch, 4, 8, 8], "w": [batch, 3, 6]})
        found = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"x": x.numpy(), "w": w.numpy()})
        with torch.no_grad():
            expected = module(x, w)
        for name, value in zip(("out", "style"), expected, strict=True):
            np.testing.assert_allclose(found[name], value.numpy(), atol=1e-5)


def test_names_and_shapes_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch axis"):
        export_onnx(nn.ReLU(), {"x": (1, 3)}, ["y"], tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="names were given"):
        export_onnx(Modulated(), {"x": ("n", 4, 8, 8), "w": ("n", 3, 6)}, ["out"], tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


class SmallGenerator(nn.Module):
    """Two resolutions with modulation, a skip of colours and a linear output: every kind of precision border."""

    def __init__(self) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, 16, 8, 8))
        self.affine = nn.ModuleList(nn.Linear(6, 16) for _ in range(3))
        self.first = nn.Conv2d(16, 16, 3, padding=1)
        self.second = nn.ConvTranspose2d(16, 16, 4, stride=2, padding=1)
        self.colour = nn.ModuleList(nn.Conv2d(16, 3, 1) for _ in range(2))

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        styles = [layer(w) for layer in self.affine]
        x = nn.functional.leaky_relu(self.first(self.const * styles[0][:, :, None, None]), 0.2)
        image = self.colour[0](x)
        x = self.second(x * styles[1][:, :, None, None])
        x = x * torch.rsqrt(styles[1].square().sum(1, keepdim=True) + 1e-8)[:, :, None, None]
        up = nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
        return up + self.colour[1](nn.functional.leaky_relu(x, 0.2)), x.mean(dim=(2, 3)) + styles[2]


def test_half_precision_copy(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = SmallGenerator().eval()
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    export_onnx(module, {"w": ("n", 6)}, ["image", "mean"], full)
    write_half(full, half)
    assert lint_file(half) == []
    assert half.stat().st_size < 0.8 * full.stat().st_size
    graph = onnx.shape_inference.infer_shapes(onnx.load(half)).graph
    kinds = {i.name: i.data_type for i in graph.initializer}
    kernels = [node.input[1] for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert {kinds[name] for name in kernels} == {onnx.TensorProto.FLOAT16}
    assert {kinds[node.input[1]] for node in graph.node if node.op_type == "Gemm"} == {onnx.TensorProto.FLOAT}
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    maths = [out for node in graph.node if node.op_type in ("Sqrt", "Reciprocal", "ReduceSum") for out in node.output]
    assert maths
    assert {types[name] for name in maths} == {onnx.TensorProto.FLOAT}
    w = torch.randn(3, 6)
    session = onnxruntime.InferenceSession(str(half), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        for found, expected in zip(session.run(None, {"w": w.numpy()}), module(w), strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected.numpy(), atol=5e-3)


def test_numbers_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    module = nn.Conv2d(8, 8, 1)
    nn.init.constant_(module.weight, 1e6)
    export_onnx(module, {"x": ("n", 8, 4, 4)}, ["y"], tmp_path / "full.onnx")
    with pytest.raises(ValueError, match="float16"):
        write_half(tmp_path / "full.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()


class Solver(nn.Module):
    """Conjugate gradients: a loop in the graph."""

    def forward(self, away: Tensor, slope: Tensor) -> Tensor:
        return damped_step(away, slope[:, :, 0], slope, 0.5)


def test_a_loop_turns_as_often_as_in_torch_and_has_no_trace_of_this_machine(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "solver.onnx"
    export_onnx(Solver(), {"away": ("n", 5), "slope": ("n", 9, 5)}, ["step"], path)
    assert lint_file(path) == []
    assert "Scan" in {node.op_type for node in onnx.load(path).graph.node}
    assert b"least_squares" not in path.read_bytes()
    model = openvino.Core().read_model(path)
    given = {"away": torch.randn(1, 5), "slope": torch.randn(1, 9, 5)}
    model.reshape({name: list(value.shape) for name, value in given.items()})
    (made,) = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        {name: value.numpy() for name, value in given.items()}
    ).values()
    np.testing.assert_allclose(made, Solver()(**given).numpy(), atol=1e-4)
