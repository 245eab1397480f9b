"""OpenVINO: the back-end for machines without an NVIDIA GPU. Two threads by default, compiled models cached.

In half precision an engine first proves itself on the pack's golden vectors: bfloat16 has eight bits of mantissa, and
not every network bears that. One that does not is tried with bfloat16 in its products alone (`openvino_half`); what
fails that, too, is computed in full.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import openvino as ov

from engines.runtime.backends import Arrays, TensorSpec
from engines.runtime.golden import check_golden
from engines.runtime.openvino_half import narrow_products
from engines.runtime.paths import cache_dir
from installation.errors import EngineError

THREADS = 2
"""Measured on 2 cores: more threads than cores makes MediaPipe and the display stutter."""

_HALF = {"BF16": "bf16", "FP16": "f16"}
"""Capability of a device -> the precision to ask for, the better first for a CPU."""

_PRECISIONS = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", None: "fp16"}
"""What a device was asked to compute in -> an engine's `precision`."""

log = logging.getLogger(__name__)

_CHATTY = ("refine", "settle")
"""Graphs of many tiny products: a second thread would be waited for after each of them."""


class OpenVinoBackend:
    """Compiles ONNX with OpenVINO for one device ("CPU", "GPU", "NPU")."""

    name = "openvino"

    def __init__(
        self, device: str = "CPU", threads: int = THREADS, cache: Path | None = None, *, precision: str = "full"
    ) -> None:
        self.device = device
        self.precision = precision
        self.threads = min(threads, os.cpu_count() or threads)
        self._core = ov.Core()
        self._cache = cache_dir("openvino") if cache is None else cache

    def unavailable(self) -> str | None:
        devices = self._core.available_devices
        if self.device in devices:
            return None
        return f"OpenVINO has no device {self.device!r} here; it has {', '.join(devices)}"

    def compile(self, pack: Path, part: str, batch: int) -> OpenVinoEngine:
        path = pack / f"{part}.onnx"
        if not path.is_file():
            raise EngineError(f"{pack} has no {part}.onnx; build the pack again: mirror models import")
        capable = self._capabilities()
        if "FP32" not in capable:
            return self._compile(path, batch, None)
        half = next((hint for name, hint in _HALF.items() if name in capable), None)
        proven = self._proven(pack, part, batch, half) if half and self.precision == "half" else None
        return proven or self._compile(path, batch, "f32")

    def _proven(self, pack: Path, part: str, batch: int, half: str) -> OpenVinoEngine | None:
        """Compile in 16 bits, as far as the golden vectors bear it; None if they do not, or there are none."""
        for narrow in (False, True) if half == "bf16" else (False,):
            engine = self._compile(pack / f"{part}.onnx", batch, half, narrow=narrow)
            how = f"OpenVINO, {part} in {half}{' products, float32 sums' if narrow else ''}"
            try:
                if check_golden(engine, pack, part) is not None:
                    log.info("%s: gives the golden vectors of %s", how, pack.name)
                    return engine
                problem = f"{pack.name} has no golden vectors of its {part} to prove it"
            except EngineError as error:
                problem = str(error)
            log.info("%s: %s", how, problem)
            engine.close()
        return None

    def _capabilities(self) -> list[str]:
        capable: list[str] = self._core.get_property(self.device, "OPTIMIZATION_CAPABILITIES")
        return capable

    def _compile(self, path: Path, batch: int, precision: str | None, *, narrow: bool = False) -> OpenVinoEngine:
        """Compile in one precision throughout, or only `narrow` the products; None leaves it to the device."""
        threads = 1 if path.stem in _CHATTY else self.threads
        streams = parallel_streams(batch, threads) if self.device == "CPU" else 1
        requests = batch if streams > 1 else 1
        properties = device_properties(self.device, "f32" if narrow else precision, threads, streams)
        try:
            model = self._core.read_model(path)
            model.reshape({port: _with_batch(port.partial_shape, batch // requests) for port in model.inputs})
            if narrow:
                narrow_products(model)
            compiled = self._core.compile_model(model, self.device, {**properties, "CACHE_DIR": str(self._cache)})
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {path}: {_sentence(error)}") from error
        return OpenVinoEngine(compiled, _PRECISIONS[precision], requests)


def parallel_streams(batch: int, threads: int) -> int:
    """How many rows of a batch are computed at once, each by one thread; 1 where all threads share the whole batch.

    Threads that share a layer wait for each other after each, and on a machine that does other things as well, for
    whatever else runs: five pictures of the default pack take half the time as five requests on two streams. Where the
    last round would leave more than a fifth of the threads' time idle, they share.
    """
    rounds = -(-batch // threads)
    return threads if 1 < threads <= batch and 5 * rounds * threads <= 6 * batch else 1


def device_properties(device: str, precision: str | None, threads: int, streams: int = 1) -> dict[str, str | int]:
    """What a device is asked for.

    Args:
        device: As in `[engine]`: "CPU", "GPU.1", "NPU".
        precision: Of what the graph leaves open, "f32", "bf16" or "f16"; None for a device that has only one, as NPUs.
        threads: Of a CPU.
        streams: Requests computed at once; they share the threads.
    """
    properties: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": str(streams)}
    if precision is not None:  # left to itself, OpenVINO takes bf16 where a CPU has it
        properties["INFERENCE_PRECISION_HINT"] = precision
    if device == "CPU":
        properties["INFERENCE_NUM_THREADS"] = threads
    return properties


class OpenVinoEngine:
    """A compiled model with one infer request, or one for each row of the batch. Tensors are bound without a copy.

    `run` computes in the calling thread, `start` in OpenVINO's own; neither holds Python's lock meanwhile.
    """

    def __init__(self, compiled: ov.CompiledModel, precision: str = "fp32", requests: int = 1) -> None:
        self.precision = precision
        self.inputs: Mapping[str, TensorSpec] = {p.any_name: _spec(p, requests) for p in compiled.inputs}
        self.outputs: Mapping[str, TensorSpec] = {p.any_name: _spec(p, requests) for p in compiled.outputs}
        self._requests: list[ov.InferRequest] = [compiled.create_infer_request() for _ in range(requests)]
        self._bound: dict[str, tuple[int, object]] = {}
        self._under_way = False

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        if len(self._requests) > 1:
            self.start(inputs, outputs)
            self.wait()
            return
        self._give(inputs, outputs)
        with _told():
            self._requests[0].infer()

    def start(self, inputs: Arrays, outputs: Arrays) -> None:
        self._give(inputs, outputs)
        self._under_way = True
        with _told():
            for request in self._requests:
                request.start_async()

    def wait(self) -> None:
        if not self._under_way:
            raise EngineError("no run was started")
        self._under_way = False
        with _told(), ExitStack() as stack:
            for request in self._requests:
                stack.callback(request.wait)  # all of them, whatever one says

    def close(self) -> None:
        if self._under_way:
            with suppress(EngineError):  # whatever came of it: OpenVINO writes into arrays that are let go of here
                self.wait()
        self._requests.clear()
        self._bound.clear()

    def _give(self, inputs: Arrays, outputs: Arrays) -> None:
        """Bind the tensors of a run."""
        if not self._requests:
            raise EngineError("the engine is closed")
        if self._under_way:
            raise EngineError("a run is under way; wait for it first")
        for specs, arrays in ((self.inputs, inputs), (self.outputs, outputs)):
            for name, spec in specs.items():
                self._bind(name, spec, arrays)

    def _bind(self, name: str, spec: TensorSpec, arrays: Arrays) -> None:
        array = arrays.get(name)
        if array is None:
            raise EngineError(f"the tensor {name!r} {spec.shape} is missing")
        address = array.__array_interface__["data"][0]
        if self._bound.get(name, (0, None))[0] == address:
            return
        if array.shape != spec.shape or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise EngineError(f"{name!r} must be C-contiguous float32 {spec.shape}, found {array.dtype} {array.shape}")
        for request, rows in zip(self._requests, np.split(array, len(self._requests)), strict=True):
            request.set_tensor(name, ov.Tensor(rows, shared_memory=True))
        self._bound[name] = (address, array)  # keeps the array alive as long as OpenVINO points into it


@contextmanager
def _told() -> Iterator[None]:
    """Tell OpenVINO's faults as ours."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(f"OpenVINO failed while running: {_sentence(error)}") from error


def _sentence(error: RuntimeError) -> str:
    """The line of OpenVINO's message that says what is wrong, after those that say where it was noticed."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith(("Exception from", "Caught exc"))), lines[0])


def _with_batch(shape: ov.PartialShape, batch: int) -> ov.PartialShape:
    return ov.PartialShape([batch, *list(shape)[1:]])


def _spec(port: ov.ConstOutput, requests: int) -> TensorSpec:
    """Shape of a tensor for all requests together."""
    rows, *rest = port.shape
    return TensorSpec((requests * rows, *rest))
