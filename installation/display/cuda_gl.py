"""CUDA and OpenGL share memory: a picture goes from the networks' buffer into a pixel buffer inside the GPU.

The pixel buffer belongs to OpenGL and is registered with CUDA once. For each picture it is mapped, filled by one copy
inside the GPU, and unmapped, which is what orders the two: OpenGL's earlier reads come before the copy, its later ones
after. All of it happens on the thread of the GL context; the copies go through a stream of their own, beside the
networks.

Nothing is believed that was not seen: a context gets its `CudaGl` only after a test pattern has come through.

Has not run on hardware yet: the tests check every call against the real bindings and the logic against a stand-in.

Source: CUDA C++ Programming Guide, "OpenGL Interoperability"; CUDA Runtime API, "Graphics Interoperability".
"""

from __future__ import annotations

import logging
from typing import Any

import moderngl
import numpy as np

from installation.core.device_images import DeviceImages
from installation.runtime.cuda import Cuda, CudaError

DEVICE = 0
"""The CUDA device on which the networks run."""

_MOST_DEVICES = 8
_PATTERN = (2, 3, 16, 16)

log = logging.getLogger(__name__)


class CudaGl:
    """CUDA's side of one GL context, which must be current at every call.

    Raises:
        CudaError: If the context is not drawn by the GPU of the networks, or the test pattern does not come through.
    """

    def __init__(self, ctx: moderngl.Context) -> None:
        vendor = ctx.info["GL_VENDOR"]
        if "NVIDIA" not in vendor:
            raise CudaError(f"OpenGL is drawn by {ctx.info['GL_RENDERER']} ({vendor}), not by the GPU of the networks")
        self._cuda = cuda = Cuda()
        count, devices = cuda.call("cudaGLGetDevices", _MOST_DEVICES, cuda.names.cudaGLDeviceList.cudaGLDeviceListAll)
        if DEVICE not in list(devices)[: int(count)]:
            raise CudaError(f"OpenGL draws on another GPU ({ctx.info['GL_RENDERER']}) than the networks")
        (self._stream,) = cuda.call("cudaStreamCreateWithFlags", cuda.names.cudaStreamNonBlocking)
        try:
            self._verify(ctx)
        except CudaError:
            self.close()
            raise

    def register(self, buffer: moderngl.Buffer) -> Any:
        """Make a buffer known to CUDA, which will only write to it; until `unregister` it must keep its storage."""
        flag = self._cuda.names.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
        (resource,) = self._cuda.call("cudaGraphicsGLRegisterBuffer", buffer.glo, int(flag))
        return resource

    def unregister(self, resource: Any) -> None:
        """Give a buffer back, before it is released. A lost GPU cannot even take that; it is logged."""
        try:
            self._cuda.call("cudaGraphicsUnregisterResource", resource)
        except CudaError as error:
            log.warning("a pixel buffer could not be given back: %s", error)

    def fill(self, resource: Any, images: DeviceImages) -> None:
        """Copy pictures into a registered buffer; what OpenGL is told to read from now on finds them there.

        Raises:
            CudaError: If the buffer is too small, or the GPU is lost.
        """
        call, kinds = self._cuda.call, self._cuda.names.cudaMemcpyKind
        call("cudaGraphicsMapResources", 1, resource, self._stream)
        try:
            address, size = call("cudaGraphicsResourceGetMappedPointer", resource)
            if int(size) < images.nbytes:
                raise CudaError(f"a pixel buffer of {int(size)} bytes cannot hold {images.nbytes}")
            copied = (address, images.address, images.nbytes, kinds.cudaMemcpyDeviceToDevice, self._stream)
            call("cudaMemcpyAsync", *copied)
        finally:
            call("cudaGraphicsUnmapResources", 1, resource, self._stream)

    def close(self) -> None:
        """Give the stream back; every buffer has been unregistered by then. Errors are logged."""
        try:
            self._cuda.call("cudaStreamDestroy", self._stream)
        except CudaError as error:
            log.warning("a CUDA stream could not be given back: %s", error)

    def _verify(self, ctx: moderngl.Context) -> None:
        """Send a pattern the way that pictures go, up to a texture, and compare every bit."""
        call = self._cuda.call
        pattern = np.random.default_rng(1).uniform(-1.0, 1.0, _PATTERN).astype(np.float32)
        to_device = self._cuda.names.cudaMemcpyKind.cudaMemcpyHostToDevice
        count, planes, side, _ = _PATTERN
        buffer = ctx.buffer(reserve=pattern.nbytes, dynamic=True)
        texture = ctx.texture_array((side, side, count * planes), 1, dtype="f4")
        (address,) = call("cudaMalloc", pattern.nbytes)
        try:
            call("cudaMemcpy", address, pattern.ctypes.data, pattern.nbytes, to_device)
            resource = self.register(buffer)
            try:
                self.fill(resource, DeviceImages(int(address), _PATTERN))
                texture.write(buffer)
                seen = np.frombuffer(texture.read(), np.float32)
            finally:
                self.unregister(resource)
            if not np.array_equal(seen, pattern.ravel()):
                raise CudaError("a test pattern written by CUDA is not what OpenGL reads")
        finally:
            call("cudaFree", address)
            texture.release()
            buffer.release()
