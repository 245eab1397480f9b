"""Prompt pictures by a text-to-image model: any pipeline of the diffusers library, by folder or hub name.

Pictures are kept in a folder, one file per seed, marked as synthetic; a run that was cut off goes on with the next
seed. What is made of them afterwards is the picture route's business.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from engines.runtime.targets import ModelUsed
from engines.targets.files import replace_file
from engines.targets.hub import need, weights_sha256
from installation.errors import EngineError

_PURPOSE = "making pictures of a prompt"


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """What is asked of the pipeline.

    Attributes:
        prompt: The words.
        count: Pictures.
        steps: Denoising steps per picture.
        first_seed: Picture i is drawn from seed `first_seed + i`.
    """

    prompt: str
    count: int
    steps: int
    first_seed: int = 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """One for each picture."""
        return tuple(range(self.first_seed, self.first_seed + self.count))


class PicturePipeline:
    """A text-to-image pipeline, on the GPU where there is one.

    Args:
        pipeline: Called as pipelines of the diffusers library are: (prompt, num_inference_steps, generator) -> object
            with `images`.
        name: For people.
        sha256: Of its weights.
    """

    def __init__(self, pipeline: Any, name: str, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self._pipeline = pipeline

    @classmethod
    def load(cls, where: str) -> PicturePipeline:
        """Load a pipeline from a folder, or by its name on the hub.

        Raises:
            MissingExtra: If diffusers is not installed.
            EngineError: If there is no such pipeline, or it cannot be loaded from safetensors.
        """
        library = need("diffusers", _PURPOSE)
        damaged = need("safetensors", _PURPOSE).SafetensorError
        library.utils.logging.disable_progress_bar()
        need("transformers", _PURPOSE).utils.logging.disable_progress_bar()
        try:
            if Path(where).expanduser().is_dir():
                folder = Path(where).expanduser().resolve()
            else:
                folder = Path(library.DiffusionPipeline.download(where, use_safetensors=True))
            sha256 = weights_sha256(folder)
            pipeline = library.DiffusionPipeline.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
            )
        except (OSError, ValueError, KeyError, AttributeError, damaged) as error:
            raise EngineError(f"{_PURPOSE}: {where} cannot be used as a pipeline: {_first_line(error)}") from error
        pipeline = pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline, Path(where).name, sha256)

    @property
    def used(self) -> ModelUsed:
        """The model as a target's provenance names it."""
        return ModelUsed(self.name, "text-to-image pipeline", self.sha256)

    def fill(self, folder: Path, order: PictureOrder, advance: Callable[[str], None] = lambda name: None) -> list[Path]:
        """Draw what is missing of an order.

        Args:
            folder: Where the pictures go, `seed_0000.png` ...; pictures of the same order are kept.
            order: What is asked.
            advance: Called with each file's name when it is there.

        Raises:
            EngineError: If the disk refuses; pictures that are finished are kept.
        """
        files = []
        for seed in order.seeds:
            path = folder / f"seed_{seed:04d}.png"
            marks = {
                "Description": order.prompt,
                "Source": f"synthetic picture by {self.name} {self.sha256[:16]}, seed {seed}, {order.steps} steps",
            }
            if not _has_marks(path, marks):
                chance = torch.Generator("cpu").manual_seed(seed)
                made = self._pipeline(order.prompt, num_inference_steps=order.steps, generator=chance)
                _write(made.images[0], path, marks)
            files.append(path)
            advance(path.name)
        return files


def _write(image: Image.Image, path: Path, marks: dict[str, str]) -> None:
    info = PngImagePlugin.PngInfo()
    for key, text in marks.items():
        info.add_itxt(key, text)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise EngineError(
            f"{path} could not be written ({error.strerror}); finished pictures are kept: make room and run the same "
            "command again"
        ) from error


def _has_marks(path: Path, marks: dict[str, str]) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
            return all(image.info.get(key) == text for key, text in marks.items())
    except (OSError, UnidentifiedImageError, SyntaxError):
        return False


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
