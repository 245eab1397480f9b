"""Our arrays beside those of the public implementations: what may differ by how much, and a row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from installation.errors import EngineError

Accept = tuple[float, float]
"""Largest difference and relative L2 norm that equivalent runs may show."""

EXACT: Accept = (0.0, 0.0)
CODES: Accept = (5e-5, 1e-5)
W: Accept = (5e-6, 1.0)
IMAGE: Accept = (2e-5, 1e-5)
END_TO_END: Accept = (6e-5, 4e-5)
QUAD: Accept = (1e-6, 1.0)
EIGHT_BIT_SHARE = 0.005
"""Of 8-bit values, which may differ by one level."""


@dataclass(frozen=True, slots=True)
class Row:
    """One compared array."""

    case: str
    array: str
    largest: float
    relative: float
    accept: str
    ok: bool

    def __str__(self) -> str:
        mark = "ok" if self.ok else "NOT OK"
        return f"{self.case:<24} {self.array:<34} {self.largest:9.2e} {self.relative:9.2e}  {self.accept:<22} {mark}"


class Table:
    """Collects rows and remembers which reference arrays were compared."""

    def __init__(self, case: str, reference: Mapping[str, NDArray[Any]], show: Callable[[Row], None]) -> None:
        self.case = case
        self.reference = reference
        self.rows: list[Row] = []
        self._show = show

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.reference[name]

    def compare(self, name: str, ours: Any, accept: Accept) -> None:
        """Compare one array; 8-bit ones by levels."""
        theirs = self.reference[name]
        mine = np.asarray(ours.detach().cpu() if isinstance(ours, torch.Tensor) else ours)
        if mine.shape != theirs.shape:
            raise EngineError(f"{self.case} {name}: ours is {mine.shape}, the reference {theirs.shape}")
        difference = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
        largest = float(difference.max())
        relative = float(np.linalg.norm(difference) / max(float(np.linalg.norm(theirs.astype(np.float64))), 1e-30))
        if theirs.dtype == np.uint8:
            share = float((difference > 0).mean())
            ok, text = largest <= 1 and share <= EIGHT_BIT_SHARE, f"1 level on {EIGHT_BIT_SHARE:.1%}"
        else:
            ok = largest <= accept[0] and relative <= accept[1]
            text = f"{accept[0]:.0e}" + (f" and {accept[1]:.0e}" if accept[1] < 1 else "")
        row = Row(self.case, name, largest, relative, text, ok)
        self.rows.append(row)
        self._show(row)

    def compare_image(self, name: str, image: Any, accept: Accept) -> None:
        """Compare whichever of the picture, its 8x8 means and its centre the reference has."""
        picture = torch.as_tensor(np.asarray(image))
        for suffix, form in (("", _same), ("_pool8", _pooled), ("_crop64", centre)):
            if f"{name}{suffix}" in self.reference:
                self.compare(f"{name}{suffix}", form(picture), accept)


def _same(image: torch.Tensor) -> torch.Tensor:
    return image


def _pooled(image: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(image, 8)


def centre(image: torch.Tensor) -> torch.Tensor:
    """(n, 3, r, r) -> its middle 64 x 64 pixels."""
    start = image.shape[-1] // 2 - 32
    return image[..., start : start + 64, start : start + 64]
