"""From a photograph to a sitter: the faces that are there, the one that is chosen, and the eye's own alignment."""

import numpy as np
import pytest
from PIL import Image

from engines.runtime import load_pack
from installation.core.crop import upright
from installation.core.measures import ffhq_quad
from installation.core.types import Frame
from installation.devices.config import FacesConfig
from installation.devices.landmarks import FaceFinder
from installation.devices.watcher import FaceWatcher
from installation.errors import ConfigError, PhotographError
from installation.studio.photograph import read_photograph
from installation.studio.sitter import MIN_FACE_PX, find_faces, seat, sitters_in


@pytest.fixture(scope="module")
def pack():
    with load_pack() as pack:
        yield pack


@pytest.fixture(scope="module")
def finder():
    finder = FaceFinder()
    yield finder
    finder.close()


@pytest.fixture(scope="module")
def crowd(people):
    """A small face left of the middle, a larger one at the right, on grey."""
    pixels = np.full((600, 1200, 3), 120, np.uint8)
    with Image.open(people / "one.jpg") as one, Image.open(people / "other.png") as other:
        pixels[150:450, 400:700] = np.asarray(one.convert("RGB").resize((300, 300)))
        pixels[40:540, 700:1200] = np.asarray(other.convert("RGB").resize((500, 500)))
    return pixels


def middle(landmarks):
    return float(landmarks[:, 0].mean())


def test_all_faces_are_found_once_and_the_policy_orders_them(finder, crowd):
    largest = [middle(face) for face in find_faces(finder, crowd, policy="largest")]
    assert len(largest) == 2
    assert largest[0] > 800
    central = [middle(face) for face in find_faces(finder, crowd, policy="centre")]
    assert central == largest[::-1]
    with pytest.raises(ConfigError, match="no policy 'tallest'"):
        find_faces(finder, crowd, policy="tallest")


def test_a_sitter_is_what_the_eye_would_publish(pack, finder, people):
    picture = read_photograph(people / "one.jpg").pixels
    (sitter,) = sitters_in(pack, finder, picture, every=True)
    spec = pack.manifest.encoder
    watcher = FaceWatcher(FacesConfig(), 65.0, finder, upright_crops=spec.upright)
    crop = np.empty((spec.input_size, spec.input_size, 3), np.uint8)
    seen = [watcher.watch(Frame(picture, k, k / 25.0), crop) for k in range(12)][-1]
    side = float(np.hypot(*(sitter.quad[3] - sitter.quad[0])))
    assert np.abs(sitter.quad - seen.quad).max() < 0.02 * side
    assert np.abs(sitter.crop_landmarks - seen.crop_landmarks).mean() < 0.01
    assert np.abs(sitter.crop.astype(float) - crop).mean() < 4.0
    assert np.array_equal(sitter.w_plus, sitter.encoded)
    assert sitter.w_plus.shape == (pack.num_ws, pack.w_dim)


def test_refinement_has_the_last_word(pack, finder, people):
    picture = read_photograph(people / "one.jpg").pixels
    (landmarks,) = find_faces(finder, picture)
    heard = []

    def refine(crop, crop_landmarks, w_plus):
        heard.append((crop.shape, crop_landmarks.shape))
        return w_plus + np.float32(1.0)

    sitter = seat(pack, picture, landmarks, refine=refine)
    assert heard == [((128, 128, 3), (478, 3))]
    assert np.array_equal(sitter.w_plus, sitter.encoded + np.float32(1.0))
    quad = ffhq_quad(landmarks)
    assert np.allclose(sitter.quad, upright(quad) if pack.manifest.encoder.upright else quad)


def test_faces_that_are_too_small_are_told(pack, finder, people):
    picture = read_photograph(people / "one.jpg").pixels
    (landmarks,) = find_faces(finder, picture)
    tiny = landmarks * np.float32(0.8 * MIN_FACE_PX / np.hypot(*(ffhq_quad(landmarks)[3] - ffhq_quad(landmarks)[0])))
    with pytest.raises(PhotographError, match="pixels wide, too few to encode"):
        seat(pack, picture, tiny)


def test_nobody_is_there(pack, finder):
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    with pytest.raises(PhotographError, match="no face was found"):
        sitters_in(pack, finder, noise)
