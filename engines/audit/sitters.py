"""Portraits for the zero-shot table: the same people in every skin tone, age and gender expression.

Each person is drawn once by the balanced sampler and then shown in every combination of the three factors, everything
else untouched: hair, dress, light and pose are the same in all pictures of one person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import INDEX, Parameters
from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample
from installation.display.pictures import save_png

FOLDER = "sitters"
SEED = 129
PEOPLE = 6
PORTRAIT_PX = 224

_VALUES: dict[str, tuple[str, dict[str, float]]] = {
    "skin tone": ("skin_tone", {"light": 0.1, "medium light": 0.35, "medium dark": 0.6, "dark": 0.85}),
    "age": ("age", {"young": 0.1, "middle-aged": 0.45, "old": 0.85}),
    "gender expression": ("masculinity", {"feminine": -0.9, "between": 0.0, "masculine": 0.9}),
}
FACTORS: dict[str, tuple[str, ...]] = {factor: tuple(levels) for factor, (_, levels) in _VALUES.items()}
"""Factor -> its levels, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Sitter:
    """One portrait: which person, in which combination, with which parameters."""

    person: int
    skin_tone: str
    age: str
    gender_expression: str
    parameters: Parameters

    def level(self, factor: str) -> str:
        """The level of a factor of `FACTORS`."""
        return {"skin tone": self.skin_tone, "age": self.age, "gender expression": self.gender_expression}[factor]


def balanced_sitters(people: int = PEOPLE, seed: int = SEED) -> tuple[Sitter, ...]:
    """Draw `people`, each in all combinations, looking at the camera with eyes open."""
    rng = np.random.default_rng(seed)
    sitters = []
    for person in range(people):
        base = sample(rng)
        for name, value in (("yaw", 0.0), ("pitch", 0.0), ("roll", 0.0), ("gaze_x", 0.0), ("gaze_y", 0.0)):
            base[INDEX[name]] = value
        base[INDEX["eyes_open"]], base[INDEX["wink"]] = 1.0, 0.0
        for skin_tone, age, gender_expression in product(*FACTORS.values()):
            p = base.copy()
            for (parameter, levels), level in zip(_VALUES.values(), (skin_tone, age, gender_expression), strict=True):
                p[INDEX[parameter]] = levels[level]
            sitters.append(Sitter(person, skin_tone, age, gender_expression, p))
    return tuple(sitters)


def draw_sitters(sitters: tuple[Sitter, ...], size: int = PORTRAIT_PX) -> NDArray[np.uint8]:
    """Draw them: (n, size, size, 3) uint8 sRGB."""
    renderer = PortraitRenderer(size)
    try:
        return np.stack([renderer.render(sitter.parameters) for sitter in sitters])
    finally:
        renderer.release()


def save_sitters(folder: Path, pictures: NDArray[np.uint8], sitters: tuple[Sitter, ...], also: Iterable[int]) -> None:
    """Save what the report shows: the first person in every skin and gender expression, and some others.

    Raises:
        DisplayError: If a picture cannot be written.
    """
    for i in sorted({*shown(sitters), *also}):
        save_png(pictures[i], folder / FOLDER / file_name(i))


def shown(sitters: tuple[Sitter, ...]) -> list[int]:
    """The first person, middle-aged, in every skin tone and gender expression."""
    return [i for i, sitter in enumerate(sitters) if sitter.person == 0 and sitter.age == "middle-aged"]


def file_name(index: int) -> str:
    """Of a portrait in the folder of sitters."""
    return f"sitter {index:04d}.png"
