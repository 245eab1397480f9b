"""The shader: compiles, agrees with Python on its uniforms, repeats itself, mirrors, and looks as it did."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import moderngl
import numpy as np
import pytest
from PIL import Image

from engines.faces import renderer as module
from engines.faces.geometry import ANCHOR_NAMES, camera
from engines.faces.parameters import NAMES, NP, default, mirrored
from engines.faces.renderer import PortraitRenderer, fragment_source
from engines.faces.sampler import sample
from engines.training.data import focus_points
from installation.errors import ShaderError

GOLDEN = Path(__file__).with_name("golden")
GOLDEN_PEOPLE = {
    "short": {"hair_darkness": 0.9, "yaw": 12.0},
    "long": {"hair_length": 0.9, "hair_curl": 0.4, "skin_tone": 0.8, "smile": 0.8, "mouth_open": 0.4, "yaw": -15.0},
    "old": {"age": 1.0, "hair_grey": 0.9, "hair_curl": 0.9, "glasses": 0.8, "beard": 0.7, "moustache": 0.7},
}
GOLDEN_TOLERANCE = 1.5
"""Mean difference in levels: versions of the software rasteriser round differently, hair grain shows it most."""


def test_uniforms_agree_both_ways(small: PortraitRenderer) -> None:
    source = fragment_source()
    uniforms = {
        "u_parameters": NP,
        "u_anchors": len(ANCHOR_NAMES),
        "u_world_from_head": 1,
        "u_camera": 1,
        "u_extent": 1,
    }
    program = small.context.program(vertex_shader=module.VERTEX_SHADER, fragment_shader=source)
    found = {name: program[name].array_length for name in program if not name.startswith("gl_")}
    program.release()
    assert found == uniforms


def test_every_parameter_is_read_by_python_or_the_shader() -> None:
    shader = fragment_source()
    geometry = Path(module.__file__).with_name("geometry.py").read_text()
    unread = [n for n in NAMES if shader.count(f"p_{n}") < 2 and f'"{n}"' not in geometry]
    assert unread == []


def test_a_broken_shader_names_its_words(monkeypatch: pytest.MonkeyPatch, small: PortraitRenderer) -> None:
    monkeypatch.setattr(module, "fragment_source", lambda: "#version 330\nvoid main() { nonsense; }")
    with pytest.raises(ShaderError, match="nonsense"):
        PortraitRenderer(8, small.context)


def test_missing_include_is_a_shader_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "SHADER_DIR", tmp_path)
    with pytest.raises(ShaderError, match=r"portrait\.frag"):
        fragment_source()


def test_same_parameters_same_picture(small: PortraitRenderer) -> None:
    p = sample(np.random.default_rng(3))
    first = small.render(p)
    small.render(default())
    np.testing.assert_array_equal(small.render(p), first)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8


def test_renders_into_a_given_array(small: PortraitRenderer) -> None:
    out = np.zeros((64, 64, 3), np.uint8)
    assert small.render(default(), out=out) is out
    np.testing.assert_array_equal(out, small.render(default()))


def test_mask_covers_the_person(small: PortraitRenderer) -> None:
    picture, mask = small.render_with_mask(default(hair_length=0.2))
    assert picture.shape == (64, 64, 3)
    assert (mask[24:40, 24:40] == 255).all()
    assert (mask[:6, :6] == 0).all()
    assert 0.3 < (mask > 127).mean() < 0.75


@pytest.mark.parametrize("seed", range(4))
def test_mirrored_parameters_draw_the_mirrored_picture(small: PortraitRenderer, seed: int) -> None:
    p = sample(np.random.default_rng(seed))
    picture = small.render(p).astype(np.float64)
    flipped = small.render(mirrored(p)).astype(np.float64)[:, ::-1]
    assert np.abs(picture - flipped).mean() < 7.0, "only grain and the painted wall may differ"
    assert np.abs(picture - flipped[:, ::-1]).mean() > np.abs(picture - flipped).mean()


def test_a_parameter_moves_the_picture_smoothly(small: PortraitRenderer) -> None:
    sweep = [small.render(default(smile=s)).astype(np.float64) for s in np.linspace(-1.0, 1.0, 9)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(sweep)]
    assert max(steps) < 3.0 * (sum(steps) / len(steps))


def test_draws_into_any_viewport(small: PortraitRenderer) -> None:
    """A wide viewport shows the same crop in its middle and more wall at its sides."""
    wide = small.context.simple_framebuffer((128, 64), components=4)
    p = default()
    small.draw(p, wide, camera(p))
    picture = np.frombuffer(wide.read(components=3), np.uint8).reshape(64, 128, 3)[::-1]
    wide.release()
    np.testing.assert_allclose(picture[:, 32:96].astype(int), small.render(p).astype(int), atol=2)


def test_an_oversampled_picture_is_the_mean_of_a_larger_one(small: PortraitRenderer) -> None:
    twice = PortraitRenderer(32, small.context, oversampling=2)
    picture, mask = twice.render_with_mask(default(hair_curl=0.9))
    large, large_mask = small.render_with_mask(default(hair_curl=0.9))
    np.testing.assert_allclose(picture, large.reshape(32, 2, 32, 2, 3).mean((1, 3)), atol=0.75)
    np.testing.assert_allclose(mask, large_mask.reshape(32, 2, 32, 2).mean((1, 3)), atol=0.75)
    twice.release()


def test_rims_of_glasses_close_round_the_eyes(small: PortraitRenderer) -> None:
    side, at = 256, NAMES.index("glasses")
    renderer = PortraitRenderer(side, small.context)
    for person in [sample(np.random.default_rng(seed)) for seed in range(8)]:
        pictures = []
        for person[at] in (0.0, 1.0):
            pictures.append(renderer.render(person).astype(int))
        changed = np.abs(pictures[1] - pictures[0]).max(axis=-1)
        _, parts = cv2.connectedComponents((changed < 8).astype(np.uint8), connectivity=4)
        for eye in focus_points(person[None])[0, :2]:
            column, row = (eye * side).astype(int)
            assert parts[row, column] != parts[0, 0], "the wall runs into the eye"
    renderer.release()


@pytest.mark.parametrize("name", GOLDEN_PEOPLE)
def test_looks_as_it_did(small: PortraitRenderer, name: str, tmp_path: Path) -> None:
    picture = small.render(default(**GOLDEN_PEOPLE[name]))
    expected = np.asarray(Image.open(GOLDEN / f"{name}.png"))
    difference = np.abs(picture.astype(int) - expected.astype(int))
    if "llvmpipe" not in small.context.info["GL_RENDERER"]:
        assert difference.mean() < 20.0, "another driver may round differently, but not draw another person"
        return
    if difference.mean() >= GOLDEN_TOLERANCE:
        shown = np.concatenate([expected, picture, np.minimum(difference * 4, 255).astype(np.uint8)], axis=1)
        Image.fromarray(shown).save(tmp_path / f"{name}.png")
    assert difference.mean() < GOLDEN_TOLERANCE, f"expected | actual | 4 x difference: {tmp_path / name}.png"


def test_release_leaves_a_given_context_alive(small: PortraitRenderer) -> None:
    PortraitRenderer(8, small.context).release()
    assert isinstance(small.context.info, dict)
    assert isinstance(small.context, moderngl.Context)
    assert small.render(default()).any()
