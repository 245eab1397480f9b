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

_VALUES: dict[str, dict[str, dict[str, float]]] = {
    "skin tone": {
        "light": {"skin_tone": 0.1},
        "medium light": {"skin_tone": 0.35},
        "medium dark": {"skin_tone": 0.6},
        "dark": {"skin_tone": 0.85},
    },
    "age": {"young": {"age": 0.1}, "middle-aged": {"age": 0.45}, "old": {"age": 0.85}},
    "gender expression": {
        "feminine": {
            "masculinity": -0.9,
            "jaw_width": -0.3,
            "brow_thickness": -0.4,
            "lashes": 0.9,
            "lip_tint": 0.5,
            "beard": 0.0,
        },
        "between": {
            "masculinity": 0.0,
            "jaw_width": 0.0,
            "brow_thickness": 0.0,
            "lashes": 0.5,
            "lip_tint": 0.1,
            "beard": 0.0,
        },
        "masculine": {
            "masculinity": 0.9,
            "jaw_width": 0.3,
            "brow_thickness": 0.4,
            "lashes": 0.2,
            "lip_tint": 0.0,
            "beard": 0.25,
        },
    },
}
"""Factor -> level -> parameters. Gender expression is what people read it from: bones, brows, lashes, lips, stubble.
That is a convention, and the sitters follow it so that a model which knows it can be seen to."""

FACTORS: dict[str, tuple[str, ...]] = {factor: tuple(levels) for factor, levels in _VALUES.items()}
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
            for levels, level in zip(_VALUES.values(), (skin_tone, age, gender_expression), strict=True):
                for parameter, value in levels[level].items():
                    p[INDEX[parameter]] = value
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
