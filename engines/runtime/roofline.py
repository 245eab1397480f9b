"""How fast a network could be here: operations and bytes counted from the graph, against measured peaks.

Operations are those of convolutions and matrix products (a multiplication and an addition are two); bytes are weights,
inputs and outputs of the network, each moved once, which no machine can do without. The peaks are measured on the same
machine, right now, with a large matrix product and a large copy. Time below the roofline's is impossible.

Source: Williams, Waterman and Patterson, "Roofline" (CACM 2009).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov

_SIDE = 1536  # of the square matrices: 28 MB for three, so that the product is bound by arithmetic
_REPEATS = 5
_COPY_BYTES = 128 << 20
_HINTS = {"fp32": "f32", "bf16": "bf16"}


@dataclass(frozen=True, slots=True)
class Work:
    """What one run of a network must do: floating-point operations, and bytes moved at least."""

    operations: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Peak:
    """What the machine can do at most: operations a second in one precision, and bytes a second."""

    operations_s: float
    bytes_s: float

    def least_ms(self, work: Work) -> float:
        """The shortest time in which `work` can be done, in ms."""
        return 1e3 * max(work.operations / self.operations_s, work.bytes / self.bytes_s)


def count_work(graph: Path, batch: int) -> Work:
    """Count the work of an ONNX graph at one batch size."""
    model = ov.Core().read_model(graph)
    model.reshape({port: [batch, *list(port.partial_shape)[1:]] for port in model.inputs})
    operations = moved = 0.0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            kernel = node.input(1).get_shape()
            # (out, in, *taps), or (groups, out, in, *taps): each output number costs `in` times the taps
            per_number = math.prod(kernel[1:] if kind == "Convolution" else kernel[2:])
            operations += 2.0 * math.prod(node.output(0).get_shape()) * per_number
        elif kind in ("ConvolutionBackpropData", "GroupConvolutionBackpropData"):
            kernel = node.input(1).get_shape()
            per_number = math.prod(kernel[1:] if kind == "ConvolutionBackpropData" else kernel[2:])
            operations += 2.0 * math.prod(node.input(0).get_shape()) * per_number
        elif kind == "MatMul":
            shared = node.input(0).get_shape()[-2 if node.get_attributes().get("transpose_a") else -1]
            operations += 2.0 * math.prod(node.output(0).get_shape()) * shared
        if kind in ("Constant", "Parameter"):
            moved += math.prod(node.output(0).get_shape()) * node.output(0).get_element_type().size
        elif kind == "Result":
            moved += math.prod(node.input(0).get_shape()) * 4
    return Work(operations, moved)


def measure_peak(threads: int, precision: str = "fp32") -> Peak:
    """Measure this CPU: OpenVINO's own matrix product, and a copy of memory.

    Args:
        threads: As many as the engines use.
        precision: Of the product, as an engine names it: "fp32" or "bf16".
    """
    a = ov.opset13.parameter([_SIDE, _SIDE], np.float32)
    b = ov.opset13.parameter([_SIDE, _SIDE], np.float32)
    model = ov.Model([ov.opset13.matmul(a, b, False, False)], [a, b])
    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": _HINTS[precision], "NUM_STREAMS": "1"}
    request = ov.Core().compile_model(model, "CPU", hints).create_infer_request()
    for index in range(2):
        request.set_input_tensor(index, ov.Tensor(np.ones((_SIDE, _SIDE), np.float32)))
    product_s = _best(request.infer)
    source = np.ones(_COPY_BYTES // 8)
    target = np.empty_like(source)
    copy_s = _best(lambda: np.copyto(target, source))
    return Peak(2.0 * _SIDE**3 / product_s, 2.0 * _COPY_BYTES / copy_s)


def _best(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
