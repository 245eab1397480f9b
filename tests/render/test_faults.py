"""Faults that happen on a wall: each is told in a sentence, and there is a picture all the same."""

import os
import shutil

import numpy as np
import pytest

from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.renderer import Renderer
from installation.display.scene import VIEWS, OverlayData, Scene
from installation.display.shaders import SHADERS_FOLDER
from installation.errors import MirrorError

LOOK = """
title = "Mine"
help = "A look for a test."
lut = "mine.cube"
[[pass]]
shader = "lut.frag"
output = "picture"
inputs = { u_picture = "source", u_lut = "lut" }
uniforms = { u_amount = 1.0 }
"""
CUBE = "LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)) + "\n"
BLACK = "LUT_3D_SIZE 2\n" + "0 0 0\n" * 8
SECONDS = iter(range(1, 10_000))


def edit(path, text):
    """Write a file so that its time of writing surely differs, on any file system."""
    path.write_text(text)
    stamp = 1_700_000_000 + next(SECONDS)
    os.utime(path, (stamp, stamp))


@pytest.fixture
def gallery(ctx, tmp_path, face_picture):
    """A renderer that looks at its files while it runs, with a look of the house; draws a frame each second."""
    looks, shaders = tmp_path / "looks", tmp_path / "shaders"
    looks.mkdir()
    edit(looks / "mine.toml", LOOK)
    edit(looks / "mine.cube", CUBE)
    shutil.copytree(SHADERS_FOLDER, shaders)
    config = DisplayConfig(hot_reload=True, view_fade_s=0.0, looks_folder=str(looks), grain=0.0)
    renderer = Renderer(ctx, config, CaptionConfig(), shaders)
    renderer.show_pictures(face_picture())
    clock = iter(range(10_000))

    def draw(look="mine", view="portrait", size=(480, 360), **scene):
        renderer.draw(Scene(view=view, look=look, time_s=float(next(clock)), freeze=True, **scene), size)
        pixels = renderer.read(now=True)
        assert pixels is not None
        return pixels[: size[1] * 2 // 3, :, :3].astype(int)  # messages stand in the lowest third

    yield renderer, draw, looks, shaders
    assert ctx.error == "GL_NO_ERROR"
    renderer.release()


def test_a_look_is_edited_while_it_runs_and_a_broken_edit_keeps_the_last_good_one(gallery):
    renderer, draw, looks, _ = gallery
    good = draw()
    assert good.max() > 100
    edit(looks / "mine.cube", BLACK)
    edit(looks / "mine.toml", LOOK + "# read again\n")
    assert draw().max() <= 2, "the new table is black"
    for text, words in (
        (LOOK.replace("lut.frag", "no_such.frag"), "no_such.frag"),
        ("no toml", "mine.toml"),
        (LOOK.replace('title = "Mine"', ""), "title"),
        (LOOK.replace("u_amount = 1.0", 'u_amount = "@knob"'), "knob"),
    ):
        edit(looks / "mine.toml", text)
        assert draw().max() <= 2, "still the last good one"
        assert words in " ".join(renderer.notices)
    edit(looks / "mine.cube", CUBE)
    edit(looks / "mine.toml", LOOK)
    assert np.abs(draw() - good).max() <= 3
    assert renderer.notices == ()


@pytest.mark.parametrize(
    "text", ["no table", "LUT_3D_SIZE 2\n0 0 0\n", "LUT_3D_SIZE 999999\n", "LUT_3D_SIZE 2\n" + "nan 0 0\n" * 8, ""]
)
def test_a_table_that_is_none_is_told_and_the_picture_is_plain(gallery, text):
    renderer, draw, looks, _ = gallery
    plain = draw("plain")
    edit(looks / "mine.cube", text)
    assert np.abs(draw() - plain).max() <= 3
    assert "mine.cube" in " ".join(renderer.notices)


@pytest.mark.parametrize("shader", ["picture.frag", "enlarge_rows.frag", "crossfade.frag", "include/common.glsl"])
def test_a_broken_shader_is_told_by_file_and_line_and_the_last_good_one_draws(gallery, shader):
    renderer, draw, _, shaders = gallery
    good, text = draw("plain"), (shaders / shader).read_text()
    edit(shaders / shader, text.replace("}", "oops }", 1))
    assert np.abs(draw("plain") - good).max() <= 3
    assert len(renderer.notices) == 1, "told once, however many programs include it"
    assert f"{shader.split('/')[-1]}:" in renderer.notices[0]
    edit(shaders / shader, text)
    assert np.abs(draw("plain") - good).max() <= 3
    assert renderer.notices == ()


def test_a_look_s_broken_shader_leaves_the_plain_picture(gallery):
    renderer, draw, _, shaders = gallery
    plain = draw("plain")
    edit(shaders / "looks/kuwahara.frag", "#version 330\nthis is no shader\n")
    assert np.abs(draw("oil") - plain).max() <= 3
    assert "kuwahara.frag:2" in " ".join(renderer.notices)


@pytest.mark.parametrize("font", ["no font at all", None])
def test_a_font_that_is_none_or_gone_is_told_and_the_word_is_set_in_another(
    make_renderer, face_picture, shot, tmp_path, font
):
    path = tmp_path / "house.ttf"
    if font is not None:
        path.write_text(font)
    renderer = make_renderer(CaptionConfig(font=str(path)), grain=0.0)
    renderer.show_pictures(face_picture())
    silent = shot(renderer, Scene(freeze=True)).astype(int)
    worded = shot(renderer, Scene(freeze=True, captions=("power",)))
    assert np.abs(worded - silent).max() > 60
    assert "house.ttf" in " ".join(renderer.notices)
    with pytest.raises(MirrorError, match=r"house\.ttf"):
        renderer.rehearse()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (512, 64), (64, 512), (7, 5)])
def test_a_window_of_any_shape_shows_every_view(make_renderer, face_picture, drawn_face, shot, size):
    """Words, notices and flags that have no room there must not stop it either."""
    renderer = make_renderer(margin=0.1)
    face = drawn_face()
    renderer.show_pictures(face_picture(5, 16))
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    overlay = OverlayData({"draw": (1.0,)}, {"a": "b"}, {"F": "x"}, "trouble " * 40, {"bass": 0.5}, grid=True)
    for view in VIEWS:
        scene = Scene(
            view, captions=("strength", "power"), overlay=overlay, notice="This picture is made by a machine.\nBye.",
            leaving="● this picture also goes to: NDI",
        )  # fmt: skip
        assert shot(renderer, scene, size).shape == (size[1], size[0], 4)


def test_a_window_that_shrinks_to_nothing_and_back_shows_what_it_showed(make_renderer, face_picture, shot):
    renderer = make_renderer(grain=0.0)
    renderer.show_pictures(face_picture())
    before = shot(renderer, Scene(freeze=True))
    for size in ((1, 1), (3, 900), (320, 180)):
        after = shot(renderer, Scene(freeze=True), size)
    assert np.abs(after.astype(int) - before).max() <= 1
