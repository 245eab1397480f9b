"""The back-end "torch": the networks of a pack, rebuilt from its weights and run in float32.

Slower than the others and without a compiler: it is what they are compared with, and what runs where neither OpenVINO
nor TensorRT can. A pack needs `architecture` in its manifest and a `weights.safetensors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engines.importers.pickles import Malformed
from engines.importers.safetensors import read_safetensors
from engines.networks.architecture import (
    E4E,
    ENCODER_INPUT_SIZE,
    PSP,
    STYLEGAN2,
    encoder_from_json,
    generator_from_json,
)
from engines.networks.psp import Encoder
from engines.networks.stylegan2 import Generator
from engines.runtime.backends import Arrays, TensorSpec, check_tensors
from engines.runtime.manifest import Manifest, read_manifest
from installation.errors import EngineError

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Network:
    """One part of a pack as a module.

    Attributes:
        module: Takes its inputs by position and gives one tensor.
        inputs: Input name -> shape without the batch axis.
        output: Name and shape without the batch axis.
    """

    module: nn.Module
    inputs: Mapping[str, tuple[int, ...]]
    output: tuple[str, tuple[int, ...]]


Tensors = dict[str, Tensor]
Builder = Callable[[Manifest, Callable[[str], Tensors]], Network]
"""(manifest, reader of the tensors under a prefix) -> a network with its weights."""


class TorchBackend:
    """Runs a pack with PyTorch, on the GPU if there is one."""

    name = "torch"

    def __init__(self, device: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._networks: dict[tuple[Path, str], Network] = {}

    def unavailable(self) -> str | None:
        return None

    def compile(self, pack: Path, part: str, batch: int) -> TorchEngine:
        """Build a part; engines of several batch sizes share its weights."""
        key = (pack, part)
        if key not in self._networks:
            network = build_network(pack, part)
            network.module.to(self.device).eval().requires_grad_(False)
            self._networks[key] = network
        return TorchEngine(self._networks[key], batch, self.device)


class TorchEngine:
    """A network at one batch size."""

    precision = "fp32"

    def __init__(self, network: Network, batch: int, device: torch.device) -> None:
        name, shape = network.output
        self.inputs: Mapping[str, TensorSpec] = {n: TensorSpec((batch, *s)) for n, s in network.inputs.items()}
        self.outputs: Mapping[str, TensorSpec] = {name: TensorSpec((batch, *shape))}
        self._module: nn.Module | None = network.module
        self._output = name
        self._device = device

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        if self._module is None:
            raise EngineError("the engine is closed")
        check_tensors(self.inputs, inputs)
        check_tensors(self.outputs, outputs)
        tensors = [torch.from_numpy(np.array(inputs[name])).to(self._device) for name in self.inputs]
        # TF32 would cost the golden vectors three decimals.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            result = self._module(*tensors)
        np.copyto(outputs[self._output], result.cpu().numpy())

    def close(self) -> None:
        self._module = None


def build_network(pack: Path, part: str) -> Network:
    """Rebuild a part of a pack from its weights, on the CPU in float32.

    Raises:
        EngineError: If PyTorch does not know its architecture, or the weights are missing or of another network.
    """
    manifest = read_manifest(pack)
    record = manifest.architecture.get("generator" if part == "mapping" else part)
    kind = record.get("kind") if isinstance(record, dict) else None
    builder = BUILDERS.get((str(kind), part))
    if builder is None:
        raise EngineError(
            f"the pack {manifest.name!r} gives its {part} the architecture {kind!r}, which PyTorch cannot rebuild; "
            "use another backend"
        )
    path = pack / WEIGHTS
    if not path.is_file():
        raise EngineError(f"{pack} has no {WEIGHTS}, which the torch backend needs; use another backend")
    try:
        with open(path, "rb") as stream:
            stored, _ = read_safetensors(stream, path.stat().st_size)

            def tensors(prefix: str) -> Tensors:
                return {
                    name.removeprefix(prefix): torch.from_numpy(np.array(array.load()))
                    for name, array in stored.items()
                    if name.startswith(prefix)
                }

            return builder(manifest, tensors)
    except (OSError, Malformed) as error:
        raise EngineError(f"{path} cannot be read: {error}; import the pack again") from error


def _generator(manifest: Manifest, tensors: Callable[[str], Tensors]) -> Network:
    arch = generator_from_json(manifest.architecture["generator"])
    module = Generator(arch).synthesis
    _fill(module, tensors("generator.synthesis."))
    side = arch.resolution
    return Network(module, {"w_plus": (arch.num_ws, arch.w_dim)}, ("image", (3, side, side)))


def _mapping(manifest: Manifest, tensors: Callable[[str], Tensors]) -> Network:
    arch = generator_from_json(manifest.architecture["generator"])
    module = Generator(arch).mapping
    _fill(module, tensors("generator.mapping."))
    return Network(module, {"z": (arch.z_dim,)}, ("w_plus", (arch.num_ws, arch.w_dim)))


class _AveragedEncoder(nn.Module):
    """An encoder whose codes start from the average latent."""

    latent_avg: Tensor

    def __init__(self, encoder: Encoder, latent_avg: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("latent_avg", latent_avg)

    def forward(self, crop: Tensor) -> Tensor:
        w_plus: Tensor = self.encoder(crop) + self.latent_avg
        return w_plus


def _encoder(manifest: Manifest, tensors: Callable[[str], Tensors]) -> Network:
    arch = encoder_from_json(manifest.architecture["encoder"])
    module: nn.Module = Encoder(arch)
    _fill(module, tensors("encoder."))
    if arch.adds_average:
        assert isinstance(module, Encoder)
        module = _AveragedEncoder(module, tensors("generator.mapping.w_avg")[""])
    side = ENCODER_INPUT_SIZE
    return Network(module, {"crop": (3, side, side)}, ("w_plus", (arch.rows, arch.width)))


def _fill(module: nn.Module, tensors: Tensors) -> None:
    """Load weights; counters of batch norms are the only thing that may be missing.

    Raises:
        EngineError: If the weights are of another network.
    """
    try:
        missing, unexpected = module.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise EngineError(f"{WEIGHTS} does not fit the manifest: {str(error).splitlines()[-1].strip()}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise EngineError(f"{WEIGHTS} does not fit the manifest: {(missing or unexpected)[0]!r} is in only one of them")


BUILDERS: dict[tuple[str, str], Builder] = {
    (STYLEGAN2, "generator"): _generator,
    (STYLEGAN2, "mapping"): _mapping,
    (PSP, "encoder"): _encoder,
    (E4E, "encoder"): _encoder,
}
"""(kind in the manifest's architecture, part) -> how to build it. The mapping belongs to the generator's record."""
