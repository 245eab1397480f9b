"""Turn trained networks into the default pack: graphs, average, directions, golden vectors, provenance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.export.torch_export import export_onnx
from engines.faces.parameters import NAMES
from engines.packing import MANIFEST, Direction, Licence, save_arrays, seal, staged_folder, write_pack
from engines.training.directions import AXES, SAMPLES, fit_direction
from engines.training.encoder import CROP_SIZE, Encoder, Surrogate
from engines.training.features import Copula
from engines.training.generator import PortraitModel
from engines.training.networks import Readout
from engines.training.portrait import portrait_samples
from engines.training.refinement import Likeness, RefineGraph, SettleGraph, held_features, lasting_features
from installation.core.types import NUM_LANDMARKS
from installation.errors import EngineError

AVERAGE_SAMPLES = 10_000

GOLDEN_WINDOW = 32
"""Pixels a side of the picture that golden vectors keep."""

SAME_LATENT = 1e-4
"""Largest difference between two latents of one mapping, computed twice."""

LICENCE_TEXT = """These weights were trained by Machine Reflections on its own procedural portraits alone.
No photograph of any person was used. They are licensed, with the project, under the Apache License, Version 2.0:
https://www.apache.org/licenses/LICENSE-2.0
"""


class MappingGraph(nn.Module):
    """z -> W+: copula, features, row networks."""

    def __init__(self, model: PortraitModel, copula: Copula) -> None:
        super().__init__()
        self.model, self.copula = model, copula

    def forward(self, z: Tensor) -> Tensor:
        return self.model.latents(self.copula(z))


class PortraitGraph(nn.Module):
    """Portrait parameters -> W+: what a given portrait is to the generator."""

    def __init__(self, model: PortraitModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, parameters: Tensor) -> Tensor:
        return self.model.latents(parameters)


class ReadoutGraph(nn.Module):
    """W+ -> portrait parameters in their own units and ranges."""

    def __init__(self, model: PortraitModel, readout: Readout) -> None:
        super().__init__()
        self.features, self.readout = model.features, readout

    def forward(self, w_plus: Tensor) -> Tensor:
        return self.features.invert(self.readout(w_plus))


@torch.no_grad()
def write_default_pack(
    destination: Path,
    model: PortraitModel,
    encoder: Encoder,
    surrogate: Surrogate,
    readout: Readout,
    provenance: MappingType[str, Any],
) -> Path:
    """Write the pack folder, in place of an older one.

    Args:
        destination: The folder.
        model: Averaged generator and mapping.
        encoder: Trained for the same features; it takes the mapping of `model`.
        surrogate: Trained beside the encoder.
        readout: Trained on the mapping of `model`.
        provenance: Recipe, samples, seeds and figures.
    """
    arch, split = model.arch, model.arch.coarse_rows
    people = portrait_samples()
    mapping = MappingGraph(model, Copula(people)).eval()
    reading = ReadoutGraph(model, readout).eval()
    encoder.mapping, encoder.features = model.mapping, model.features
    encoder.eval()
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(AVERAGE_SAMPLES, len(NAMES), generator=rng)
    w_avg = torch.cat([mapping(piece) for piece in z.split(500)]).mean(0)
    parameters = torch.from_numpy(people[:SAMPLES])
    directions = {
        axis.name: Direction(
            fit_direction(model, axis, parameters), axis.unit, axis.low, axis.high,
            f"mean effect of {', '.join(axis.parts)} over {SAMPLES} procedural people",
        )
        for axis in AXES
    }  # fmt: skip
    w_shape: tuple[int | str, ...] = ("n", arch.num_ws, arch.w_dim)
    return write_pack(
        destination,
        name="default",
        resolution=arch.resolution,
        num_ws=arch.num_ws,
        w_dim=arch.w_dim,
        z_dim=len(NAMES),
        bands={"coarse": (0, split), "middle": (split, split + 2), "fine": (split + 2, arch.num_ws)},
        parts={
            "generator.onnx": lambda path: export_onnx(model.generator, {"w_plus": w_shape}, ["image"], path),
            "encoder.onnx": lambda path: export_onnx(
                encoder,
                {"crop": ("n", 3, CROP_SIZE, CROP_SIZE), "landmarks": ("n", NUM_LANDMARKS, 3)},
                ["w_plus"],
                path,
            ),
            "mapping.onnx": lambda path: export_onnx(mapping, {"z": ("n", len(NAMES))}, ["w_plus"], path),
            "portrait.onnx": lambda path: export_onnx(
                PortraitGraph(model), {"parameters": ("n", len(NAMES))}, ["w_plus"], path
            ),
            "readout.onnx": lambda path: export_onnx(reading, {"w_plus": w_shape}, ["parameters"], path),
            **refinement_parts(model, encoder, surrogate, readout),
        },
        w_avg=w_avg.numpy(),
        directions=directions,
        encoder={"input_size": CROP_SIZE, "landmarks": True, "upright": True},
        architecture={"generator": asdict(arch), "readout": {"parameters": list(NAMES)}, **refinement_facts(model)},
        golden=_golden(model, encoder, mapping, reading, z),
        provenance=dict(provenance),
        licence=Licence("Apache-2.0", LICENCE_TEXT, commercial_use=True),
        replace=True,
    )


@torch.no_grad()
def replace_generator(destination: Path, model: PortraitModel, provenance: MappingType[str, Any]) -> Path:
    """Put another synthesis network into a pack of the same mapping; every other part stays as it is.

    Args:
        destination: The pack's folder.
        model: Its mapping must be the pack's own.
        provenance: What changes in the pack's.

    Raises:
        EngineError: If the pack maps the same portraits to other latents.
    """
    with np.load(destination / "golden.npz", allow_pickle=False) as arrays:
        golden = {name: array.copy() for name, array in arrays.items()}
    mapping = MappingGraph(model, Copula(portrait_samples())).eval()
    latents = mapping(torch.from_numpy(golden["mapping.in.z"])).numpy()
    if not np.allclose(latents, golden["mapping.out.w_plus"], atol=SAME_LATENT):
        raise EngineError(f"{destination} has another mapping than this training; write the pack whole: --stage pack")
    golden["generator.out.image"] = _window(model.generator(torch.from_numpy(golden["generator.in.w_plus"]))).numpy()
    shape: tuple[int | str, ...] = ("n", model.arch.num_ws, model.arch.w_dim)
    parts: dict[str, Callable[[Path], None]] = {
        "generator.onnx": lambda path: export_onnx(model.generator, {"w_plus": shape}, ["image"], path),
        "golden.npz": lambda path: save_arrays(path, golden),
    }
    return replace_parts(destination, parts, provenance)


def refinement_parts(
    model: PortraitModel, encoder: Encoder, surrogate: Surrogate, readout: Readout
) -> dict[str, Callable[[Path], None]]:
    """Writers of the two graphs that refine a likeness."""
    arch, features = model.arch, model.features.count
    likeness = Likeness(encoder, surrogate).eval().requires_grad_(False)
    w_plus: tuple[int | str, ...] = ("n", arch.num_ws, arch.w_dim)
    crop: tuple[int | str, ...] = ("n", 3, CROP_SIZE, CROP_SIZE)
    landmarks: tuple[int | str, ...] = ("n", NUM_LANDMARKS, 3)
    refining, settling = RefineGraph(likeness, readout).eval(), SettleGraph(model, likeness, readout).eval()
    seen = {"w_plus": w_plus, "crop": crop, "landmarks": landmarks}
    held = {"features": ("n", features), "held": ("n", features), "amount": ("n", 1)}
    return {
        "refine.onnx": lambda path: export_onnx(refining, seen, ["features"], path),
        "settle.onnx": lambda path: export_onnx(
            settling, {"w_plus": w_plus, "landmarks": landmarks, **held}, ["settled"], path
        ),
    }


def refinement_facts(model: PortraitModel) -> dict[str, Any]:
    """What the manifest's architecture says of them: which features last for a visit, and how far they are held."""
    lasting, held = lasting_features(model.features), held_features(model.features)
    return {"refinement": {"lasting": lasting.int().tolist(), "held": [round(float(part), 2) for part in held]}}


def replace_parts(
    destination: Path, parts: MappingType[str, Callable[[Path], None]], provenance: MappingType[str, Any]
) -> Path:
    """Write some files of a pack anew, in one step; the others, and the targets, stay as they are."""
    manifest = json.loads((destination / MANIFEST).read_text("utf-8"))
    del manifest["files"]
    with staged_folder(destination, replace=True) as folder:
        shutil.copytree(destination, folder, dirs_exist_ok=True)
        for name, write in parts.items():
            write(folder / name)
        seal(folder, {**manifest, "provenance": {**manifest["provenance"], **provenance}})
    return destination


def _golden(
    model: PortraitModel, encoder: Encoder, mapping: MappingGraph, reading: ReadoutGraph, z: Tensor
) -> dict[str, np.ndarray[Any, Any]]:
    """Inputs and outputs of each graph that every back-end must reproduce."""
    w_plus = mapping(z[:2])
    image = model.generator(w_plus)
    top = image.shape[-1] // 2 - GOLDEN_WINDOW // 2
    crop = nn.functional.interpolate(image[:1], size=(CROP_SIZE, CROP_SIZE), mode="bilinear", align_corners=False)
    landmarks = encoder.space.invert(torch.zeros(1, len(encoder.space.scale)))
    golden = {
        "mapping.in.z": z[:2], "mapping.out.w_plus": w_plus,
        "generator.in.w_plus": w_plus, "generator.out.image": _window(image),
        "encoder.in.crop": crop, "encoder.in.landmarks": landmarks, "encoder.out.w_plus": encoder(crop, landmarks),
        "readout.in.w_plus": w_plus, "readout.out.parameters": reading(w_plus),
    }  # fmt: skip
    arrays = {name: value.numpy().astype(np.float32) for name, value in golden.items()}
    return {**arrays, "generator.window": np.array([top, top], np.int64)}


def _window(image: Tensor) -> Tensor:
    """Cut the middle out of (n, 3, r, r) pictures."""
    top = image.shape[-1] // 2 - GOLDEN_WINDOW // 2
    return image[:, :, top : top + GOLDEN_WINDOW, top : top + GOLDEN_WINDOW]
