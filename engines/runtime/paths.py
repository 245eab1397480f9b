"""Where compiled engines are cached: a folder that may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir(kind: str) -> Path:
    """Return (and make) the cache folder of one back-end, under `$MIRROR_CACHE` or the user's cache folder."""
    root = os.environ.get("MIRROR_CACHE")
    base = (
        Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "machine-reflections"
    )
    path = base / kind
    path.mkdir(parents=True, exist_ok=True)
    return path
