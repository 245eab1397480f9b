"""`mirror targets make | list | show | sheet | verify`: the offline half of the piece.

Only the parser is here; each command's module, and with it each heavy library, is imported when it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.runtime import DEFAULT_PACK
from engines.runtime.targets import ROUTES


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0, or 1 where `verify` found a target wanting.

    Raises:
        MirrorError: Where something is wrong that a person can mend.
    """
    options = _parser().parse_args(list(argv))
    if options.command == "make":
        from engines.targets.making import make

        return make(options)
    import engines.targets.looking as looking

    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": looking.list_targets_of,
        "show": looking.show,
        "sheet": looking.sheet,
        "verify": looking.verify,
    }
    return commands[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mirror targets", description="From a prompt to a latent, with its reasons.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_make(commands.add_parser("make", help="make targets from prompts or pictures"))
    look = commands.add_parser("list", help="the targets of a pack")
    _add_pack(look)
    show = commands.add_parser("show", help="which axes a word pulled, and by how much")
    show.add_argument("names", nargs="+", metavar="NAME", help="targets of the pack")
    show.add_argument("--chart", type=Path, default=Path("."), metavar="DIR", help="where to write <name>.png (here)")
    show.add_argument("--no-chart", action="store_true", help="text only")
    _add_pack(show)
    sheet = commands.add_parser("sheet", help="draw the targets, and visitors on their way to them")
    sheet.add_argument(
        "names", nargs="*", metavar="NAME", help="targets to draw visitors toward; the first five if none"
    )
    sheet.add_argument("--out", type=Path, default=Path("targets.png"), metavar="F.png", help="the picture to write")
    sheet.add_argument("--visitors", type=_count, default=3, metavar="N", help="visitors per target (3)")
    sheet.add_argument("--mode", choices=("edit", "replace"), default="edit", help="how the morph goes (edit)")
    _add_pack(sheet)
    verify = commands.add_parser("verify", help="measure: faces on the way, distance between targets, the visitor kept")
    verify.add_argument("names", nargs="*", metavar="NAME", help="targets to verify; the first five if none")
    verify.add_argument("--visitors", type=_count, default=50, metavar="N", help="random visitors (50)")
    _add_pack(verify)
    return parser


def _add_make(make: argparse.ArgumentParser) -> None:
    make.add_argument("prompts", nargs="*", metavar="PROMPT", help="words; one target each")
    make.add_argument("--via", choices=ROUTES, default="text", help="how (text)")
    make.add_argument("--prompts", dest="prompt_file", type=Path, metavar="F.toml", help="a list of prompts instead")
    make.add_argument("--name", help="name of the target, where there is one prompt")
    make.add_argument("--curation", type=Path, metavar="F.toml", help="the curator's file; the pack's own if not given")
    make.add_argument("--out", type=Path, metavar="DIR", help="where to write; the pack's targets/ if not given")
    _add_pack(make)
    text = make.add_argument_group("text", "words alone: a text model and caption pairs")
    text.add_argument(
        "--text-model", metavar="WHERE", help="folder or hub name; the packaged all-MiniLM-L6-v2 if not given"
    )
    text.add_argument("--captions", type=Path, metavar="F.toml", help="other caption pairs")
    text.add_argument("--neutral", type=Path, metavar="F.toml", help="other neutral words")
    clip = make.add_argument_group("clip", "optimise the latent until CLIP finds the words in the picture")
    clip.add_argument(
        "--clip-model", metavar="WHERE", default="openai/clip-vit-base-patch32", help="folder or hub name"
    )
    clip.add_argument("--global", dest="global_", action="store_true", help="one direction by text difference")
    clip.add_argument("--source", default="a person", metavar="WORDS", help="the neutral words (a person)")
    clip.add_argument("--start", choices=("average", "samples"), default="average", help="where seeds begin (average)")
    clip.add_argument("--cutouts", type=_count, default=8, metavar="N", help="random cut-outs per step (8)")
    clip.add_argument("--latent-weight", type=float, default=0.8, metavar="W", help="how dear it is to leave the start")
    clip.add_argument(
        "--identity-weight", type=float, default=0.0, metavar="W", help="how dear it is to change the face"
    )
    clip.add_argument("--steps", type=_count, default=150, metavar="N", help="optimisation steps (150)")
    clip.add_argument("--rate", type=float, default=0.05, metavar="R", help="learning rate (0.05)")
    clip.add_argument("--seeds", type=_seeds, default=(0, 1, 2), metavar="0,1,2", help="seeds; the best result is kept")
    clip.add_argument("--preview", type=Path, metavar="F.png", help="a sheet that is redrawn while it runs")
    pictures = make.add_argument_group("images and diffusers", "pictures of the prompt, found, aligned and encoded")
    pictures.add_argument(
        "--images", type=Path, metavar="DIR", help="the artist's own pictures, or one folder of them per prompt"
    )
    pictures.add_argument("--apart", action="store_true", help="one target per face instead of their average")
    pictures.add_argument(
        "--refine", type=_count_or_none, default=0, metavar="STEPS", help="projector steps per face (0)"
    )
    pictures.add_argument("--perceptual", metavar="WHERE", help="a CLIP whose patches judge likeness while refining")
    pictures.add_argument("--pipeline", metavar="WHERE", help="text-to-image pipeline: folder or hub name")
    pictures.add_argument("--count", type=_count, default=8, metavar="N", help="pictures per prompt (8)")
    pictures.add_argument("--diffusion-steps", type=_count, default=30, metavar="N", help="steps per picture (30)")


def _add_pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pack", type=Path, default=DEFAULT_PACK, metavar="DIR", help="the model pack; the default one"
    )


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{value}: must be between 1 and 100000")
    return value


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
