"""The back-end "cuda": the networks of a pack in PyTorch on an NVIDIA GPU, for machines without TensorRT.

Feature maps lie channels last and convolutions run in float16 where the golden vectors allow it, else in float32. A
run is one captured CUDA graph between tensors that never move; where a network cannot be captured it is launched layer
by layer, which is slower and no less right, and the log says so. Like "torch" it needs the pack's weights.

Has not run on a GPU yet; the tests run its logic on the CPU, where nothing is captured.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engines.networks.torch_backend import Network, build_network
from engines.runtime.backends import Arrays, TensorSpec, check_tensors
from engines.runtime.golden import check_golden
from installation.errors import EngineError

WARM_UP = 3
"""Runs before the capture: cuDNN chooses its algorithms in them."""

log = logging.getLogger(__name__)


class CudaBackend:
    """Runs a pack with PyTorch on one GPU; `device` "cpu" is for tests."""

    name = "cuda"

    def __init__(self, device: str = "cuda") -> None:
        self.device = torch.device(device)
        self._networks: dict[tuple[Path, str], Network] = {}

    def unavailable(self) -> str | None:
        if self.device.type == "cuda" and not torch.cuda.is_available():
            return f"this build of PyTorch ({torch.__version__}) finds no GPU that it can use"
        return None

    def compile(self, pack: Path, part: str, batch: int) -> CudaEngine:
        """Build a part in the lowest precision that gives the golden vectors."""
        key = (pack, part)
        try:
            if key not in self._networks:
                network = build_network(pack, part)
                network.module.eval().requires_grad_(False).to(self.device)
                network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                self._networks[key] = network
            refusal: EngineError | None = None
            for precision in ("fp16", "fp32"):
                engine = CudaEngine(self._networks[key], batch, self.device, precision)
                try:
                    check_golden(engine, pack, part)
                except EngineError as error:
                    engine.close()
                    log.info("cuda %s of %s: %s", precision, part, error)
                    refusal = error
                    continue
                return engine
        except RuntimeError as error:
            raise EngineError(f"PyTorch cannot prepare the {part}: {str(error).splitlines()[0]}") from error
        assert refusal is not None
        raise refusal


class CudaEngine:
    """A network at one batch size and precision, with its graph and its tensors on the device."""

    def __init__(self, network: Network, batch: int, device: torch.device, precision: str) -> None:
        name, shape = network.output
        self.precision = precision
        self.inputs: Mapping[str, TensorSpec] = {n: TensorSpec((batch, *s)) for n, s in network.inputs.items()}
        self.outputs: Mapping[str, TensorSpec] = {name: TensorSpec((batch, *shape))}
        self._network: Network | None = network
        self._device = device
        self._output = name
        pinned = device.type == "cuda"
        self._staged = {n: torch.zeros(s.shape, pin_memory=pinned) for n, s in self.inputs.items()}
        self._given = {n: torch.zeros(s.shape, device=device) for n, s in self.inputs.items()}
        self._fetched = torch.zeros(self.outputs[name].shape, pin_memory=pinned)
        self._made: Tensor | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        if device.type == "cuda":
            self._capture()

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        if self._network is None:
            raise EngineError("the engine is closed")
        check_tensors(self.inputs, inputs)
        check_tensors(self.outputs, outputs)
        try:
            for name, staged in self._staged.items():
                np.copyto(staged.numpy(), inputs[name])
                self._given[name].copy_(staged, non_blocking=True)
            if self._graph is not None:
                self._graph.replay()
            else:
                self._made = self._forward()
            assert self._made is not None
            self._fetched.copy_(self._made, non_blocking=True)
            if self._device.type == "cuda":
                torch.cuda.current_stream(self._device).synchronize()
        except RuntimeError as error:
            raise EngineError(f"PyTorch failed while running: {str(error).splitlines()[0]}") from error
        np.copyto(outputs[self._output], self._fetched.numpy())

    def close(self) -> None:
        self._network = self._graph = self._made = None
        self._given.clear()

    def _forward(self) -> Tensor:
        """Run the network on the device's own tensors; float32 without TF32, or float16 in the convolutions."""
        assert self._network is not None
        half = torch.autocast(self._device.type, torch.float16, enabled=self.precision == "fp16")
        with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=True, allow_tf32=False), half:
            result: Tensor = self._network.module(*self._given.values())
            return result.float()

    def _capture(self) -> None:
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._forward()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._made = self._forward()
        except RuntimeError as error:
            log.warning("not captured, launched layer by layer: %s", str(error).splitlines()[0])
            self._made = None
            return
        self._graph = graph
