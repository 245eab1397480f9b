"""What a style folder says about itself, and which pictures lie in it; checked before anything in it is used.

A style folder holds `style.json`, `stylize.onnx`, `statistics.onnx`, `golden.npz` and perhaps `pictures/`. Apart from
the stylist, so that reading the configuration loads no image library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engines.runtime.manifest import MAX_MANIFEST_BYTES, Licence, Sha256
from installation.errors import EngineError

FORMAT = 1
MANIFEST = "style.json"
PICTURES = "pictures"
DEFAULT_STYLE = Path(__file__).resolve().parents[1] / "style" / "assets"
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_PICTURES = 24


class StyleManifest(BaseModel):
    """The whole of `style.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal[1]
    name: str = Field(min_length=1, max_length=80)
    size: int = Field(ge=64, le=1024, multiple_of=8)
    channels: int = Field(ge=1, le=4096)
    files: dict[str, Sha256]
    provenance: dict[str, Any]
    licence: Licence


def read_style_manifest(folder: Path) -> StyleManifest:
    """Read and check `style.json`.

    Raises:
        EngineError: If there is none, or it says something impossible.
    """
    path = folder / MANIFEST
    if not path.is_file() or path.stat().st_size > MAX_MANIFEST_BYTES:
        raise EngineError(
            f"{folder} is no style folder: it has no {MANIFEST}; make one with: mirror models style import"
        )
    try:
        return StyleManifest.model_validate(json.loads(path.read_text("utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"{path} is not JSON: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'style'}: {e['msg']}" for e in error.errors())
        raise EngineError(f"{path} is not valid: {problems}") from error


def find_pictures(folder: Path) -> dict[str, Path]:
    """List the style pictures of a folder by name, in the order of their names.

    Raises:
        EngineError: If there are none, or too many.
    """
    paths = sorted(p for p in folder.glob("[!.]*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    if not 1 <= len(paths) <= MAX_PICTURES:
        kinds = ", ".join(PICTURE_SUFFIXES)
        raise EngineError(f"{folder} has {len(paths)} style pictures ({kinds}); 1 to {MAX_PICTURES} are wanted")
    return {path.stem: path for path in paths}
