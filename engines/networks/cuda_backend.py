"""The back-end "cuda": the networks of a pack in PyTorch on an NVIDIA GPU, for machines without TensorRT.

Feature maps lie channels last and convolutions run in float16 where the golden vectors allow it, else in float32. A
run is one captured CUDA graph between tensors that never move; where a network cannot be captured it is launched layer
by layer, which is slower and no less right, and the log says so. A crop may come as bytes, and a picture may stay on
the device (`engines.runtime.resident`). Like "torch" it needs the pack's weights.

Has not run on a GPU yet; the tests run its logic on the CPU, where nothing is captured.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
        self._module: nn.Module | None = network.module
        self._device = device
        self._output = name
        self._on_gpu = device.type == "cuda"
        self._staged = {n: torch.zeros(s.shape, pin_memory=self._on_gpu) for n, s in self.inputs.items()}
        self._given = {n: torch.zeros(s.shape, device=device) for n, s in self.inputs.items()}
        self._fetched = torch.zeros(self.outputs[name].shape, pin_memory=self._on_gpu)
        self._forward = Captured(self._compute, device)
        self._bytes: BytesIn | None = None
        self._made: Tensor | None = None

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        self._send(inputs)
        self._finish(outputs)

    def run_bytes(self, crop: NDArray[np.uint8], outputs: Arrays) -> None:
        self._check_open()
        if list(self._given) != ["crop"] or self._given["crop"].shape[0] != 1:
            raise EngineError(f"only an encoder of single crops takes bytes; this network takes {list(self._given)}")
        with _told():
            if self._bytes is None:
                self._bytes = BytesIn(self._given["crop"], self._on_gpu)
            self._bytes.send(crop)
        self._finish(outputs)

    def launch(self, inputs: Arrays) -> tuple[int, int]:
        self._send(inputs)
        with _told():
            self._made = self._forward()
        stream = torch.cuda.current_stream(self._device).cuda_stream if self._on_gpu else 0
        return self._made.data_ptr(), stream

    def forget(self) -> None:
        copies = [*self._staged.values(), *self._given.values(), self._fetched, self._made, self._forward.result]
        if self._bytes is not None:
            copies += self._bytes.copies
        with _told(), torch.inference_mode():
            for copy in copies:
                if copy is not None:
                    copy.zero_()

    def close(self) -> None:
        self._module = self._made = self._bytes = None
        self._forward.release()
        self._given.clear()

    def _check_open(self) -> None:
        if self._module is None:
            raise EngineError("the engine is closed")

    def _send(self, inputs: Arrays) -> None:
        self._check_open()
        check_tensors(self.inputs, inputs)
        with _told():
            for name, staged in self._staged.items():
                np.copyto(staged.numpy(), inputs[name])
                self._given[name].copy_(staged, non_blocking=True)

    def _finish(self, outputs: Arrays) -> None:
        """Run on what was sent, and fetch."""
        check_tensors(self.outputs, outputs)
        with _told():
            self._fetched.copy_(self._forward(), non_blocking=True)
            if self._on_gpu:
                torch.cuda.current_stream(self._device).synchronize()
        np.copyto(outputs[self._output], self._fetched.numpy())

    def _compute(self) -> Tensor:
        """Run the network on the device's own tensors; float32 without TF32, or float16 in the convolutions."""
        assert self._module is not None
        half = torch.autocast(self._device.type, torch.float16, enabled=self.precision == "fp16")
        with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=True, allow_tf32=False), half:
            result: Tensor = self._module(*self._given.values())
            return result.float().contiguous()  # planes, whatever the convolutions left


class BytesIn:
    """A crop's way in as it is: bytes through pinned memory, made planes in [-1, 1] on the device.

    The arithmetic is a graph of its own, launched right before the network's: so the network has one graph for both
    ways in. On the CPU the numbers are those of `installation.inference` to the bit.
    """

    def __init__(self, crop: Tensor, pinned: bool) -> None:
        """Take the network's input, (1, 3, s, s) on its device, to write into."""
        _, planes, height, width = crop.shape
        self._crop = crop
        self._staged = torch.zeros((height, width, planes), dtype=torch.uint8, pin_memory=pinned)
        self._given = torch.zeros((height, width, planes), dtype=torch.uint8, device=crop.device)
        self._normalise = Captured(self._compute, crop.device)

    @property
    def copies(self) -> list[Tensor]:
        """What is kept of the last crop."""
        return [self._staged, self._given]

    def send(self, crop: NDArray[np.uint8]) -> None:
        """Write (s, s, 3) uint8 RGB into the network's input, without waiting.

        Raises:
            EngineError: If it has another shape or type.
        """
        shape = tuple(self._staged.shape)
        if crop.shape != shape or crop.dtype != np.uint8:
            raise EngineError(f"'crop' must be uint8 {shape}, found {crop.dtype} {crop.shape}")
        np.copyto(self._staged.numpy(), crop)
        self._given.copy_(self._staged, non_blocking=True)
        self._normalise()

    def _compute(self) -> Tensor:
        with torch.inference_mode():
            self._crop[0].copy_(self._given.permute(2, 0, 1))
            return self._crop.mul_(1.0 / 127.5).sub_(1.0)


class Captured:
    """A function of tensors that never move, as one CUDA graph; simply called on a CPU or where it cannot be captured.

    Args:
        function: Gives its result in the same place each time it is replayed.
        device: Where it runs.

    Attributes:
        result: Where a graph leaves it; None without a graph.
    """

    def __init__(self, function: Callable[[], Tensor], device: torch.device) -> None:
        self._function: Callable[[], Tensor] | None = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self.result: Tensor | None = None
        if device.type == "cuda":
            self._capture(function, device)

    def __call__(self) -> Tensor:
        assert self._function is not None, "released"
        if self._graph is None:
            return self._function()
        self._graph.replay()
        assert self.result is not None
        return self.result

    def release(self) -> None:
        """Let go of graph and memory."""
        self._function = self._graph = self.result = None

    def _capture(self, function: Callable[[], Tensor], device: torch.device) -> None:
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                function()
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # the display's thread uses CUDA too
                self.result = function()
        except RuntimeError as error:
            log.warning("not captured, launched layer by layer: %s", str(error).splitlines()[0])
            self.result = None
            return
        self._graph = graph


@contextmanager
def _told() -> Iterator[None]:
    """Tell PyTorch's faults as ours."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(f"PyTorch failed while running: {str(error).splitlines()[0]}") from error
