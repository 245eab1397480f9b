"""`pack.json`: what a model pack says about itself, checked before anything in it is used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from installation.errors import EngineError

FORMAT = 1
MAX_MANIFEST_BYTES = 1 << 20
_CHUNK = 1 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sealed(Protocol):
    """A manifest that lists the files of its folder with their hashes."""

    @property
    def files(self) -> dict[str, str]: ...


class EncoderSpec(_Strict):
    """What the encoder takes: a square crop of `input_size` pixels, and landmarks where it asks for them.

    `upright`: the crop keeps the sides of the frame, so that the head's roll is seen; FFHQ crops turn it away.
    """

    input_size: int = Field(ge=16, le=1024)
    landmarks: bool = False
    upright: bool = False


class DirectionSpec(BaseModel):
    """One attribute axis: its unit, and the range in which it stays a face."""

    model_config = ConfigDict(extra="allow", frozen=True)
    unit: str
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> DirectionSpec:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be below high {self.high}")
        return self


class Licence(BaseModel):
    """Terms of the weights. `commercial_use` false is shown to the operator at start."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str
    commercial_use: bool


class Manifest(_Strict):
    """The whole of `pack.json`."""

    format: Literal[1]
    name: str = Field(min_length=1, max_length=80)
    resolution: int = Field(ge=16, le=4096)
    num_ws: int = Field(ge=1, le=64)
    w_dim: int = Field(ge=1, le=4096)
    z_dim: int = Field(ge=1, le=4096)
    bands: dict[Literal["coarse", "middle", "fine"], tuple[int, int]]
    encoder: EncoderSpec | None = None
    batches: tuple[int, ...] = (1, 5)
    precision: str = "fp32"
    architecture: dict[str, Any] = {}
    directions: dict[str, DirectionSpec] = {}
    files: dict[str, Sha256]
    provenance: dict[str, Any]
    licence: Licence

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for band, (start, stop) in self.bands.items():
            if not 0 <= start < stop <= self.num_ws:
                raise ValueError(f"band {band} [{start}, {stop}) does not lie in the {self.num_ws} rows")
        for name in self.files:
            path = Path(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"file {name!r} would lie outside the pack")
        return self


def read_manifest(pack: Path) -> Manifest:
    """Read and check `pack.json` of a folder.

    Raises:
        EngineError: If there is no manifest, or it says something impossible; lists every problem.
    """
    path = pack / "pack.json"
    if not path.is_file():
        raise EngineError(f"{pack} is not a model pack: it has no pack.json; `mirror models list` shows the packs")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise EngineError(f"{path} is larger than {MAX_MANIFEST_BYTES} bytes; this is no manifest")
    try:
        return Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"{path} is not JSON: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'pack'}: {e['msg']}" for e in error.errors())
        raise EngineError(f"{path} is not valid: {problems}") from error


def verify_files(pack: Path, manifest: Sealed, names: tuple[str, ...] | None = None) -> None:
    """Compare the sha256 of the listed files (all if None) with the manifest.

    Raises:
        EngineError: On the first file that is missing, unlisted or different.
    """
    for name in manifest.files if names is None else names:
        expected = manifest.files.get(name)
        if expected is None:
            raise EngineError(f"{pack}/{name} is not listed in pack.json; import the pack again")
        path = pack / name
        if not path.is_file():
            raise EngineError(f"{path} is missing although pack.json lists it; import the pack again")
        found = file_sha256(path)
        if found != expected:
            raise EngineError(
                f"{path} has sha256 {found[:12]}…, pack.json says {expected[:12]}…: "
                "the file is damaged or from another pack; import the pack again"
            )


def file_sha256(path: Path) -> str:
    """Hash a file without reading it whole: hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
