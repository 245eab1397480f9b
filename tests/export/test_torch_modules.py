"""ONNX of PyTorch modules: a free batch axis, constants folded, no trace of this machine, the module's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from torch import Tensor, nn

from engines.export.lint import lint_file
from engines.export.torch_export import export_onnx


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
