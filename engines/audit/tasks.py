"""What an audit gives to workers: texts to embed, faces to guide. The same bits in one process, in many, on a cluster.

Each task loads its model once in the life of its process. Everything runs on one thread: the bits of a matrix product
depend on how many share it, and workers share the cores already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.audit.by_words import in_batches
from engines.targets.text_model import TextModel
from installation.core.latents import Latent
from installation.errors import EngineError
from installation.runtime.tasks import Done, Task, Workers

if TYPE_CHECKING:
    from engines.targets.clip import Draw
    from engines.targets.clip_model import ClipModel

START_PSI = 0.7
SPREAD_SAMPLES = 256


@cache
def text_model(where: str | None) -> TextModel:
    """The text model of this process."""
    return TextModel(where)


def embed_chunk(where: str | None, texts: list[str]) -> NDArray[np.float32]:
    """Task: embed texts with the model at `where`: (n, d) float32."""
    return in_batches(text_model(where))(texts).astype(np.float32)


def embed_chunks(
    workers: Workers, where: str | None, chunks: Sequence[list[str]]
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Embed chunks of texts, each given back as soon as it is finished.

    Raises:
        EngineError: If a chunk could not be embedded.
    """
    tasks = (Task(str(i), f"{__name__}:embed_chunk", (where, chunk)) for i, chunk in enumerate(chunks))
    for done in _checked(workers.run(tasks), "texts could not be embedded"):
        yield chunks[int(done.name)], done.value


def guided_face(clip_where: str, pack_path: Path, words: str, seed: int, steps: int, cutouts: int) -> Latent:
    """Task: a face that CLIP finds the words in, as an edit (num_ws, w_dim) of the seed's random face."""
    import torch

    from engines.targets.clip import ClipSettings, Guide

    clip, draw, spread, start = _bench(clip_where, pack_path, seed)
    guide = Guide(clip, draw, spread, words, ClipSettings(steps=steps, cutouts=cutouts))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        point = guide.optimise(start, seed, every_step=lambda point: None)
    finally:
        torch.set_num_threads(threads)
    return np.asarray(guide.latent(start, point) - start, np.float32)


def guided_faces(
    workers: Workers, orders: Sequence[tuple[str, Path, str, int, int, int]]
) -> Iterator[tuple[int, Latent]]:
    """Guide many faces: (place of the order, edit) as they are finished.

    Raises:
        EngineError: If one could not be made; those before it are kept by the caller.
    """
    tasks = (Task(str(i), f"{__name__}:guided_face", order) for i, order in enumerate(orders))
    for done in _checked(workers.run(tasks), "a face could not be guided"):
        yield int(done.name), done.value


@cache
def _bench(clip_where: str, pack_path: Path, seed: int) -> tuple[ClipModel, Draw, Latent, Latent]:
    from engines.runtime import load_pack
    from engines.targets.clip import latent_spread
    from engines.targets.studio import sample_faces

    clip, draw = _networks(clip_where, pack_path)
    with load_pack(pack_path) as pack:
        spread = latent_spread(sample_faces(pack, SPREAD_SAMPLES, psi=1.0), pack.w_avg)
        start = np.asarray(sample_faces(pack, 1, psi=START_PSI, seed=seed)[0], np.float32)
    return clip, draw, spread, start


@cache
def _networks(clip_where: str, pack_path: Path) -> tuple[ClipModel, Draw]:
    from engines.runtime import load_pack
    from engines.targets.clip_model import ClipModel
    from engines.targets.torch_draw import torch_generator

    with load_pack(pack_path) as pack:
        return ClipModel(clip_where), torch_generator(pack)


def _checked(answers: Iterable[Done], what: str) -> Iterator[Done]:
    for done in answers:
        if done.error:
            raise EngineError(f"{what}: {done.error}; what is finished is kept, run the same command again")
        yield done
