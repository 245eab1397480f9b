"""ONNX of a PyTorch module, in the form a pack wants it.

For networks that are trained here. Checkpoints that are imported take the other road, `engines.export.graphs`, which
writes the graph straight from the file's tensors and needs no PyTorch.

The batch axis stays symbolic (`n`): back-ends make it static, 1 and 5, when they compile, so a pack holds each weight
once. Everything else is static, weights are constants, and no trace of the machine that exported stays in the file.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import onnxscript.optimizer
import torch
from torch import nn

from engines.export.writer import OPSET

BATCH = "n"

_EXAMPLE_BATCH = 2
"""Not 1: torch.export takes a size of one for a constant."""


_LARGEST = 1 << 31
"""Constants of any size are folded."""


def export_onnx(
    module: nn.Module, inputs: Mapping[str, Sequence[int | str]], outputs: Sequence[str], path: Path
) -> None:
    """Write `module` as one ONNX file with a symbolic batch axis.

    Args:
        module: Takes its inputs by position in the order of `inputs` and returns one tensor or a tuple of them.
            Runs in evaluation mode on the CPU; its own mode is restored afterwards.
        inputs: Input name -> shape, "n" for the batch axis: `{"w_plus": ("n", 14, 512)}`. float32.
        outputs: Names of the outputs, in the order in which `module` returns them.
        path: Where to write.

    Raises:
        ValueError: If an input has no batch axis, or the names do not fit the module's outputs.
    """
    for name, shape in inputs.items():
        if not shape or shape[0] != BATCH or BATCH in shape[1:]:
            raise ValueError(f"input '{name}' must have the batch axis '{BATCH}' first and only there; got {shape}")
    examples = tuple(torch.zeros(_EXAMPLE_BATCH, *map(int, shape[1:])) for shape in inputs.values())
    axis = torch.export.Dim(BATCH, min=1, max=64)
    training = module.training
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet():
            # Notes for the exporter's own developers (opset choice, deprecated internals): nothing we can act on.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                examples,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=[{0: axis} for _ in examples],
                external_data=False,
            )
            assert program is not None
            # Whatever depends on weights alone becomes a weight: convolutions with constant kernels are what
            # both back-ends are fast at, and TensorRT asks for them.
            onnxscript.optimizer.optimize(program.model, input_size_limit=_LARGEST, output_size_limit=_LARGEST)
    finally:
        module.train(training)
    model = program.model_proto
    if len(model.graph.output) != len(outputs):
        raise ValueError(f"the module returns {len(model.graph.output)} tensors; {len(outputs)} names were given")
    _strip(model)
    onnx.checker.check_model(model)
    Path(path).write_bytes(model.SerializeToString())


def _strip(model: onnx.ModelProto) -> None:
    """Remove source paths, stack traces and inner shape notes; name the batch axis."""
    del model.metadata_props[:]
    del model.functions[:]
    model.doc_string = ""
    model.producer_name = "machine-reflections"
    model.producer_version = ""
    graph = model.graph
    _strip_graph(graph)
    for value in (*graph.input, *graph.output):
        batch = value.type.tensor_type.shape.dim[0]
        batch.Clear()
        batch.dim_param = BATCH


def _strip_graph(graph: onnx.GraphProto) -> None:
    graph.doc_string = ""
    del graph.value_info[:], graph.metadata_props[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):  # the body of a loop
                _strip_graph(attribute.g)


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
