"""ONNX files written tensor by tensor, and the small graph they are made from.

`onnx` holds a whole model in memory and copies it to serialise it: three times the weights. Here a graph keeps only
recipes for its tensors; the writer asks for one, appends it to the file and forgets it. The bytes are ordinary
protobuf: a message is the concatenation of its fields in any grouping, so the structure comes from `onnx` and the
weights are appended as fields between.

Source: the ONNX protobuf schema (onnx.proto) and the protobuf wire format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from engines.lazy import LazyArray

OPSET = 18
"""Read by TensorRT 10.13 and 11, OpenVINO and ONNX Runtime; the newest that all of them have had for years."""

IR_VERSION = 10

PRODUCER = "machine-reflections"

MAX_FILE_BYTES = (1 << 31) - 1
"""Protobuf's own limit for one message."""

_ELEMENT = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int64): TensorProto.INT64,
}

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9


@dataclass(slots=True)
class Graph:
    """A network under construction: nodes in order, constants as recipes.

    Inputs and outputs are name -> shape, with "n" for the batch axis; all are float32.
    """

    name: str
    inputs: Mapping[str, Sequence[int | str]]
    outputs: Mapping[str, Sequence[int | str]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, LazyArray] = field(default_factory=dict)

    def node(self, op: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Append a node with one output; the output is called as the node."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: LazyArray | NDArray[Any]) -> str:
        """Add a constant, or return the one that has the name already."""
        self.constants.setdefault(name, value if isinstance(value, LazyArray) else LazyArray.of(value))
        return name


def write_onnx(graph: Graph, path: Path) -> None:
    """Write a graph as one ONNX file, holding one constant at a time.

    Raises:
        ValueError: If the file would pass protobuf's two gigabytes, or a recipe gives another shape or type than it
            promised.
    """
    frame = helper.make_graph(
        graph.nodes,
        graph.name,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in graph.inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in graph.outputs.items()],
    )
    frame_bytes = frame.SerializeToString()
    heads = [_tensor_head(name, tensor) for name, tensor in graph.constants.items()]
    tensors = list(zip(heads, graph.constants.values(), strict=True))
    graph_size = len(frame_bytes) + sum(_field_size(len(head) + tensor.nbytes) for head, tensor in tensors)
    model = onnx.ModelProto(ir_version=IR_VERSION, producer_name=PRODUCER)
    model.opset_import.append(helper.make_opsetid("", OPSET))
    model_bytes = model.SerializeToString()
    if len(model_bytes) + graph_size > MAX_FILE_BYTES:
        raise ValueError(f"{graph.name} has {graph_size} bytes; one ONNX file holds at most {MAX_FILE_BYTES}")
    with open(path, "wb") as stream:
        stream.write(model_bytes)
        stream.write(_key(_MODEL_GRAPH) + _varint(graph_size))
        stream.write(frame_bytes)
        for head, tensor in tensors:
            _write_tensor(stream, head, tensor)


def _tensor_head(name: str, tensor: LazyArray) -> bytes:
    """Everything of a TensorProto but the numbers, ending with the key and length of `raw_data`."""
    proto = TensorProto(name=name, data_type=_ELEMENT[tensor.dtype], dims=tensor.shape)
    head: bytes = proto.SerializeToString()
    return head + _key(_TENSOR_RAW_DATA) + _varint(tensor.nbytes)


def _write_tensor(stream: BinaryIO, head: bytes, tensor: LazyArray) -> None:
    array = tensor.load()
    if array.shape != tensor.shape or array.dtype != tensor.dtype:
        raise ValueError(f"a constant became {array.dtype}{array.shape}; {tensor.dtype}{tensor.shape} was promised")
    stream.write(_key(_GRAPH_INITIALIZER) + _varint(len(head) + tensor.nbytes) + head)
    stream.write(np.ascontiguousarray(array).data)


def _field_size(payload: int) -> int:
    return len(_key(_GRAPH_INITIALIZER)) + len(_varint(payload)) + payload


def _key(number: int) -> bytes:
    """Tag of a length-delimited field."""
    return _varint(number << 3 | 2)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
