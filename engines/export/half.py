"""A half-precision copy of an ONNX graph, with the casts written in it.

For graphs that came from PyTorch; those of imported checkpoints are built in half precision from the start. Feature
maps and the convolutions between them become float16. Everything narrow stays float32, because there the numbers need
it: styles, demodulation, linear layers, and the sums of colours. Inputs and outputs stay float32.

TensorRT takes precision from the graph and from nothing else: casts are what a strongly typed network wants.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

CONVOLUTIONS = {"Conv", "ConvTranspose"}

ELEMENTWISE = {"Add", "Clip", "Concat", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Relu", "Resize", "Slice", "Sub"}
"""Operators on feature maps that float16 does not hurt."""

_FLOAT_INPUTS = {"Resize": (0,), "Slice": (0,)}
"""Operators of which only some inputs are in the precision of the data."""

MIN_CHANNELS = 8
"""Narrower maps are colours or masks, and are summed in float32."""


def write_half(source: Path, destination: Path) -> None:
    """Write the half-precision copy of a graph.

    Args:
        source: A float32 graph with static channels.
        destination: Where to write.

    Raises:
        ValueError: If a kernel does not fit into float16.
    """
    model = shape_inference.infer_shapes(onnx.load(source))
    _Halving(model.graph).run()
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    destination.write_bytes(model.SerializeToString())


class _Halving:
    """Rewrites one graph: every tensor exists in float32 or float16, and in the other one if somebody asks for it."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.types = {value.name: value.type.tensor_type for value in (*graph.value_info, *graph.input, *graph.output)}
        self.halves: set[str] = set()
        self.casts: dict[tuple[str, int], str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        for node in list(self.graph.node):
            if node.op_type in CONVOLUTIONS or (node.op_type in ELEMENTWISE and self._is_map(node.output[0])):
                self._half(node)
            else:
                self._full(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.constants.values() if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)

    def _half(self, node: onnx.NodeProto) -> None:
        """Run a node in float16; a result that leaves the zone (an output, colours) is cast back under its own name."""
        which = _FLOAT_INPUTS.get(node.op_type, range(len(node.input)))
        for index in which:
            if node.input[index] and self._is_float(node.input[index]):
                node.input[index] = self._cast(node.input[index], TensorProto.FLOAT16)
        name = node.output[0]
        stays = self._is_map(name) and name not in {value.name for value in self.graph.output}
        if stays:
            self.halves.add(name)
        else:
            node.output[0] = f"{name}.fp16"
        self.nodes.append(node)
        if not stays:
            self.nodes.append(
                helper.make_node("Cast", [f"{name}.fp16"], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
            )

    def _full(self, node: onnx.NodeProto) -> None:
        for index, name in enumerate(node.input):
            if name in self.halves:
                node.input[index] = self._cast(name, TensorProto.FLOAT)
        self.nodes.append(node)

    def _cast(self, name: str, to: int) -> str:
        """Give the tensor in another precision; constants are converted, others cast once."""
        if (name in self.halves) == (to == TensorProto.FLOAT16):
            return name
        key = (name, to)
        if key not in self.casts:
            suffix = "fp16" if to == TensorProto.FLOAT16 else "fp32"
            self.casts[key] = f"{name}.{suffix}"
            if name in self.constants:
                self._convert(name, f"{name}.{suffix}")
            else:
                made = f"{name}.{suffix}"
                self.nodes.append(helper.make_node("Cast", [name], [made], name=f"{made}.cast", to=to))
        return self.casts[key]

    def _convert(self, name: str, made: str) -> None:
        array = numpy_helper.to_array(self.constants[name])
        limit = float(np.finfo(np.float16).max)
        if array.size and np.abs(array).max() > limit:
            raise ValueError(f"the constant {name!r} reaches {np.abs(array).max():.3g}; float16 ends at {limit:g}")
        self.constants[made] = numpy_helper.from_array(array.astype(np.float16), made)

    def _is_float(self, name: str) -> bool:
        if name in self.constants:
            return bool(self.constants[name].data_type == TensorProto.FLOAT)
        return name in self.types and bool(self.types[name].elem_type == TensorProto.FLOAT)

    def _is_map(self, name: str) -> bool:
        """Tell feature maps, (n, c, h, w) with enough channels and more than a point, from everything else."""
        if name not in self.types or not self._is_float(name):
            return False
        sizes = [size.dim_value for size in self.types[name].shape.dim]
        return len(sizes) == 4 and sizes[1] >= MIN_CHANNELS and sizes[2] * sizes[3] > 1
