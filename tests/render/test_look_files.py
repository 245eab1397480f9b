"""Looks and colour tables as files: complete, checked, explained."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from installation.core.controls import control_table
from installation.display.colour_table import (
    MAX_STRETCH,
    Palette,
    grid,
    lab_from_srgb,
    read_cube,
    srgb_from_lab,
    style_table,
    transport,
)
from installation.display.config import DisplayConfig
from installation.display.look_file import BUILT_IN, read_look
from installation.display.looks import PLAIN, load_looks, look_controls, look_files, look_names
from installation.display.scene import Scene
from installation.errors import ConfigError, MirrorError

GOOD = """
title = "Test"
help = "A look for a test."
[controls.amount]
default = 0.5
help = "How much of it."
[[pass]]
shader = "prism.frag"
output = "picture"
inputs = { u_picture = "source" }
uniforms = { u_amount = "@amount" }
"""


def look(tmp_path, text):
    path = tmp_path / "test.toml"
    path.write_text(text)
    return read_look(path)


def test_plain_comes_first_and_every_file_is_a_look():
    names = look_names(DisplayConfig())
    assert names[0] == PLAIN
    assert set(names[1:]) == {path.stem for path in BUILT_IN.glob("*.toml")}
    assert len(names) >= 12


def test_every_knob_is_a_row_of_the_control_table():
    rows = look_controls(DisplayConfig())
    table = control_table(("power",), (), looks=look_names(DisplayConfig()), uniforms=rows)
    knobs = sum(len(one.controls) for one in load_looks(DisplayConfig()).values())
    assert len(rows) == knobs > 10
    assert table["/mirror/uniform/oil_brush"].help.startswith("Oil: ")


def test_a_look_is_read(tmp_path):
    assert look(tmp_path, GOOD).passes[0].uniforms == {"u_amount": "@amount"}


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ('"source"', '"soruce"', "'soruce', which nothing before it draws"),
        ('"source"', '"before:later"', "nothing before it draws"),
        ('"@amount"', '"@amuont"', "names no control"),
        ("default = 0.5", "default = 1.5", "must lie between"),
        ("title", "titel", "titel"),
        ("prism.frag", "../secret.frag", "shader"),
        ("u_amount =", "u_time =", "set by the chain itself"),
        ('output = "picture"', 'output = "Big Name"', "is no name"),
        ("[[pass]]", "[[pass]", "no TOML"),
    ],
)
def test_a_mistake_in_a_look_is_told_by_key(tmp_path, wrong, right, words):
    assert wrong in GOOD
    with pytest.raises(ConfigError, match=r"test\.toml") as told:
        look(tmp_path, GOOD.replace(wrong, right))
    assert words in str(told.value)


def test_an_operator_s_folder_adds_and_replaces(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "oil.toml").write_text(GOOD)
    config = DisplayConfig(looks_folder=str(tmp_path))
    assert look_files(config)["mine"].parent == tmp_path
    assert load_looks(config)["oil"].title == "Test"
    with pytest.raises(ConfigError, match="no such folder"):
        look_files(DisplayConfig(looks_folder=str(tmp_path / "absent")))


def test_all_broken_looks_are_told_together(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text("nonsense")
    with pytest.raises(ConfigError) as told:
        load_looks(DisplayConfig(looks_folder=str(tmp_path)))
    assert "one.toml" in str(told.value)
    assert "two.toml" in str(told.value)


def cube(tmp_path, text):
    path = tmp_path / "t.cube"
    path.write_text(text)
    return read_cube(path)


ROWS = "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))


def test_a_cube_is_read_with_red_fastest(tmp_path):
    table = cube(tmp_path, f'# words\nTITLE "x"\nLUT_3D_SIZE 2\nDOMAIN_MIN 0 0 0\n{ROWS}\n')
    assert np.array_equal(table, grid(2))


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", ROWS, f"LUT_3D_SIZE 3\n{ROWS}", f"LUT_3D_SIZE x\n{ROWS}", "LUT_3D_SIZE 900", "LUT_1D_SIZE 8",
        f"LUT_3D_SIZE 2\n{ROWS[:-2]}", f"LUT_3D_SIZE 2\n{ROWS.replace('0 1 1', '0 nan 1')}", "LUT_3D_SIZE",
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path, text):
    with pytest.raises(ConfigError, match=r"t\.cube.*(export|give)"):
        cube(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t.cube").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match="no colour table"):
        read_cube(tmp_path / "t.cube")


def test_a_cube_of_another_domain_covers_it(tmp_path):
    rows = "\n".join(f"{r} {g} {b}" for b in (0, 2) for g in (0, 2) for r in (0, 2))
    table = cube(tmp_path, f"LUT_3D_SIZE 2\nDOMAIN_MAX 2 2 2\n{rows}")
    assert table[0, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_lab_has_its_known_values(rgb, lab):
    assert lab_from_srgb(np.array(rgb, float)) == pytest.approx(lab, abs=0.03)


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_lab_and_back_is_the_same_colour(rgb):
    assert srgb_from_lab(lab_from_srgb(np.array(rgb))) == pytest.approx(rgb, abs=2e-4)


def cloud(seed, spread, centre):
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(centre, spread, (64, 64, 3)), 0, 255).astype(np.uint8)


def test_transport_gives_the_mean_and_the_covariance_of_the_style():
    source, style = Palette(cloud(1, (20, 15, 12), (120, 100, 90))), Palette(cloud(2, (14, 18, 14), (90, 110, 130)))
    matrix, shift = transport(source, style)
    assert matrix == pytest.approx(matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert matrix @ source.mean + shift == pytest.approx(style.mean)
    assert matrix @ source.covariance @ matrix.T == pytest.approx(style.covariance, rel=0.02, abs=0.5)


def test_a_picture_in_its_own_style_stays_as_it_is():
    palette = Palette(cloud(3, (25, 25, 25), (128, 120, 110)))
    table = style_table(palette, palette)
    assert np.abs(table - grid(len(table))).max() < 0.01


def test_a_grey_picture_is_not_torn_apart_by_a_colourful_style():
    matrix, _ = transport(
        Palette(cloud(4, (3, 3, 3), (120, 120, 120))), Palette(cloud(5, (80, 80, 80), (128, 128, 128)))
    )
    assert np.linalg.eigvalsh(matrix).max() <= MAX_STRETCH + 1e-9


def test_a_style_picture_that_is_none_is_refused(tmp_path):
    (tmp_path / "style.jpg").write_text("no picture")
    with pytest.raises(ConfigError, match="style picture"):
        Palette.read(tmp_path / "style.jpg")


BROKEN = """
title = "Broken"
help = "A look for a test."
lut = "broken.cube"
[[pass]]
shader = "lut.frag"
output = "picture"
inputs = { u_picture = "source", u_lut = "lut" }
uniforms = { u_amount = 1.0 }
"""


def test_a_look_that_cannot_be_made_is_told_while_the_show_goes_on_plain(tmp_path, make_renderer, face_picture, shot):
    (tmp_path / "broken.toml").write_text(BROKEN)
    (tmp_path / "broken.cube").write_text("no table")
    renderer = make_renderer(looks_folder=str(tmp_path))
    renderer.show_pictures(face_picture())
    plain = shot(renderer, Scene(freeze=True))
    broken = shot(renderer, Scene(look="broken", freeze=True))
    assert np.array_equal(broken, plain), "and visitors do not read about it"
    assert "broken.cube:1" in renderer.notices[0]
    with pytest.raises(MirrorError, match=r"look broken: broken\.cube:1"):
        renderer.rehearse()


def test_all_built_in_looks_stand_a_rehearsal(make_renderer):
    make_renderer().rehearse()


def test_a_style_picture_gives_its_colours(tmp_path, make_renderer, face_picture, shot):
    """A blue painting makes a bluer portrait than an orange one; the lightness stays near."""
    means = []
    for name, colour in (("blue", (40, 70, 170)), ("orange", (200, 120, 40))):
        noise = np.random.default_rng(0).normal(0, 12, (32, 32, 3))
        Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(tmp_path / f"{name}.png")
        renderer = make_renderer(style_picture=str(tmp_path / f"{name}.png"))
        renderer.show_pictures(face_picture())
        canvas = shot(renderer, Scene(look="palette", freeze=True))
        means.append(canvas[40:140, 110:210, :3].mean(axis=(0, 1)))
    assert means[0][2] - means[0][0] > means[1][2] - means[1][0] + 40
    assert means[0].mean() == pytest.approx(means[1].mean(), rel=0.35)
