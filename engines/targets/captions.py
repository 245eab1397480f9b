"""What the text model is asked: caption pairs for every attribute, neutral words, and the list of prompts.

All three are TOML beside this module, so that anybody can read and change the questions. Nothing is computed here.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from installation.errors import ConfigError

HERE = Path(__file__).resolve().parent
CAPTIONS = HERE / "captions.toml"
NEUTRAL = HERE / "neutral.toml"
PROMPTS = HERE / "prompts.toml"

MIN_PAIRS = 2
"""Fewer caption pairs would leave no doubt to measure."""

MIN_NEUTRAL = 8
"""Fewer neutral words would leave no spread to count in."""

MAX_PROMPT_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Attribute:
    """One axis on which a prompt is judged.

    Attributes:
        name: As a pack calls the direction.
        high: The high end in a word or two, for people.
        low: The low end.
        pairs: (caption of the high end, caption of the low end), at least `MIN_PAIRS`.
        also: Other names of the direction; a leading minus sign means that it runs the other way.
        by_default: Weight in a move where no curator says otherwise, 0..1.
    """

    name: str
    high: str
    low: str
    pairs: tuple[tuple[str, str], ...]
    also: tuple[str, ...] = ()
    by_default: float = 1.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words to be made into a target.

    Attributes:
        name: Identifier of the target.
        text: The prompt.
        caption: What the audience reads.
        order: Place in the series.
    """

    name: str
    text: str
    caption: str
    order: int = 0


def read_attributes(path: Path = CAPTIONS) -> tuple[Attribute, ...]:
    """Read the caption pairs.

    Raises:
        ConfigError: If the file is not readable or an attribute is incomplete; lists every problem.
    """
    attributes, problems = [], []
    for name, row in _read(path).items():
        try:
            pairs = tuple((str(a).strip(), str(b).strip()) for a, b in row["pairs"])
            attribute = Attribute(
                name=name,
                high=str(row["high"]),
                low=str(row["low"]),
                pairs=pairs,
                also=tuple(map(str, row.get("also", ()))),
                by_default=float(row.get("by_default", 1.0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            problems.append(f"[{name}] needs high, low and pairs of two captions ({error})")
            continue
        if len(pairs) < MIN_PAIRS or not all(a and b and a != b for a, b in pairs):
            problems.append(f"[{name}] needs at least {MIN_PAIRS} pairs of two different captions")
        if not 0.0 <= attribute.by_default <= 1.0:
            problems.append(f"[{name}] by_default = {attribute.by_default}: must be between 0 and 1")
        attributes.append(attribute)
    _raise(path, problems)
    return tuple(attributes)


def read_neutral(path: Path = NEUTRAL) -> tuple[str, ...]:
    """Read the words that should pull nothing.

    Raises:
        ConfigError: If there are fewer than `MIN_NEUTRAL`.
    """
    words = [str(word) for group in _read(path).values() for word in group]
    if len(set(words)) < MIN_NEUTRAL:
        raise ConfigError(f"{path}: {len(set(words))} neutral words; at least {MIN_NEUTRAL} are needed")
    return tuple(words)


def read_prompts(path: Path = PROMPTS) -> tuple[Prompt, ...]:
    """Read a list of prompts: `[[prompt]]` tables with `prompt`, and `name` and `caption` where wanted.

    Raises:
        ConfigError: If the file is not readable, or a prompt cannot be used; lists every problem.
    """
    prompts: list[Prompt] = []
    problems = []
    for i, row in enumerate(_read(path).get("prompt", [])):
        try:
            if unknown := set(row) - {"name", "prompt", "caption"}:
                raise ConfigError(f"unknown key {', '.join(sorted(unknown))}")
            text = clean_prompt(str(row.get("prompt", "")))
        except ConfigError as error:
            problems.append(f"prompt {i + 1}: {error}")
            continue
        prompts.append(Prompt(str(row.get("name") or name_for(text)), text, str(row.get("caption") or text), i))
    names = [p.name for p in prompts]
    problems += [f"the name {name!r} is used twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if not prompts and not problems:
        problems.append("no [[prompt]] in the file")
    _raise(path, problems)
    return tuple(prompts)


def clean_prompt(text: str) -> str:
    """Strip a prompt and put it on one line.

    Raises:
        ConfigError: If nothing is left, or it is longer than `MAX_PROMPT_CHARACTERS`.
    """
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    if not any(c.isalnum() for c in clean):
        raise ConfigError("the prompt is empty: it needs at least one letter or digit")
    if len(clean) > MAX_PROMPT_CHARACTERS:
        raise ConfigError(
            f"the prompt has {len(clean)} characters; text models read a sentence or two, "
            f"so at most {MAX_PROMPT_CHARACTERS} are accepted: shorten it"
        )
    return clean


def name_for(prompt: str) -> str:
    """Give a target's name for a prompt: its letters in ASCII, or a fingerprint where it has none."""
    ascii_only = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")
    name = re.sub(r"^(a|an|the)_(?=[a-z])", "", name)
    if len(re.sub("[^a-z]", "", name)) < 2:
        return "prompt_" + sha256(prompt.encode()).hexdigest()[:8]
    if not name[0].isalpha():
        name = "prompt_" + name
    return name[:40].rstrip("_")


def attributes_of(directions: Iterable[str], attributes: Iterable[Attribute]) -> dict[str, tuple[Attribute, int]]:
    """Find the attribute that each direction of a pack stands for: direction -> (attribute, +1 or -1).

    Directions that no caption describes are left out.
    """
    known: dict[str, tuple[Attribute, int]] = {}
    for attribute in attributes:
        known[_key(attribute.name)] = (attribute, 1)
        for name in attribute.also:
            known[_key(name.removeprefix("-"))] = (attribute, -1 if name.startswith("-") else 1)
    return {name: known[_key(name)] for name in directions if _key(name) in known}


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _raise(path: Path, problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(f"{path}: {p}" for p in problems))
