"""Attribute axes and projected latents from outside, into a pack that is there already.

| file | becomes |
|---|---|
| a tensor (e4e's `age.pt`, `smile.pt`, `pose.pt`) | one direction, called as the file |
| `comp`, `mean`, `std` (e4e's `ffhq_pca.pt`); `lat_comp`, ... (GANSpace's `.npz`) | principal components |
| one `.npy` of one row (InterFaceGAN) | one direction; refused where the file's name says StyleGAN1 or PGGAN |
| an `.npz` of vectors, with `<name>.low` and `<name>.high` if wanted | one direction each |
| an `.npz` with `w` (1, num_ws, w_dim) (`projected_w.npz` of NVIDIA's projector) | a target |

An axis holds only for the generator it was found in, and no file says which that was: shapes are checked, and the
source is written into the manifest.

Sources: InterFaceGAN (Shen et al., CVPR 2020); GANSpace (Härkönen et al., NeurIPS 2020); projection:
StyleGAN2, section 5.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.importers.files import ARRAYS, SAFETENSORS, TORCH, Opened, opened
from engines.importers.tensors import as_array
from engines.lazy import LazyArray
from engines.packing import MANIFEST, Direction, save_arrays, seal, staged_folder
from engines.runtime.manifest import Manifest, read_manifest
from engines.runtime.targets import Provenance, Target, space_id, write_target
from installation.errors import EngineError

COMPONENTS = 20
"""How many principal components are taken: the first twenty hold most of what a person can name."""

COMPONENT_RANGE = 3.0
"""Useful range of a component, in standard deviations."""

STEP_RANGE = 5.0
"""Useful range of a direction whose file gives none, in multiples of its vector (as e4e's and InterFaceGAN's demos)."""

_OTHER_GENERATORS = re.compile(r"(^|[^a-z0-9])(stylegan(?!2)|pggan|proggan)", re.IGNORECASE)
"""InterFaceGAN's published boundaries are called `stylegan_ffhq_age_w_boundary.npy`, `pggan_celebahq_...`."""


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to a pack."""

    directions: tuple[str, ...]
    targets: tuple[str, ...]


def add_to_pack(source: Path, pack: Path) -> Added:
    """Add the directions or the projected latent of a file to a pack.

    Args:
        source: The file; see the module's table.
        pack: The pack's folder.

    Raises:
        EngineError: If the file holds none, belongs to another generator, or does not fit the pack. The pack is then
            as before.
    """
    manifest = read_manifest(pack)
    with opened(source) as content:
        if projected := _projected(content, manifest):
            name = _identifier(source.stem)
            _write_target(pack, manifest, name, projected.load(), source.name)
            return Added((), (name,))
        directions = read_directions(content, source.name, manifest.num_ws, manifest.w_dim)
    _write_directions(pack, manifest, directions)
    return Added(tuple(directions), ())


def read_directions(content: Opened, source: str, num_ws: int, w_dim: int) -> dict[str, Direction]:
    """Read every direction of an open file.

    Args:
        content: The file.
        source: Its name, for people.
        num_ws: Rows of the pack's W+.
        w_dim: Width of a row.

    Raises:
        EngineError: If it holds none, or they do not fit.
    """
    value = content.value
    if content.format == ARRAYS and set(value) == {""}:
        if _OTHER_GENERATORS.search(source):
            raise EngineError(
                "its name says that it belongs to StyleGAN1 or PGGAN: an axis of one generator means nothing in the "
                "latent space of another; fit it again on this pack's generator"
            )
        return _single(value[""], source, num_ws, w_dim)
    if content.format == TORCH and (tensor := as_array(value)) is not None:
        return _single(tensor, source, num_ws, w_dim)
    if not isinstance(value, dict) or content.format not in (TORCH, ARRAYS, SAFETENSORS):
        raise EngineError("it holds neither a known network nor directions")
    arrays = {name: array for name, item in value.items() if isinstance(name, str) and (array := as_array(item))}
    for prefix, deviation in (("", "std"), ("lat_", "stdev")):
        if {f"{prefix}comp", f"{prefix}{deviation}"} <= arrays.keys():
            return _components(arrays[f"{prefix}comp"], arrays[f"{prefix}{deviation}"], source, w_dim)
    names = [name for name in arrays if not name.endswith((".low", ".high"))]
    if not names:
        raise EngineError("it holds neither a known network nor directions")
    return {_identifier(name): _named(arrays, name, source, num_ws, w_dim) for name in names}


def _single(tensor: LazyArray, source: str, num_ws: int, w_dim: int) -> dict[str, Direction]:
    vector = _vector(tensor, source, num_ws, w_dim)
    return {_identifier(Path(source).stem): Direction(vector, "steps", -STEP_RANGE, STEP_RANGE, source)}


def _named(arrays: Mapping[str, LazyArray], name: str, source: str, num_ws: int, w_dim: int) -> Direction:
    low, high = -STEP_RANGE, STEP_RANGE
    if f"{name}.low" in arrays:
        low = _number(arrays[f"{name}.low"], f"{name}.low")
    if f"{name}.high" in arrays:
        high = _number(arrays[f"{name}.high"], f"{name}.high")
    if not low < high:
        raise EngineError(f"the range of '{name}' is {low} to {high}; low must be below high")
    return Direction(_vector(arrays[name], name, num_ws, w_dim), "steps", low, high, source)


def _components(comp: LazyArray, deviation: LazyArray, source: str, w_dim: int) -> dict[str, Direction]:
    """Principal components, each times its standard deviation: (k, 1, w_dim) or (k, w_dim), and (k,)."""
    count = comp.shape[0] if comp.shape else 0
    if comp.shape not in ((count, w_dim), (count, 1, w_dim)) or int(np.prod(deviation.shape)) != count or not count:
        raise EngineError(
            f"its components are {comp.shape} and deviations {deviation.shape}; (k, 1, {w_dim}) was expected"
        )
    vectors = _finite(comp.load(), "components").reshape(count, w_dim)
    deviations = _finite(deviation.load(), "deviations").reshape(count, 1)
    unit, reach = "standard deviations", COMPONENT_RANGE
    scaled = (vectors * deviations).astype(np.float32)[:COMPONENTS]
    return {f"pca_{index:02d}": Direction(row, unit, -reach, reach, source) for index, row in enumerate(scaled)}


def _vector(tensor: LazyArray, name: str, num_ws: int, w_dim: int) -> NDArray[np.float32]:
    shape = tensor.shape
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    if shape not in ((w_dim,), (num_ws, w_dim)):
        raise EngineError(f"'{name}' is {tensor.shape}; this pack's directions are ({w_dim},) or ({num_ws}, {w_dim})")
    vector = _finite(tensor.load(), name).reshape(shape).astype(np.float32)
    if not vector.any():
        raise EngineError(f"'{name}' is zero everywhere; it is no direction")
    return vector


def _finite(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise EngineError(f"'{name}' holds NaN, infinity or no numbers; it is damaged")
    return array


def _number(array: LazyArray, name: str) -> float:
    if int(np.prod(array.shape)) != 1:
        raise EngineError(f"'{name}' is {array.shape}; one number was expected")
    return float(_finite(array.load(), name).reshape(()))


def _identifier(text: str) -> str:
    """Make a name that can stand in an address: lower-case letters, digits and `_`."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48]
    return name if name[:1].isalpha() else f"d_{name}"[:48]


def _projected(content: Opened, manifest: Manifest) -> LazyArray | None:
    """Find the latent of a projector's file."""
    if content.format != ARRAYS or set(content.value) != {"w"}:
        return None
    array: LazyArray = content.value["w"]
    return array if array.shape == (1, manifest.num_ws, manifest.w_dim) else None


def _write_target(pack: Path, manifest: Manifest, name: str, w: NDArray[Any], source: str) -> None:
    w_plus = _finite(w, "w")[0].astype(np.float32)
    average = np.load(pack / "w_avg.npy", allow_pickle=False)
    w_avg = np.ascontiguousarray(np.broadcast_to(average, w_plus.shape), np.float32)
    edit = w_plus - w_avg
    provenance = Provenance(
        prompt="",
        route="images",
        settings={"source": source, "method": "projected by StyleGAN2's projector"},
        pack=manifest.name,
        space=space_id(w_avg),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_target(pack / "targets", Target(name, name.replace("_", " "), w_plus, edit, edit, provenance))


def _write_directions(pack: Path, manifest: Manifest, directions: Mapping[str, Direction]) -> None:
    """Put a new pack in the place of the old one; files that do not change are linked, not copied."""
    record = json.loads((pack / MANIFEST).read_text("utf-8"))
    vectors: dict[str, NDArray[Any]] = {}
    if manifest.directions:
        with np.load(pack / "directions.npz", allow_pickle=False) as stored:
            vectors = dict(stored)
    for name, axis in directions.items():
        vectors[name] = axis.vector
        spec = {"unit": axis.unit, "low": axis.low, "high": axis.high, "source": axis.source}
        record["directions"] = {**record.get("directions", {}), name: spec}
    known = {name: digest for name, digest in record.pop("files").items() if name != "directions.npz"}
    with staged_folder(pack, replace=True) as folder:
        for path in sorted(pack.rglob("*")):
            name = path.relative_to(pack).as_posix()
            if path.is_file() and name not in (MANIFEST, "directions.npz"):
                _link(path, folder / name)
        save_arrays(folder / "directions.npz", vectors)
        seal(folder, record, known)


def _link(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, destination)
    except OSError:  # a file system without links
        shutil.copyfile(source, destination)
