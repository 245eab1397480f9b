"""A stand-in of TensorRT that computes with OpenVINO, in the memory of the stand-in of CUDA."""

import json
import sys
import types

from fake_cuda import FakeCuda, at

from engines.runtime import DEFAULT_PACK
from engines.runtime.engine_cache import EngineCache
from engines.runtime.nvidia import NvidiaDevice
from engines.runtime.openvino_backend import OpenVinoBackend
from engines.runtime.tensorrt_backend import TensorRtBackend

GPU = NvidiaDevice("NVIDIA Test", "9.0", 13010)


def pretend_gpu(monkeypatch, *, tensorrt=True):
    """Put the stand-ins where the real bindings would be imported from; returns that of CUDA."""
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    if tensorrt:
        monkeypatch.setitem(sys.modules, "tensorrt", TensorRt(cuda))
    return cuda


def plan(graph, batch, *_):
    """Build what the stand-in of TensorRT takes for an engine."""
    return json.dumps({"part": graph.stem.removesuffix("_fp16"), "batch": batch}).encode()


def tensorrt_backend(folder, build=plan):
    """Make the real back-end over the stand-ins, with its engines in a folder."""
    return TensorRtBackend(EngineCache(folder), build=build, find=lambda: GPU)


class TensorRt(types.ModuleType):
    """TensorRT, of which a plan is a line of JSON: which part to run in OpenVINO, and at which batch."""

    TensorIOMode = types.SimpleNamespace(INPUT="in", OUTPUT="out")
    DataType = types.SimpleNamespace(FLOAT="f32")

    def __init__(self, cuda, version="10.13.3.9"):
        super().__init__("tensorrt")
        self.__version__ = version
        self.cuda = cuda
        self.offset = 0.0
        self.Logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, severity: None})
        self.Runtime = lambda logger: types.SimpleNamespace(deserialize_cuda_engine=self._deserialise)

    def _deserialise(self, plan):
        try:
            stored = json.loads(plan)
        except ValueError:
            return None
        return FakeEngine(self, OpenVinoBackend(threads=1).compile(DEFAULT_PACK, stored["part"], stored["batch"]))


class FakeEngine:
    def __init__(self, trt, inner):
        self.trt, self.inner = trt, inner
        self.specs = {**inner.inputs, **inner.outputs}
        self.num_io_tensors = len(self.specs)
        self.addresses = {}

    def get_tensor_name(self, index):
        return list(self.specs)[index]

    def get_tensor_dtype(self, name):
        return "f32"

    def get_tensor_mode(self, name):
        return "in" if name in self.inner.inputs else "out"

    def get_tensor_shape(self, name):
        return self.specs[name].shape

    def create_execution_context(self):
        return self

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        self.trt.cuda.do(self._execute)
        return True

    def _execute(self):
        arrays = {name: at(self.addresses[name], spec.shape) for name, spec in self.specs.items()}
        outputs = {name: arrays[name] for name in self.inner.outputs}
        self.inner.run({name: arrays[name] for name in self.inner.inputs}, outputs)
        for array in outputs.values():
            array += self.trt.offset
