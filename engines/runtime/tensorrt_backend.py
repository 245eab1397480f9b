"""TensorRT: the fastest back-end, for NVIDIA GPUs. Engines are built once, cached, and proved by golden vectors.

A half-precision copy of a graph (`<part>_fp16.onnx`) is taken where the pack has one and its numbers hold, else the
float32 graph. One engine is one CUDA graph: upload and network are captured once from one stream, between buffers that
never move. A run is one launch, and then the download, which is left out where the output stays on the GPU. Tensors go
by name.

Has not run on hardware yet: every name used here is checked against the real bindings of TensorRT 10.13 and 11 and of
cuda-python by the tests, the logic against a recorded stand-in.

Source: NVIDIA TensorRT documentation, "Performing Inference", "CUDA Graphs"; CUDA Runtime API.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtime.ahead import Report
from engines.runtime.backends import Arrays, TensorSpec, check_tensors
from engines.runtime.engine_cache import EngineCache, EngineKey
from engines.runtime.golden import check_golden
from engines.runtime.manifest import file_sha256
from engines.runtime.nvidia import NvidiaDevice, find_nvidia
from engines.runtime.tensorrt_build import BuildSettings, build_in_child
from installation.errors import EngineError

OLDEST, BEYOND = (10, 13), (12, 0)
"""TensorRT versions: from, and up to but without."""

log = logging.getLogger(__name__)

Build = Callable[[Path, int, BuildSettings, str, Report], bytes]


def _silent(phase: str, done: int, total: int) -> None:
    """Report to nobody."""


class TensorRtBackend:
    """Builds and runs strongly typed engines on the first GPU.

    Args:
        cache: Of compiled engines; the user's if None.
        settings: For the builder.
        build: Builds one engine; in a child process unless a test says otherwise.
        report: Told how far a build is.
        find: Asks for the GPU.
    """

    name = "tensorrt"

    def __init__(
        self,
        cache: EngineCache | None = None,
        settings: BuildSettings | None = None,
        *,
        build: Build = build_in_child,
        report: Report = _silent,
        find: Callable[[], NvidiaDevice] = find_nvidia,
    ) -> None:
        self._trt: Any = importlib.import_module("tensorrt")
        self._cudart: Any = importlib.import_module("cuda.bindings.runtime")
        self._cache = cache or EngineCache()
        self._settings = settings or BuildSettings()
        self._build = build
        self._find = find
        self.report = report

    def unavailable(self) -> str | None:
        version = self._trt.__version__
        if not OLDEST <= tuple(int(n) for n in version.split(".")[:2]) < BEYOND:
            return f"TensorRT {version} is installed; 10.13 up to 11 are supported"
        try:
            self._find()
        except EngineError as error:
            return str(error)
        return None

    def builds(self, pack: Path, part: str, batch: int) -> bool:
        """Whether `compile` would have to build, which takes minutes."""
        for graph, precision in _graphs(pack, part):
            key = self._key(part, batch, graph, precision)
            if self._cache.refused(key) is None:
                return not self._cache.path(key).is_file()
        return False

    def compile(self, pack: Path, part: str, batch: int) -> TensorRtEngine:
        refusals = []
        for graph, precision in _graphs(pack, part):
            try:
                return self._proved(pack, part, batch, graph, precision)
            except EngineError as error:
                refusals.append(f"{precision}: {error}")
                log.info("TensorRT %s of %s: %s", precision, part, error)
        raise EngineError("; ".join(refusals) or f"{pack} has no {part}.onnx; build the pack again")

    def _proved(self, pack: Path, part: str, batch: int, graph: Path, precision: str) -> TensorRtEngine:
        """Give an engine that was proved: from the cache, or built when that one fails."""
        key = self._key(part, batch, graph, precision)
        if (reason := self._cache.refused(key)) is not None:
            raise EngineError(reason)
        if (plan := self._cache.load(key)) is not None:
            try:
                return self._opened(plan, precision, pack, part)
            except EngineError as error:
                self._cache.quarantine(key, str(error))
        timing = f"tensorrt-{key.version}-sm{key.capability}-{key.driver}"
        plan = self._build(graph, batch, self._settings, timing, self.report)
        made = TensorRtEngine(self._trt, self._cudart, plan, precision)
        try:
            check_golden(made, pack, part)
        except EngineError as error:
            made.close()
            self._cache.refuse(key, str(error))
            raise
        self._cache.store(key, plan)
        return made

    def _opened(self, plan: bytes, precision: str, pack: Path, part: str) -> TensorRtEngine:
        made = TensorRtEngine(self._trt, self._cudart, plan, precision)
        try:
            check_golden(made, pack, part)
        except EngineError:
            made.close()
            raise
        return made

    def _key(self, part: str, batch: int, graph: Path, precision: str) -> EngineKey:
        device = self._find()
        return EngineKey(
            graph=file_sha256(graph),
            part=part,
            shapes=(("batch", (batch,)),),
            precision=precision,
            backend=self.name,
            version=str(self._trt.__version__),
            device=device.name,
            capability=device.capability,
            driver=str(device.driver),
            settings=self._settings.text(),
        )


def _graphs(pack: Path, part: str) -> list[tuple[Path, str]]:
    """The graphs of a part with their precision, the better first."""
    graphs = ((pack / f"{part}_fp16.onnx", "fp16"), (pack / f"{part}.onnx", "fp32"))
    return [(path, precision) for path, precision in graphs if path.is_file()]


class TensorRtEngine:
    """One engine with its buffers, its stream and its CUDA graph. Owned by the thread that made it.

    Raises:
        EngineError: If the plan is not for this TensorRT and GPU, or memory is short; nothing is held then.
    """

    def __init__(self, trt: Any, cudart: Any, plan: bytes, precision: str) -> None:
        self.precision = precision
        self._cudart = cudart
        self._release: list[tuple[Any, Any]] = []
        self._host: dict[str, NDArray[np.float32]] = {}
        self._device: dict[str, Any] = {}
        self._launch: Any = None
        self._runtime = runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))  # must outlive its engine
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError("TensorRT refuses the compiled engine: it is damaged or from another version or GPU")
        specs: dict[Any, dict[str, TensorSpec]] = {trt.TensorIOMode.INPUT: {}, trt.TensorIOMode.OUTPUT: {}}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            if engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
                raise EngineError(f"the engine's tensor {name!r} is not float32; export the graph again")
            specs[engine.get_tensor_mode(name)][name] = TensorSpec(tuple(engine.get_tensor_shape(name)))
        self.inputs: Mapping[str, TensorSpec] = specs[trt.TensorIOMode.INPUT]
        self.outputs: Mapping[str, TensorSpec] = specs[trt.TensorIOMode.OUTPUT]
        self._context = engine.create_execution_context()
        if self._context is None:
            raise EngineError("TensorRT has no memory for the engine's activations")
        try:
            self._capture()
        except EngineError:
            self.close()
            raise

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        check_tensors(self.outputs, outputs)
        self.launch(inputs)
        for name in self.outputs:
            kind = self._cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
            self._copy(self._host[name].ctypes.data, self._device[name], name, kind)
        self._call("cudaStreamSynchronize", self._stream)
        for name in self.outputs:
            np.copyto(outputs[name], self._host[name])

    def launch(self, inputs: Arrays) -> tuple[int, int]:
        if self._launch is None:
            raise EngineError("the engine is closed")
        check_tensors(self.inputs, inputs)
        for name in self.inputs:
            np.copyto(self._host[name], inputs[name])
        self._call("cudaGraphLaunch", self._launch, self._stream)
        return int(self._device[next(iter(self.outputs))]), int(self._stream)

    def forget(self) -> None:
        for name, values in self._host.items():
            values[...] = 0.0
            self._call("cudaMemsetAsync", self._device[name], 0, values.nbytes, self._stream)

    def close(self) -> None:
        """Free everything, the newest first; a lost device is told once everything was tried."""
        self._launch = None
        self._host.clear()
        failures = []
        while self._release:
            function, handle = self._release.pop()
            try:
                self._call(function, handle)
            except EngineError as error:
                failures.append(str(error))
        self._context = None
        if failures:
            raise EngineError(failures[0])

    def _capture(self) -> None:
        """Make stream and buffers, run once, and capture upload and network."""
        cudart, context = self._cudart, self._context
        (self._stream,) = self._own("cudaStreamDestroy", "cudaStreamCreateWithFlags", cudart.cudaStreamNonBlocking)
        for name, spec in {**self.inputs, **self.outputs}.items():
            count = int(np.prod(spec.shape))
            (address,) = self._own("cudaFreeHost", "cudaMallocHost", count * 4)
            block = (ctypes.c_float * count).from_address(int(address))
            self._host[name] = np.ctypeslib.as_array(block).reshape(spec.shape)
            self._host[name][...] = 0.0
            (self._device[name],) = self._own("cudaFree", "cudaMalloc", count * 4)
            if not context.set_tensor_address(name, int(self._device[name])):
                raise EngineError(f"TensorRT does not take a buffer for {name!r}")
        self._enqueue()  # the first run allocates, which a capture may not
        self._call("cudaStreamSynchronize", self._stream)
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        self._enqueue()
        (graph,) = self._own("cudaGraphDestroy", "cudaStreamEndCapture", self._stream)
        (self._launch,) = self._own("cudaGraphExecDestroy", "cudaGraphInstantiate", graph, 0)

    def _enqueue(self) -> None:
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        for name in self.inputs:
            self._copy(self._device[name], self._host[name].ctypes.data, name, kind)
        if not self._context.execute_async_v3(int(self._stream)):
            raise EngineError("TensorRT cannot run the engine; its reasons are in the lines above")

    def _copy(self, to: Any, source: Any, name: str, kind: Any) -> None:
        self._call("cudaMemcpyAsync", to, source, self._host[name].nbytes, kind, self._stream)

    def _own(self, release: str, function: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a function that gives a handle, and note how to give it back."""
        values = self._call(function, *arguments)
        self._release.append((release, values[0]))
        return values

    def _call(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        status, *values = getattr(self._cudart, function)(*arguments)
        if int(status) != 0:
            raise EngineError(f"the GPU answers {function} with {getattr(status, 'name', status)}")
        return tuple(values)
