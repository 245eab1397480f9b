"""Graphs written tensor by tensor: valid, fit for TensorRT, of the stated precision, and the networks' own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from onnx import TensorProto, helper

from engines.export.encoder_graph import encoder_graph
from engines.export.generator_graph import FP16, FP32, generator_graph, mapping_graph, skip_phases
from engines.export.golden import golden_vectors, map_latents
from engines.export.golden_encoder import encode
from engines.export.golden_generator import Window, synthesize_window
from engines.export.lint import lint
from engines.export.writer import Graph, write_onnx
from engines.lazy import LazyArray
from engines.networks.architecture import (
    E4E,
    PSP,
    EncoderArchitecture,
    GeneratorArchitecture,
    encoder_shapes,
    generator_shapes,
)
from engines.networks.fill_rule import filled_lazily, image_input
from engines.networks.psp import Encoder
from engines.networks.stylegan2 import Generator, fir_taps, upsample

ARCH = GeneratorArchitecture(64, 8, 48, (32, 32, 16, 16, 8), 3, conv_clamp=2.0, eps_after_gain=False)
STAGES = ((16, 1), (24, 1), (32, 2), (48, 2))
TENSORS = filled_lazily(generator_shapes(ARCH))
W_PLUS = np.random.default_rng(0).standard_normal((2, ARCH.num_ws, ARCH.w_dim)).astype(np.float32)

Runner = Callable[[Graph, np.ndarray[Any, Any]], np.ndarray[Any, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Write a graph, check it, and run it in OpenVINO at the batch of its input."""

    def run(graph: Graph, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        path = tmp_path / "graph.onnx"
        write_onnx(graph, path)
        onnx.checker.check_model(str(path), full_check=True)
        assert lint(onnx.load(path)) == []
        core = openvino.Core()
        model = core.read_model(path)
        model.reshape(list(value.shape))
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
        return np.array(compiled([value])[0])

    return run


def network() -> Generator:
    module = Generator(ARCH).eval().requires_grad_(False)
    module.load_state_dict({name: torch.from_numpy(np.array(t.load())) for name, t in TENSORS.items()})
    return module


def encoder_of(kind: str, adds_average: bool = True) -> tuple[EncoderArchitecture, Mapping[str, LazyArray], Encoder]:
    arch = EncoderArchitecture(kind, 8, adds_average, STAGES)
    tensors = filled_lazily(encoder_shapes(arch), "encoder.")
    module = Encoder(arch).eval().requires_grad_(False)
    module.load_state_dict({n: torch.from_numpy(np.array(t.load())) for n, t in tensors.items()}, strict=False)
    return arch, tensors, module


@pytest.mark.parametrize("batch", [1, 2])
def test_generator(run: Runner, batch: int) -> None:
    image = run(generator_graph(ARCH, TENSORS, FP32), W_PLUS[:batch])
    expected = network().synthesis(torch.from_numpy(W_PLUS[:batch])).numpy()
    np.testing.assert_allclose(image, expected, atol=2e-5)


def test_mapping(run: Runner) -> None:
    z = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    expected = network().mapping(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(run(mapping_graph(ARCH, TENSORS), z), expected, atol=1e-5)
    np.testing.assert_allclose(map_latents(ARCH, TENSORS, z), expected, atol=5e-6)


@pytest.mark.parametrize("kind", [PSP, E4E])
@pytest.mark.parametrize("adds_average", [True, False])
def test_encoder(run: Runner, kind: str, adds_average: bool) -> None:
    arch, tensors, module = encoder_of(kind, adds_average)
    average = np.full((8, 48), 0.25, np.float32)
    crop = image_input(1)
    codes = run(encoder_graph(arch, tensors, average), crop)
    expected = module(torch.from_numpy(crop)).numpy() + (average if adds_average else 0)
    np.testing.assert_allclose(codes, expected, atol=5e-5)
    np.testing.assert_allclose(encode(arch, tensors, average, crop[0]), expected[0], atol=5e-5)


def test_half_precision_is_close_and_written_in_the_graph(run: Runner, tmp_path: Path) -> None:
    import onnxruntime

    graph = generator_graph(ARCH, TENSORS, FP16)
    run(graph, W_PLUS)
    session = onnxruntime.InferenceSession(str(tmp_path / "graph.onnx"), providers=["CPUExecutionProvider"])
    image = session.run(None, {"w_plus": W_PLUS})[0]
    expected = network().synthesis(torch.from_numpy(W_PLUS)).numpy()
    assert 20 * np.log10(2 / np.sqrt(np.mean((image - expected) ** 2))) >= 60
    types = {i.name: i.data_type for i in onnx.load(tmp_path / "graph.onnx").graph.initializer}
    assert all(types[n] == TensorProto.FLOAT16 for n in types if n.endswith(("conv0.weight", "conv1.weight", "noise")))
    assert all(types[n] == TensorProto.FLOAT for n in types if n.endswith((".power", ".eps", "torgb.bias", "phases")))


def test_half_precision_survives_large_and_small_weights(tmp_path: Path) -> None:
    """Styles and kernels of any size leave float16's range only in the end, if at all."""
    import onnxruntime

    for factor in (1e-4, 1e4):
        tensors = dict(TENSORS)
        for name in (
            "synthesis.b16.conv1.weight",
            "synthesis.b32.conv0.affine.weight",
            "synthesis.b32.conv0.affine.bias",
        ):
            tensors[name] = TENSORS[name].then(lambda array, factor=factor: array * np.float32(factor))
        module = network()
        module.load_state_dict({name: torch.from_numpy(np.array(t.load())) for name, t in tensors.items()})
        expected = module.synthesis(torch.from_numpy(W_PLUS)).numpy()
        write_onnx(generator_graph(ARCH, tensors, FP16), tmp_path / "half.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "half.onnx"), providers=["CPUExecutionProvider"])
        image = session.run(None, {"w_plus": W_PLUS})[0]
        assert np.isfinite(image).all()
        assert 20 * np.log10(2 / np.sqrt(np.mean((image - expected) ** 2))) >= 45


def test_half_precision_encoder(run: Runner, tmp_path: Path) -> None:
    import onnxruntime

    arch, tensors, module = encoder_of(PSP)
    average = np.zeros((8, 48), np.float32)
    run(encoder_graph(arch, tensors, average, FP16), image_input(0))
    session = onnxruntime.InferenceSession(str(tmp_path / "graph.onnx"), providers=["CPUExecutionProvider"])
    codes = session.run(None, {"crop": image_input(0)})[0]
    expected = module(torch.from_numpy(image_input(0))).numpy()
    assert np.linalg.norm(codes - expected) <= 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    "window", [Window(0, 64, 0, 64), Window(0, 9, 30, 41), Window(63, 64, 0, 1), Window(17, 30, 55, 64)]
)
def test_a_golden_window_is_a_part_of_the_picture(window: Window) -> None:
    expected = network().synthesis(torch.from_numpy(W_PLUS[:1])).numpy()[0]
    found = synthesize_window(ARCH, TENSORS, W_PLUS[0], window)
    part = expected[:, window.top : window.bottom, window.left : window.right]
    np.testing.assert_allclose(found, part, atol=5e-6)


def test_golden_vectors_of_a_larger_picture_are_a_window() -> None:
    arch = GeneratorArchitecture(128, 8, 12, (16, 16, 16, 16, 8, 8), 2)
    tensors = filled_lazily(generator_shapes(arch))
    golden = golden_vectors(arch, tensors, np.zeros((12, 12), np.float32), None, {})
    assert golden["generator.out.image"].shape == (1, 3, 64, 64)
    assert golden["generator.window"].tolist() == [0, 32]
    assert "encoder.in.crop" not in golden


def test_skip_phases_are_the_filter() -> None:
    image = torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    phases = torch.nn.functional.conv2d(image, torch.from_numpy(skip_phases()).float(), padding=1)
    torch.testing.assert_close(
        torch.nn.functional.pixel_shuffle(phases, 2), upsample(image, fir_taps()), atol=1e-6, rtol=0
    )


def test_writer_writes_what_onnx_would(tmp_path: Path) -> None:
    """Read back by the library: the same nodes, names, numbers; one constant in memory at a time."""
    graph = Graph("g", {"x": ("n", 3)}, {"y": ("n", 200)})
    alive: list[int] = []

    def load() -> np.ndarray[Any, Any]:
        alive.append(1)
        return np.arange(600, dtype=np.float32).reshape(3, 200)

    graph.constant("w", LazyArray((3, 200), np.dtype(np.float32), load))
    graph.constant("b", np.zeros(200, np.float32))
    graph.constant("empty", np.zeros((0, 3), np.float32))
    graph.constant("half", np.float16(0.5))
    graph.node("Gemm", "x", "w", "b", name="y")
    assert not alive
    write_onnx(graph, tmp_path / "g.onnx")
    assert alive == [1]
    model = onnx.load(tmp_path / "g.onnx")
    onnx.checker.check_model(model)
    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    np.testing.assert_array_equal(arrays["w"], np.arange(600).reshape(3, 200))
    assert arrays["empty"].shape == (0, 3)
    assert arrays["half"] == np.float16(0.5)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    again = onnx.load_from_string(model.SerializeToString())
    assert again == model


def test_writer_refuses_what_does_not_keep_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph("g", {"x": ("n", 3)}, {"y": ("n", 3)})
    graph.constant("w", LazyArray((3,), np.dtype(np.float32), lambda: np.zeros(4, np.float32)))
    graph.node("Add", "x", "w", name="y")
    with pytest.raises(ValueError, match="promised"):
        write_onnx(graph, tmp_path / "g.onnx")
    monkeypatch.setattr("engines.export.writer.MAX_FILE_BYTES", 50)
    with pytest.raises(ValueError, match="at most"):
        write_onnx(graph, tmp_path / "g.onnx")


def model_of(
    *nodes: onnx.NodeProto, opset: int = 18, batch: Any = "n", kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, kind, [batch, 3, 8, 8]) for name in ("x", "y")]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], [0.0] * 9)
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def test_lint_accepts_a_plain_graph() -> None:
    assert lint(model_of(helper.make_node("Conv", ["x", "w"], ["y"]))) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (model_of(helper.make_node("Unique", ["x"], ["y"])), "does not read the operator Unique"),
        (model_of(helper.make_node("Conv", ["x", "x"], ["y"])), "not a constant"),
        (model_of(helper.make_node("Conv", ["x", "w"], ["y"]), opset=24), "opset 24"),
        (model_of(helper.make_node("Conv", ["x", "w"], ["y"]), batch=1), "batch axis"),
        (model_of(helper.make_node("Conv", ["x", "w"], ["y"]), kind=TensorProto.DOUBLE), "not float32"),
        (model_of(helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])), "indices"),
        (model_of(helper.make_node("Resize", ["x", "", "w"], ["y"], mode="cubic")), "cubic"),
        (model_of(helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)), "cast"),
    ],
)
def test_lint_finds(model: onnx.ModelProto, said: str) -> None:
    assert any(said in problem for problem in lint(model))
