"""Prompt pictures: faces found, aligned, curated, encoded, refined. The pictures are procedural portraits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.faces import parameters
from engines.faces.renderer import PortraitRenderer
from engines.runtime import load_pack
from engines.runtime.targets import LABELS, list_targets, read_target
from engines.targets.cli import main
from engines.targets.curation import read_curation
from engines.targets.pictures import find_faces, picture_files, read_picture
from installation.errors import ConfigError, EngineError

FACE_PX = 192


@pytest.fixture(scope="session")
def portraits() -> list[Image.Image]:
    """Six faces of different age, skin and width."""
    renderer = PortraitRenderer(FACE_PX)
    try:
        return [
            Image.fromarray(
                renderer.render(parameters.default(age=0.2 + 0.1 * i, skin_tone=0.15 * i, yaw=4.0 * i - 10.0))
            )
            for i in range(6)
        ]
    finally:
        renderer.release()


@pytest.fixture
def folder(portraits: list[Image.Image], tmp_path: Path) -> Path:
    """One face, six faces, none, and a file that is no picture."""
    folder = tmp_path / "strength"
    folder.mkdir()
    portraits[0].save(folder / "one.png")
    group = Image.new("RGB", (3 * FACE_PX, 2 * FACE_PX), "grey")
    for i, portrait in enumerate(portraits):
        group.paste(portrait, (i % 3 * FACE_PX, i // 3 * FACE_PX))
    group.save(folder / "six.jpg", quality=95)
    Image.new("RGB", (300, 200), "seagreen").save(folder / "nobody.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_faces_are_found_aligned_and_none_is_lost(folder: Path) -> None:
    seen: list[str] = []
    found = find_faces(picture_files(folder), 64, advance=seen.append)
    assert seen == ["broken.png", "nobody.png", "one.png", "six.jpg"]
    assert [f.name for f in found.faces] == ["one.png", *(f"six.jpg#{i}" for i in range(1, 7))]
    assert found.faceless == ("nobody.png",)
    assert list(found.unreadable) == ["broken.png"]
    assert found.crowds == {"six.jpg": 6}
    lines = "\n".join(found.lines())
    assert "nobody.png: no face found; it takes no part" in lines
    assert "six.jpg: 6 faces, all are taken; leave some out with keep = false" in lines
    for face in found.faces:
        assert face.crop.shape == (3, 64, 64)
        assert face.crop.dtype == np.float32
        assert np.abs(face.crop).max() <= 1.0
        # FFHQ: the eyes lie level at a bit under half of the height, left and right of the middle.
        left, right = face.landmarks[468, :2], face.landmarks[473, :2]
        assert 0.3 < left[0] < 0.5 < right[0] < 0.7
        assert left[1] == pytest.approx(right[1], abs=0.03)
        assert 0.38 < left[1] < 0.52


def test_encoders_that_show_the_heads_roll_get_it(portraits: list[Image.Image], tmp_path: Path) -> None:
    path = tmp_path / "tilted.png"
    portraits[0].rotate(12, fillcolor="grey").save(path)
    tilts = {}
    for upright_crops in (False, True):
        (face,) = find_faces([path], 64, upright_crops=upright_crops).faces
        across = face.landmarks[473, :2] - face.landmarks[468, :2]
        tilts[upright_crops] = float(np.degrees(np.arctan2(-across[1], across[0])))
    assert tilts[False] == pytest.approx(0.0, abs=3.0)
    assert tilts[True] == pytest.approx(12.0, abs=4.0)


def test_pictures_are_read_upright(portraits: list[Image.Image], tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held with its right side up
    portraits[0].transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    difference = read_picture(path).astype(int) - np.asarray(portraits[0]).astype(int)
    assert np.abs(difference).mean() < 3.0


def test_huge_and_odd_pictures(tmp_path: Path) -> None:
    Image.new("L", (5000, 20), 128).save(tmp_path / "wide.png")
    assert read_picture(tmp_path / "wide.png").shape == (8, 2048, 3)
    Image.new("RGBA", (70, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").shape == (20, 70, 3)
    Image.new("RGB", (16, 16)).save(tmp_path / "icon.png")
    with pytest.raises(EngineError, match="16 x 16 pixels are too few"):
        read_picture(tmp_path / "icon.png")


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(EngineError, match=r"holds no pictures; looked for \.jpg"):
        picture_files(tmp_path)
    with pytest.raises(EngineError, match="there is no folder"):
        picture_files(tmp_path / "nowhere")


def arguments(folder: Path, standin: Path, out: Path) -> list[str]:
    return ["make", "--via", "images", "--images", str(folder), "--pack", str(standin), "--out", str(out)]


def test_the_average_of_all_faces_becomes_a_target(
    folder: Path, standin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(arguments(folder, standin, out)) == 0
    target = read_target(out, "strength")
    known = target.provenance
    assert (known.route, known.prompt) == ("images", "strength")
    assert len(known.settings["faces"]) == 7
    assert known.settings["without_face"] == ["nobody.png"]
    assert known.settings["unreadable"] == ["broken.png"]
    assert known.models[0].role == "encoder"
    assert len(known.models[0].sha256) == 64
    found = find_faces(picture_files(folder), 16)
    with load_pack(standin) as pack:
        wanted = pack.encode(np.stack([face.crop for face in found.faces])).mean(axis=0) - pack.w_avg
    np.testing.assert_allclose(target.uncurated, wanted, atol=1e-5)
    assert "nobody.png: no face found" in capsys.readouterr().out


def test_the_artist_chooses_and_labels_and_a_new_run_obeys(folder: Path, standin: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*arguments(folder, standin, out), "--apart"]) == 0
    assert list_targets(out) == tuple(f"strength_{i}" for i in range(1, 8))
    path = out / "curation.toml"
    text = path.read_text()
    for face in ("one.png", "six.jpg#2"):
        text = text.replace(f'"{face}"]\nkeep = true', f'"{face}"]\nkeep = false')
    text = text.replace(
        '"six.jpg#1"]\nkeep = true\nlabel = ""', '"six.jpg#1"]\nkeep = true\nlabel = "dominantly feminine"'
    )
    path.write_text("# my choice\n" + text)
    for name in list_targets(out):
        (out / f"{name}.json").unlink()
    assert main([*arguments(folder, standin, out), "--apart"]) == 0
    assert path.read_text() == "# my choice\n" + text
    first = read_target(out, "strength_1")
    assert first.label == LABELS[4]
    assert first.provenance.settings["faces"] == ["six.jpg#1"]
    assert first.provenance.settings["left_out"] == ["one.png", "six.jpg#2"]
    assert len(list_targets(out)) == 5


def test_no_face_or_none_that_the_artist_keeps(folder: Path, standin: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    Image.new("RGB", (300, 200), "seagreen").save(empty / "nobody.png")
    with pytest.raises(EngineError, match="no face in any of the 1 pictures"):
        main(arguments(empty, standin, tmp_path / "out"))
    for name in ("six.jpg", "nobody.png", "broken.png"):
        (folder / name).unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "curation.toml").write_text('[pictures.strength."one.png"]\nkeep = false\n')
    with pytest.raises(EngineError, match="the curator keeps none of the 1 faces"):
        main(arguments(folder, standin, tmp_path / "out"))


def test_a_folder_of_folders_holds_one_prompt_each(portraits: list[Image.Image], standin: Path, tmp_path: Path) -> None:
    for i, name in enumerate(("power", "the best professor")):
        (tmp_path / "all" / name).mkdir(parents=True)
        portraits[i].save(tmp_path / "all" / name / "a.png")
    assert main(arguments(tmp_path / "all", standin, tmp_path / "out")) == 0
    assert list_targets(tmp_path / "out") == ("best_professor", "power")
    assert set(read_curation(tmp_path / "out" / "curation.toml").pictures) == {"power", "best_professor"}
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('[[prompt]]\nprompt = "power"\n[[prompt]]\nprompt = "beauty"\n')
    with pytest.raises(ConfigError, match="has no folder named beauty"):
        main([*arguments(tmp_path / "all", standin, tmp_path / "out"), "--prompts", str(prompts)])
