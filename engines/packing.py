"""Write a model pack: whole, hashed, and in one step.

A pack is a folder that the show can run (`engines.runtime` reads it). Everything that makes packs, the importers and
the training, goes through `write_pack`:

    write_pack(
        Path("packs/mine"), name="mine", resolution=256, num_ws=14, w_dim=512, z_dim=512,
        parts={                                   # file name -> a file to copy, or a function that writes a path
            "generator.onnx": lambda path: export_onnx(generator, {"w_plus": ("n", 14, 512)}, ["image"], path),
            "mapping.onnx": Path("build/mapping.onnx"),
            "encoder.onnx": Path("build/encoder.onnx"),
            "weights.safetensors": lambda path: write_safetensors(path, tensors),
        },
        w_avg=w_avg,                              # (w_dim,) or (num_ws, w_dim)
        directions={"smile": Direction(vector, unit="", low=-3, high=3, source="...")},
        encoder={"input_size": 256, "landmarks": False},
        architecture={"generator": {...}, "encoder": {...}},
        golden={"generator.in.w_plus": ..., "generator.out.image": ...},
        provenance={"kind": "import", "source": "..."},
        licence=Licence("Apache-2.0", text, commercial_use=True),
    )

The folder is built beside its destination under a hidden name, every file is flushed to the disk, `pack.json` (with the
SHA-256 of the others) comes last, and one rename makes the pack appear. Whatever interrupts it, there is no half pack.

Golden vectors (`golden.npz`) are named `<part>.in.<input>` and `<part>.out.<output>`. Where an image would be large,
only a window of it is kept: `<part>.window` is then (top, left) int64, and `<part>.out.image` has the window's size.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.latents import STYLEGAN_BAND_SPLITS, bands_for
from installation.errors import EngineError

FORMAT = 1

MANIFEST = "pack.json"

Part = Path | Callable[[Path], None]
"""A file to copy, or a function that writes the path it is given."""


@dataclass(frozen=True, slots=True)
class Direction:
    """An attribute axis in W or W+.

    Attributes:
        vector: (w_dim,) or (num_ws, w_dim) float32; one unit of the control moves the latent by it.
        unit: What one unit means ("standard deviations", "degrees"); empty if nothing is known.
        low: Where the useful range begins, in that unit.
        high: Where it ends.
        source: Where the axis came from.
    """

    vector: NDArray[np.float32]
    unit: str = ""
    low: float = -1.0
    high: float = 1.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms the weights may be used.

    Attributes:
        name: Short name ("CC-BY-NC-SA-4.0", "unknown").
        text: What the pack's LICENCE.txt will say.
        commercial_use: False where the terms forbid it or do not say.
    """

    name: str
    text: str
    commercial_use: bool


def band_table(num_ws: int) -> dict[str, list[int]]:
    """Give the style-mixing bands of a generator; one with few rows is split in thirds.

    Raises:
        EngineError: If there are fewer than three rows.
    """
    if num_ws < 3:
        raise EngineError(
            f"a generator needs at least three style rows for coarse, middle and fine; this one has {num_ws}"
        )
    splits = STYLEGAN_BAND_SPLITS if num_ws > STYLEGAN_BAND_SPLITS[1] else (num_ws // 3, 2 * num_ws // 3)
    return {name: list(rows) for name, rows in bands_for(num_ws, splits).items()}


def write_pack(
    destination: Path,
    *,
    name: str,
    resolution: int,
    num_ws: int,
    w_dim: int,
    z_dim: int,
    parts: Mapping[str, Part],
    w_avg: NDArray[np.float32],
    provenance: Mapping[str, Any],
    licence: Licence,
    directions: Mapping[str, Direction] | None = None,
    encoder: Mapping[str, Any] | None = None,
    architecture: Mapping[str, Any] | None = None,
    golden: Mapping[str, NDArray[Any]] | Callable[[], Mapping[str, NDArray[Any]]] | None = None,
    bands: Mapping[str, tuple[int, int]] | None = None,
    batches: Sequence[int] = (1, 5),
    precision: str = "fp32",
    replace: bool = False,
) -> Path:
    """Write a pack folder; see the module's docstring for an example.

    Args:
        destination: The folder to make. Its parent is made if missing.
        parts: Files of the pack, written in order: `generator.onnx`, `mapping.onnx`, ... `targets/...` too.
        w_avg: (w_dim,) or (num_ws, w_dim); stored as (num_ws, w_dim).
        bands: Rows of coarse, middle and fine where StyleGAN's own split does not fit.
        golden: Golden vectors, or a function that computes them once the parts are written.
        replace: Put the new pack in the place of an existing one; otherwise an existing folder is an error.

    Returns:
        `destination`.

    Raises:
        EngineError: If the destination exists, the parts or shapes do not make a pack, or the disk is full.
    """
    if "generator.onnx" not in parts:
        raise EngineError("a pack needs a generator.onnx; none was given")
    average = np.broadcast_to(np.asarray(w_avg, np.float32), (num_ws, w_dim))
    axes = dict(directions or {})
    for label, axis in axes.items():
        if axis.vector.shape not in ((w_dim,), (num_ws, w_dim)):
            raise EngineError(
                f"direction '{label}' is {axis.vector.shape}; this pack takes ({w_dim},) or ({num_ws}, {w_dim})"
            )
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "resolution": resolution,
        "num_ws": num_ws,
        "w_dim": w_dim,
        "z_dim": z_dim,
        "bands": {k: list(v) for k, v in bands.items()} if bands is not None else band_table(num_ws),
        "encoder": dict(encoder) if encoder is not None else None,
        "batches": list(batches),
        "precision": precision,
        "provenance": dict(provenance),
        "licence": {"name": licence.name, "text_file": "LICENCE.txt", "commercial_use": licence.commercial_use},
        "directions": {
            label: {"unit": axis.unit, "low": axis.low, "high": axis.high, "source": axis.source}
            for label, axis in axes.items()
        },
    }
    if architecture is not None:
        manifest["architecture"] = dict(architecture)
    with staged_folder(destination, replace=replace) as folder:
        for file_name, part in parts.items():
            path = folder / file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(part, Path):
                shutil.copyfile(part, path)
            else:
                part(path)
        np.save(folder / "w_avg.npy", np.ascontiguousarray(average))
        save_arrays(folder / "directions.npz", {label: axis.vector.astype(np.float32) for label, axis in axes.items()})
        if golden is not None:
            save_arrays(folder / "golden.npz", golden() if callable(golden) else golden)
        (folder / "LICENCE.txt").write_text(licence.text, encoding="utf-8")
        seal(folder, manifest)
    return destination


def seal(
    folder: Path, manifest: Mapping[str, Any], known: Mapping[str, str] | None = None, *, name: str = MANIFEST
) -> None:
    """Hash and flush every file of `folder`, then write its manifest, `pack.json` unless `name` says otherwise.

    `known` has the hashes of files that came unchanged from another pack. Targets are not listed: they carry their own
    hashes, and come and go without the pack changing.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != name):
        file = path.relative_to(folder).as_posix()
        if not file.startswith("targets/"):
            files[file] = (known or {}).get(file) or sha256_of(path)
        _flush(path)
    text = json.dumps({**manifest, "files": files}, indent=2, ensure_ascii=False)
    (folder / name).write_text(text + "\n", encoding="utf-8")
    _flush(folder / name)
    _flush(folder)


@contextlib.contextmanager
def staged_folder(destination: Path, *, replace: bool) -> Iterator[Path]:
    """Give an empty hidden folder that takes `destination`'s place if the block ends well, and vanishes if not.

    Raises:
        EngineError: If `destination` exists and `replace` is false, or the disk refuses.
    """
    destination = Path(destination).absolute()
    if destination.exists() and not replace:
        raise EngineError(f"{destination} exists already; choose another name or ask to replace it")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        sweep(destination)
        folder = destination.with_name(f".{destination.name}.partial-{os.getpid()}")
        folder.mkdir()
    except OSError as error:
        raise EngineError(f"cannot write beside {destination}: {error.strerror}") from error
    try:
        yield folder
        _take_place(folder, destination)
    except OSError as error:
        raise EngineError(f"writing {destination} failed: {error.strerror}; nothing was left behind") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(destination: Path) -> None:
    """Remove what killed processes left of earlier attempts at `destination`."""
    for folder in destination.parent.glob(f".{destination.name}.partial-*"):
        owner = folder.name.rpartition("-")[2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an uncompressed `.npz` whose bytes depend on the arrays alone; any name goes, also "file"."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)  # type: ignore[no-untyped-call]


def sha256_of(path: Path) -> str:
    """Hash a file without holding it in memory."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _take_place(folder: Path, destination: Path) -> None:
    if not destination.exists():
        folder.rename(destination)
    else:
        # A folder with content cannot be renamed over: the old pack steps aside and comes back if the rename fails.
        aside = destination.with_name(f".{destination.name}.replaced-{os.getpid()}")
        destination.rename(aside)
        try:
            folder.rename(destination)
        except OSError:
            aside.rename(destination)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _flush(destination.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
