"""Back-ends: one protocol for everything that runs a network of a pack.

A back-end compiles a part of a pack ("generator", "encoder", "mapping", "readout") for one static
batch size; the engine it returns runs into buffers the caller owns. Tensors go by name, because
back-ends reorder them. To add one: a module with a class that honours `Backend`, and a row in `BACKENDS`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.runtime.nvidia import why_no_nvidia
from installation.errors import EngineError

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[np.float32]]

PARTS = ("encoder", "generator", "mapping", "readout")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Static shape of one input or output; dtype is float32 everywhere outside the engine."""

    shape: tuple[int, ...]


def check_tensors(specs: Mapping[str, TensorSpec], arrays: Arrays) -> None:
    """See that each tensor is there, C-contiguous float32, and of its shape.

    Raises:
        EngineError: Naming the first that is not.
    """
    for name, spec in specs.items():
        array = arrays.get(name)
        if array is None or array.shape != spec.shape or array.dtype != np.float32 or not array.flags.c_contiguous:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            layout = "" if array is None or array.flags.c_contiguous else ", not C-contiguous"
            raise EngineError(f"{name!r} must be C-contiguous float32 {spec.shape}, found {found}{layout}")


class Engine(Protocol):
    """One compiled network with static shapes. Owned by the thread that runs it.

    `precision` is that of the arithmetic inside, "fp32", "fp16" or "bf16": golden vectors are compared accordingly.
    """

    precision: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run once: read C-contiguous float32 `inputs`, write into the given `outputs`.

        Raises:
            EngineError: If a tensor is missing or has another shape, or the device failed.
        """

    def close(self) -> None:
        """Release device memory. The engine must not be used afterwards."""


@runtime_checkable
class QueuedEngine(Engine, Protocol):
    """An engine that computes by itself while its thread does something else. One run is under way at a time."""

    def start(self, inputs: Arrays, outputs: Arrays) -> None:
        """Begin a run; the arrays must be left alone until `wait` has returned.

        Raises:
            EngineError: As `run`, but for what happens on the device; if a run is under way.
        """

    def wait(self) -> None:
        """Finish the run that was begun.

        Raises:
            EngineError: If there is none, or the device failed.
        """


@runtime_checkable
class ResidentEngine(Engine, Protocol):
    """An engine on an NVIDIA GPU with one output, which can be taken up where it is made."""

    def launch(self, inputs: Arrays) -> tuple[int, int]:
        """Start a run without waiting for its end, which the caller does before the next.

        Returns:
            Where in the GPU's memory the output will be, C-contiguous float32, and the CUDA stream on which it is made.

        Raises:
            EngineError: As `run`.
        """


@runtime_checkable
class KeepingEngine(Engine, Protocol):
    """An engine that keeps copies of what passed through it, in staging memory or on its device."""

    def forget(self) -> None:
        """Write over every copy.

        Raises:
            EngineError: If the device failed.
        """


@runtime_checkable
class ByteEngine(Engine, Protocol):
    """An engine that makes numbers of pictures by itself, on its device."""

    def run_bytes(self, crop: NDArray[np.uint8], outputs: Arrays) -> None:
        """Run once: like `run` with the one input `crop` (1, 3, s, s) in [-1, 1], given as (s, s, 3) uint8 RGB.

        Raises:
            EngineError: As `run`.
        """


class Backend(Protocol):
    """A way to run ONNX or weights on some device."""

    name: str

    def unavailable(self) -> str | None:
        """Why this back-end cannot be used here, as a sentence; None if it can."""

    def compile(self, pack: Path, part: str, batch: int) -> Engine:
        """Compile `part` of the pack folder for `batch`. May take minutes the first time.

        Raises:
            EngineError: If the part is missing, or does not compile.
        """


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What `[engine]` says about the back-end, beside its name.

    Attributes:
        device: Where OpenVINO runs: "CPU", "GPU", "GPU.1", "NPU".
        threads: CPU threads of OpenVINO.
        precision: "full", or "half": OpenVINO computes in bfloat16 or float16 where the device has it and the pack's
            golden vectors allow it. TensorRT and CUDA always do so.
    """

    device: str = "CPU"
    threads: int = 2
    precision: str = "full"


BACKENDS = {
    "tensorrt": "engines.runtime.tensorrt_backend:TensorRtBackend",
    "cuda": "engines.networks.cuda_backend:CudaBackend",
    "openvino": "engines.runtime.openvino_backend:OpenVinoBackend",
    "torch": "engines.networks.torch_backend:TorchBackend",
}
"""Back-end name -> where its class is. A string, so that naming one imports nothing."""

NEEDS_NVIDIA = frozenset({"tensorrt", "cuda"})
"""Not even imported without a GPU: PyTorch alone is seconds and hundreds of megabytes."""

AUTO_ORDER = ("tensorrt", "cuda", "openvino")
"""The order in which `backend = "auto"` tries them: the fastest first."""


def create_backend(name: str, options: BackendOptions | None = None) -> Backend:
    """Make a back-end by name, or the first usable one for "auto".

    Raises:
        EngineError: If the name is unknown, or the back-end cannot be used here; says why.
    """
    reasons: list[str] = []
    for backend in usable_backends(name, options, reasons.append):
        return backend
    raise EngineError("no back-end can run here: " + "; ".join(reasons))


def usable_backends(
    name: str, options: BackendOptions | None = None, announce: Callable[[str], None] = lambda text: None
) -> Iterator[Backend]:
    """Make every back-end that can run here, the fastest first, each when it is asked for.

    Args:
        name: One back-end, or "auto".
        options: For those that take any.
        announce: Told why a back-end is left out, in a sentence.

    Raises:
        EngineError: If the name is unknown.
    """
    if name != "auto" and name not in BACKENDS:
        raise EngineError(f"backend {name!r} is unknown; choose auto, {', '.join(BACKENDS)}")
    for candidate in AUTO_ORDER if name == "auto" else (name,):
        made = _make(candidate, options or BackendOptions())
        if isinstance(made, str):
            log.info("not %s", made)
            announce(made)
        else:
            yield made


def _make(name: str, options: BackendOptions) -> Backend | str:
    """Make one back-end, or say why it cannot be used."""
    if name in NEEDS_NVIDIA and (why := why_no_nvidia()):
        return f"{name}: {why}"
    module, _, attribute = BACKENDS[name].partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
        takes_options = name == "openvino"
        backend: Backend = (
            make(options.device, options.threads, precision=options.precision) if takes_options else make()
        )
    except ImportError as error:
        missing = f"the package {error.name} is not installed" if error.name else f"it does not load ({error})"
        return f"{name}: {missing}"
    why = backend.unavailable()
    return backend if why is None else f"{name}: {why}"
