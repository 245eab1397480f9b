"""A look as a file: a chain of shader passes declared in TOML.

    title = "Oil"
    help = "One sentence for the performer."
    work_px = 540                     # shorter side at which the passes run; 0 is the canvas' own size

    [controls.brush]                  # becomes /mirror/uniform/<look>_brush
    default = 0.5
    help = "Width of the strokes."

    [[pass]]
    shader = "kuwahara.frag"          # in shaders/looks/
    output = "paint"                  # a name of your choice; the last pass is what is seen
    inputs = { u_picture = "source" } # sampler -> "source", an output, "before:<output>" (one frame ago), "lut"
    uniforms = { u_brush = "@brush" } # a number, a list of 2 to 4, or "@control"

Uniforms that every pass may declare and none sets: u_time (s), u_presence (0..1), u_pixel (one pixel of
the pass as parts of it, vec2), u_unit (pixels of the pass in 1/540 of its shorter side, so that strokes keep
their size on every screen) and u_aspect (width over height).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from installation.display.config import Unit
from installation.errors import ConfigError
from installation.runtime.section import Section

BUILT_IN = Path(__file__).with_name("looks")
AUTOMATIC = frozenset({"u_time", "u_presence", "u_pixel", "u_aspect", "u_unit", "u_head"})
"""Uniforms that the chain sets by itself where a pass declares them."""

SOURCE, LUT, STYLE = "source", "lut", "$style"
_BEFORE = "before:"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Value = Number | tuple[Number, Number] | tuple[Number, Number, Number] | tuple[Number, Number, Number, Number] | str


class LookControl(Section):
    """One knob of a look."""

    low: Number = Field(0.0, description="Lowest value, in the control's unit.")
    high: Number = Field(1.0, description="Highest value, in the control's unit.")
    default: Number = Field(0.5, description="Value at rest, in the control's unit.")
    unit: str = Field("", max_length=16, description="Unit for the performer, empty for a plain number.")
    help: str = Field(min_length=4, description="One sentence for the performer.")

    @model_validator(mode="after")
    def _in_range(self) -> LookControl:
        if not self.low <= self.default <= self.high or self.low == self.high:
            raise ValueError(f"default {self.default} must lie between low {self.low} and high {self.high}")
        return self


class LookPass(Section):
    """One shader over the whole working picture."""

    shader: str = Field(pattern=r"^[a-z][a-z0-9_]*\.frag$", description="File in shaders/looks/.")
    output: str = Field("", max_length=32, description="Name of what it draws; empty where nobody asks for it.")
    scale: float = Field(1.0, gt=0.0, le=1.0, description="Size as a part of the working size.")
    format: Literal["f1", "f2"] = Field("f2", description="Texels: f1 for bytes, f2 for half floats.")
    filter: Literal["linear", "nearest"] = Field("linear", description="How others read its output.")
    cells: tuple[Annotated[int, Field(ge=1, le=16)], Annotated[int, Field(ge=1, le=16)]] = Field(
        (1, 1), description="Columns and rows of a film strip: each frame is drawn into the next cell."
    )
    inputs: dict[str, str] = Field(default_factory=dict, description="Sampler uniform to the picture it reads.")
    uniforms: dict[str, Value] = Field(default_factory=dict, description="Uniform to its value or @control.")


class Finish(Section):
    """How the last output reaches the screen."""

    sharpness: Unit = Field(1.0, description="0 filters softly, 1 enlarges by Catmull-Rom, without a unit.")
    grain: Unit = Field(0.0, description="Film grain, 0 is none, without a unit.")
    vignette: Unit = Field(0.0, description="Darkening toward the corners, 0 is none, without a unit.")


class Look(Section):
    """A whole look."""

    title: str = Field(min_length=1, max_length=40, description="Name for people.")
    help: str = Field(min_length=4, description="One sentence for the performer.")
    work_px: int = Field(0, ge=0, le=4320, description="Shorter side at which passes run, pixels; 0 for the canvas'.")
    lut: str = Field("", description="Colour table (.cube) beside this file, or $style for the style picture's.")
    controls: dict[str, LookControl] = Field(default_factory=dict, description="Knobs by name.")
    passes: tuple[LookPass, ...] = Field((), alias="pass", description="Shaders in order.")
    finish: Finish = Field(Finish(), description="How it reaches the screen.")

    @model_validator(mode="after")
    def _complete(self) -> Look:
        known = {SOURCE} | ({LUT} if self.lut else set())
        everything = {one.output for one in self.passes if one.output}
        for number, one in enumerate(self.passes, start=1):
            for sampler, picture in one.inputs.items():
                name = picture.removeprefix(_BEFORE)
                if name not in (everything if picture.startswith(_BEFORE) else known):
                    raise ValueError(f"pass {number}: {sampler} reads {picture!r}, which nothing before it draws")
            for uniform, value in one.uniforms.items():
                if isinstance(value, str) and value.removeprefix("@") not in self.controls:
                    raise ValueError(f"pass {number}: {uniform} = {value!r} names no control of this look")
                if uniform in AUTOMATIC:
                    raise ValueError(f"pass {number}: {uniform} is set by the chain itself; remove it")
            known.add(one.output)
        for name in (*self.controls, *filter(None, everything)):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name: use small letters, digits and _")
        return self


def read_look(path: Path) -> Look:
    """Read and check one file.

    Raises:
        ConfigError: With every problem by key.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return Look.model_validate(data)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read ({error}); restore the file or choose another look") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: no TOML ({error}); correct that place") from error
    except ValidationError as error:
        problems = (
            f"{path.name}: {'.'.join(str(part) for part in problem['loc']) or 'look'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigError("\n".join(dict.fromkeys(problems))) from error


def before(picture: str) -> str | None:
    """Return the output's name if `picture` asks for the frame before, else None."""
    return picture.removeprefix(_BEFORE) if picture.startswith(_BEFORE) else None
