"""Painting in the show: from a folder of pictures and a style folder to what the screen gets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.packing import Licence  # noqa: E402
from engines.runtime.backends import BackendOptions  # noqa: E402
from engines.runtime.style_folder import find_pictures, read_style_manifest  # noqa: E402
from engines.runtime.stylist import load_stylist, read_picture  # noqa: E402
from engines.style.export import write_style  # noqa: E402
from engines.style.network import StyleNetwork  # noqa: E402
from engines.style.pictures import draw_style  # noqa: E402
from installation.config import StyleConfig  # noqa: E402
from installation.core.controls import ControlTable, control_table  # noqa: E402
from installation.core.instrument import Instrument  # noqa: E402
from installation.core.snapshot import Snapshot  # noqa: E402
from installation.errors import EngineError  # noqa: E402
from installation.painting import Painter  # noqa: E402

SIZE = 256


@pytest.fixture(scope="module")
def network() -> StyleNetwork:
    """Untrained weights."""
    torch.manual_seed(5)
    return StyleNetwork().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def folder(network: StyleNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("style") / "untrained"
    licence = Licence("Apache-2.0", "drawn here\n", commercial_use=True)
    return write_style(destination, network, SIZE, name="untrained", provenance={"kind": "test"}, licence=licence)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two style pictures, one of them not square."""
    pictures = tmp_path_factory.mktemp("pictures")
    cv2.imwrite(str(pictures / "blue-points.png"), draw_style("points", 0, SIZE)[..., ::-1])
    cv2.imwrite(str(pictures / "cut.jpg"), np.hstack([draw_style("cutouts", 0, SIZE)] * 2)[..., ::-1])
    (pictures / "notes.txt").write_text("not a picture")
    return pictures


def table(config: StyleConfig) -> ControlTable:
    return control_table(("power",), (), styles=tuple(config.found()), style_strength=config.strength)


@pytest.fixture
def config(folder: Path, pictures: Path) -> StyleConfig:
    return StyleConfig(enabled=True, network=str(folder), pictures=str(pictures))


def at_rest(config: StyleConfig, **values: float) -> Snapshot:
    """Everything below /mirror/paint as played, after all smoothing: `strength`, and weights of styles by name."""
    instrument = Instrument(table(config), now=0.0)
    for name, value in values.items():
        path = name if name == "strength" else f"style/{name.replace('_', '-')}"
        assert instrument.set(f"/mirror/paint/{path}", value, "operator", 0.0).heard
    for now in np.arange(0.0, 6.0, 0.02):
        snapshot = instrument.tick(float(now))
    return snapshot


def test_every_picture_is_a_row_and_without_the_style_there_is_none(config: StyleConfig) -> None:
    assert table(config).names_under("paint/style") == ("blue-points", "cut")
    assert table(config)["/mirror/paint/strength"].default == 0.0
    assert not any("/paint/" in address for address in table(StyleConfig()))


def test_painting_is_the_networks_own_arithmetic(config: StyleConfig, network: StyleNetwork, pictures: Path) -> None:
    painter = Painter(config, "openvino", BackendOptions())
    painter.warm_up()
    content = np.random.default_rng(0).uniform(-1, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    found = painter.paint(content, at_rest(config, strength=0.7, cut=0.5)).copy()
    painter.close()
    first = read_picture(pictures / "blue-points.png")
    second = read_picture(pictures / "cut.jpg")[:, SIZE // 2 : SIZE // 2 + SIZE]
    with torch.no_grad():
        styles = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        mean, std = network.statistics(styles)
        share = torch.tensor([[2 / 3], [1 / 3]])
        blend = [(share * values).sum(0, keepdim=True) for values in (mean, std)]
        expected = network(torch.from_numpy(content), *blend, torch.full((1, 1), 0.7)).numpy()
    assert np.abs(found - expected).max() < 1e-2
    assert np.abs(found - expected).mean() < 1e-4


def test_no_strength_or_no_weight_costs_nothing_and_changes_nothing(config: StyleConfig) -> None:
    painter = Painter(config, "openvino", BackendOptions())
    painter.warm_up()
    content = np.zeros((1, 3, 128, 128), np.float32)
    assert painter.paint(content, at_rest(config)) is content
    assert painter.paint(content, at_rest(config, strength=1.0, blue_points=0.0)) is content
    painter.close()


def test_results_stay_whole_while_newer_ones_are_made_and_vanish_when_wiped(config: StyleConfig) -> None:
    painter = Painter(config, "openvino", BackendOptions())
    painter.warm_up()
    snapshot = at_rest(config, strength=1.0)
    five = np.random.default_rng(1).uniform(-1, 1, (5, 3, 128, 128)).astype(np.float32)
    one = painter.paint(five[:1], snapshot)
    kept = one.copy()
    several = painter.paint(five, snapshot)
    assert several.shape == (5, 3, SIZE, SIZE)
    assert np.array_equal(several[0], kept[0])
    painter.paint(five[1:2], snapshot)
    assert np.array_equal(one, kept)
    painter.wipe(resting=False)
    assert not several.any(), "nobody paints over the five of the series"
    assert one.any(), "the single picture is painted over, not blacked out under the attract walk"
    painter.wipe(resting=True)
    assert not one.any()
    painter.close()


def test_a_folder_that_was_tampered_with_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    graph = copy / "stylize.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(EngineError, match="sha256"):
        load_stylist(copy)
    (copy / "style.json").write_text('{"format": 1}')
    with pytest.raises(EngineError, match="size"):
        read_style_manifest(copy)


def test_folders_without_pictures_and_files_that_are_none_say_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="0 style pictures"):
        find_pictures(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(EngineError, match="no picture that can be read"):
        read_picture(find_pictures(tmp_path)["broken"])
    (tmp_path / "two words.png").write_bytes(b"")
    with pytest.raises(EngineError, match="becomes a control"):
        StyleConfig(enabled=True, pictures=str(tmp_path)).found()
