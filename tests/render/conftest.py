"""Fixtures of the display's tests: a context that fails on pending GL errors, drawn faces, golden pictures.

Golden pictures are compared on the software rasteriser (llvmpipe) only: other drivers may round
filters and half floats differently. There a test checks that something plausible was drawn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import moderngl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.headless_window import HeadlessWindow
from installation.display.pasteback import FACE_OVAL
from installation.display.reflection import Reflection
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene
from installation.display.shaders import ShaderLibrary

GOLDEN = Path(__file__).with_name("golden")
FAILURES = Path(__file__).parents[1] / "failures"

TOLERANCE = 6
"""Steps of 255 that a pixel may differ: LLVM fuses multiplications differently from one processor to the next, which
moves a hash now and then and with it the dither of one step and the noise of the paper looks."""

SHARE_OUTSIDE = 0.01
"""Part of the pixels that may differ by more, for the same reason, and for FreeType's hinting of letters."""

MEAN_TOLERANCE = 1.0

os.environ.setdefault("LP_NUM_THREADS", "1")  # small pictures: the software rasteriser's threads would only wait


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that draws the golden pictures anew."""
    parser.addoption("--regenerate", action="store_true", help="write golden pictures instead of comparing them")


@pytest.fixture(scope="session")
def window() -> Iterator[HeadlessWindow]:
    """One context for all tests; it must end without an error pending."""
    opened = HeadlessWindow(DisplayConfig())
    yield opened
    assert opened.ctx.error == "GL_NO_ERROR"
    opened.close()


@pytest.fixture
def ctx(window: HeadlessWindow) -> Iterator[moderngl.Context]:
    """The context; a test that starts or ends with a GL error pending fails."""
    assert window.ctx.error == "GL_NO_ERROR", "an earlier test left a GL error"
    yield window.ctx
    assert window.ctx.error == "GL_NO_ERROR"


@pytest.fixture
def make_renderer(ctx: moderngl.Context) -> Iterator[Callable[..., Renderer]]:
    """Make renderers with [display] options; they are released at the end."""
    made: list[Renderer] = []

    def make(captions: CaptionConfig | None = None, **options: object) -> Renderer:
        config = DisplayConfig.model_validate({"view_fade_s": 0.0, **options})
        made.append(Renderer(ctx, config, captions or CaptionConfig()))
        return made[-1]

    yield make
    for renderer in made:
        renderer.release()


@pytest.fixture
def reflection(ctx: moderngl.Context) -> Iterator[Reflection]:
    """The layer that holds the generator's pictures."""
    library = ShaderLibrary(ctx)
    made = Reflection(library)
    yield made
    made.release()
    library.release()


@dataclass(frozen=True)
class DrawnFace:
    """A camera picture of a drawn face, with what the eye would say about it."""

    camera: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    quad: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        return self.camera.shape[1], self.camera.shape[0]


@pytest.fixture
def drawn_face() -> Callable[..., DrawnFace]:
    """Make camera pictures: a face at a place, on a wall lit from the left."""
    return draw_camera


@pytest.fixture
def face_picture() -> Callable[..., Picture]:
    """Make generator results from drawn faces."""

    def make(count: int = 1, resolution: int = 64, shade: float = 0.0, frame_id: int = 1) -> Picture:
        images = [draw_face(resolution, hue / max(1, count), shade) for hue in range(count)]
        stacked = np.stack(images).transpose(0, 3, 1, 2) * 2.0 - 1.0
        return Picture(stacked.astype(np.float32), 0.0, frame_id, 1, 0.0)

    return make


@pytest.fixture
def golden(request: pytest.FixtureRequest, ctx: moderngl.Context) -> Callable[[str, NDArray[np.uint8]], None]:
    """Compare a picture with the golden one of a name; on failure expected, actual and difference are written."""

    def compare(name: str, rgba: NDArray[np.uint8]) -> None:
        actual = rgba[..., :3]
        path = GOLDEN / f"{name}.png"
        if request.config.getoption("--regenerate", default=False):
            Image.fromarray(actual).save(path, optimize=True)
            return
        if "llvmpipe" not in ctx.info["GL_RENDERER"]:
            assert actual.std() > 5.0, "nothing was drawn"
            return
        expected = np.asarray(Image.open(path).convert("RGB"))
        assert expected.shape == actual.shape
        difference = np.abs(expected.astype(np.int16) - actual.astype(np.int16))
        outside = float((difference.max(axis=2) > TOLERANCE).mean())
        if outside > SHARE_OUTSIDE or difference.mean() > MEAN_TOLERANCE:
            FAILURES.mkdir(exist_ok=True)
            for kind, picture in (("expected", expected), ("actual", actual), ("difference", difference * 8)):
                Image.fromarray(np.minimum(picture, 255).astype(np.uint8)).save(FAILURES / f"{name}-{kind}.png")
            pytest.fail(
                f"{name}: {outside:.2%} of the pixels differ by more than {TOLERANCE}, mean {difference.mean():.2f}; "
                f"see {FAILURES.name}/{name}-*.png, or accept with: pytest tests/render --regenerate"
            )

    return compare


@pytest.fixture
def shot() -> Callable[..., NDArray[np.uint8]]:
    """Draw a scene and return the canvas, (h, w, 4) uint8."""

    def take(renderer: Renderer, scene: Scene, size: tuple[int, int] = (320, 180)) -> NDArray[np.uint8]:
        renderer.draw(scene, size)
        pixels = renderer.read(now=True)
        assert pixels is not None
        return pixels

    return take


def draw_face(resolution: int, hue: float = 0.0, shade: float = 0.0) -> NDArray[np.float64]:
    """Draw a face as the FFHQ crop has it: (r, r, 3) in 0..1, encoded. Lit from the left, a mole at the right cheek."""
    y, x = (np.mgrid[0:resolution, 0:resolution] + 0.5) / resolution
    wall = np.stack([0.24 + 0.10 * x + 0.2 * hue, 0.27 + 0.06 * y, 0.33 - 0.06 * x + 0.1 * hue], -1)
    face = np.hypot((x - 0.5) / 0.27, (y - 0.56) / 0.36)
    hair = np.hypot((x - 0.5) / 0.34, (y - 0.44) / 0.36)
    light = np.clip(1.05 - 0.75 * face**2 - 0.5 * (x - 0.36), 0.15, 1.0)[..., None]
    picture = np.where(hair[..., None] < 1.0, np.array([0.22, 0.15, 0.12]) * (0.7 + 0.6 * light), wall)
    skin = np.array([0.93, 0.74 - 0.12 * hue, 0.60]) * light
    picture = np.where(face[..., None] < 1.0, skin, picture)
    for at_x in (0.39, 0.61):
        white = np.hypot((x - at_x) / 0.052, (y - 0.48) / 0.024)[..., None]
        iris = np.hypot(x - at_x, y - 0.48)[..., None]
        picture = np.where(white < 1.0, np.array([0.92, 0.91, 0.89]), picture)
        picture = np.where(iris < 0.022, np.array([0.20, 0.26, 0.30]), picture)
        brow = (np.abs(y - 0.42 - 0.6 * (x - at_x) ** 2) < 0.011) & (np.abs(x - at_x) < 0.075)
        picture = np.where(brow[..., None], np.array([0.2, 0.14, 0.11]), picture)
    mouth = np.hypot((x - 0.5) / 0.105, (y - 0.735) / 0.026)[..., None]
    picture = np.where(mouth < 1.0, np.array([0.72, 0.32, 0.31]) * (0.8 + 0.3 * light), picture)
    nose = np.exp(-(((x - 0.515) / 0.022) ** 2 + ((y - 0.62) / 0.05) ** 2))[..., None]
    picture = picture * (1.0 - 0.3 * nose)
    mole = np.hypot(x - 0.66, y - 0.66)[..., None]
    picture = np.where(mole < 0.012, np.array([0.3, 0.18, 0.14]), picture)
    return np.clip(picture * (1.0 - shade), 0.0, 1.0)


def draw_camera(
    size: tuple[int, int] = (320, 180), centre: tuple[float, float] = (200.0, 90.0), side: float = 120.0, seed: int = 0
) -> DrawnFace:
    """Draw a camera picture with a face whose crop quad has `side` pixels at `centre`, with sensor noise."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    wall = np.stack([0.62 - 0.35 * x / width, 0.60 - 0.30 * x / width, 0.56 - 0.24 * x / width], -1)
    corner = np.array(centre) - side / 2
    u, v = (x - corner[0]) / side, (y - corner[1]) / side
    face = draw_face(512)
    inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1) & (np.hypot((u - 0.5) / 0.34, (v - 0.5) / 0.42) < 1.0)
    column, row = (np.clip((t * 512).astype(int), 0, 511) for t in (u, v))
    picture = np.where(inside[..., None], face[row, column] * (0.95 - 0.5 * x / width)[..., None], wall)
    noisy = picture * 255.0 + np.random.default_rng(seed).normal(0.0, 1.5, picture.shape)
    landmarks = np.zeros((478, 3), np.float32)
    angle = np.linspace(0.0, 2.0 * np.pi, len(FACE_OVAL), endpoint=False)
    landmarks[:, :2] = centre
    oval = list(FACE_OVAL)
    landmarks[oval, 0] = corner[0] + side * (0.5 + 0.26 * np.sin(angle))
    landmarks[oval, 1] = corner[1] + side * (0.55 - 0.35 * np.cos(angle))
    quad = corner + side * np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
    return DrawnFace(np.clip(noisy, 0, 255).astype(np.uint8), landmarks, quad.astype(np.float32))
