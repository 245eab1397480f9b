"""The curator's word: which parts of a target count, which pictures stay, and how they are labelled.

One TOML file beside the targets. The program adds what is new at its end and never rewrites a line, so that choices
and comments survive every run:

    [targets.strength]
    caption = "Strength"            # what the audience reads
    label = "more masculine"        # one of the five labels of the original work
    directions = { skin_tone = 1.0, beard = 0.5 }
    bands = { fine = 0.0 }          # colours stay the visitor's

    [pictures.strength."leader 03.png"]
    keep = false

A weight of 1 leaves a direction as the model has it, 0 takes it out, -1 turns it round.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engines.runtime.targets import LABELS
from engines.targets.files import replace_file
from engines.targets.words import Axis, amount_of
from installation.core.latents import Bands, Latent
from installation.errors import ConfigError, EngineError

FILE_NAME = "curation.toml"

Weight = Annotated[float, Field(ge=-2.0, le=2.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Labelled(_Strict):
    label: str = Field(default="", description="One of the five labels, or empty.")

    @field_validator("label")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in LABELS:
            raise ValueError(f"{value!r} is not a label; choose one of: {', '.join(LABELS)}")
        return value


class TargetChoice(_Labelled):
    """What a curator says about one target."""

    caption: str | None = Field(default=None, description="What the audience reads; the prompt if left out.")
    order: int | None = Field(
        default=None, ge=0, le=999, description="Place in the series; that of the prompt list if left out."
    )
    directions: dict[str, Weight] = Field(default_factory=dict, description="Weight of each direction's part, -2..2.")
    bands: dict[Literal["coarse", "middle", "fine"], Weight] = Field(
        default_factory=dict, description="Weight of each band's part, -2..2."
    )


class PictureChoice(_Labelled):
    """What a curator says about one face in the artist's pictures."""

    keep: bool = Field(default=True, description="Whether the face takes part in the target.")


class Curation(_Strict):
    """The whole file."""

    targets: dict[str, TargetChoice] = Field(default_factory=dict)
    pictures: dict[str, dict[str, PictureChoice]] = Field(default_factory=dict)

    def target(self, name: str) -> TargetChoice:
        """The choice for one target; the defaults if the curator is silent."""
        return self.targets.get(name, TargetChoice())

    def picture(self, target: str, face: str) -> PictureChoice:
        """The choice for one face of a picture target; kept and without label if the curator is silent."""
        return self.pictures.get(target, {}).get(face, PictureChoice())


def read_curation(path: Path) -> Curation:
    """Read a curation file; a missing file is a curator who is silent.

    Raises:
        ConfigError: If the file is not TOML or says something impossible; lists every problem by key.
    """
    try:
        return Curation.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Curation()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise ConfigError(
            "\n".join(f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ) from error


def add_pictures(path: Path, target: str, faces: Iterable[str]) -> int:
    """Write an entry for every face that the file does not name yet; what is there stays as it is.

    Returns:
        How many were added.

    Raises:
        ConfigError: If the file that is there is not valid.
        EngineError: If it cannot be written.
    """
    known = read_curation(path).pictures.get(target, {})
    new = [face for face in faces if face not in known]
    if not new:
        return 0
    text = path.read_text(encoding="utf-8") if path.is_file() else _HEADER
    # A JSON string is a TOML basic string, but for characters outside the BMP in escaped form.
    text += "".join(
        f'\n[pictures.{target}.{json.dumps(f, ensure_ascii=False)}]\nkeep = true\nlabel = ""\n' for f in new
    )
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise EngineError(f"{path} could not be written ({error.strerror}); the former one is kept") from error
    return len(new)


def weights_for(choice: TargetChoice, defaults: Mapping[str, float], bands: Iterable[str]) -> dict[str, float]:
    """Merge a curator's weights with the defaults: "direction.<name>" and "band.<name>" -> weight, where it is not 1.

    Args:
        choice: What the curator says.
        defaults: Direction -> weight where the curator is silent, for every direction of the pack.
        bands: Names of the pack's bands.

    Raises:
        ConfigError: If the curator weighs a direction or band that the pack does not have.
    """
    known_bands = tuple(bands)
    for kind, given, known in (("direction", choice.directions, defaults), ("band", choice.bands, known_bands)):
        if unknown := sorted(set(given) - set(known)):
            raise ConfigError(f"curation: this pack has no {kind} {', '.join(unknown)}; it has {', '.join(known)}")
    merged = {f"direction.{name}": weight for name, weight in {**defaults, **choice.directions}.items()}
    merged |= {f"band.{name}": weight for name, weight in choice.bands.items()}
    return {key: float(weight) for key, weight in merged.items() if weight != 1.0}


def curate(
    edit: Latent, moves: Mapping[str, float], weights: Mapping[str, float], directions: Mapping[str, Axis], bands: Bands
) -> Latent:
    """Apply a curator's weights to an edit.

    Each weighed direction's part of the edit is scaled, then each band's rows. An edit that came from words is the sum
    of its moves; of any other edit `project` finds the part that lies along each direction.

    Args:
        edit: (num_ws, w_dim), uncurated.
        moves: Direction -> its part in the edit, in parts of the useful range.
        weights: From `weights_for`.
        directions: Of the pack.
        bands: Of the pack.
    """
    curated = edit.astype(np.float64)
    for name, move in moves.items():
        weight = weights.get(f"direction.{name}", 1.0)
        if weight != 1.0:
            axis = directions[name]
            curated += (weight - 1.0) * amount_of(move, axis) * np.asarray(axis.vector, np.float64)
    for band, (first, last) in bands.items():
        curated[first:last] *= weights.get(f"band.{band}", 1.0)
    return curated.astype(np.float32)


def project(edit: Latent, directions: Mapping[str, Axis]) -> dict[str, float]:
    """Find how far an edit goes along each direction, all directions together (least squares).

    Returns:
        Direction -> move in parts of the useful range, not clipped: what a picture or CLIP did may go beyond it.
    """
    if not directions:
        return {}
    basis = np.stack([np.asarray(axis.vector, np.float64).ravel() for axis in directions.values()], axis=1)
    amounts, *_ = np.linalg.lstsq(basis, edit.astype(np.float64).ravel(), rcond=None)
    moves = {}
    for (name, axis), amount in zip(directions.items(), amounts, strict=True):
        span = axis.high if amount >= 0.0 else -axis.low
        moves[name] = round(float(amount / span), 4) if span > 0.0 else 0.0
    return moves


_HEADER = """# The curator's choices. The program adds new entries at the end and never changes a line.
# label: one of
""" + "".join(f'#   "{label}"\n' for label in LABELS)
