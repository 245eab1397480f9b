"""From a checkpoint to a pack: recognise, check, write, compute golden vectors.

No step holds more than a few tensors, and PyTorch is not imported. Whatever goes wrong, the folder that was being
written vanishes; see `engines.packing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.export.encoder_graph import encoder_graph
from engines.export.generator_graph import FP16, FP32, generator_graph, mapping_graph
from engines.export.golden import golden_vectors, mean_latent
from engines.export.writer import Graph, write_onnx
from engines.importers.files import opened
from engines.importers.layouts import Weights, recognise
from engines.importers.licences import assumed_licence
from engines.importers.safetensors import write_safetensors
from engines.lazy import LazyArray
from engines.networks.architecture import ENCODER_INPUT_SIZE
from engines.packing import Licence, Part, sha256_of, write_pack
from installation.errors import EngineError
from installation.runtime.progress import Progress

GENERATOR_PASSES = 6
ENCODER_PASSES = 4
"""How often each tensor is read while a pack is made; only the progress bar needs to know."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made.

    Attributes:
        pack: The folder.
        layout: What the file was recognised as.
        resolution: Of the generator.
        has_encoder: Whether visitors can be shown.
        licence: As written into the pack.
        notes: What a person should know.
    """

    pack: Path
    layout: str
    resolution: int
    has_encoder: bool
    licence: Licence
    notes: tuple[str, ...]


def import_checkpoint(
    source: Path,
    destination: Path,
    *,
    name: str | None = None,
    encoder_kind: str | None = None,
    licence: Licence | None = None,
    replace: bool = False,
) -> Imported:
    """Turn a checkpoint into a pack.

    Args:
        source: pSp, e4e, rosinality or NVIDIA, as `.pt`, `.pkl` or `.safetensors`; the content decides.
        destination: The folder to make.
        name: The pack's name; the file's if None.
        encoder_kind: "psp" or "e4e" where the file does not say.
        licence: Of the weights, where a person knows it.
        replace: Take the place of an existing pack.

    Raises:
        EngineError: If the file is refused, for a reason in one sentence; nothing is left behind.
    """
    if destination.exists() and not replace:
        raise EngineError(f"{destination} exists already; choose another --out or add --replace")
    with opened(source) as content:
        weights = recognise(content, encoder_kind)
        if weights is None:
            raise EngineError(
                "it holds none of the known networks (pSp, e4e, rosinality's or NVIDIA's StyleGAN2); "
                "directions are imported with --into PACK"
            )
        terms = licence or assumed_licence(source.name, weights.layout)
        total = GENERATOR_PASSES * _size(weights.generator_tensors) + ENCODER_PASSES * _size(weights.encoder_tensors)
        with Progress(total, f"importing {weights.layout}") as progress:
            _write(source, destination, name or pack_name(source), weights, terms, replace, progress)
            progress.advance(max(total - progress.done, 0))
    return Imported(
        destination, weights.layout, weights.generator.resolution, weights.encoder is not None, terms, weights.notes
    )


def pack_name(source: Path) -> str:
    """Make a pack's name of a file's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", source.stem).strip("-.")[:80] or "imported"


def _write(
    source: Path, destination: Path, name: str, weights: Weights, licence: Licence, replace: bool, progress: Progress
) -> None:
    arch = weights.generator
    generator = _counted(weights.generator_tensors, progress)
    encoder = _counted(weights.encoder_tensors, progress)
    average = mean_latent(arch, generator) if weights.average is None else weights.average.load()
    w_avg = np.ascontiguousarray(np.broadcast_to(average, (arch.num_ws, arch.w_dim)), np.float32)
    stored = {f"generator.{key}": value for key, value in generator.items()}
    stored["generator.mapping.w_avg"] = LazyArray.of(w_avg)
    stored |= {f"encoder.{key}": value for key, value in encoder.items()}
    parts: dict[str, Part] = {
        "weights.safetensors": lambda path: write_safetensors(path, stored),
        "mapping.onnx": _onnx(lambda: mapping_graph(arch, generator)),
        "generator.onnx": _onnx(lambda: generator_graph(arch, generator, FP32)),
        "generator_fp16.onnx": _onnx(lambda: generator_graph(arch, generator, FP16)),
    }
    architecture: dict[str, Any] = {"generator": arch.as_json()}
    shape = weights.encoder
    if shape is not None:
        architecture["encoder"] = shape.as_json()
        parts["encoder.onnx"] = _onnx(lambda: encoder_graph(shape, encoder, w_avg, FP32))
        parts["encoder_fp16.onnx"] = _onnx(lambda: encoder_graph(shape, encoder, w_avg, FP16))
    write_pack(
        destination,
        name=name,
        resolution=arch.resolution,
        num_ws=arch.num_ws,
        w_dim=arch.w_dim,
        z_dim=arch.z_dim,
        parts=parts,
        w_avg=w_avg,
        encoder=None if shape is None else {"input_size": ENCODER_INPUT_SIZE, "landmarks": False},
        architecture=architecture,
        golden=lambda: golden_vectors(arch, generator, w_avg, shape, encoder),
        provenance={
            "kind": "import",
            "source": source.name,
            "source_sha256": sha256_of(source),
            "layout": weights.layout,
            "notes": list(weights.notes),
        },
        licence=licence,
        replace=replace,
    )


def _onnx(make: Callable[[], Graph]) -> Part:
    return lambda path: write_onnx(make(), path)


def _size(tensors: Mapping[str, LazyArray]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _counted(tensors: Mapping[str, LazyArray], progress: Progress) -> dict[str, LazyArray]:
    """Let every loading move the progress bar."""

    def counted(tensor: LazyArray) -> LazyArray:
        def load() -> NDArray[Any]:
            array = tensor.load()
            progress.advance(tensor.nbytes)
            return array

        return LazyArray(tensor.shape, tensor.dtype, load)

    return {name: counted(tensor) for name, tensor in tensors.items()}
