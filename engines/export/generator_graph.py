"""StyleGAN2's generator as ONNX, straight from a checkpoint's tensors.

One layer is `conv(x * s) * d + noise + bias`, then a leaky ReLU: the weights stay constant, so no grouped convolution
is needed, and the style acts on activations and outputs. The gain sqrt(2) of the activation is folded into `d`,
noise and bias (a leaky ReLU lets a positive factor through). The FIR filter behind an up-sampling convolution is one
depthwise convolution; the skip's up-sampling is written in its four phases as a 3x3 convolution and a DepthToSpace.

The half-precision graph is the same network with numbers kept in range: kernels are normalised per output channel,
styles by their largest value, and both factors return in the demodulation, which is computed in float32 like the
affine layers and the sum of colours. The casts stand in the graph, as strongly typed TensorRT networks want it.

Sources: StyleGAN2 (Karras et al., CVPR 2020), section 2.2; StyleGAN2-ADA (NeurIPS 2020), appendix D (float16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.export.writer import Graph
from engines.lazy import LazyArray
from engines.networks.architecture import (
    DEMODULATION_EPS,
    FIR_TAPS,
    LRELU_GAIN,
    LRELU_SLOPE,
    MAPPING_LR_MULTIPLIER,
    NORMALISATION_EPS,
    GeneratorArchitecture,
)

FP32 = "fp32"
FP16 = "fp16"

UP_GAIN = 4.0
"""Zeros between the pixels take three quarters of the energy; the filter gives it back."""

Tensors = Mapping[str, LazyArray]


def mapping_graph(arch: GeneratorArchitecture, tensors: Tensors) -> Graph:
    """Build z (n, z_dim) -> w_plus (n, num_ws, w_dim), without truncation."""
    graph = Graph("mapping", {"z": ("n", arch.z_dim)}, {"w_plus": ("n", arch.num_ws, arch.w_dim)})
    square = graph.node("Mul", "z", "z", name="square")
    mean = graph.node("ReduceMean", square, graph.constant("last_axis", _ints(1)), name="mean", keepdims=1)
    eps = graph.constant("eps", np.asarray(NORMALISATION_EPS, np.float32))
    norm = graph.node("Sqrt", graph.node("Add", mean, eps, name="mean_eps"), name="norm")
    x = graph.node("Div", "z", norm, name="normalised")
    for index in range(arch.mapping_layers):
        # The activation's gain is folded into the layer in front of it.
        weight, bias = tensors[f"mapping.fc{index}.weight"], tensors[f"mapping.fc{index}.bias"]
        gain = MAPPING_LR_MULTIPLIER / math.sqrt(weight.shape[1]) * LRELU_GAIN
        x = graph.node(
            "Gemm",
            x,
            graph.constant(f"fc{index}.weight", _scaled(weight, gain)),
            graph.constant(f"fc{index}.bias", _scaled(bias, MAPPING_LR_MULTIPLIER * LRELU_GAIN)),
            name=f"fc{index}",
            transB=1,
        )
        x = graph.node("LeakyRelu", x, name=f"fc{index}.act", alpha=LRELU_SLOPE)
    row = graph.node("Unsqueeze", x, graph.constant("row_axis", _ints(1)), name="row")
    graph.node("Concat", *([row] * arch.num_ws), name="w_plus", axis=1)
    return graph


def generator_graph(arch: GeneratorArchitecture, tensors: Tensors, precision: str = FP32) -> Graph:
    """Build w_plus (n, num_ws, w_dim) -> image (n, 3, r, r), float32 outside whatever the precision inside."""
    side = arch.resolution
    graph = Graph("generator", {"w_plus": ("n", arch.num_ws, arch.w_dim)}, {"image": ("n", 3, side, side)})
    return _GeneratorBuilder(graph, arch, tensors, precision == FP16).build()


class _GeneratorBuilder:
    """Adds layer after layer to a graph."""

    def __init__(self, graph: Graph, arch: GeneratorArchitecture, tensors: Tensors, half: bool) -> None:
        self.graph = graph
        self.arch = arch
        self.tensors = tensors
        self.half = half
        self.dtype = np.float16 if half else np.float32
        self.spatial = graph.constant("spatial_axes", _ints(2, 3))

    def build(self) -> Graph:
        x = self._constant("b4.const", self.tensors["synthesis.b4.const"].then(lambda a: a[None], self._const_shape()))
        image = ""
        row = 0
        for level, side in enumerate(self.arch.resolutions):
            if level:
                x = self._layer(x, f"b{side}.conv0", row, up=True)
                row += 1
            x = self._layer(x, f"b{side}.conv1", row, up=False)
            row += 1
            last = side == self.arch.resolution
            image = self._colour(x, f"b{side}.torgb", row, image, "image" if last else f"b{side}.image")
        return self.graph

    def _layer(self, x: str, name: str, row: int, up: bool) -> str:
        graph, arch = self.graph, self.arch
        weight = self.tensors[f"synthesis.{name}.weight"]
        fan_out, fan_in = weight.shape[:2]
        gain = 1.0 / math.sqrt(fan_in * 9)
        eps = DEMODULATION_EPS * (1.0 if arch.eps_after_gain else gain**2)
        kernel = weight.load().astype(np.float64) * gain
        power = np.square(kernel).sum(axis=(2, 3))
        # Rows of unit length keep half-precision sums in range; `length` returns in the demodulation.
        length = np.sqrt(np.maximum(power.sum(axis=1), 1e-30)) if self.half else np.ones(fan_out)
        del kernel

        style, peak = self._style(name, row, fan_in)
        x = graph.node("Mul", x, self._per_channel(style, f"{name}.style"), name=f"{name}.modulated")
        x = self._convolution(x, name, weight, gain / length, up)

        # d = sqrt(2) * peak * length / sqrt(power @ (peak * style)^2 + eps), in float32
        square = graph.node("Mul", style, style, name=f"{name}.style_square")
        sums = graph.node("MatMul", square, self._float(f"{name}.power", power.T / 2), name=f"{name}.power_sum")
        if self.half:
            sums = graph.node(
                "Mul", sums, graph.node("Mul", peak, peak, name=f"{name}.peak_square"), name=f"{name}.sums"
            )
        sums = graph.node("Add", sums, self._float(f"{name}.eps", np.asarray(eps / 2)), name=f"{name}.sums_eps")
        demod = graph.node("Reciprocal", graph.node("Sqrt", sums, name=f"{name}.norm"), name=f"{name}.demod")
        if self.half:
            demod = graph.node("Mul", demod, peak, name=f"{name}.demod_peak")
            demod = graph.node("Mul", demod, self._float(f"{name}.length", length), name=f"{name}.demod_length")
        x = graph.node("Mul", x, self._per_channel(demod, f"{name}.demod"), name=f"{name}.demodulated")

        noise = self.tensors[f"synthesis.{name}.noise_const"]
        strength = float(self.tensors[f"synthesis.{name}.noise_strength"].load())
        if strength:
            shape = (1, 1, *noise.shape)
            scaled = noise.then(lambda a: a.reshape(shape) * np.float32(strength * LRELU_GAIN), shape)
            x = graph.node("Add", x, self._constant(f"{name}.noise", scaled), name=f"{name}.noisy")
        bias = self.tensors[f"synthesis.{name}.bias"].then(
            lambda a: a.reshape(1, -1, 1, 1) * np.float32(LRELU_GAIN), (1, fan_out, 1, 1)
        )
        x = graph.node("Add", x, self._constant(f"{name}.bias", bias), name=f"{name}.biased")
        x = graph.node("LeakyRelu", x, name=f"{name}.act", alpha=LRELU_SLOPE)
        return self._clamped(x, name)

    def _convolution(self, x: str, name: str, weight: LazyArray, gain: NDArray[np.float64], up: bool) -> str:
        """Add the 3x3 convolution with each output channel times `gain`; for an up-sampling one the FIR filter too."""
        fan_out, fan_in = weight.shape[:2]
        factor = np.broadcast_to(gain, (fan_out,)).reshape(-1, 1, 1, 1)
        if not up:
            kernel = self._constant(f"{name}.weight", weight.then(lambda a: a * factor))
            return self.graph.node("Conv", x, kernel, name=f"{name}.conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        swapped = weight.then(lambda a: (a * factor).transpose(1, 0, 2, 3), (fan_in, fan_out, 3, 3))
        kernel = self._constant(f"{name}.weight", swapped)
        x = self.graph.node("ConvTranspose", x, kernel, name=f"{name}.conv", kernel_shape=[3, 3], strides=[2, 2])
        taps = np.tile(fir_kernel(UP_GAIN), (fan_out, 1, 1, 1))
        fir = self._constant(f"fir{fan_out}", LazyArray.of(taps.astype(np.float32)))
        return self.graph.node(
            "Conv", x, fir, name=f"{name}.fir", kernel_shape=[4, 4], pads=[1, 1, 1, 1], group=fan_out
        )

    def _colour(self, x: str, name: str, row: int, image: str, out: str) -> str:
        graph = self.graph
        weight = self.tensors[f"synthesis.{name}.weight"]
        style, peak = self._style(name, row, weight.shape[1])
        x = graph.node("Mul", x, self._per_channel(style, f"{name}.style"), name=f"{name}.modulated")
        gain = 1.0 / math.sqrt(weight.shape[1])
        kernel = self._constant(f"{name}.weight", _scaled(weight, gain))
        x = graph.node("Conv", x, kernel, name=f"{name}.conv", kernel_shape=[1, 1])
        if self.half:
            x = graph.node("Cast", x, name=f"{name}.fp32", to=1)
            unsqueezed = graph.node("Unsqueeze", peak, self.spatial, name=f"{name}.peak4")
            x = graph.node("Mul", x, unsqueezed, name=f"{name}.scaled")
        bias = self._float(f"{name}.bias", self.tensors[f"synthesis.{name}.bias"].load().reshape(1, 3, 1, 1))
        clamped = self.arch.conv_clamp is not None
        add_name = out if not image and not clamped else f"{name}.biased"
        x = graph.node("Add", x, bias, name=add_name)
        x = self._clamped(x, name, half=False) if clamped else x
        if not image:
            return x
        phases = self._float("skip.phases", skip_phases())
        up = graph.node("Conv", image, phases, name=f"{name}.skip_phases", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        up = graph.node("DepthToSpace", up, name=f"{name}.skip", blocksize=2, mode="CRD")
        return graph.node("Add", up, x, name=out)

    def _style(self, name: str, row: int, width: int) -> tuple[str, str]:
        """Add the affine layer: (n, width) styles, in half precision divided by their `peak` (n, 1)."""
        graph = self.graph
        w = f"w{row}"
        if all(node.name != w for node in graph.nodes):
            graph.node("Gather", "w_plus", graph.constant(f"row{row}", np.asarray(row, np.int64)), name=w, axis=1)
        weight, bias = self.tensors[f"synthesis.{name}.affine.weight"], self.tensors[f"synthesis.{name}.affine.bias"]
        style = graph.node(
            "Gemm",
            w,
            graph.constant(f"{name}.affine.weight", _scaled(weight, 1.0 / math.sqrt(weight.shape[1]))),
            graph.constant(f"{name}.affine.bias", bias),
            name=f"{name}.affine",
            transB=1,
        )
        if not self.half:
            return style, ""
        axis = graph.constant("channel_axis", _ints(1))
        size = graph.node("Abs", style, name=f"{name}.style_abs")
        peak = graph.node("ReduceMax", size, axis, name=f"{name}.style_max", keepdims=1)
        # A style of zeros stays one: the division below must not make NaN of it.
        peak = graph.node("Max", peak, self._float("smallest_peak", np.asarray(1e-8)), name=f"{name}.peak")
        return graph.node("Div", style, peak, name=f"{name}.style_normal"), peak

    def _per_channel(self, values: str, name: str) -> str:
        """Shape (n, c) as (n, c, 1, 1), in the precision of the activations."""
        if self.half:
            values = self.graph.node("Cast", values, name=f"{name}.fp16", to=10)
        return self.graph.node("Unsqueeze", values, self.spatial, name=f"{name}4")

    def _clamped(self, x: str, name: str, half: bool | None = None) -> str:
        limit = self.arch.conv_clamp
        if limit is None:
            return x
        dtype = np.float16 if (self.half if half is None else half) else np.float32
        low = self.graph.constant(f"clamp_low.{dtype.__name__}", np.asarray(-limit, dtype))
        high = self.graph.constant(f"clamp_high.{dtype.__name__}", np.asarray(limit, dtype))
        return self.graph.node("Clip", x, low, high, name=f"{name}.clamped")

    def _constant(self, name: str, value: LazyArray) -> str:
        """Add a constant in the precision of the activations."""
        return self.graph.constant(name, value.astype(self.dtype) if self.half else value)

    def _float(self, name: str, value: NDArray[Any]) -> str:
        return self.graph.constant(name, np.asarray(value, np.float32, order="C"))

    def _const_shape(self) -> tuple[int, ...]:
        return (1, *self.tensors["synthesis.b4.const"].shape)


def fir_kernel(gain: float) -> NDArray[np.float64]:
    """Give the 4x4 filter: the outer product of [1, 3, 3, 1], normalised, times `gain`."""
    taps = np.asarray(FIR_TAPS)
    kernel: NDArray[np.float64] = np.outer(taps, taps) / taps.sum() ** 2 * gain
    return kernel


def skip_phases() -> NDArray[np.float64]:
    """Give the skip's up-sampling as a convolution to 2x2 phases of each colour: (12, 3, 3, 3), colour-major.

    An output pixel at an even place sees its source with weight 3/4 and the one before with 1/4; at an odd place, the
    one after. Outside the picture there are zeros, as in the reference.
    """
    even, odd = np.asarray([1.0, 3.0, 0.0]) / 4, np.asarray([0.0, 3.0, 1.0]) / 4
    kernel = np.zeros((12, 3, 3, 3))
    for colour in range(3):
        for index, (rows, columns) in enumerate(((even, even), (even, odd), (odd, even), (odd, odd))):
            kernel[4 * colour + index, colour] = np.outer(rows, columns)
    return kernel


def _scaled(tensor: LazyArray, gain: float) -> LazyArray:
    return tensor.then(lambda array: array.astype(np.float64) * gain)


def _ints(*values: int) -> NDArray[np.int64]:
    return np.asarray(values, np.int64)
