"""`mirror targets make`: run one route over prompts and store each target as soon as it is finished."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from engines.runtime import load_pack
from engines.runtime.targets import check_name, write_target
from engines.targets.captions import (
    CAPTIONS,
    NEUTRAL,
    PROMPTS,
    Prompt,
    attributes_of,
    clean_prompt,
    name_for,
    read_attributes,
    read_neutral,
    read_prompts,
)
from engines.targets.curation import FILE_NAME, read_curation
from engines.targets.hub import need
from engines.targets.make import Draft, draft_from_words, finish
from engines.targets.studio import Route, Studio
from engines.targets.words import Yardstick
from installation.errors import ConfigError, EngineError, MirrorError
from installation.runtime.progress import Progress

LAST = 100
"""Order of prompts given on the command line: after those of a list."""


def make(options: argparse.Namespace) -> int:
    """Make targets; a prompt that fails is told at the end and keeps no other from being finished.

    Raises:
        MirrorError: If the route cannot begin, or after the last prompt if some failed.
    """
    folders = _picture_folders(options) if options.via == "images" else {}
    prompts = _prompts(options, folders)
    if options.curation is not None and not options.curation.is_file():
        raise ConfigError(f"there is no curation file {options.curation}")
    with load_pack(options.pack) as pack:
        folder = options.out or pack.path / "targets"
        curation = options.curation or folder / FILE_NAME
        attributes = read_attributes(options.captions or CAPTIONS)
        studio = Studio(pack, attributes, read_curation(curation), curation, folder)
        return _run(_route(options, studio, folders), prompts, studio)


def _route(options: argparse.Namespace, studio: Studio, folders: dict[str, Path]) -> Route:
    if options.via != "text" and (options.via != "images" or options.refine):
        need("torch", f"--via {options.via}")
    if options.via == "clip":
        from engines.targets.guided import clip_route

        return clip_route(options, studio)
    if options.via == "images":
        from engines.targets.picture_route import images_route

        return images_route(options, studio, folders)
    if options.via == "diffusers":
        from engines.targets.picture_route import diffusers_route

        if options.pipeline is None:
            raise ConfigError("--via diffusers needs --pipeline: the folder or hub name of a text-to-image pipeline")
        return diffusers_route(options, studio)
    return _text_route(options, studio)


def _run(route: Route, prompts: Sequence[Prompt], studio: Studio) -> int:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    problems: list[MirrorError] = []
    written = unchanged = 0
    with Progress(len(prompts), "targets") as progress:
        for prompt in prompts:
            try:
                for named, draft in route(prompt):
                    target = finish(
                        draft,
                        named,
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
    if len(problems) == 1:
        raise problems[0]
    if problems:
        kind = ConfigError if all(isinstance(problem, ConfigError) for problem in problems) else EngineError
        raise kind("\n".join(map(str, problems)))
    return 0


def _prompts(options: argparse.Namespace, folders: dict[str, Path]) -> tuple[Prompt, ...]:
    if options.prompt_file is not None and options.prompts:
        raise ConfigError("give prompts on the command line or in a file, not both")
    if options.prompts:
        texts = [clean_prompt(text) for text in options.prompts]
        if options.name and len(texts) > 1:
            raise ConfigError(f"--name names one target, and there are {len(texts)} prompts")
        prompts = tuple(Prompt(options.name or name_for(text), text, text, LAST) for text in texts)
    elif options.prompt_file is not None or options.via == "text":
        prompts = read_prompts(options.prompt_file or PROMPTS)
    elif folders:
        prompts = tuple(Prompt(name, path.name, path.name, LAST) for name, path in folders.items())
    else:
        raise ConfigError(f"--via {options.via} needs a prompt, or a list of them (--prompts F.toml)")
    for prompt in prompts:
        check_name(prompt.name)
    if options.via == "images":
        _place(prompts, folders, options.images)
    return prompts


def _picture_folders(options: argparse.Namespace) -> dict[str, Path]:
    """Find the folders of pictures: target name -> folder. A folder of folders holds one prompt each."""
    if options.images is None:
        raise ConfigError("--via images needs --images: the folder of your pictures")
    root: Path = options.images
    if not root.is_dir():
        raise ConfigError(f"there is no folder {root} to take pictures from")
    inner = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return {name_for(path.name): path for path in inner or [root]}


def _place(prompts: Sequence[Prompt], folders: dict[str, Path], root: Path) -> None:
    """Give each prompt its folder: the whole of `root` for one prompt, else the folder of its name."""
    if len(prompts) == 1 and prompts[0].name not in folders:
        folders[prompts[0].name] = root
    if missing := [prompt.name for prompt in prompts if prompt.name not in folders]:
        raise ConfigError(f"{root} has no folder named {', '.join(missing)}; with several prompts each needs its own")


def _text_route(options: argparse.Namespace, studio: Studio) -> Route:
    from engines.targets.text_model import TextModel

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

    def route(prompt: Prompt) -> Iterator[tuple[Prompt, Draft]]:
        note = model.check(prompt.text)
        if note:
            print(note)
        embedding = model([prompt.text])[0]
        yield prompt, draft_from_words(embedding, yardstick, studio.pack, model=model.used, note=note)

    return route
