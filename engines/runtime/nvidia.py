"""Is there an NVIDIA GPU, and which: asked of the driver itself, before anything large is imported for it.

PyTorch takes seconds and hundreds of megabytes to say that there is no GPU; the driver's library says it in a
millisecond. What it says is also part of the key under which compiled engines are kept.

Source: NVIDIA CUDA Driver API, "Initialization", "Version Management", "Device Management".
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

from installation.errors import EngineError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute
_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class NvidiaDevice:
    """One GPU: its name, compute capability ("9.0"), and the newest CUDA version that the driver runs (13010)."""

    name: str
    capability: str
    driver: int


def find_nvidia(library: str = LIBRARY, index: int = 0) -> NvidiaDevice:
    """Ask the driver for one GPU.

    Raises:
        EngineError: If there is no driver or no such GPU; says which.
    """
    try:
        cuda = ctypes.CDLL(library)
    except OSError as error:
        raise EngineError(f"there is no NVIDIA driver here ({library} cannot be loaded)") from error
    count, handle, driver = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    major, minor = ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call(cuda.cuInit, 0)
    _call(cuda.cuDeviceGetCount, ctypes.byref(count))
    if count.value <= index:
        raise EngineError(f"the NVIDIA driver knows {count.value} GPUs; number {index} was asked for")
    _call(cuda.cuDeviceGet, ctypes.byref(handle), index)
    _call(cuda.cuDeviceGetName, name, _NAME_BYTES, handle)
    _call(cuda.cuDeviceGetAttribute, ctypes.byref(major), _CAPABILITY_MAJOR, handle)
    _call(cuda.cuDeviceGetAttribute, ctypes.byref(minor), _CAPABILITY_MINOR, handle)
    _call(cuda.cuDriverGetVersion, ctypes.byref(driver))
    return NvidiaDevice(name.value.decode("utf-8", "replace"), f"{major.value}.{minor.value}", driver.value)


def why_no_nvidia() -> str | None:
    """Say why no NVIDIA GPU can be used, None if one can."""
    try:
        find_nvidia()
    except EngineError as error:
        return str(error)
    return None


def _call(function: ctypes._NamedFuncPointer, *arguments: object) -> None:
    status = function(*arguments)
    if status != 0:
        raise EngineError(f"the NVIDIA driver answers {function.__name__} with error {status}; look at nvidia-smi")
