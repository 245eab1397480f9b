"""Runs a look: its passes over the working picture, one after the other.

Light inside: the working picture is an sRGB texture, so the first pass samples linear light; half
floats carry it from pass to pass, and only `finish.frag` encodes again, once, with dither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.colour_table import STYLE_SIZE, Palette, grid, read_cube, style_table
from installation.display.look_file import BUILT_IN, LUT, SOURCE, STYLE, Look, LookPass, before
from installation.display.looks import control_name
from installation.display.shaders import Program, ShaderLibrary
from installation.display.targets import Target

STYLE_PICTURE = BUILT_IN / "palette.png"
"""The built-in painting of the look palette: a field of colours computed for this project."""

UNIT_PX = 540
"""Shorter side of a pass for which lengths in the looks' shaders are written, in pixels."""

STYLE_SHARE = 0.08
"""How far the palette of the live picture follows each new one; a tenth of a second or so at usual rates."""


@dataclass(slots=True)
class _Step:
    """One pass with its program and where it draws: two targets in turn if somebody reads the frame before."""

    spec: LookPass
    program: Program
    targets: list[Target]
    frame: int = 0

    @property
    def now(self) -> Target:
        """Where this frame goes, or went."""
        return self.targets[self.frame % len(self.targets)]

    @property
    def last(self) -> Target:
        """Where the frame before went."""
        return self.targets[(self.frame - 1) % len(self.targets)]


@dataclass(slots=True)
class Chain:
    """A look ready to run. Owned by the renderer; made when the look is first wanted."""

    name: str
    look: Look
    shaders: ShaderLibrary
    folder: Path = BUILT_IN
    style_picture: Path = STYLE_PICTURE
    _lut: moderngl.Texture3D | None = None
    _style: Palette | None = None
    _palette: Palette | None = None
    _steps: list[_Step] = field(default_factory=list)
    _outputs: dict[str, _Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compile the passes.

        Raises:
            ShaderError: If one does not compile.
            ConfigError: If its colour table or style picture cannot be read.
        """
        if self.look.lut == STYLE:
            self._style = Palette.read(self.style_picture)
            self._lut = self._table(grid(STYLE_SIZE).astype(np.float32))
        elif self.look.lut:
            self._lut = self._table(read_cube(self.folder / self.look.lut))
        remembered = {before(picture) for one in self.look.passes for picture in one.inputs.values()}
        for one in self.look.passes:
            count = 2 if one.output in remembered and one.cells == (1, 1) else 1
            smooth = one.filter == "linear"
            targets = [Target(self.shaders.ctx, one.format, smooth=smooth) for _ in range(count)]
            step = _Step(one, self.shaders.program(f"looks/{one.shader}"), targets)
            self._steps.append(step)
            if one.output:
                self._outputs[one.output] = step

    def run(
        self,
        source: moderngl.Texture,
        *,
        time_s: float,
        presence: float,
        controls: Mapping[str, float],
        frozen: bool = False,
    ) -> moderngl.Texture:
        """Draw every pass and return the last one's output (linear light).

        Args:
            source: The working picture; sampling gives linear light.
            time_s: The show's clock.
            presence: 0..1.
            controls: Live values by control name (`oil_brush`); what is missing is at rest.
            frozen: Whether film strips and trails stand still.
        """
        knobs = {
            name: controls.get(control_name(self.name, name), knob.default) for name, knob in self.look.controls.items()
        }
        result = source
        for step in self._steps:
            spec, columns, rows = step.spec, *step.spec.cells
            size = (max(1, round(source.width * spec.scale)), max(1, round(source.height * spec.scale)))
            fresh = [target.resize((size[0] * columns, size[1] * rows)) for target in step.targets]
            step.frame = 0 if any(fresh) else step.frame
            if not frozen:
                step.frame += 1
            target = step.now
            target.use()
            values: dict[str, Any] = {
                uniform: knobs[value.removeprefix("@")] if isinstance(value, str) else value
                for uniform, value in spec.uniforms.items()
            }
            for sampler, picture in spec.inputs.items():
                earlier = before(picture)
                if picture == SOURCE:
                    values[sampler] = source
                elif picture == LUT:
                    values[sampler] = self._lut
                elif earlier is not None:
                    values[sampler] = self._outputs[earlier].last.texture
                else:
                    values[sampler] = self._outputs[picture].now.texture
            automatic = {
                "u_time": time_s,
                "u_presence": presence,
                "u_pixel": (1.0 / size[0], 1.0 / size[1]),
                "u_aspect": size[0] / size[1],
                "u_unit": min(size) / UNIT_PX,
                "u_head": float(self._head()),
            }
            values |= {name: value for name, value in automatic.items() if name in step.program.uniforms}
            step.program.set(**values)
            cells = columns * rows
            for cell in range(cells) if any(fresh) else (step.frame % cells,):  # a new strip holds the first frame
                self.shaders.ctx.viewport = (cell % columns * size[0], cell // columns * size[1], *size)
                step.program.draw()
            result = target.texture
        return result

    def see(self, rgb: NDArray[np.uint8]) -> None:
        """Take the live picture's colours into account, where the look moves them; (r, r, 3) uint8 encoded RGB."""
        if self._style is None or self._lut is None:
            return
        palette = Palette(rgb)
        if self._palette is None:
            self._palette = palette
        else:
            self._palette.follow(palette, STYLE_SHARE)
        self._lut.write(style_table(self._palette, self._style).astype(np.float16))

    def forget(self) -> None:
        """Drop what earlier frames left: trails and film strips of a visitor who is gone."""
        for step in self._steps:
            for target in step.targets:
                target.release()
        self._palette = None

    def release(self) -> None:
        """Give the textures back."""
        self.forget()
        if self._lut is not None:
            self._lut.release()
            self._lut = None

    def _table(self, table: NDArray[np.float32]) -> moderngl.Texture3D:
        texture = self.shaders.ctx.texture3d((len(table),) * 3, 3, table.astype(np.float16), dtype="f2", alignment=1)
        texture.repeat_x = texture.repeat_y = texture.repeat_z = False
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return texture

    def _head(self) -> int:
        """Cell of the film strip that was drawn last, 0 without a strip."""
        for step in self._steps:
            if step.spec.cells != (1, 1):
                return step.frame % (step.spec.cells[0] * step.spec.cells[1])
        return 0
