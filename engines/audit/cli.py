"""`mirror audit PROMPTS.toml --out DIR`, and `mirror audit label DIR --name NAME`: the bias lab.

Only the parsers are here; what is heavy is imported when it is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engines.audit.questions import PROMPTS
from engines.audit.variants import SLUGS
from engines.runtime import DEFAULT_PACK

ROUTES = ("words", "clip", "images", "diffusers")


def main(argv: Sequence[str]) -> int:
    """Run an audit, or serve the labelling page.

    Raises:
        MirrorError: Where something is wrong that a person can mend.
    """
    arguments = list(argv)
    if arguments[:1] == ["label"]:
        from engines.audit.desk import label

        return label(_label_parser().parse_args(arguments[1:]))
    from engines.audit.run import run

    return run(_parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirror audit",
        description="What a model believes about words, measured. Also: mirror audit label DIR --name NAME.",
    )
    parser.add_argument(
        "prompts", nargs="?", type=Path, default=PROMPTS, metavar="PROMPTS.toml", help="the shipped 129"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="report, tables, faces and labels")
    parser.add_argument("--via", choices=ROUTES, default="words", help="which model is asked, and how (words)")
    parser.add_argument(
        "--pack", type=Path, default=DEFAULT_PACK, metavar="DIR", help="draws the faces; the default one"
    )
    parser.add_argument("--no-faces", action="store_true", help="numbers only")
    parser.add_argument("--compare", type=Path, metavar="DIR", help="another audit's folder, to be set beside this one")
    parser.add_argument("--captions", type=Path, metavar="F.toml", help="other caption pairs")
    parser.add_argument("--neutral", type=Path, metavar="F.toml", help="other neutral words")
    parser.add_argument("--text-model", metavar="WHERE", help="folder or hub name; the packaged one if not given")
    parser.add_argument("--clip-model", metavar="WHERE", help="a CLIP: for guidance, and for the zero-shot tables")
    parser.add_argument("--categories", type=Path, metavar="F.toml", help="other words for the zero-shot tables")
    parser.add_argument("--people", type=count, default=6, metavar="N", help="drawn people in the zero-shot tables (6)")
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="processes on this machine (1)")
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help='a Ray cluster, "auto", or "local" for one of its own here'
    )
    slow = parser.add_argument_group("clip, images and diffusers")
    slow.add_argument("--variants", type=_variants, metavar="A,B", help=f"of {', '.join(SLUGS.values())} (all)")
    slow.add_argument("--images", type=Path, metavar="DIR", help="a folder per prompt: NAME, or NAME.VARIANT")
    slow.add_argument("--pipeline", metavar="WHERE", help="text-to-image pipeline: folder or hub name")
    slow.add_argument("--count", type=count, default=8, metavar="N", help="pictures per text (8)")
    slow.add_argument("--diffusion-steps", type=count, default=30, metavar="N", help="steps per picture (30)")
    slow.add_argument("--seeds", type=count, default=3, metavar="N", help="guided faces per text (3)")
    slow.add_argument("--steps", type=count, default=150, metavar="N", help="guidance steps per face (150)")
    slow.add_argument("--cutouts", type=count, default=8, metavar="N", help="random cut-outs per guidance step (8)")
    return parser


def _label_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mirror audit label", description="Label an audit's pictures: keys 1 to 5.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="an audit's folder")
    parser.add_argument("--name", required=True, help="who labels")
    parser.add_argument("--images", type=Path, metavar="DIR", help="other pictures; the audit's faces if not given")
    parser.add_argument("--port", type=int, default=0, help="TCP port on this machine; any free one if not given")
    return parser


def count(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    value = int(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{value}: must be between 1 and 100000")
    return value


def _variants(text: str) -> frozenset[str]:
    names = frozenset(text.split(",")) | {"as_is"}
    if unknown := names - set(SLUGS.values()):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose among {', '.join(SLUGS.values())}")
    return names
