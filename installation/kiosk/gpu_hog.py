"""A program that takes all memory of an NVIDIA GPU: `python -m installation.kiosk.gpu_hog`; its input's end is its own.

What another program on the same machine may do to the show. It takes what is left in ever smaller pieces, says on a
line how much it has, and goes on taking what others give back.

Source: NVIDIA CUDA Driver API, "Memory Management" (cuMemAlloc), "Primary Context Management".
"""

from __future__ import annotations

import ctypes
import select
import subprocess
import sys

from engines.runtime.nvidia import LIBRARY
from installation.errors import EngineError, MirrorError

LARGEST, SMALLEST = 1 << 30, 1 << 20
"""Bytes of a piece; halved where there is no room."""

_AGAIN_S = 0.02
_OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY


class GpuHog:
    """All memory of the GPU, in the hands of another process, until `close`.

    Raises:
        MirrorError: If it cannot be taken.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "installation.kiosk.gpu_hog", *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            raise MirrorError(f"the GPU's memory cannot be taken: {self._process.communicate()[1].strip()}")
        self.held = int(told)
        """Bytes that were taken at the start."""

    def close(self) -> None:
        """Give it back."""
        self._process.communicate()


class _Hog:
    """Holds the memory of one GPU; the driver takes it back when this process ends.

    Raises:
        EngineError: If there is no driver or no such GPU.
    """

    def __init__(self, library: str = LIBRARY, index: int = 0) -> None:
        try:
            self._cuda = ctypes.CDLL(library)
        except OSError as error:
            raise EngineError(f"there is no NVIDIA driver here ({library} cannot be loaded)") from error
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), index)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        self.held = 0
        """Bytes."""

    def take(self) -> int:
        """Take all that is left; returns how many bytes that was."""
        before, size = self.held, LARGEST
        while size >= SMALLEST:
            piece = ctypes.c_uint64()
            status = self._cuda.cuMemAlloc_v2(ctypes.byref(piece), ctypes.c_size_t(size))
            if status == 0:
                self.held += size
            elif status == _OUT_OF_MEMORY:
                size //= 2
            else:
                raise EngineError(f"the NVIDIA driver answers cuMemAlloc with error {status}; look at nvidia-smi")
        return self.held - before

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._cuda, name)(*arguments)
        if status != 0:
            raise EngineError(f"the NVIDIA driver answers {name} with error {status}; look at nvidia-smi")


def main(library: str = LIBRARY) -> int:
    """Take everything, say so, and hold it until the input ends."""
    try:
        hog = _Hog(library)
        hog.take()
        print(hog.held, flush=True)
        while not select.select([sys.stdin], [], [], _AGAIN_S)[0]:
            hog.take()
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
