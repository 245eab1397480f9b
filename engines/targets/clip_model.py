"""CLIP as a judge: words and pictures in one space, differentiable in the picture.

The picture preprocessing is ours, because the library's own works on PIL images and stops the gradient: resize with
antialiasing to the model's input, then its mean and deviation.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (ICML 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.runtime.targets import ModelUsed
from engines.targets.hub import model_folder, need, weights_sha256
from installation.errors import ConfigError, EngineError

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's training pictures, RGB in 0..1."""

_PURPOSE = "CLIP guidance"


class ClipModel:
    """A CLIP of the transformers library, frozen, on the CPU.

    Args:
        where: A folder, or a hub name.

    Attributes:
        name: For people.
        sha256: Of the weights.
        input_px: Side of the pictures it reads.

    Raises:
        MissingExtra: If transformers is not installed.
        EngineError: If the model cannot be found or is no CLIP.
    """

    def __init__(self, where: str) -> None:
        library = need("transformers", _PURPOSE)
        library.utils.logging.disable_progress_bar()
        folder = model_folder(where, _PURPOSE)
        self.name = Path(where).name
        self.sha256 = weights_sha256(folder)
        try:
            model = library.CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            self._tokenizer: Any = library.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, need("safetensors", _PURPOSE).SafetensorError) as error:
            raise EngineError(f"{folder} is not a CLIP model: {str(error).splitlines()[0]}") from error
        self._model: Any = model.eval().requires_grad_(False)
        self.input_px = int(model.config.vision_config.image_size)
        self._room = int(model.config.text_config.max_position_embeddings)
        self._mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        self._deviation = torch.tensor(DEVIATION).view(1, 3, 1, 1)

    @property
    def used(self) -> ModelUsed:
        """The model as a target's provenance names it."""
        return ModelUsed(self.name, "CLIP", self.sha256)

    def words(self, texts: Sequence[str]) -> Tensor:
        """Embed texts: (n, d), rows of length 1.

        Raises:
            ConfigError: If a text is longer than the model reads.
        """
        tokens = self._tokenizer(list(texts), padding=True, return_tensors="pt")
        count = tokens["input_ids"].shape[1]
        if count > self._room:
            raise ConfigError(f"the prompt has {count} word pieces; {self.name} reads {self._room}: shorten it")
        with torch.no_grad():
            out = self._model.text_model(**tokens).pooler_output
            return F.normalize(self._model.text_projection(out), dim=1)

    def pictures(self, images: Tensor) -> Tensor:
        """Embed pictures (n, 3, h, w) RGB in [-1, 1]: (n, d), rows of length 1. Differentiable."""
        out = self._model.vision_model(pixel_values=self.prepare(images)).pooler_output
        return F.normalize(self._model.visual_projection(out), dim=1)

    def patches(self, images: Tensor) -> Tensor:
        """Features of each patch (n, patches, d), rows of length 1: what lies where, rather than what it means."""
        out = self._model.vision_model(pixel_values=self.prepare(images)).last_hidden_state
        return F.normalize(out[:, 1:], dim=2)

    def prepare(self, images: Tensor) -> Tensor:
        """Bring pictures in [-1, 1] to the model's input, as its own preprocessing does."""
        size = (self.input_px, self.input_px)
        small = F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False)
        return ((small.clamp(-1.0, 1.0) + 1.0) * 0.5 - self._mean) / self._deviation
