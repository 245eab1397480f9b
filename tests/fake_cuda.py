"""A stand-in of the CUDA runtime in host memory, which keeps the rules that matter and notes every call.

Buffers have addresses, copies move bytes, captures replay what was enqueued, handles must be given back, and a graphics
resource is OpenGL's unless it is mapped. What it noted is asked of the real bindings in `test_cuda_calls.py`.
"""

import ctypes
import types

import moderngl
import numpy as np

NO_DEVICE, LOST, NO_MEMORY, UNKNOWN = 100, 719, 2, 999


class Named(int):
    """A member of an enumeration, which knows its name."""

    def __new__(cls, value, enumeration, name):
        made = super().__new__(cls, value)
        made.enumeration, made.name = enumeration, name
        return made


class Handle(int):
    """A stream, a graph, or a graphics resource: a type of its own in the real bindings."""

    def __new__(cls, value, kind):
        made = super().__new__(cls, value)
        made.kind = kind
        return made


def enumeration(kind, **members):
    return types.SimpleNamespace(**{name: Named(value, kind, name) for name, value in members.items()})


class FakeCuda(types.ModuleType):
    """The CUDA runtime in host memory.

    Attributes:
        calls: (function, arguments, number of values answered), in order.
        lost: Whether the GPU is gone.
        broken: Functions that answer with an error.
        devices: Of the GL context.
        garbles: Whether what is copied into a buffer of OpenGL arrives wrong.
    """

    cudaStreamNonBlocking = 1
    cudaMemcpyKind = enumeration(
        "cudaMemcpyKind", cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3
    )
    cudaStreamCaptureMode = enumeration("cudaStreamCaptureMode", cudaStreamCaptureModeThreadLocal=1)
    cudaGLDeviceList = enumeration("cudaGLDeviceList", cudaGLDeviceListAll=1)
    cudaGraphicsRegisterFlags = enumeration("cudaGraphicsRegisterFlags", cudaGraphicsRegisterFlagsWriteDiscard=2)

    def __init__(self):
        super().__init__("cuda.bindings.runtime")
        self.blocks, self.handles, self.recorded, self.graphs = {}, set(), None, {}
        self.registered, self.mapped, self.gl_buffers = {}, {}, {}
        self.calls = []
        self.lost = self.garbles = False
        self.broken = set()
        self.memory = 1 << 30
        self.devices = [0]

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not name.startswith("cuda") or not callable(found):
            return found

        def noted(*arguments):
            answer = (UNKNOWN, None) if name in self.broken else found(*arguments)
            self.calls.append((name, arguments, len(answer)))
            return answer

        return noted

    def names(self):
        """The functions called, in order."""
        return [name for name, _, _ in self.calls]

    def fetched(self):
        """Bytes of each copy from the GPU to the host."""
        flat = [arguments[2] for name, arguments, _ in self.calls if name == "cudaMemcpyAsync" and 2 in arguments[3:4]]
        return flat + [arguments[4] * arguments[5] for name, arguments, _ in self.calls if name == "cudaMemcpy2DAsync"]

    def _handle(self, kind):
        value = 1000
        while value in self.handles:
            value += 1
        self.handles.add(value)
        return Handle(value, kind)

    def do(self, action):
        """Enqueue: recorded while a capture is open, done at once otherwise."""
        if self.recorded is None:
            action()
        else:
            self.recorded.append(action)

    def _status(self):
        return LOST if self.lost else 0

    def cudaMalloc(self, size):
        if size > self.memory:
            return NO_MEMORY, None
        block = (ctypes.c_char * size)()
        self.blocks[ctypes.addressof(block)] = block
        return self._status(), ctypes.addressof(block)

    def cudaMallocHost(self, size):
        return FakeCuda.cudaMalloc(self, size)

    def cudaFree(self, address):
        del self.blocks[int(address)]
        return (self._status(),)

    def cudaFreeHost(self, address):
        return FakeCuda.cudaFree(self, address)

    def cudaStreamCreateWithFlags(self, flags):
        return self._status(), self._handle("cudaStream_t")

    def cudaStreamDestroy(self, handle):
        self.handles.remove(handle)
        return (self._status(),)

    def cudaGraphDestroy(self, handle):
        return FakeCuda.cudaStreamDestroy(self, handle)

    def cudaGraphExecDestroy(self, handle):
        return FakeCuda.cudaStreamDestroy(self, handle)

    def cudaStreamSynchronize(self, stream):
        return (self._status(),)

    def cudaMemsetAsync(self, address, value, size, stream):
        ctypes.memset(int(address), value, size)
        return (self._status(),)

    def cudaMemGetInfo(self):
        return self._status(), self.memory - sum(map(len, self.blocks.values())), self.memory

    def cudaMemcpy(self, to, source, size, kind):
        ctypes.memmove(int(to), int(source), size)
        return (self._status(),)

    def cudaMemcpyAsync(self, to, source, size, kind, stream):
        self.do(lambda: self._copy(int(to), int(source), size, kind))
        return (self._status(),)

    def cudaMemcpy2DAsync(self, to, to_pitch, source, source_pitch, width, rows, kind, stream):
        for row in range(rows):
            ctypes.memmove(int(to) + row * to_pitch, int(source) + row * source_pitch, width)
        return (self._status(),)

    def _copy(self, to, source, size, kind):
        if self.lost:
            return
        ctypes.memmove(to, source, size)
        if self.garbles and to in map(ctypes.addressof, self.mapped.values()):
            ctypes.memset(to, 0x3F, size // 2)

    def cudaStreamBeginCapture(self, stream, mode):
        self.recorded = []
        return (self._status(),)

    def cudaStreamEndCapture(self, stream):
        graph = self._handle("cudaGraph_t")
        self.graphs[graph], self.recorded = self.recorded, None
        return self._status(), graph

    def cudaGraphInstantiate(self, graph, flags):
        made = self._handle("cudaGraphExec_t")
        self.graphs[made] = self.graphs[graph]
        return self._status(), made

    def cudaGraphLaunch(self, graph, stream):
        for action in self.graphs[graph] if not self.lost else ():
            action()
        return (self._status(),)

    def cudaGLGetDevices(self, most, which):
        if not self.devices:
            return NO_DEVICE, None, None
        return self._status(), len(self.devices), self.devices + [0] * (most - len(self.devices))

    def cudaGraphicsGLRegisterBuffer(self, glo, flags):
        assert glo in self.gl_buffers, "only a buffer of OpenGL can be registered"
        resource = self._handle("cudaGraphicsResource_t")
        self.registered[resource] = self.gl_buffers[glo]
        return self._status(), resource

    def cudaGraphicsUnregisterResource(self, resource):
        assert resource not in self.mapped
        del self.registered[resource]
        self.handles.remove(resource)
        return (self._status(),)

    def cudaGraphicsMapResources(self, count, resource, stream):
        if self.lost:
            return (LOST,)
        assert resource not in self.mapped
        self.mapped[resource] = (ctypes.c_char * self.registered[resource].size)()
        return (0,)

    def cudaGraphicsResourceGetMappedPointer(self, resource):
        block = self.mapped[resource]
        return self._status(), ctypes.addressof(block), len(block)

    def cudaGraphicsUnmapResources(self, count, resource, stream):
        self.registered[resource].write(bytes(self.mapped.pop(resource)))
        return (self._status(),)


def give_gpu_to_opengl(cuda, monkeypatch):
    """Let contexts of OpenGL claim that the stand-in's GPU draws them, and the stand-in know their buffers."""
    make_buffer, info = moderngl.Context.buffer, moderngl.Context.info.fget

    def buffer(self, *arguments, **options):
        made = make_buffer(self, *arguments, **options)
        cuda.gl_buffers[made.glo] = made
        return made

    monkeypatch.setattr(moderngl.Context, "buffer", buffer)
    monkeypatch.setattr(moderngl.Context, "info", property(lambda self: {**info(self), "GL_VENDOR": "NVIDIA Corp."}))


def at(address, shape):
    """The float32 array at an address."""
    block = (ctypes.c_float * int(np.prod(shape))).from_address(int(address))
    return np.ctypeslib.as_array(block).reshape(shape)
