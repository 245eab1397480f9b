"""`mirror portrait PHOTO... --out DIR`: portraits from photographs, one or thousands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from installation.config import Config, load_config
from installation.core.controls import MORPH_MODES
from installation.core.tracking import POLICIES
from installation.errors import PhotographError
from installation.runtime.tasks import Workers
from installation.runtime.workers import cores, open_workers
from installation.studio.batch import make_batch
from installation.studio.order import PRODUCTS, Order
from installation.studio.photograph import find_photographs


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Returns:
        0 if every photograph has its portrait, else 7; what could be made was made.

    Raises:
        MirrorError: If nothing could be made at all.
    """
    options = _parser().parse_args(list(argv))
    order = order_from(options)
    photos = find_photographs(options.photos)
    count = min(options.workers or cores(), len(photos))
    with open_workers(cluster=options.cluster, count=count) as workers:
        return run(photos, options.out, order, workers, again=options.again)


def run(photos: Sequence[Path], out: Path, order: Order, workers: Workers, *, again: bool = False) -> int:
    """Make a batch and say what became of it.

    Raises:
        PhotographError: If it was one photograph, and it has no portrait.
    """
    summary = make_batch(photos, out, order, workers, again=again)
    if len(photos) == 1 and summary.exit_code:
        raise PhotographError(summary.outcomes[0].sentence)
    for line in summary.lines():
        print(line)
    for outcome in summary.outcomes:
        if outcome.bug:
            print(f"\n{outcome.photo}: a bug of the program\n{outcome.bug}", file=sys.stderr)
    print(out if len(photos) > 1 else out / summary.outcomes[0].name)
    return summary.exit_code


def order_from(options: argparse.Namespace) -> Order:
    """Turn options into an order.

    Raises:
        ConfigError: If the configuration or an option is wrong.
    """
    where = options.config or (Path("config.toml") if Path("config.toml").is_file() else None)
    config: Config = load_config(where)
    order = Order(
        pack=options.pack or config.engine.pack,
        config=config.model_dump_json(),
        targets=options.targets or (),
        products=options.products or PRODUCTS,
        mode=options.mode or "",
        amounts=tuple(sorted(dict(options.amount or ()).items())),
        policy=options.follow or config.faces.follow,
        every=options.faces == "all",
        look=options.look or "plain",
        side=options.size,
        origins=str(options.origins.absolute()) if options.origins else "",
        texture=options.texture,
        refine=not options.no_refine,
    )
    order.check()
    return order


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirror portrait",
        description="Portraits from photographs: the series of five, midway blends, films, style mixes, features.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photographs, or folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder for each portrait goes here")
    what = parser.add_argument_group("what is made")
    what.add_argument(
        "--products", type=_names, metavar="A,B", help=f"of {', '.join(PRODUCTS)}; all of them if not given"
    )
    what.add_argument("--targets", type=_names, metavar="A,B", help="targets of the pack; the configured five if none")
    what.add_argument("--mode", choices=MORPH_MODES, help="how a morph goes; as configured if not given")
    what.add_argument(
        "--amount",
        type=_amount,
        action="append",
        metavar="[TARGET=]A",
        help="your own blend, 0..1, in place of the proposed midway; for one target or for all",
    )
    what.add_argument("--look", help="a look of the show (plain)")
    what.add_argument("--size", type=int, default=512, metavar="PX", help="side of a single picture (512)")
    what.add_argument(
        "--origins",
        type=Path,
        metavar="DIR",
        help="pictures that targets came from, DIR/<target>.jpg: their colours and texture come back",
    )
    what.add_argument(
        "--texture", type=float, default=0.5, metavar="S", help="how much texture comes back, 0..1; 0 colours alone"
    )
    who = parser.add_argument_group("who is portrayed")
    who.add_argument("--faces", choices=("one", "all"), default="one", help="one face of each photograph, or all (one)")
    who.add_argument("--follow", choices=tuple(POLICIES), help="whom to choose; as configured if not given")
    who.add_argument("--no-refine", action="store_true", help="take the encoder's answer as it is")
    how = parser.add_argument_group("how")
    how.add_argument("--pack", help="name or folder of a model pack")
    how.add_argument("--config", type=Path, metavar="F", help="config file; config.toml here, if there is one")
    how.add_argument("--workers", type=_count, metavar="N", help="processes at once; as many as cores if not given")
    how.add_argument("--cluster", metavar="ADDRESS", help='a Ray cluster, "auto", or "local" for one of its own here')
    how.add_argument("--again", action="store_true", help="make even what is finished")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _amount(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    return name, float(value)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value
