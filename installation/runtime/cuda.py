"""The CUDA runtime through cuda-python, for edges that share the memory of a GPU: every answer is looked at.

Imported only where something already lies on a GPU. The runtime uses the primary context of device 0, as PyTorch and
TensorRT do: addresses and streams of one thread mean the same in another.

Source: CUDA Runtime API; cuda-python, `cuda.bindings.runtime`: functions give (status, values ...).
"""

from __future__ import annotations

import importlib
from typing import Any

from installation.errors import MirrorError


class CudaError(MirrorError):
    """The CUDA runtime is not there, or answers a call with an error."""


class Cuda:
    """Calls the runtime by the names of its functions. May be used from any thread.

    Attributes:
        names: The module, for its constants and enumerations.

    Raises:
        CudaError: If cuda-python is not installed.
    """

    def __init__(self) -> None:
        try:
            self.names: Any = importlib.import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise CudaError(
                f"the package cuda-bindings cannot be loaded ({error}); pip install 'machine-reflections[cuda]'"
            ) from error

    def call(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a function; returns its values.

        Raises:
            CudaError: If it answers with anything but success.
        """
        status, *values = getattr(self.names, function)(*arguments)
        if int(status) != 0:
            raise CudaError(f"the GPU answers {function} with {getattr(status, 'name', status)}")
        return tuple(values)
