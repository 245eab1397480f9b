"""Half precision where it pays: products in bfloat16, sums in float32. A pass over a graph that OpenVINO has read.

Left to itself OpenVINO keeps every tensor in bfloat16. A residual network then rounds its running sum once per block,
and the errors of two dozen roundings add up. Here only what is multiplied is rounded, the activations and kernels of
the convolutions, which is where the time goes; residual sums, batch norms, squeeze-and-excite and linear layers stay in
float32. The precision is written into the graph as conversions, and OpenVINO keeps to them.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13
from openvino.passes import ConstantFolding, Manager

_PRODUCTS = ("Convolution", "ConvolutionBackpropData", "GroupConvolution", "GroupConvolutionBackpropData")
_FUSED = ("Add", "PRelu", "Relu")
"""What OpenVINO does inside a convolution, before its result is rounded."""


def narrow_products(model: ov.Model) -> int:
    """Let a graph's convolutions over more than one pixel compute in bfloat16, in place.

    Args:
        model: A float32 graph with static shapes.

    Returns:
        How many convolutions were narrowed.
    """
    manager = Manager()
    manager.register_pass(ConstantFolding())  # biases reach the graph as reshapes
    manager.run_passes(model)
    narrowed = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() not in _PRODUCTS or list(node.input_value(0).get_shape())[2:] == [1, 1]:
            continue
        for port in (0, 1):
            node.input(port).replace_source_output(_narrow(node.input_value(port)))
        node.validate_and_infer_types()
        last = _with_fused(node)
        consumers = last.output(0).get_target_inputs()
        wide = opset13.convert(last.output(0), "f32")
        for consumer in consumers:
            consumer.replace_source_output(wide.output(0))
        narrowed += 1
    model.validate_nodes_and_infer_types()
    return narrowed


def round_bf16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to the nearest bfloat16, ties to even; float32 that bfloat16 holds exactly.

    OpenVINO cuts constants off when it folds a conversion, which is a bias of half a step in each weight.
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded: NDArray[np.uint32] = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def _narrow(source: ov.Output) -> ov.Output:
    """Give a tensor in bfloat16; one that comes from there is taken as it was."""
    node = source.get_node()
    if node.get_type_name() == "Convert" and node.input_value(0).get_element_type() == ov.Type.bf16:
        return node.input_value(0)
    if node.get_type_name() == "Constant":
        source = opset13.constant(round_bf16(node.data)).output(0)
    return opset13.convert(source, "bf16").output(0)


def _with_fused(node: ov.Node) -> ov.Node:
    """Narrow the bias and the activation behind a convolution as well; give the last of them."""
    while True:
        consumers = list(node.output(0).get_target_inputs())
        following = consumers[0].get_node() if len(consumers) == 1 and consumers[0].get_index() == 0 else None
        if following is None or following.get_type_name() not in _FUSED:
            return node
        parameters = range(1, following.get_input_size())
        if any(following.input_value(port).get_node().get_type_name() != "Constant" for port in parameters):
            return node
        for port in parameters:
            following.input(port).replace_source_output(_narrow(following.input_value(port)))
        following.validate_and_infer_types()
        node = following
