"""Pictures to train on: the project's procedural portraits as content, pictures drawn by our own code as style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample
from engines.style.adain import mean_std
from engines.style.brushes import SIDE, brushes
from engines.style.network import opponent, recolour
from engines.style.pictures import MANNERS, draw_style
from engines.style.teacher import Teacher

SIZE = 256
SEED = 11
EXTREMES = 12
"""The darkest and the lightest of so many parts of a style picture give its dark and its light colour."""

HELD_OUT = 12
"""Portraits, and style pictures of each manner, that are never trained on; they come first."""


def make_pictures(
    folder: Path, portraits: int, styles: int, tell: Callable[[int, str], None] = lambda count, what: None
) -> Path:
    """Draw `portraits` contents and `styles` pictures of each manner into one file; one that exists is kept."""
    path = folder / f"pictures_{portraits}_{styles}.npz"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    renderer = PortraitRenderer(SIZE)
    content = np.empty((portraits, SIZE, SIZE, 3), np.uint8)
    for index in range(portraits):
        renderer.render(sample(rng), out=content[index])
        tell(1, "portraits")
    renderer.release()
    style = np.empty((len(MANNERS), styles, SIZE, SIZE, 3), np.uint8)
    for row, manner in enumerate(MANNERS):
        for seed in range(styles):
            style[row, seed] = draw_style(manner, seed)
            tell(1, "style pictures")
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, content=content, style=style)
    partial.rename(path)
    return path


@dataclass(frozen=True, slots=True)
class Lesson:
    """Contents, styles and what the teacher made of them, (n, 3, s, s) each; the styles' manners by number; where the
    brushes lay, for the network."""

    content: Tensor
    style: Tensor
    painted: Tensor
    manners: list[int]
    corner: tuple[int, int]


def teach(teacher: Teacher, content: Tensor, style: Tensor, manners: Sequence[int]) -> Tensor:
    """Let the teacher paint contents (n, 3, s, s) in the colours of styles (n, 3, t, t), each in its manner."""
    mean, std = mean_std(opponent(style))
    colours = recolour(content, mean, std).clamp(-1.0, 1.0)
    painted = []
    for base, picture, manner in zip(colours, style, manners, strict=True):
        pixels = picture.flatten(1).T
        order = pixels.mean(dim=1).argsort()
        few = max(len(order) // EXTREMES, 1)
        dark, light = (pixels[part].mean(dim=0).numpy() for part in (order[:few], order[-few:]))
        painted.append(teacher.paint(list(MANNERS)[manner], base.permute(1, 2, 0).numpy(), dark, light))
    return torch.from_numpy(np.stack(painted)).permute(0, 3, 1, 2).contiguous()


class Pictures:
    """Contents (c, 3, 256, 256) and styles (m, k, 3, 256, 256), uint8 in memory; batches are float32 in [-1, 1]."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.content = torch.from_numpy(arrays["content"]).permute(0, 3, 1, 2).contiguous()
            self.style = torch.from_numpy(arrays["style"]).permute(0, 1, 4, 2, 3).contiguous()

    def batch(self, count: int, side: int, generator: torch.Generator) -> Lesson:
        """Draw contents and styles at random, and let the teacher paint them; half of the contents are soft.

        A soft one was 128 px wide and enlarged, as the default pack's pictures are.
        """
        contents, styles, manners = [], [], []
        for _ in range(count):
            picture = self._any(self.content[HELD_OUT:], generator)[None].float()
            if torch.rand((), generator=generator) < 0.5:
                small = F.avg_pool2d(picture, 2)
                picture = F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False).clamp(0, 255)
            contents.append(_crop(picture[0], side, generator))
            manners.append(int(torch.randint(len(self.style), (), generator=generator)))
            styles.append(_crop(self._any(self.style[manners[-1], HELD_OUT:], generator), side, generator).float())
        content, style = torch.stack(contents) / 127.5 - 1.0, torch.stack(styles) / 127.5 - 1.0
        row, column = (2 * torch.randint((SIDE - side) // 2 + 1, (2,), generator=generator)).tolist()
        teacher = Teacher(brushes(), (slice(row, row + side), slice(column, column + side)))
        return Lesson(content, style, teach(teacher, content, style, manners), manners, (row // 2, column // 2))

    def held_out(self, count: int = 6) -> tuple[Tensor, Tensor]:
        """Give contents (count, 3, 256, 256), and one style of each manner (m, 3, 256, 256), none trained on."""
        return self.content[:count].float() / 127.5 - 1.0, self.style[:, 0].float() / 127.5 - 1.0

    @staticmethod
    def _any(pictures: Tensor, generator: torch.Generator) -> Tensor:
        return pictures[int(torch.randint(len(pictures), (), generator=generator))]


def _crop(picture: Tensor, side: int, generator: torch.Generator) -> Tensor:
    room = picture.shape[-1] - side + 1
    y, x = torch.randint(room, (2,), generator=generator).tolist()
    cut = picture[:, y : y + side, x : x + side]
    return cut.flip(2) if torch.rand((), generator=generator) < 0.5 else cut
