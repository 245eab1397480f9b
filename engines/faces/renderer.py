"""Draw portraits with the shader in `shaders/portrait/`: to pictures off screen, or into a window's framebuffer.

Any OpenGL 3.3 driver will do, llvmpipe too. A renderer belongs to the thread that made its context.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.errors import ShaderError

from .geometry import ANCHOR_NAMES, PIVOT, Camera, anchor_vector, anchors, camera
from .parameters import NAMES, NP, Parameters

SHADER_DIR = Path(__file__).resolve().parents[2] / "shaders" / "portrait"

VERTEX_SHADER = """#version 330
out vec2 v_ndc;
void main() {
    v_ndc = vec2((gl_VertexID & 1) * 4 - 1, (gl_VertexID & 2) * 2 - 1);
    gl_Position = vec4(v_ndc, 0.0, 1.0);
}
"""
"""One triangle that covers the viewport."""

OVERSAMPLING = 2
"""For small pictures that are learnt from or judged by."""

_INCLUDE = re.compile(r'^#include "([\w.]+)"$', re.MULTILINE)


def fragment_source() -> str:
    """Assemble `portrait.frag`: generated parameter names first, then each include in its place with `#line`.

    Raises:
        ShaderError: If a file is missing.
    """
    names = "\n".join(
        [f"uniform float u_parameters[{NP}];", f"uniform float u_anchors[{len(ANCHOR_NAMES)}];"]
        + [f"#define p_{name} u_parameters[{i}]" for i, name in enumerate(NAMES)]
        + [f"#define a_{name} u_anchors[{i}]" for i, name in enumerate(ANCHOR_NAMES)]
        + [f"const vec3 PIVOT = vec3({PIVOT[0]:.1f}, {PIVOT[1]:.1f}, {PIVOT[2]:.1f});"]
    )
    files: list[str] = []

    def read(name: str) -> str:
        files.append(name)
        try:
            return (SHADER_DIR / name).read_text(encoding="utf-8")
        except OSError as error:
            raise ShaderError(f"{SHADER_DIR / name}: the portrait's shader is not readable: {error}") from error

    def paste(match: re.Match[str]) -> str:
        line = main.count("\n", 0, match.start()) + 2
        if match[1] == "parameters.generated":
            return f"{names}\n#line {line} 0"
        text = read(match[1])
        return f"#line 1 {len(files) - 1}\n{text}\n#line {line} 0"

    main = read("portrait.frag")
    return _INCLUDE.sub(paste, main)


class PortraitRenderer:
    """Draw portraits of `size` pixels a side.

    Args:
        size: Side of the pictures that `render` returns.
        context: The window's context; None makes a standalone EGL one, which `release` then closes.
        oversampling: `render` draws this many times larger and takes the mean. With one sample a pixel, curls are
            noise and rims of glasses dashes in a picture of 128 pixels.

    Raises:
        ShaderError: If the driver rejects the shader; the message has its words.
    """

    def __init__(self, size: int, context: moderngl.Context | None = None, oversampling: int = 1) -> None:
        self._owned = context is None
        if context is None:
            context = moderngl.create_context(require=330, standalone=True, backend="egl")  # type: ignore[arg-type]
        self.context = context
        self.size, drawn = size, size * oversampling
        try:
            self._program = self.context.program(vertex_shader=VERTEX_SHADER, fragment_shader=fragment_source())
        except moderngl.Error as error:
            raise ShaderError(f"The portrait's shader does not compile: {error}") from error
        self._triangle = self.context.vertex_array(self._program, [])
        self._target = self.context.simple_framebuffer((drawn, drawn), components=4)
        self._buffer = np.empty((drawn, drawn, 4), np.uint8)
        self._mean = np.empty((size, size, 4), np.uint8) if oversampling > 1 else self._buffer

    def draw(self, p: Parameters, framebuffer: moderngl.Framebuffer, view: Camera | None = None) -> None:
        """Draw one portrait into the framebuffer's viewport; the crop fills its shorter side, centred.

        Colour is sRGB-encoded, alpha is 1 on the person and 0 on the background. `view` is the exact FFHQ crop unless
        given; it carries the pose, so the pose in `p` counts for the crop alone.
        """
        view = camera(p) if view is None else view
        width, height = framebuffer.viewport[2:]
        shorter = min(width, height)
        self._write("u_parameters", np.asarray(p, np.float32))
        self._write("u_anchors", anchor_vector(anchors(p)))
        self._write("u_world_from_head", view.rotation.T.astype(np.float32))
        self._write("u_camera", np.array([*view.centre, view.half_size, view.distance], np.float32))
        self._write("u_extent", np.array([width / shorter, height / shorter], np.float32))
        framebuffer.use()
        self._triangle.render(moderngl.TRIANGLES, vertices=3)

    def render(
        self, p: Parameters, jitter: NDArray[np.float64] | None = None, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Draw one portrait: (size, size, 3) uint8 sRGB, top row first, into `out` if given."""
        picture = self._read(p, jitter)[..., :3]
        if out is None:
            return picture.copy()
        np.copyto(out, picture)
        return out

    def render_with_mask(
        self, p: Parameters, jitter: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw one portrait and its mask: (size, size, 3) uint8 and (size, size) uint8, 255 on the person."""
        rgba = self._read(p, jitter)
        return rgba[..., :3].copy(), rgba[..., 3].copy()

    def release(self) -> None:
        """Free what was made here, and the context if it is our own."""
        if self.context.fbo is self._target:
            # ModernGL goes on to bind what is bound now, released or not.
            self.context.detect_framebuffer(0).use()
        for part in (self._triangle, self._program, self._target):
            part.release()
        if self._owned:
            self.context.release()

    def _write(self, uniform: str, value: NDArray[np.float32]) -> None:
        member = self._program[uniform]
        assert isinstance(member, moderngl.Uniform)
        member.write(np.ascontiguousarray(value).tobytes())

    def _read(self, p: Parameters, jitter: NDArray[np.float64] | None) -> NDArray[np.uint8]:
        self.draw(p, self._target, camera(p, jitter))
        self._target.read_into(self._buffer, components=4, alignment=1)
        if self._mean is not self._buffer:
            cv2.resize(self._buffer, (self.size, self.size), dst=self._mean, interpolation=cv2.INTER_AREA)
        return self._mean[::-1]
