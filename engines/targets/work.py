"""Unfinished work on disk: arrays and a record, replaced in one step, thrown away when it belongs to something else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.targets.files import replace_file
from installation.errors import EngineError

FOLDER = ".work"
"""Beside the targets; may be deleted at any time."""


def save_work(path: Path, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Store a record and arrays; the former file stays whole until the new one is.

    Raises:
        EngineError: If the disk refuses.
    """
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(record, sort_keys=True).encode(), np.uint8)
    np.savez(buffer, record=text, **arrays)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise EngineError(
            f"unfinished work could not be stored in {path} ({error.strerror}); what was stored before is kept"
        ) from error


def load_work(path: Path, record: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    """Read arrays stored under the same record; None if there are none, or they belong to other work."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            if json.loads(stored["record"].tobytes()) != json.loads(json.dumps(record)):
                return None
            return {name: stored[name] for name in stored.files if name != "record"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
