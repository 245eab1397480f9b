"""What an audit asks: prompts with their themes, added words, carriers, and pairs that should not differ.

Read from a TOML file such as `prompts.toml` beside this module. A list in the form of `mirror targets` is one, too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engines.targets.captions import clean_prompt, name_for
from installation.errors import ConfigError

PROMPTS = Path(__file__).with_name("prompts.toml")

NO_THEME = "other"

Word = Annotated[str, Field(min_length=1, max_length=60)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PromptRow(_Strict):
    prompt: str
    name: str = ""
    caption: str = ""
    theme: Word = NO_THEME
    feature: bool = False


class _PairRow(_Strict):
    a: str
    b: str
    because: str = ""


class _File(_Strict):
    prompt: list[_PromptRow] = Field(min_length=1)
    pair: list[_PairRow] = []
    carriers: list[Word] = ["{}"]
    overbearing: list[Word] = []
    ordinary: list[Word] = []
    primary: list[Word] = ["gender_expression", "age", "skin_tone"]
    blind: list[Word] = []


@dataclass(frozen=True, slots=True)
class AuditPrompt:
    """One prompt.

    Attributes:
        name: Identifier, as of a target.
        text: The words.
        theme: The group of prompts that mean nearly the same.
        feature: Whether the report gives it a card of its own.
    """

    name: str
    text: str
    theme: str = NO_THEME
    feature: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two prompts, by name, that should not differ in who they are about, and why not."""

    a: str
    b: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """All that is asked.

    Attributes:
        prompts: In the file's order.
        pairs: Of prompts that should not differ.
        carriers: Words around a prompt, each with one "{}".
        overbearing: Added words under suspicion.
        ordinary: Added words that are not: the measure for the others.
        primary: The axes that the questions are about; all others are looked at beside them, and corrected apart.
        blind: Axes of which no word can know anything; what is found there is the questions' own doing.
        sha256: Of the file.
    """

    prompts: tuple[AuditPrompt, ...]
    pairs: tuple[Pair, ...]
    carriers: tuple[str, ...]
    overbearing: tuple[str, ...]
    ordinary: tuple[str, ...]
    primary: tuple[str, ...]
    blind: tuple[str, ...]
    sha256: str

    @property
    def themes(self) -> dict[str, tuple[int, ...]]:
        """Theme -> places of its prompts, in the file's order; prompts without a theme are in none."""
        found: dict[str, list[int]] = {}
        for place, prompt in enumerate(self.prompts):
            if prompt.theme != NO_THEME:
                found.setdefault(prompt.theme, []).append(place)
        return {theme: tuple(places) for theme, places in found.items()}

    def only(self, names: Iterable[str]) -> Questions:
        """The same questions for some prompts, with those pairs of which both are left."""
        kept = set(names)
        pairs = tuple(pair for pair in self.pairs if {pair.a, pair.b} <= kept)
        return replace(self, prompts=tuple(p for p in self.prompts if p.name in kept), pairs=pairs)

    def place(self, name: str) -> int:
        """Where a prompt stands."""
        return next(place for place, prompt in enumerate(self.prompts) if prompt.name == name)


def read_questions(path: Path = PROMPTS) -> Questions:
    """Read a list.

    Raises:
        ConfigError: If the file cannot be read or says something impossible; lists every problem.
    """
    try:
        data = path.read_bytes()
        file = _File.model_validate(tomllib.loads(data.decode()))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        lines = (f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("\n".join(lines)) from error
    prompts, problems = _prompts(file.prompt)
    known = {prompt.name for prompt in prompts}
    pairs = tuple(Pair(row.a, row.b, row.because) for row in file.pair)
    for pair in pairs:
        problems += [f"pair {pair.a} / {pair.b}: there is no prompt {n}" for n in (pair.a, pair.b) if n not in known]
        problems += [f"pair {pair.a} / {pair.b}: the same prompt twice"] if pair.a == pair.b else []
    problems += [f"carrier {c!r} needs one {{}} for the prompt" for c in file.carriers if c.count("{}") != 1]
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return Questions(
        prompts,
        pairs,
        tuple(dict.fromkeys(file.carriers)),
        tuple(dict.fromkeys(file.overbearing)),
        tuple(dict.fromkeys(file.ordinary)),
        tuple(dict.fromkeys(file.primary)),
        tuple(dict.fromkeys(file.blind)),
        sha256(data).hexdigest(),
    )


def _prompts(rows: list[_PromptRow]) -> tuple[tuple[AuditPrompt, ...], list[str]]:
    prompts, problems = [], []
    for i, row in enumerate(rows):
        try:
            text = clean_prompt(row.prompt)
        except ConfigError as error:
            problems.append(f"prompt {i + 1}: {error}")
            continue
        prompts.append(AuditPrompt(row.name or name_for(text), text, row.theme, row.feature))
    names = [prompt.name for prompt in prompts]
    problems += [f"the name {name!r} is used twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return tuple(prompts), problems
