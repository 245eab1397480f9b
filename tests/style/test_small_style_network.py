"""The small style network: its arithmetic, its lessons, and what the one that ships makes of faces and styles."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.runtime.style_folder import DEFAULT_STYLE, PICTURES, find_pictures, read_style_manifest  # noqa: E402
from engines.runtime.stylist import Stylist, load_stylist, read_picture  # noqa: E402
from engines.style.adain import adain, mean_std  # noqa: E402
from engines.style.brushes import SIDE, brushes  # noqa: E402
from engines.style.data import Pictures, teach  # noqa: E402
from engines.style.loss import picture_distance  # noqa: E402
from engines.style.network import StyleNetwork, back_to_rgb, opponent  # noqa: E402
from engines.style.pictures import MANNERS, draw_style  # noqa: E402
from engines.style.teacher import Teacher  # noqa: E402
from engines.style.training import Recipe, StyleTrainer, load_network  # noqa: E402

LARGEST_NETWORK_BYTES = 3_000_000


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0


def test_adain_gives_features_the_styles_statistics() -> None:
    features, style = random(2, 5, 12, 12), 3.0 * random(2, 5, 9, 9, seed=1) + 1.0
    mean, std = mean_std(style)
    found_mean, found_std = mean_std(adain(features, mean, std, torch.ones(2, 1)))
    assert torch.allclose(found_mean, mean, atol=1e-5)
    assert torch.allclose(found_std, std, rtol=1e-3)
    assert torch.equal(adain(features, mean, std, torch.zeros(2, 1)), features)
    assert mean_std(torch.arange(4.0).reshape(1, 1, 2, 2))[1].item() == pytest.approx((5 / 3 + 1e-5) ** 0.5)


def test_opponent_colours_turn_back() -> None:
    picture = random(1, 3, 6, 6)
    assert torch.allclose(back_to_rgb(opponent(picture)), picture, atol=1e-4)
    assert opponent(torch.ones(1, 3, 1, 1)).flatten()[1:].abs().max() < 1e-4, "grey has no hue"


def test_blending_statistics_is_blending_features() -> None:
    features, styles = random(1, 4, 8, 8), [random(1, 4, 8, 8, seed=s) * s for s in (2, 3)]
    one = torch.ones(1, 1)
    moments = [mean_std(style) for style in styles]
    apart = 0.3 * adain(features, *moments[0], one) + 0.7 * adain(features, *moments[1], one)
    mean, std = (0.3 * a + 0.7 * b for a, b in zip(*moments, strict=True))
    assert torch.allclose(adain(features, mean, std, one), apart, atol=1e-5)


@pytest.mark.parametrize("manner", MANNERS)
def test_style_pictures_repeat_and_are_worth_looking_at(manner: str) -> None:
    first = draw_style(manner, 3, 128)
    assert np.array_equal(first, draw_style(manner, 3, 128))
    assert np.abs(first.astype(int) - draw_style(manner, 4, 128)).mean() > 5
    assert first.std() > 12


def test_marks_cover_everything_but_dots() -> None:
    marks = brushes()
    fields = marks.fields()
    assert fields.shape == (16, SIDE // 2, SIDE // 2)
    assert np.array_equal(fields, fields.astype(np.float16)), "kept in float16 without loss"
    assert np.allclose(fields.mean(axis=(1, 2)), 0.0, atol=1e-2)
    for labels in (marks.oil, marks.eddies, marks.knife, marks.cell):
        assert np.bincount(labels.ravel()).max() < 0.03 * labels.size, "no mark is a hole in the coat"
    assert 0.05 < np.mean(marks.dot == 0) < 0.5


def test_the_teacher_paints_every_manner_in_the_styles_colours() -> None:
    content = torch.nn.functional.interpolate(random(1, 3, 8, 8), size=(64, 64), mode="bilinear")
    teacher = Teacher(brushes(), (slice(32, 96), slice(0, 64)))
    red = torch.stack([0.4 + 0.5 * random(64, 64), -0.6 + 0.3 * random(64, 64), -0.7 + 0.2 * random(64, 64)])[None]
    painted = [teach(teacher, content, red, [number])[0] for number in range(len(MANNERS))]
    for picture in painted:
        assert picture.abs().max() <= 1.0
        assert picture[0].mean() > picture[1].mean() + 0.3
    distances = [(a - b).abs().mean() for i, a in enumerate(painted) for b in painted[:i]]
    assert min(distances) > 0.02, "no two manners are the same"


def test_the_network_learns_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    faces = cv2.resize(rng.integers(0, 256, (12, 8 * 14, 3), np.uint8), (256, 14 * 256)).reshape(14, 256, 256, 3)
    styles = np.stack([[draw_style(manner, 0, 256)] * 13 for manner in MANNERS])
    np.savez(tmp_path / "pictures.npz", content=faces, style=styles)
    pictures = Pictures(tmp_path / "pictures.npz")
    recipe = Recipe(steps=14, batch=2, side=64)
    trainer = StyleTrainer(pictures, recipe)
    lesson = pictures.batch(4, 64, torch.Generator().manual_seed(9))

    def distance() -> float:
        trainer.network.corner = lesson.corner
        with torch.no_grad():
            mean, std = trainer.network.statistics(lesson.style)
            made = trainer.network(lesson.content, mean, std, torch.ones(4, 1))
            return picture_distance(made, lesson.painted).mean().item()

    before = distance()
    told = []
    trainer.run(lambda now: told.append(now.step_count), save_to=tmp_path / "style.pt", save_every_s=1000.0)
    assert told == list(range(1, 15))
    assert distance() < before
    again = StyleTrainer(pictures, recipe)
    again.resume(tmp_path / "style.pt")
    assert again.step_count == 14
    loaded = load_network(tmp_path / "style.pt")
    content, mean = random(1, 3, 64, 64), torch.rand(1, loaded.channels)
    with torch.no_grad():
        expected = again.average(content, mean, mean, torch.ones(1, 1))
        assert torch.equal(loaded(content, mean, mean, torch.ones(1, 1)), expected)


def test_pictures_larger_than_the_marks_repeat_them() -> None:
    network = StyleNetwork().eval()
    mean = torch.rand(1, network.channels)
    with torch.no_grad():
        assert network(random(1, 3, 320, 320), mean, mean, torch.ones(1, 1)).shape == (1, 3, 320, 320)


@pytest.fixture(scope="module")
def shipped() -> Stylist:
    """The network and the six styles that come with the mirror."""
    stylist = load_stylist(DEFAULT_STYLE, "openvino")
    stylist.learn({name: read_picture(path) for name, path in find_pictures(DEFAULT_STYLE / PICTURES).items()})
    stylist.warm_up()
    yield stylist
    stylist.close()


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """A procedural portrait, (1, 3, 256, 256) float32 in [-1, 1]."""
    from engines.faces.renderer import PortraitRenderer
    from engines.faces.sampler import sample

    renderer = PortraitRenderer(256)
    picture = renderer.render(sample(np.random.default_rng(77)))
    renderer.release()
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(127.5) - np.float32(1.0)


def paint(stylist: Stylist, content: np.ndarray, weights: list[float], strength: float = 1.0) -> np.ndarray:
    image = np.zeros((1, 3, stylist.size, stylist.size), np.float32)
    stylist.stylise(content, np.array(weights, np.float32), strength, image)
    return image


def test_what_ships_is_small_and_free_of_other_peoples_work() -> None:
    manifest = read_style_manifest(DEFAULT_STYLE)
    assert (DEFAULT_STYLE / "stylize.onnx").stat().st_size <= LARGEST_NETWORK_BYTES
    assert manifest.licence.commercial_use
    assert "no external weights" in manifest.provenance["features"]


def test_without_strength_the_face_comes_back(shipped: Stylist, face: np.ndarray) -> None:
    back = paint(shipped, face, [1.0] * len(shipped.names), strength=0.0)
    assert np.abs(back - face).mean() < 0.02


@pytest.mark.parametrize("number", range(6))
def test_each_style_brings_its_colours_and_leaves_the_face(shipped: Stylist, face: np.ndarray, number: int) -> None:
    weights = np.eye(6)[number].tolist()
    image = np.clip(paint(shipped, face, weights), -1, 1)
    picture = read_picture(DEFAULT_STYLE / PICTURES / f"{shipped.names[number]}.jpg").astype(np.float32) / 127.5 - 1.0
    style_colour, face_colour = picture.mean(axis=(0, 1)), face.mean(axis=(0, 2, 3))
    colour = image.mean(axis=(0, 2, 3))
    away = np.linalg.norm(face_colour - style_colour)
    assert np.linalg.norm(colour - style_colour) < max(0.6 * away, 0.25)
    small = [cv2.resize(p.mean(axis=1)[0], (32, 32), interpolation=cv2.INTER_AREA).ravel() for p in (image, face)]
    assert np.corrcoef(*small)[0, 1] > 0.6, "light and shade of the face are still there"


def test_no_checkerboard(shipped: Stylist, face: np.ndarray) -> None:
    """The energy at the Nyquist frequency, where a pixel shuffle leaves its pattern, is a sliver of that beside it."""
    for weights in np.eye(6):
        grey = paint(shipped, face, weights.tolist()).mean(axis=1)[0]
        spectrum = np.abs(np.fft.fft2(grey * np.outer(np.hanning(256), np.hanning(256)))) ** 2
        corner = spectrum[126:131, 126:131].mean() + spectrum[126:131, :3].mean() + spectrum[:3, 126:131].mean()
        beside = spectrum[88:104, 88:104].mean() + spectrum[88:104, :3].mean() + spectrum[:3, 88:104].mean()
        assert corner < beside
