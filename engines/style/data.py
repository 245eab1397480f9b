"""Pictures to train on: the project's procedural portraits as content, pictures drawn by our own code as style."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample
from engines.style.pictures import MANNERS, draw_style

SIZE = 256
SEED = 11
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


class Pictures:
    """Contents (c, 3, 256, 256) and styles (m, k, 3, 256, 256), uint8 in memory; batches are float32 in [-1, 1]."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.content = torch.from_numpy(arrays["content"]).permute(0, 3, 1, 2).contiguous()
            self.style = torch.from_numpy(arrays["style"]).permute(0, 1, 4, 2, 3).contiguous()

    def batch(self, count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw contents and styles (count, 3, side, side): crops, mirrored at random; half of the contents soft.

        A soft one was 128 px wide and enlarged, as the default pack's pictures are.
        """
        contents, styles = [], []
        for _ in range(count):
            picture = self._any(self.content[HELD_OUT:], generator)[None].float()
            if torch.rand((), generator=generator) < 0.5:
                small = F.avg_pool2d(picture, 2)
                picture = F.interpolate(small, scale_factor=2.0, mode="bicubic", align_corners=False).clamp(0, 255)
            contents.append(_crop(picture[0], side, generator))
            manner = self._any(self.style, generator)
            styles.append(_crop(self._any(manner[HELD_OUT:], generator), side, generator).float())
        return torch.stack(contents) / 127.5 - 1.0, torch.stack(styles) / 127.5 - 1.0

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
