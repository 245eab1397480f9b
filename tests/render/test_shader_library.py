"""Shaders: includes, honest error lines, hot reload, and uniforms that agree between GLSL, its header and Python."""

import os
import re
import shutil
from pathlib import Path

import moderngl
import pytest

from installation.display import shaders as shaders_module
from installation.display.chain import Chain
from installation.display.config import DisplayConfig
from installation.display.look_file import AUTOMATIC
from installation.display.looks import load_looks
from installation.display.renderer import Renderer
from installation.display.scene import VIEWS, OverlayData, Scene
from installation.display.shaders import SHADERS_FOLDER, Program, ShaderLibrary, declared_uniforms, explain, read_source
from installation.display.targets import Target
from installation.errors import ShaderError

OURS = sorted(
    path for path in SHADERS_FOLDER.rglob("*") if path.suffix in (".frag", ".vert") and path.parent.name != "portrait"
)
HEADER_ROW = re.compile(
    r"^//\s{3,}(u_\w+)\s+(float|vec2|vec3|vec4|mat3|mat4|sampler2D(?:Array)?|sampler3D)\s", re.MULTILINE
)

GOOD_VERT = """#version 330
in vec2 in_position;
out vec2 v_uv;
void main() { v_uv = in_position; gl_Position = vec4(in_position, 0.0, 1.0); }
"""
GOOD_FRAG = """#version 330
#include "tools.glsl"
in vec2 v_uv;
out vec4 frag_color;
uniform float u_level;
void main() { frag_color = vec4(twice(u_level)); }
"""
GOOD_INCLUDE = "float twice(float x) {\n    return 2.0 * x;\n}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "a.vert").write_text(GOOD_VERT)
    (tmp_path / "a.frag").write_text(GOOD_FRAG)
    (tmp_path / "include/tools.glsl").write_text(GOOD_INCLUDE)
    return tmp_path


@pytest.fixture
def library(ctx, folder):
    made = ShaderLibrary(ctx, folder)
    yield made
    made.release()


def edit(path: Path, text: str) -> None:
    """Write a file so that its time of writing surely differs, on any file system."""
    stamp = path.stat().st_mtime_ns + 1_000_000_000
    path.write_text(text)
    os.utime(path, ns=(stamp, stamp))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_a_shader_s_header_lists_exactly_its_uniforms(path):
    text = path.read_text("utf-8")
    assert text.startswith("#version 330\n")
    assert dict(HEADER_ROW.findall(text)) == declared_uniforms(text)


def test_python_sets_every_uniform_that_glsl_declares(ctx, make_renderer, face_picture, drawn_face, monkeypatch):
    """The other way round is the program itself: setting a name that GLSL lacks is a KeyError."""
    sent: dict[str, set[str]] = {}
    plain_set = Program.set

    def spy(self, **uniforms):
        sent.setdefault(self.name, set()).update(uniforms)
        plain_set(self, **uniforms)

    monkeypatch.setattr(Program, "set", spy)
    renderer = make_renderer(view_fade_s=1.0)
    face = drawn_face()
    renderer.show_pictures(face_picture(5, 8))  # so small that it is drawn crisply
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    overlay = OverlayData({"draw": (1.0, 2.0)}, {"display": "30 Hz"}, {"F": "fullscreen"}, grid=True)
    for index, view in enumerate(VIEWS):
        renderer.draw(Scene(view=view, time_s=index * 0.1, captions=("power",), overlay=overlay), (64, 36))
    screen = Target(ctx)
    screen.resize((64, 36))
    renderer.present(screen.framebuffer)
    for look in load_looks(DisplayConfig()):
        renderer.draw(Scene(look=look, time_s=1.0), (64, 36))
    screen.release()
    placing = {"u_rect", "u_source"}  # where they are not set, the whole of target and source is meant
    for program in renderer.shaders.programs:
        assert set(program.uniforms) - placing <= sent.get(program.name, set()), program.name


def test_setting_a_uniform_that_no_source_declares_is_refused(library):
    program = library.program("a.frag", "a.vert")
    with pytest.raises(KeyError, match="u_levle"):
        program.set(u_levle=1.0)


def test_every_look_names_uniforms_and_samplers_that_its_shaders_have(ctx):
    library = ShaderLibrary(ctx)
    for name, look in load_looks(DisplayConfig()).items():
        chain = Chain(name, look, library)
        for one in look.passes:
            has = library.program(f"looks/{one.shader}").uniforms
            given = set(one.inputs) | set(one.uniforms)
            assert given <= set(has), f"{name}: {one.shader}"
            assert set(has) - given - {"u_rect", "u_source"} <= AUTOMATIC, f"{name}: {one.shader}"
        chain.release()
    library.release()


def test_an_error_names_our_file_and_line(library, folder):
    (folder / "a.frag").write_text(GOOD_FRAG.replace("vec4(twice(u_level))", "vec4(thrice(u_level))"))
    with pytest.raises(ShaderError, match=r"a\.frag:6: .*thrice"):
        library.program("a.frag", "a.vert")


def test_an_error_in_an_include_names_the_include(library, folder):
    (folder / "include/tools.glsl").write_text(GOOD_INCLUDE.replace("2.0 * x", "2.0 * y"))
    with pytest.raises(ShaderError, match=r"tools\.glsl:2: .*y"):
        library.program("a.frag", "a.vert")


@pytest.mark.parametrize(
    "log",
    [
        "0:6(21): error: no function with name 'thrice'",  # Mesa
        '0(6) : error C1503: undefined variable "thrice"',  # NVIDIA
        "ERROR: 0:6: 'thrice' : no matching overloaded function found",  # Apple, Intel
    ],
)
def test_the_logs_of_all_drivers_are_read(log, folder):
    assert explain(log, read_source(folder / "a.frag", folder / "include")).startswith("a.frag:6: ")


def test_a_missing_file_says_which(library):
    with pytest.raises(ShaderError, match=r"b\.frag"):
        library.program("b.frag", "a.vert")


def test_includes_go_one_level_deep(library, folder):
    (folder / "include/tools.glsl").write_text('#include "more.glsl"\n')
    with pytest.raises(ShaderError, match="one level"):
        library.program("a.frag", "a.vert")


def drawn_level(ctx, program):
    target = Target(ctx, "f4")
    target.resize((1, 1))
    target.use()
    program.draw(u_level=0.25)
    red = target.texture.read()
    target.release()
    return memoryview(red).cast("f")[0]


def test_an_edit_is_loaded_and_a_broken_one_keeps_the_last_good_program(ctx, library, folder):
    program = library.program("a.frag", "a.vert")
    assert not library.reload_changed()
    assert drawn_level(ctx, program) == 0.5
    edit(folder / "include/tools.glsl", GOOD_INCLUDE.replace("2.0", "3.0"))
    assert library.reload_changed()
    assert drawn_level(ctx, program) == 0.75
    edit(folder / "a.frag", "#version 330\nthis is no shader\n")
    assert library.reload_changed()
    assert drawn_level(ctx, program) == 0.75
    assert "a.frag:2" in library.errors["a.frag"]
    edit(folder / "a.frag", GOOD_FRAG)
    assert library.reload_changed()
    assert library.errors == {}
    assert drawn_level(ctx, program) == 0.75


def test_a_broken_edit_is_shown_and_the_show_goes_on(ctx, tmp_path, face_picture):
    shutil.copytree(SHADERS_FOLDER, tmp_path / "shaders")
    renderer = Renderer(ctx, DisplayConfig(hot_reload=True, view_fade_s=0.0), shaders_dir=tmp_path / "shaders")
    renderer.show_pictures(face_picture())
    renderer.draw(Scene(time_s=0.0), (320, 180))
    before = renderer.read(now=True)
    edit(tmp_path / "shaders/picture.frag", "#version 330\nvoid main() { oops; }\n")
    renderer.draw(Scene(time_s=1.0, freeze=True), (320, 180))
    after = renderer.read(now=True)
    assert any("picture.frag:2" in notice for notice in renderer.notices)
    assert (after[:100] == before[:100]).mean() > 0.95, "the picture stays"
    assert (after[150:] != before[150:]).mean() > 0.05, "the message is on the canvas"
    renderer.release()


def test_the_module_keeps_no_context():
    assert not [value for value in vars(shaders_module).values() if isinstance(value, moderngl.Context)]
