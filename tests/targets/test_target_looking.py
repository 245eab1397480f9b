"""Charts, sheets, and the figures of `mirror targets verify`, on faces whose parameters are known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines.faces import parameters
from engines.faces.renderer import PortraitRenderer
from engines.runtime import load_pack
from engines.runtime.targets import ModelUsed, Provenance, Target, space_id, write_target
from engines.targets.captions import attributes_of, read_attributes
from engines.targets.chart import describe, draw_chart, rows_of
from engines.targets.cli import main
from engines.targets.shape import MEASURES, in_ranges, shape_of, unnamed, unnamed_parameters
from engines.targets.sheet import Block, as_image, as_u8, draw_sheet, save_picture
from engines.targets.verify import measure
from installation.errors import EngineError


class PortraitPack:
    """A pack whose W+ is a portrait's parameters: geometry in row 0, appearance in row 2."""

    bands: Mapping[str, tuple[int, int]] = {"coarse": (0, 1), "middle": (1, 2), "fine": (2, 3)}

    def __init__(self, renderer: PortraitRenderer) -> None:
        self.renderer = renderer
        self.w_avg = self.latent()
        self.targets: dict[str, Target] = {}

    def latent(self, **values: float) -> np.ndarray:
        p = parameters.default(**values)
        w_plus = np.zeros((3, parameters.NP), np.float32)
        w_plus[0, parameters.GEOMETRY] = p[parameters.GEOMETRY]
        w_plus[2, parameters.APPEARANCE] = p[parameters.APPEARANCE]
        return w_plus

    @property
    def manifest(self) -> SimpleNamespace:
        return SimpleNamespace(files={"readout.onnx": ""})

    def read_out(self, w_plus: np.ndarray) -> np.ndarray:
        return w_plus.sum(axis=1)

    def add(self, name: str, moves: dict[str, float], **values: float) -> Target:
        w_plus = self.latent(**values)
        edit = w_plus - self.w_avg
        self.targets[name] = Target(name, name, w_plus, edit, edit, Provenance(name, "text", moves=moves))
        return self.targets[name]

    def synthesize(self, w_plus: np.ndarray) -> np.ndarray:
        drawn = [self.renderer.render(parameters.clipped(one.sum(axis=0))) for one in w_plus]
        return np.stack(drawn).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1.0


@pytest.fixture
def portrait_pack() -> Iterator[PortraitPack]:
    renderer = PortraitRenderer(128)
    yield PortraitPack(renderer)
    renderer.release()


def test_verify_tells_a_target_that_keeps_the_visitor_from_one_that_does_not(portrait_pack: PortraitPack) -> None:
    pack: Any = portrait_pack
    honest = pack.add("honest", {"nose_ratio": 0.8, "hair_length": 1.0}, nose_ratio=0.8, hair_length=0.9, skin_tone=0.9)
    # It claims to move the background alone, and moves jaw, face and nose.
    sly = pack.add("sly", {"background": 1.0}, jaw_width=1.0, face_length=-1.0, nose_ratio=1.0, background_value=0.8)
    visitors = np.stack([pack.latent(jaw_width=j, face_length=-j, nose_ratio=j, skin_tone=0.5) for j in (-0.6, 0.6)])
    report = measure(pack, [honest, sly], visitors)
    first, second = report.rows
    assert first.found == first.shown == 2 * 2 * 5
    # MediaPipe's own noise is in the landmark ruler; the parameters are read without any.
    assert first.kept_readout < 0.02 < 0.25 < second.kept_readout
    assert np.isfinite([first.kept, second.kept]).all()
    assert first.from_average > 6.0
    assert first.from_nearest[1] == "sly"
    assert first.passed
    assert not second.passed
    assert not report.passed
    text = report.text()
    assert "honest" in text
    assert "20/20" in text
    assert text.count("FAILED") == 1


def test_pictures_without_a_face_fail(standin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(standin, pack)
    with load_pack(pack) as loaded:
        known = Provenance("power", "text", space=space_id(loaded.w_avg))
        zero = np.zeros_like(loaded.w_avg)
        write_target(pack / "targets", Target("power", "power", loaded.w_avg, zero, zero, known))
    assert main(["verify", "--pack", str(pack), "--visitors", "1"]) == 1
    out = capsys.readouterr().out
    assert "0/10" in out
    assert "FAILED" in out


def test_shape_measures_do_not_depend_on_place_size_or_turn() -> None:
    rng = np.random.default_rng(0)
    face = rng.normal(size=(478, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    np.testing.assert_allclose(shape_of(face @ turn.T * 3.0 + 5.0), shape_of(face))
    assert shape_of(face).shape == (len(MEASURES),)


def test_the_parameters_that_a_target_does_not_speak_of() -> None:
    attributes = read_attributes()
    free = dict(
        zip(parameters.NAMES, unnamed_parameters({"jaw": 0.5, "smile": 0.5, "age": 0.01}, attributes), strict=True)
    )
    assert not free["jaw_width"]
    assert not free["smile"]  # not a part of identity
    assert free["age"]
    assert free["nose_ratio"]
    spoken = unnamed_parameters({"gender_expression": -0.2}, attributes)
    assert not spoken[[parameters.INDEX[name] for name in ("masculinity", "jaw_width", "brow_ridge")]].any()
    np.testing.assert_allclose(in_ranges(parameters.HIGH), 1.0)


def test_a_measure_is_named_by_the_directions_that_speak_of_it() -> None:
    free = dict(zip([m.name for m in MEASURES], unnamed({"mouth_width": 0.3, "jaw": 0.01}), strict=True))
    assert not free["mouth width"]
    assert free["jaw width"]
    assert free["eye distance"]


def target_with(scores: dict[str, float]) -> Target:
    known = Provenance(
        prompt="a very long prompt that nobody could fit into one line of a chart, " * 3,
        route="text",
        models=(ModelUsed("reader", "text model", "0123456789abcdef" * 4),),
        scores=scores,
        doubts=dict.fromkeys(scores, 0.2),
        moves={name: effect / 4 for name, effect in scores.items()},
        curation={"direction.skin_tone": 0.0, "band.fine": 0.5},
        settings={"note": "only half understood"},
        pack="stand-in",
        date="2026-11-21",
    )
    zero = np.zeros((2, 2), np.float32)
    return Target("nurse", "Nurse", zero, zero, zero, known, label="more feminine")


def test_reasons_as_text() -> None:
    target = target_with({"gender_expression": -3.0, "skin_tone": 1.0, "wobble": 0.5})
    rows = rows_of(target, attributes_of(target.provenance.moves, read_attributes()))
    assert [(row.direction, row.applied) for row in rows] == [
        ("gender_expression", -0.75),
        ("skin_tone", 0.0),
        ("wobble", 0.125),
    ]
    lines = describe(target, rows).splitlines()
    assert "(more feminine)" in lines[0]
    assert any("only half understood" in line for line in lines)
    assert any("curator's bands: fine 0.5" in line for line in lines)
    (skin,) = [line for line in lines if line.strip().startswith("skin_tone")]
    assert skin.split()[1:3] == ["dark", "skin"]
    assert skin.endswith("(weight 0)")


def test_a_direction_that_runs_the_other_way_shows_its_ends_swapped() -> None:
    target = target_with({"femininity": 3.0})
    (row,) = rows_of(target, attributes_of(["femininity"], read_attributes()))
    assert (row.low, row.high) == ("masculine", "feminine")


def colours(image: Image.Image, box: tuple[int, int, int, int]) -> set[tuple[int, int, int]]:
    return {colour for _, colour in image.crop(box).getcolors(1 << 20)}


def test_bars_go_the_right_way_and_what_is_not_applied_is_an_outline() -> None:
    target = target_with({"gender_expression": -3.0, "skin_tone": 2.9})
    chart = draw_chart(target, rows_of(target, attributes_of(target.provenance.moves, read_attributes())))
    centre = 36 + 190 + 230
    left, right = (centre - 100, 135, centre - 90, 137), (centre + 90, 165, centre + 100, 167)
    assert colours(chart, left) == {(0x2F, 0x5D, 0x73)}
    assert colours(chart, right) == {(0xF6, 0xF3, 0xEE)}
    assert (0xB4, 0x53, 0x2A) in colours(chart, (centre + 90, 150, centre + 100, 172))


def test_a_sheet_shows_the_pictures_where_they_belong() -> None:
    pictures = np.full((3, 3, 16, 16), -1.0, np.float32)
    pictures[0, 0], pictures[1, 1], pictures[2, 2] = 1.0, 1.0, 1.5
    sheet = draw_sheet([Block("three", pictures, ["a", "b", "c" * 100], 2)], 32)
    assert sheet.getpixel((6 + 16, 34 + 16)) == (255, 0, 0)
    assert sheet.getpixel((6 + 32 + 6 + 16, 34 + 16)) == (0, 255, 0)
    assert sheet.getpixel((6 + 16, 34 + 60 + 16)) == (0, 0, 255)


def test_pictures_become_bytes_without_a_shift() -> None:
    levels = np.arange(256, dtype=np.float32) / 127.5 - 1.0
    picture = np.broadcast_to(levels.reshape(1, 1, 16, 16), (1, 3, 16, 16))
    np.testing.assert_array_equal(as_u8(picture)[0, ..., 1].ravel(), np.arange(256))
    assert as_image(picture[0], 32).size == (32, 32)


def test_a_picture_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineError, match="could not be written"):
        save_picture(Image.new("RGB", (4, 4)), tmp_path / "file" / "a.png")


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    assert draw_chart(target_with({}), []).height > 100
