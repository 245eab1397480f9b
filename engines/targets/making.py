"""`mirror targets make`: run one route over prompts and store each target as soon as it is finished."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engines.runtime import Pack, load_pack
from engines.runtime.targets import check_name, write_target
from engines.targets.captions import (
    CAPTIONS,
    NEUTRAL,
    PROMPTS,
    Attribute,
    Prompt,
    attributes_of,
    clean_prompt,
    name_for,
    read_attributes,
    read_neutral,
    read_prompts,
)
from engines.targets.curation import FILE_NAME, Curation, read_curation
from engines.targets.make import Draft, draft_from_words, finish
from engines.targets.text_model import TextModel
from engines.targets.words import Yardstick
from installation.errors import ConfigError, MirrorError
from installation.runtime.progress import Progress

LAST = 100
"""Order of prompts given on the command line: after those of a list."""

Route = Callable[[Prompt], Draft]


@dataclass(frozen=True, slots=True)
class Studio:
    """What every route has at hand."""

    pack: Pack
    attributes: tuple[Attribute, ...]
    curation: Curation
    curation_path: Path
    folder: Path


def make(options: argparse.Namespace) -> int:
    """Make targets; a prompt that fails is told at the end and keeps no other from being finished.

    Raises:
        MirrorError: If the route cannot begin, or after the last prompt if some failed.
    """
    prompts = _prompts(options)
    with load_pack(options.pack) as pack:
        folder = options.out or pack.path / "targets"
        curation_path = options.curation or folder / FILE_NAME
        if options.curation is not None and not options.curation.is_file():
            raise ConfigError(f"there is no curation file {options.curation}")
        studio = Studio(
            pack, read_attributes(options.captions or CAPTIONS), read_curation(curation_path), curation_path, folder
        )
        return _run(_text_route(options, studio), prompts, studio)


def _run(route: Route, prompts: Sequence[Prompt], studio: Studio) -> int:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    problems: list[MirrorError] = []
    written = unchanged = 0
    with Progress(len(prompts), "targets") as progress:
        for prompt in prompts:
            try:
                target = finish(
                    route(prompt),
                    prompt,
                    studio.pack,
                    attributes=studio.attributes,
                    curation=studio.curation,
                    date=date,
                )
                if write_target(studio.folder, target):
                    written += 1
                else:
                    unchanged += 1
            except MirrorError as error:
                problems.append(error)
            progress.advance(note=prompt.name)
    print(f"{written} written, {unchanged} unchanged, {len(problems)} failed in {studio.folder}")
    if problems:
        summary = type(problems[0])
        raise ConfigError("\n".join(map(str, problems))) if summary is ConfigError else problems[0]
    return 0


def _prompts(options: argparse.Namespace) -> tuple[Prompt, ...]:
    if options.prompt_file is not None and options.prompts:
        raise ConfigError("give prompts on the command line or in a file, not both")
    if options.prompts:
        texts = [clean_prompt(text) for text in options.prompts]
        if options.name and len(texts) > 1:
            raise ConfigError(f"--name names one target, and there are {len(texts)} prompts")
        prompts = tuple(Prompt(options.name or name_for(text), text, text, LAST) for text in texts)
    else:
        prompts = read_prompts(options.prompt_file or PROMPTS)
    for prompt in prompts:
        check_name(prompt.name)
    return prompts


def _text_route(options: argparse.Namespace, studio: Studio) -> Route:
    named = attributes_of(studio.pack.directions, studio.attributes)
    if not named:
        raise ConfigError(
            f"the pack {studio.pack.name!r} has no direction that the captions describe, so words alone cannot "
            "move it; import directions into it, add captions (--captions), or use --via clip"
        )
    for name in studio.pack.directions:
        if name not in named:
            print(f"no captions describe the direction {name!r}: it is left alone")
    model = TextModel(options.text_model)
    asked = tuple({attribute.name: attribute for attribute, _ in named.values()}.values())
    yardstick = Yardstick(model, asked, read_neutral(options.neutral or NEUTRAL))

    def route(prompt: Prompt) -> Draft:
        note = model.check(prompt.text)
        if note:
            print(note)
        return draft_from_words(model([prompt.text])[0], yardstick, studio.pack, model=model.used, note=note)

    return route
