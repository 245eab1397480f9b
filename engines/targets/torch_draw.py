"""A differentiable generator for any pack: its ONNX graph, run node by node in PyTorch.

Optimising a latent needs the gradient of the picture, which inference back-ends do not give. The pack's own
`generator.onnx` is the one description that every pack has, trained here or imported, so it is interpreted rather than
rebuilt from a particular network class. Halved precision is undone: gradients through float16 vanish.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.runtime import Pack
from engines.targets.clip import Draw
from engines.targets.hub import need
from installation.errors import EngineError

_PURPOSE = "optimising a latent"

Attributes = Mapping[str, Any]
Inputs = Sequence[Any]
Operator = Callable[[Attributes, Inputs], Any]


def torch_generator(pack: Pack) -> Draw:
    """Give a pack's generator as a differentiable function w_plus (n, num_ws, w_dim) -> images (n, 3, r, r).

    Raises:
        MissingExtra: If onnx is not installed.
        EngineError: If the graph has an operator that is not known here.
    """
    graph = TorchGraph(pack.path / "generator.onnx")
    return lambda w_plus: graph(w_plus)


class TorchGraph:
    """An ONNX graph with one input and one output, as a function on tensors.

    Args:
        path: The file.

    Raises:
        MissingExtra: If onnx is not installed.
        EngineError: If the file is not readable, or has an operator that is not in the table.
    """

    def __init__(self, path: Path) -> None:
        onnx = need("onnx", _PURPOSE, "models")
        try:
            graph = onnx.load(path).graph
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise EngineError(f"{path} cannot be read: {error}") from error
        unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS) - {"Constant"})
        if unknown:
            raise EngineError(
                f"{path} uses {', '.join(unknown)}, which has no differentiable form here; add it to "
                "engines/targets/torch_draw.py"
            )

        def tensor(proto: Any) -> Tensor:
            return _float32(torch.from_numpy(onnx.numpy_helper.to_array(proto).copy()))

        self._constants = {proto.name: tensor(proto) for proto in graph.initializer}
        self._nodes: list[tuple[Operator, Attributes, list[str], list[str]]] = []
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self._constants[node.output[0]] = tensor(attributes["value"])
            else:
                self._nodes.append((OPERATORS[node.op_type], attributes, list(node.input), list(node.output)))
        self._input = next(i.name for i in graph.input if i.name not in self._constants)
        self._output = graph.output[0].name

    def __call__(self, value: Tensor) -> Tensor:
        """Run the graph; gradients flow from the output to `value`."""
        values: dict[str, Any] = {**self._constants, self._input: value, "": None}
        for operator, attributes, inputs, outputs in self._nodes:
            result = operator(attributes, [values[name] for name in inputs])
            for name, one in zip(outputs, result if isinstance(result, tuple) else (result,), strict=False):
                values[name] = one
        return _float32(values[self._output])


_FLOATS = (1, 10, 11, 16)  # ONNX's numbers for float32, float16, float64, bfloat16


def _float32(x: Tensor) -> Tensor:
    return x.float() if x.is_floating_point() else x


def _ints(x: Tensor) -> list[int]:
    return [int(v) for v in x.flatten().tolist()]


def _word(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _gemm(a: Attributes, x: Inputs) -> Any:
    left = x[0].T if a.get("transA") else x[0]
    right = x[1].T if a.get("transB") else x[1]
    out = a.get("alpha", 1.0) * (left @ right)
    return out + a.get("beta", 1.0) * x[2] if len(x) > 2 and x[2] is not None else out


def _padded(a: Attributes, x: Tensor) -> Tensor:
    pads = list(a.get("pads", (0, 0, 0, 0)))
    half = len(pads) // 2
    # ONNX: all beginnings, then all ends; torch: pairs from the last axis on.
    order = [p for i in reversed(range(half)) for p in (pads[i], pads[half + i])]
    return F.pad(x, order) if any(order) else x


def _conv(a: Attributes, x: Inputs) -> Any:
    bias = x[2] if len(x) > 2 else None
    strides, dilations = list(a.get("strides", (1, 1))), list(a.get("dilations", (1, 1)))
    return F.conv2d(_padded(a, x[0]), x[1], bias, strides, 0, dilations, a.get("group", 1))


def _conv_transpose(a: Attributes, x: Inputs) -> Any:
    bias = x[2] if len(x) > 2 else None
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    more = list(a.get("output_padding", (0, 0)))
    out = F.conv_transpose2d(x[0], x[1], bias, list(a.get("strides", (1, 1))), 0, more, a.get("group", 1))
    return out[:, :, top : out.shape[2] - bottom, left : out.shape[3] - right]


def _reshape(a: Attributes, x: Inputs) -> Any:
    shape = _ints(x[1])
    if not a.get("allowzero"):
        shape = [x[0].shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return x[0].reshape(shape)


def _flatten(a: Attributes, x: Inputs) -> Any:
    axis = a.get("axis", 1)
    return x[0].reshape(int(torch.tensor(x[0].shape[:axis]).prod()), -1)


def _unsqueeze(a: Attributes, x: Inputs) -> Any:
    axes = _ints(x[1])
    rank = x[0].dim() + len(axes)
    out = x[0]
    for axis in sorted(axis % rank for axis in axes):
        out = out.unsqueeze(axis)
    return out


def _slice(a: Attributes, x: Inputs) -> Any:
    out = x[0]
    starts, ends = _ints(x[1]), _ints(x[2])
    axes = _ints(x[3]) if len(x) > 3 and x[3] is not None else range(len(starts))
    steps = _ints(x[4]) if len(x) > 4 and x[4] is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        rows = range(out.shape[axis])[start:end:step]
        out = out.narrow(axis, rows.start, len(rows)) if step == 1 else out.index_select(axis, torch.tensor(list(rows)))
    return out


def _gather(a: Attributes, x: Inputs) -> Any:
    axis = a.get("axis", 0)
    picked = x[0].index_select(axis, x[1].flatten() % x[0].shape[axis])
    return picked.reshape(*x[0].shape[:axis], *x[1].shape, *x[0].shape[axis + 1 :])


def _split(a: Attributes, x: Inputs) -> Any:
    axis = a.get("axis", 0)
    if len(x) > 1 and x[1] is not None:
        return tuple(x[0].split(_ints(x[1]), axis))
    return tuple(x[0].chunk(int(a["num_outputs"]), axis))


def _clip(a: Attributes, x: Inputs) -> Any:
    low, high = (x[i] if len(x) > i else None for i in (1, 2))
    return torch.clamp(x[0], low, high)


def _resize(a: Attributes, x: Inputs) -> Any:
    if len(x) > 3 and x[3] is not None:
        size = _ints(x[3])[2:]
    else:
        size = [round(n * scale) for n, scale in zip(x[0].shape[2:], x[2].tolist()[2:], strict=True)]
    if _word(a.get("mode", "nearest")) == "nearest":
        return F.interpolate(x[0], size, mode="nearest")
    corners = _word(a.get("coordinate_transformation_mode", "half_pixel")) == "align_corners"
    return F.interpolate(x[0], size, mode="bilinear", align_corners=corners)


def _depth_to_space(a: Attributes, x: Inputs) -> Any:
    block = a["blocksize"]
    if _word(a.get("mode", "DCR")) == "CRD":
        return F.pixel_shuffle(x[0], block)
    n, c, h, w = x[0].shape
    parts = x[0].reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // block**2, h * block, w * block)


def _reduce(function: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    def operator(a: Attributes, x: Inputs) -> Any:
        given = x[1] if len(x) > 1 else None
        axes = _ints(given) if given is not None else list(a.get("axes", range(x[0].dim())))
        return function(x[0], axes, bool(a.get("keepdims", 1)))

    return operator


OPERATORS: dict[str, Operator] = {
    "Abs": lambda a, x: x[0].abs(),
    "Add": lambda a, x: x[0] + x[1],
    "Cast": lambda a, x: x[0].float() if a["to"] in _FLOATS else x[0].long(),
    "Clip": _clip,
    "Concat": lambda a, x: torch.cat(list(x), a.get("axis", 0)),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Div": lambda a, x: x[0] / x[1],
    "Exp": lambda a, x: x[0].exp(),
    "Expand": lambda a, x: x[0] * torch.ones(_ints(x[1]), dtype=x[0].dtype),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": lambda a, x: x[0],
    "LeakyRelu": lambda a, x: F.leaky_relu(x[0], a.get("alpha", 0.01)),
    "MatMul": lambda a, x: x[0] @ x[1],
    "Max": lambda a, x: functools.reduce(torch.maximum, x),
    "Min": lambda a, x: functools.reduce(torch.minimum, x),
    "Mul": lambda a, x: x[0] * x[1],
    "Neg": lambda a, x: -x[0],
    "Pow": lambda a, x: x[0] ** x[1],
    "Reciprocal": lambda a, x: x[0].reciprocal(),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "Relu": lambda a, x: x[0].relu(),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda a, x: torch.tensor(x[0].shape[a.get("start", 0) : a.get("end", None)]),
    "Sigmoid": lambda a, x: x[0].sigmoid(),
    "Slice": _slice,
    "Split": _split,
    "Sqrt": lambda a, x: x[0].sqrt(),
    "Squeeze": lambda a, x: x[0].squeeze(_ints(x[1])) if len(x) > 1 else x[0].squeeze(),
    "Sub": lambda a, x: x[0] - x[1],
    "Tanh": lambda a, x: x[0].tanh(),
    "Transpose": lambda a, x: x[0].permute(list(a["perm"])),
    "Unsqueeze": _unsqueeze,
}
"""ONNX operator -> its form in PyTorch: (attributes, inputs) -> output. Semantics of opset 18."""
