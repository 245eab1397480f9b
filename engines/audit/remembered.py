"""Embeddings that were computed before: kept in the audit's folder, so that a second run asks only what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.audit.measured import Numbers
from engines.targets.work import FOLDER, load_work, save_work
from installation.runtime.progress import Progress

CHUNK = 1024
"""Texts of one task, and between two stores of the unfinished work."""

EmbedChunks = Callable[[Sequence[list[str]]], Iterable[tuple[list[str], NDArray[np.float32]]]]
"""Chunks of texts in; each chunk with its embeddings out, in any order."""

_NAME = "embeddings.npz"


class Remembered:
    """Embeds each text once in its life.

    Args:
        embed: The text model.
        folder: Of the audit.
        model: sha256 of its weights; embeddings of another model are thrown away.
        progress: Shows how many texts are done.
    """

    def __init__(self, embed: EmbedChunks, folder: Path, model: str, progress: Progress) -> None:
        self._embed = embed
        self._path = folder / FOLDER / _NAME
        self._record = {"model": model}
        self._progress = progress
        self._known = self._load()

    def __call__(self, texts: Sequence[str]) -> Numbers:
        """Embed texts: (n, d) float64."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._progress.total += len(missing)
        chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
        for chunk, rows in self._embed(chunks):
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
        known = dict(sorted(self._known.items()))
        texts = np.frombuffer("\0".join(known).encode(), np.uint8)
        save_work(self._path, self._record, {"texts": texts, "rows": np.stack(list(known.values()))})
