"""Check an ONNX graph against what TensorRT publishes that it reads: `python -m engines.export.lint FILE...`.

Operators, types and restrictions come from the operator list of ONNX-TensorRT for TensorRT 8.5 and later, which only
grew since; TensorRT 10.13 and 11 read opsets 9 to 22 and more. Beside that the lint holds a graph to what this project
asks of a pack: constant kernels, static shapes but for the batch axis, one file, precision written in the graph.

Source: onnx/onnx-tensorrt, docs/operators.md; NVIDIA TensorRT documentation, "ONNX Opset Guide".
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx
from onnx import TensorProto

MIN_OPSET, MAX_OPSET = 9, 22

_OPERATORS = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip
    Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout
    Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GRU HardSwish HardSigmoid Identity If ImageScaler
    InstanceNormalization IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax Loop LRN LSTM LpNormalization LpPool
    MatMul Max MaxPool Mean MeanVarianceNormalization Min Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or Pad
    ParametricSoftplus Pow PRelu QuantizeLinear RandomNormal RandomNormalLike RandomUniform RandomUniformLike
    Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RNN RoiAlign Round ScaledTanh Scan Scatter
    ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample
    Where Xor
"""

_READ_BY_TENSORRT = frozenset(_OPERATORS.split())

_TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL}

_CONSTANT_INPUTS = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Slice": (3,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "TopK": (1,),
}
"""Operator -> inputs that must be constants. TensorRT takes dynamic kernels, but slowly; the project does not."""

_RESIZE_MODES = {"nearest", "linear"}
_RESIZE_COORDINATES = {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}


def lint(model: onnx.ModelProto) -> list[str]:
    """List what TensorRT or this project would not accept; empty if all is well."""
    constants = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants |= dict.fromkeys(node.output, 0)
    problems = [problem for node in model.graph.node for problem in _node_problems(node, constants)]
    return [*_model_problems(model), *problems]


def lint_file(path: Path) -> list[str]:
    """Lint a file."""
    return lint(onnx.load(path, load_external_data=False))


def _model_problems(model: onnx.ModelProto) -> Iterable[str]:
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            yield f"operators of the domain {opset.domain!r} need a plugin"
        elif not MIN_OPSET <= opset.version <= MAX_OPSET:
            yield f"opset {opset.version} is outside {MIN_OPSET} to {MAX_OPSET}"
    if model.functions:
        yield "the graph defines functions of its own"
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield f"the constant {tensor.name!r} lies in another file"
        if tensor.data_type not in _TYPES:
            yield f"the constant {tensor.name!r} has the type {TensorProto.DataType.Name(tensor.data_type)}"
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type != TensorProto.FLOAT:
            yield f"{value.name!r} is not float32"
        for index, size in enumerate(value.type.tensor_type.shape.dim):
            if (index == 0) == size.HasField("dim_value"):
                yield f"{value.name!r} must have a free batch axis and no other; axis {index} differs"


def _node_problems(node: onnx.NodeProto, constants: Mapping[str, int]) -> Iterable[str]:
    """Check one node; `constants` has the number of axes of each constant."""
    name = node.name or node.output[0]
    if node.op_type not in _READ_BY_TENSORRT:
        yield f"{name}: TensorRT does not read the operator {node.op_type}"
        return
    for index in _CONSTANT_INPUTS.get(node.op_type, ()):
        if index < len(node.input) and node.input[index] and node.input[index] not in constants:
            yield f"{name}: input {index} of {node.op_type} is not a constant"
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in constants:
        dimensions = constants[node.input[1]]
        if dimensions not in (4, 5):
            yield f"{name}: a {node.op_type} over {dimensions - 2} axes; TensorRT has 2 and 3"
    if node.op_type == "MaxPool" and len(node.output) > 1:
        yield f"{name}: MaxPool gives indices, which TensorRT does not"
    if node.op_type == "Resize":
        mode = attributes.get("mode", b"nearest").decode()
        coordinates = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
        if mode not in _RESIZE_MODES or coordinates not in _RESIZE_COORDINATES:
            yield f"{name}: Resize with mode {mode} and coordinates {coordinates}"
    if node.op_type == "Cast" and attributes.get("to") not in _TYPES:
        yield f"{name}: a cast to type {attributes.get('to')}"


def main(arguments: list[str]) -> int:
    """Print the problems of each file; the exit code is 1 if there are any."""
    found = 0
    for path in arguments:
        problems = lint_file(Path(path))
        found += len(problems)
        print(f"{path}: {'; '.join(problems) if problems else 'TensorRT reads it'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
