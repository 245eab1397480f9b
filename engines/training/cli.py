"""`mirror models train`: render, train, write a pack. Every stage resumes where it was stopped.

The work folder keeps portraits, checkpoints, sample sheets and the log; deleting it starts afresh. Ctrl-C saves and
leaves with what to type to go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.runtime.pack import DEFAULT_PACK
from engines.training.continuation import Continuation
from engines.training.encoder_training import EncoderRecipe
from engines.training.generator import Recipe
from engines.training.stages import Options, encoder, generator, pack, render, synthesis
from installation.errors import MirrorError

STAGES = {"render": render, "generator": generator, "encoder": encoder, "pack": pack}
"""What `--stage all` does, in order."""

Stage = Callable[[Options], bool]


def main(argv: Sequence[str]) -> int:
    """Run `mirror models train` with these arguments; returns the exit code."""
    options, stages = _parse(argv)
    options.data.mkdir(parents=True, exist_ok=True)
    try:
        for stage in stages:
            if not stage(options):
                print(f"Stopped; the work so far is in {options.work}. The same command goes on.", file=sys.stderr)
                return 130
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _parse(argv: Sequence[str]) -> tuple[Options, list[Stage]]:
    parser = argparse.ArgumentParser(prog="mirror models train", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="portraits, checkpoints, sheets, log")
    parser.add_argument("--out", type=Path, default=DEFAULT_PACK, help="the pack folder to write")
    parser.add_argument("--stage", choices=(*STAGES, "all"), default="all", help="one stage, or all in order")
    parser.add_argument("--resolution", type=int, default=128, help="pixels: 64, 128 or 256")
    parser.add_argument("--portraits", type=int, default=20_000, help="how many to render; 250 more are held out")
    parser.add_argument("--steps", type=int, default=24_000, help="generator steps")
    parser.add_argument("--batch", type=int, default=16, help="pictures per step and worker")
    parser.add_argument("--quarter-until", type=float, default=0.15, help="part of the steps at a quarter resolution")
    parser.add_argument("--low-until", type=float, default=0.7, help="part of the steps before the full resolution")
    parser.add_argument("--encoder-scale", type=float, default=1.0, help="multiplies the encoder's steps")
    parser.add_argument(
        "--continue-synthesis", type=float, metavar="MINUTES",
        help="only train the synthesis on, for so long, with the mapping frozen: W+ keeps its meaning",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes that train the generator, one thread each")
    parser.add_argument(
        "--render-part", type=int, nargs=2, default=(0, 1), metavar=("K", "N"),
        help="render only every N-th shard, beginning with K: for several processes side by side",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-file", type=Path, help="wait as long as this file exists")
    given = parser.parse_args(argv)
    base = EncoderRecipe()
    options = Options(
        work=given.work,
        out=given.out,
        portraits=given.portraits,
        part=(given.render_part[0], given.render_part[1]),
        recipe=Recipe(
            steps=given.steps,
            batch=given.batch,
            quarter_until=given.quarter_until,
            low_until=given.low_until,
            seed=given.seed,
        ),
        encoder=EncoderRecipe(
            surrogate_steps=round(base.surrogate_steps * given.encoder_scale),
            geometry_steps=round(base.geometry_steps * given.encoder_scale),
            appearance_steps=round(base.appearance_steps * given.encoder_scale),
            seed=given.seed,
        ),
        continuation=Continuation(minutes=given.continue_synthesis or 0.0, batch=given.batch, seed=given.seed),
        workers=given.workers,
        resolution=given.resolution,
        seed=given.seed,
        pause_file=given.pause_file,
    )
    if given.continue_synthesis is not None:
        return options, [synthesis]
    return options, [*STAGES.values()] if given.stage == "all" else [STAGES[given.stage]]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
