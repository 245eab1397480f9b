"""Shader programs from files: includes, honest error lines, checked uniforms, hot reload.

A program is a vertex and a fragment file of `shaders/`. `#include "name"` pastes a file of
`shaders/include/` (one level deep) and `#line` keeps the driver's line numbers true, so that a
message names our file. A broken edit keeps the last good program and is reported, never raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from installation.errors import ShaderError

SHADERS_FOLDER = Path(__file__).resolve().parents[2] / "shaders"

_INCLUDE = re.compile(r'^[ \t]*#include[ \t]+"([^"]+)"[ \t]*$', re.MULTILINE)
_UNIFORM = re.compile(r"^[ \t]*uniform[ \t]+(\w+)[ \t]+(\w+)[^;]*;", re.MULTILINE)
# Mesa writes 0:12(5): error, NVIDIA 0(12) : error, Apple and Intel ERROR: 0:12:
_DRIVER_LINE = re.compile(r"(?:ERROR:\s*)?(\d+)(?::(\d+)|\((\d+)\))(?:\(\d+\))?\s*:?\s*(.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """One shader with its includes pasted in.

    Attributes:
        text: What the driver compiles.
        files: Source number of `#line` -> file, 0 is the shader itself.
    """

    text: str
    files: tuple[Path, ...]


def read_source(path: Path, include_folder: Path) -> Source:
    """Read a shader and paste its includes.

    Raises:
        ShaderError: If a file is missing, or an include has an include itself.
    """
    files = [path]
    lines = []
    for number, line in enumerate(_read(path).split("\n"), start=1):
        match = _INCLUDE.match(line)
        if not match:
            lines.append(line)
            continue
        included = include_folder / match[1]
        text = _read(included, f"{path.name}:{number} includes it")
        if _INCLUDE.search(text):
            raise ShaderError(f"{included.name} has an #include itself; includes go one level deep: merge the two")
        # In GLSL 3.30 the line after the directive gets the number given.
        lines += [f"#line 1 {len(files)}", text, f"#line {number + 1} 0"]
        files.append(included)
    return Source("\n".join(lines), tuple(files))


def declared_uniforms(text: str) -> dict[str, str]:
    """Return name -> GLSL type of every uniform a shader declares, used or not."""
    return {name: kind for kind, name in _UNIFORM.findall(text)}


def explain(message: str, source: Source) -> str:
    """Turn a driver's compile log into lines of `file:line: words`."""
    told = []
    for line in message.splitlines():
        match = _DRIVER_LINE.search(line)
        if match and int(match[1]) < len(source.files):
            told.append(f"{source.files[int(match[1])].name}:{match[2] or match[3]}: {match[4]}")
    return "\n".join(told) or message.strip()


class Program:
    """A compiled program with the unit square bound to it.

    Attributes:
        name: Of the fragment file.
        uniforms: Name -> GLSL type of every uniform its sources declare.
        generation: Counts compilations; own vertex arrays are bound anew when it changes.
    """

    def __init__(self, library: ShaderLibrary, vertex: str, fragment: str) -> None:
        self.name = fragment
        self._library = library
        self._paths = (library.folder / vertex, library.folder / fragment)
        self._compiled: moderngl.Program | None = None
        self._vao: moderngl.VertexArray | None = None
        self._samplers: tuple[str, ...] = ()
        self.uniforms: dict[str, str] = {}
        self.generation = 0
        self.compile()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files whose change means a new program."""
        return self._paths

    def compile(self) -> None:
        """Compile the files as they are now; the last good program stays if that fails.

        Raises:
            ShaderError: With file, line and the driver's words.
        """
        ctx = self._library.ctx
        sources = [read_source(path, self._library.include_folder) for path in self._paths]
        uniforms: dict[str, str] = {}
        for source in sources:
            uniforms |= declared_uniforms(source.text)
        try:
            compiled = ctx.program(vertex_shader=sources[0].text, fragment_shader=sources[1].text)
        except moderngl.Error as error:
            message = str(error)
            broken = sources[0] if "vertex_shader" in message else sources[1]
            raise ShaderError(f"{self.name} does not compile:\n{explain(message, broken)}") from error
        self.release()
        self._compiled = compiled
        self.generation += 1
        self.uniforms = uniforms
        self._samplers = tuple(n for n, kind in uniforms.items() if kind.startswith("sampler") and n in compiled)
        for unit, name in enumerate(self._samplers):
            compiled[name].value = unit  # type: ignore[union-attr]
        self._vao = ctx.vertex_array(compiled, [(self._library.unit_square, "2f", "in_position")])

    def set(self, **uniforms: Any) -> None:
        """Set uniforms by name; samplers take a texture. One the driver optimised away is no error.

        Raises:
            KeyError: If no source of the program declares the name.
        """
        assert self._compiled is not None
        for name, value in uniforms.items():
            if name not in self.uniforms:
                raise KeyError(f"{self.name} declares no uniform {name}; it has {', '.join(sorted(self.uniforms))}")
            if name not in self._compiled:
                continue
            if isinstance(value, (moderngl.Texture, moderngl.Texture3D, moderngl.TextureArray)):
                value.use(self._samplers.index(name))
            else:
                self._compiled[name].value = value  # type: ignore[union-attr]

    def draw(self, **uniforms: Any) -> None:
        """Set `uniforms` and draw the unit square into the bound framebuffer."""
        self.set(**uniforms)
        assert self._vao is not None
        self._vao.render(moderngl.TRIANGLE_STRIP)

    def vertex_array(self, content: Iterable[tuple[Any, ...]], **kwargs: Any) -> moderngl.VertexArray:
        """Bind other vertices than the unit square; the caller releases the result."""
        assert self._compiled is not None
        return self._library.ctx.vertex_array(self._compiled, list(content), **kwargs)

    def release(self) -> None:
        """Give program and vertex array back."""
        for thing in (self._vao, self._compiled):
            if thing is not None:
                thing.release()
        self._vao = self._compiled = None


class ShaderLibrary:
    """Every program of one context, each compiled once. Owned by the thread that owns the context."""

    def __init__(self, ctx: moderngl.Context, folder: Path = SHADERS_FOLDER) -> None:
        self.ctx = ctx
        self.folder = folder
        self.include_folder = folder / "include"
        self.unit_square = ctx.buffer(np.array([0, 0, 1, 0, 0, 1, 1, 1], np.float32))
        self.errors: dict[str, str] = {}
        self._programs: dict[tuple[str, str], Program] = {}
        self._seen: dict[Path, int] = {}

    def program(self, fragment: str, vertex: str = "quad.vert") -> Program:
        """Return the program of two files, compiling it the first time.

        Raises:
            ShaderError: If it does not compile.
        """
        key = (vertex, fragment)
        if key not in self._programs:
            self._programs[key] = Program(self, vertex, fragment)
            self._note_times()
        return self._programs[key]

    @property
    def programs(self) -> tuple[Program, ...]:
        """Every program compiled so far."""
        return tuple(self._programs.values())

    def reload_changed(self) -> bool:
        """Compile again what changed on disk; returns whether anything did.

        A program that does not compile keeps its last good form and puts its message into `errors`.
        """
        changed = self._note_times()
        if not changed:
            return False
        includes = any(path.parent == self.include_folder for path in changed)
        for program in self._programs.values():
            if not includes and not changed.intersection(program.files):
                continue
            try:
                program.compile()
            except ShaderError as error:
                self.errors[program.name] = str(error)
            else:
                self.errors.pop(program.name, None)
        return True

    def release(self) -> None:
        """Give everything back."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
        self.unit_square.release()

    def _note_times(self) -> set[Path]:
        """Remember when each file was written; returns those written since the last look."""
        watched = {path for program in self._programs.values() for path in program.files}
        watched.update(self.include_folder.glob("*.glsl"))
        changed = set()
        for path in watched:
            try:
                written = path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor that replaces files leaves a gap; look again next time
                continue
            if self._seen.setdefault(path, written) != written:
                self._seen[path] = written
                changed.add(path)
        return changed


def _read(path: Path, why: str = "") -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ShaderError(f"shader file {path} cannot be read ({error.strerror}); {why or 'restore it'}") from error
