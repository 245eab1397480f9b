"""Write a file so that whoever looks sees the former one or the whole new one, never a half."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, then put it in its place; makes the folder if it is missing.

    Raises:
        OSError: If the disk refuses; the former file is untouched and nothing is left beside it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
