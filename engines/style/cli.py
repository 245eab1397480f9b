"""`mirror models style import | train | sheet | time`: networks that paint in the style of a picture.

Only the parser and the short commands are here; PyTorch is imported when a command needs it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.faces.renderer import OVERSAMPLING, PortraitRenderer
from engines.faces.sampler import sample
from engines.runtime.style_folder import DEFAULT_STYLE, PICTURES, find_pictures
from engines.runtime.stylist import Stylist, load_stylist, read_picture
from engines.style.sheet import contact_sheet
from installation.core.stats import Histogram
from installation.errors import EngineError, MissingExtra
from installation.runtime.progress import Progress

SHEET_SEED = 4
SHEET_SIDE = 144
JPEG_QUALITY = 74
TIMED = 200


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code.

    Raises:
        MirrorError: Where something is wrong that a person can mend.
    """
    options = _parser().parse_args(list(argv))
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "models", f"mirror models style {options.command}") from error


def import_weights(options: argparse.Namespace) -> int:
    """Turn the public weights into a style folder."""
    from engines.style.importer import import_style

    name = options.name or options.out.name
    folder = import_style(options.encoder, options.decoder, options.out, name=name, size=options.size)
    print(f'{folder}: AdaIN at {options.size} px; use it with: [style] network = "{folder}"')
    return 0


def train(options: argparse.Namespace) -> int:
    """Make the small network: draw pictures, train, write. Goes on where it was stopped."""
    from engines.style.making import Making, make_style

    return make_style(Making(options.work, options.out, options.steps, options.pause_file))


def sheet(options: argparse.Namespace) -> int:
    """Draw faces in styles, as the show would."""
    stylist = _ready(options)
    pictures = {name: read_picture(path) for name, path in _pictures(options).items()}
    renderer = PortraitRenderer(stylist.size, oversampling=OVERSAMPLING)
    rng = np.random.default_rng(options.seed)
    faces = np.stack([renderer.render(sample(rng)) for _ in range(options.faces)])
    renderer.release()
    content = np.ascontiguousarray(faces.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - np.float32(1.0)
    styled = np.empty((len(pictures), *content.shape), np.float32)
    with Progress(len(pictures), "painting") as progress:
        for index, weights in enumerate(np.eye(len(pictures), dtype=np.float32)):
            stylist.stylise(content, weights, options.strength, styled[index])
            progress.advance(1, stylist.names[index])
    stylist.close()
    drawn = np.clip(np.rint(styled * 127.5 + 127.5), 0, 255).astype(np.uint8).transpose(1, 0, 3, 4, 2)
    side = options.side
    small = [[_reduced(picture, side) for picture in row] for row in drawn]
    styles = np.stack([_reduced(_middle(picture), side) for picture in pictures.values()])
    whole = contact_sheet(np.stack([_reduced(face, side) for face in faces]), styles, np.array(small))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(options.out), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise EngineError(f"{options.out} cannot be written; end its name in .jpg or .png and check the folder")
    print(f"wrote {options.out}: {len(faces)} faces, {len(pictures)} styles, {options.out.stat().st_size / 1e3:.0f} kB")
    return 0


def measure(options: argparse.Namespace) -> int:
    """Time one frame: resizing, blending, encoder, AdaIN, decoder. Processor time holds on a busy machine too."""
    stylist = _ready(options)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 3, options.source_size, options.source_size)).astype(np.float32)
    out = np.empty((1, 3, stylist.size, stylist.size), np.float32)
    weights = np.ones(len(stylist.names), np.float32)
    times, spent = Histogram(), time.process_time()
    for _ in range(TIMED):
        began = time.perf_counter()
        stylist.stylise(image, weights, 1.0, out)
        times.add((time.perf_counter() - began) * 1000.0)
    spent = (time.process_time() - spent) * 1000.0 / TIMED
    stylist.close()
    p50, p95 = times.percentile(50), times.percentile(95)
    print(f"{stylist.manifest.name}, {options.source_size} px to {stylist.size} px, {len(weights)} styles blended")
    print(f"p50 {p50:.2f} ms, p95 {p95:.2f} ms, worst {times.worst:.2f} ms over {TIMED} frames")
    print(f"processor time {spent:.2f} ms a frame, all threads together")
    return 0


def _ready(options: argparse.Namespace) -> Stylist:
    stylist = load_stylist(options.network, options.backend)
    stylist.learn({name: read_picture(path) for name, path in _pictures(options).items()})
    stylist.warm_up()
    return stylist


def _pictures(options: argparse.Namespace) -> dict[str, Path]:
    return find_pictures(options.pictures or DEFAULT_STYLE / PICTURES)


def _reduced(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mirror models style", description="Paint in the style of any picture.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    bring = commands.add_parser("import", help="bring in the public AdaIN weights; nothing in the files is executed")
    bring.add_argument("encoder", type=Path, help="vgg_normalised.pth")
    bring.add_argument("decoder", type=Path, help="decoder.pth")
    bring.add_argument("--out", type=Path, required=True, metavar="DIR", help="the style folder to make")
    bring.add_argument("--size", type=int, default=256, metavar="PX", help="side of its pictures, 256 to 512 (256)")
    bring.add_argument("--name", help="the network's name; the folder's if not given")
    bring.set_defaults(run=import_weights)
    learn = commands.add_parser("train", help="train the small network on pictures drawn here")
    learn.add_argument("--work", type=Path, default=Path("out/style"), metavar="DIR", help="checkpoints (out/style)")
    learn.add_argument("--out", type=Path, default=DEFAULT_STYLE, metavar="DIR", help="the style folder to write")
    learn.add_argument("--steps", type=int, default=3000, metavar="N", help="batches (3000)")
    learn.add_argument("--pause-file", type=Path, metavar="F", help="wait as long as this file exists")
    learn.set_defaults(run=train)
    draw = commands.add_parser("sheet", help="draw faces in styles")
    _add_network(draw)
    draw.add_argument("--out", type=Path, default=Path("styles.jpg"), metavar="F", help="the picture to write")
    draw.add_argument("--faces", type=int, default=6, metavar="N", help="procedural faces (6)")
    draw.add_argument("--seed", type=int, default=SHEET_SEED, help="of the faces")
    draw.add_argument("--strength", type=float, default=1.0, help="style strength, 0 to 1 (1)")
    draw.add_argument("--side", type=int, default=SHEET_SIDE, metavar="PX", help="side of each picture on the sheet")
    draw.set_defaults(run=sheet)
    clock = commands.add_parser("time", help="time one frame")
    _add_network(clock)
    clock.add_argument("--source-size", type=int, default=128, metavar="PX", help="of the generator's picture (128)")
    clock.set_defaults(run=measure)
    return parser


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", type=Path, default=DEFAULT_STYLE, metavar="DIR", help="style folder (built in)")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder of style pictures (built in)")
    parser.add_argument("--backend", default="auto", help="auto, tensorrt or openvino")
