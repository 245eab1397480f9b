"""Embeddings that were computed before: kept in the audit's folder, so that a second run asks only what is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.audit.measured import Numbers
from engines.targets.work import FOLDER, load_work, save_work
from installation.runtime.progress import Progress

CHUNK = 1024
"""Texts between two stores of the unfinished work."""

_NAME = "embeddings.npz"


class Remembered:
    """Embeds each text once in its life.

    Args:
        embed: The text model, in batches.
        folder: Of the audit.
        model: sha256 of its weights; embeddings of another model are thrown away.
        progress: Shows how many texts are done.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Numbers], folder: Path, model: str, progress: Progress) -> None:
        self._embed = embed
        self._path = folder / FOLDER / _NAME
        self._record = {"model": model}
        self._progress = progress
        self._known = self._load()

    def __call__(self, texts: Sequence[str]) -> Numbers:
        """Embed texts: (n, d) float64."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._progress.total += len(missing)
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            rows = self._embed(chunk).astype(np.float32)
            self._known |= dict(zip(chunk, rows, strict=True))
            self._store()
            self._progress.advance(len(chunk))
        return np.stack([self._known[text] for text in texts]).astype(np.float64)

    def _load(self) -> dict[str, NDArray[np.float32]]:
        stored = load_work(self._path, self._record)
        if stored is None:
            return {}
        texts = stored["texts"].tobytes().decode().split("\0")
        return dict(zip(texts, stored["rows"], strict=True))

    def _store(self) -> None:
        texts = np.frombuffer("\0".join(self._known).encode(), np.uint8)
        save_work(self._path, self._record, {"texts": texts, "rows": np.stack(list(self._known.values()))})
