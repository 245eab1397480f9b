"""`mirror models style train`: from nothing to a style folder. Every stage resumes where it was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from engines.packing import Licence
from engines.style.data import Pictures, make_pictures
from engines.style.export import write_style
from engines.style.pictures import MANNERS, draw_style
from engines.style.training import Recipe, StyleTrainer, load_network
from installation.runtime.progress import Progress

SIZE = 256
PORTRAITS = 500
STYLES = 36
"""Style pictures of each manner."""

SAVE_EVERY_S = 120.0
JPEG_QUALITY = 90

SHIPPED = {
    "eddies": ("swirls", 3),
    "glass": ("mosaic", 1),
    "oil": ("strokes", 4),
    "pen": ("ink", 1),
    "points": ("points", 5),
    "woodcut": ("woodcut", 1),
}
"""Name of a style that ships -> manner and seed of its picture."""

LICENCE = Licence(
    "Apache-2.0",
    "Trained for Machine Reflections on pictures drawn by its own code: procedural portraits and procedural style\n"
    "pictures. No photograph, no painting and no other network took part. Apache-2.0, like the code.\n",
    commercial_use=True,
)


@dataclass(frozen=True, slots=True)
class Making:
    """The command line, parsed."""

    work: Path
    out: Path
    steps: int
    pause_file: Path | None = None


def make_style(making: Making) -> int:
    """Draw, train, write; the exit code."""
    torch.set_num_threads(1)
    with Progress(PORTRAITS + STYLES * len(MANNERS), "drawing") as progress:
        pictures = make_pictures(making.work, PORTRAITS, STYLES, progress.advance)
    trainer = StyleTrainer(Pictures(pictures), Recipe(steps=making.steps))
    checkpoint = making.work / "style.pt"
    if checkpoint.exists():
        trainer.resume(checkpoint)
    with Progress(making.steps, "training") as progress:
        progress.advance(trainer.step_count)

        def tell(now: StyleTrainer) -> None:
            painted, plain, manner = now.figures.tolist()
            progress.advance(1, f"painted {painted:.4f}, plain {plain:.4f}, manner {manner:.4f}")

        trainer.run(tell, save_to=checkpoint, save_every_s=SAVE_EVERY_S, pause=making.pause_file)
    write_shipped(checkpoint, making.out, making.work, making.steps)
    print(f"wrote {making.out}")
    return 0


def write_shipped(checkpoint: Path, out: Path, work: Path, steps: int) -> None:
    """Write a checkpoint as the style folder that ships, with its pictures."""
    paths = []
    for name, (manner, seed) in SHIPPED.items():
        paths.append(work / f"{name}.jpg")
        picture = draw_style(manner, seed, SIZE)[..., ::-1]
        cv2.imwrite(str(paths[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    write_style(
        out,
        load_network(checkpoint),
        SIZE,
        name="procedural",
        provenance={
            "kind": "trained",
            "features": "its own encoder, trained together with the decoder; no external weights",
            "content": f"{PORTRAITS} procedural portraits",
            "style": f"{STYLES * len(MANNERS)} pictures drawn by code in {len(MANNERS)} manners",
            "teacher": "a painter made of plain rules, who knows the manner of each style picture",
            "steps": steps,
        },
        licence=LICENCE,
        pictures=paths,
        replace=True,
    )
