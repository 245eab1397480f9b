"""Where compiled engines are cached: a folder that may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

from installation.errors import EngineError


def cache_dir(kind: str) -> Path:
    """Return (and make) the cache folder of one back-end, under `$MIRROR_CACHE` or the user's cache folder."""
    root = os.environ.get("MIRROR_CACHE")
    base = (
        Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "machine-reflections"
    )
    path = base / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


def find_pack(name: str) -> Path:
    """Find a pack folder by name (in `engines/packs`, or the user's packs) or by path.

    Raises:
        EngineError: If there is none; lists the names there are.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    for folder in pack_folders():
        if (folder / name / "pack.json").is_file():
            return folder / name
    known = sorted(p.parent.name for folder in pack_folders() for p in folder.glob("*/pack.json"))
    raise EngineError(f"there is no model pack {name!r}; there are: {', '.join(known) or 'none'}")


def pack_folders() -> tuple[Path, ...]:
    """Where packs are looked for by name: the project's own, then the user's."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(__file__).resolve().parents[1] / "packs", data / "machine-reflections" / "packs"
