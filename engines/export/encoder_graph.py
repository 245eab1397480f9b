"""The encoders of pSp and e4e as ONNX, straight from a checkpoint's tensors.

Batch norms behind a convolution are folded into it; those in front of one stay a factor and a sum, because the
convolution pads with zeros after them. The average latent is part of the graph: what comes out is W+.

The half-precision graph keeps the squeeze-and-excite arithmetic, the last linear layers and the sum with the average
in float32.

Sources: pSp (Richardson et al., CVPR 2021), section 3; e4e (Tov et al., SIGGRAPH 2021), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.export.generator_graph import FP16, FP32
from engines.export.writer import Graph
from engines.lazy import LazyArray
from engines.networks.architecture import (
    BATCH_NORM_EPS,
    E4E,
    ENCODER_INPUT_SIZE,
    STYLE_HEAD_SLOPE,
    BodyBlock,
    EncoderArchitecture,
    body_blocks,
    head_convolutions,
    head_level,
)

Tensors = Mapping[str, LazyArray]


def encoder_graph(
    arch: EncoderArchitecture, tensors: Tensors, average: NDArray[np.float32], precision: str = FP32
) -> Graph:
    """Build crop (n, 3, 256, 256) -> w_plus (n, rows, width).

    Args:
        arch: The encoder's shape.
        tensors: Its tensors.
        average: (rows, width); added if the architecture says so.
        precision: Of the convolutions; inputs and outputs are float32.
    """
    size = ENCODER_INPUT_SIZE
    graph = Graph("encoder", {"crop": ("n", 3, size, size)}, {"w_plus": ("n", arch.rows, arch.width)})
    return _EncoderBuilder(graph, arch, tensors, precision == FP16).build(average)


class _EncoderBuilder:
    """Adds layer after layer to a graph."""

    def __init__(self, graph: Graph, arch: EncoderArchitecture, tensors: Tensors, half: bool) -> None:
        self.graph = graph
        self.arch = arch
        self.tensors = tensors
        self.half = half

    def build(self, average: NDArray[np.float32]) -> Graph:
        graph = self.graph
        x = graph.node("Cast", "crop", name="crop.fp16", to=10) if self.half else "crop"
        x = self._folded(x, "input_layer.0", "input_layer.1", stride=1, name="input_layer.conv")
        x = self._prelu(x, "input_layer.2")
        taps = []
        for index, block in enumerate(body_blocks(self.arch)):
            x = self._block(x, f"body.{index}", block)
            if index in self.arch.taps:
                taps.append(x)
        c1, c2, c3 = taps
        p2 = self._merged(c3, c2, "latlayer1", "p2")
        p1 = self._merged(p2, c1, "latlayer2", "p1")
        rows = [self._head((c3, p2, p1)[head_level(row)], row) for row in range(self.arch.rows)]
        if self.arch.kind == E4E:
            rows[1:] = [graph.node("Add", rows[0], row, name=f"{row}.offset") for row in rows[1:]]
        axis = graph.constant("row_axis", np.asarray([1], np.int64))
        rows = [graph.node("Unsqueeze", row, axis, name=f"{row}.row") for row in rows]
        if not self.arch.adds_average:
            graph.node("Concat", *rows, name="w_plus", axis=1)
            return graph
        codes = graph.node("Concat", *rows, name="codes", axis=1)
        latent_avg = np.asarray(average, np.float32).reshape(1, self.arch.rows, self.arch.width)
        graph.node("Add", codes, graph.constant("latent_avg", latent_avg), name="w_plus")
        return graph

    def _block(self, x: str, name: str, block: BodyBlock) -> str:
        graph = self.graph
        scale, shift = self._affine(f"{name}.res_layer.0")
        y = graph.node("Mul", x, self._small(f"{name}.bn.scale", _channels(scale)), name=f"{name}.bn.scaled")
        y = graph.node("Add", y, self._small(f"{name}.bn.shift", _channels(shift)), name=f"{name}.bn")
        weight = self._constant(f"{name}.conv1.weight", self.tensors[f"{name}.res_layer.1.weight"])
        y = graph.node("Conv", y, weight, name=f"{name}.conv1", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        y = self._prelu(y, f"{name}.res_layer.2")
        y = self._folded(y, f"{name}.res_layer.3", f"{name}.res_layer.4", block.stride, f"{name}.conv2")
        y = graph.node("Mul", y, self._excitation(y, name), name=f"{name}.excited")
        if block.projects:
            x = self._folded(
                x, f"{name}.shortcut_layer.0", f"{name}.shortcut_layer.1", block.stride, f"{name}.shortcut"
            )
        elif block.stride > 1:
            # A pool of one pixel: plain subsampling.
            strides = [block.stride, block.stride]
            x = graph.node("MaxPool", x, name=f"{name}.shortcut", kernel_shape=[1, 1], strides=strides)
        return graph.node("Add", y, x, name=f"{name}.out")

    def _excitation(self, x: str, name: str) -> str:
        graph = self.graph
        mean = graph.node("GlobalAveragePool", x, name=f"{name}.se.mean")
        if self.half:
            mean = graph.node("Cast", mean, name=f"{name}.se.fp32", to=1)
        for index, activation in ((1, "Relu"), (2, "Sigmoid")):
            weight = graph.constant(f"{name}.se.fc{index}.weight", self.tensors[f"{name}.res_layer.5.fc{index}.weight"])
            mean = graph.node("Conv", mean, weight, name=f"{name}.se.fc{index}", kernel_shape=[1, 1])
            mean = graph.node(activation, mean, name=f"{name}.se.act{index}")
        return graph.node("Cast", mean, name=f"{name}.se.fp16", to=10) if self.half else mean

    def _merged(self, coarse: str, fine: str, layer: str, name: str) -> str:
        """Add one level of the pyramid: the coarser one, doubled, and a 1x1 convolution of the finer tap."""
        graph = self.graph
        scales = graph.constant("doubled", np.asarray([1, 1, 2, 2], np.float32))
        doubled = graph.node(
            "Resize",
            coarse,
            "",
            scales,
            name=f"{name}.doubled",
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
        weight = self._constant(f"{layer}.weight", self.tensors[f"{layer}.weight"])
        bias = self._constant(f"{layer}.bias", self.tensors[f"{layer}.bias"])
        lateral = graph.node("Conv", fine, weight, bias, name=layer, kernel_shape=[1, 1])
        return graph.node("Add", doubled, lateral, name=name)

    def _head(self, x: str, row: int) -> str:
        graph = self.graph
        for index in range(head_convolutions(row)):
            name = f"styles.{row}.convs.{2 * index}"
            weight = self._constant(f"{name}.weight", self.tensors[f"{name}.weight"])
            bias = self._constant(f"{name}.bias", self.tensors[f"{name}.bias"])
            x = graph.node("Conv", x, weight, bias, name=name, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
            x = graph.node("LeakyRelu", x, name=f"{name}.act", alpha=STYLE_HEAD_SLOPE)
        name = f"styles.{row}.linear"
        if self.half:
            x = graph.node("Cast", x, name=f"{name}.fp32", to=1)
        x = graph.node("Flatten", x, name=f"{name}.flat", axis=1)
        gain = np.float32(1.0 / math.sqrt(self.arch.width))
        weight = graph.constant(f"{name}.weight", self.tensors[f"{name}.weight"].then(lambda a: a * gain))
        bias = graph.constant(f"{name}.bias", self.tensors[f"{name}.bias"])
        return graph.node("Gemm", x, weight, bias, name=name, transB=1)

    def _folded(self, x: str, conv: str, norm: str, stride: int, name: str) -> str:
        """Add a convolution without bias and the batch norm behind it as one convolution."""
        scale, shift = self._affine(norm)
        weight = self.tensors[f"{conv}.weight"]
        kernel = weight.then(lambda a: a * scale.reshape(-1, 1, 1, 1))
        side = weight.shape[2]
        pad = side // 2
        return self.graph.node(
            "Conv",
            x,
            self._constant(f"{name}.weight", kernel),
            self._small(f"{name}.bias", shift),
            name=name,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def _affine(self, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Read a batch norm in evaluation mode as x * scale + shift."""
        weight, bias, mean, variance = (
            self.tensors[f"{norm}.{part}"].load().astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + BATCH_NORM_EPS)
        return scale, bias - mean * scale

    def _prelu(self, x: str, name: str) -> str:
        slope = self.tensors[f"{name}.weight"]
        shape = (slope.shape[0], 1, 1)
        constant = self._constant(f"{name}.weight", slope.then(lambda a: a.reshape(shape), shape))
        return self.graph.node("PRelu", x, constant, name=name)

    def _constant(self, name: str, value: LazyArray) -> str:
        return self.graph.constant(name, value.astype(np.float16) if self.half else value)

    def _small(self, name: str, value: NDArray[np.float64]) -> str:
        return self.graph.constant(name, value.astype(np.float16 if self.half else np.float32))


def _channels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.reshape(1, -1, 1, 1)
