"""Back-ends: one protocol for everything that runs a network of a pack.

A back-end compiles a part of a pack ("generator", "encoder", "mapping", "readout") for one static
batch size; the engine it returns runs into buffers the caller owns. Tensors go by name, because
back-ends reorder them. To add one: a module with a class that honours `Backend`, and a row in `BACKENDS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from installation.errors import EngineError

Arrays = Mapping[str, NDArray[np.float32]]

PARTS = ("encoder", "generator", "mapping", "readout")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Static shape of one input or output; dtype is float32 everywhere outside the engine."""

    shape: tuple[int, ...]


class Engine(Protocol):
    """One compiled network with static shapes. Owned by the thread that runs it."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run once: read C-contiguous float32 `inputs`, write into the given `outputs`.

        Raises:
            EngineError: If a tensor is missing or has another shape, or the device failed.
        """

    def close(self) -> None:
        """Release device memory. The engine must not be used afterwards."""


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


BACKENDS = {
    "openvino": "engines.runtime.openvino_backend:OpenVinoBackend",
    "torch": "engines.networks.torch_backend:TorchBackend",
}
"""Back-end name -> where its class is. A string, so that naming one imports nothing."""

AUTO_ORDER = ("openvino",)
"""The order in which `backend = "auto"` tries them: the fastest first."""


def create_backend(name: str) -> Backend:
    """Make a back-end by name, or the first usable one for "auto".

    Raises:
        EngineError: If the name is unknown, or the back-end cannot be used here; says why.
    """
    if name != "auto" and name not in BACKENDS:
        raise EngineError(f"backend {name!r} is unknown; choose auto, {', '.join(BACKENDS)}")
    reasons = []
    for candidate in AUTO_ORDER if name == "auto" else (name,):
        module, _, attribute = BACKENDS[candidate].partition(":")
        try:
            backend: Backend = getattr(importlib.import_module(module), attribute)()
        except ImportError as error:
            reasons.append(f"{candidate}: the package {error.name} is not installed")
            continue
        why = backend.unavailable()
        if why is None:
            return backend
        reasons.append(f"{candidate}: {why}")
    raise EngineError("no back-end can run here: " + "; ".join(reasons))
