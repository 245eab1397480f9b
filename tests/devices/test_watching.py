"""The real landmark network on the drawn visitor and, where there is any, on real footage."""

import av
import cv2
import numpy as np
import pytest

from installation.core.types import Frame
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.eye_probe import probe
from installation.devices.landmarks import FaceFinder, lifted
from installation.devices.synthetic import VISITOR_CLIP
from installation.devices.watcher import FaceWatcher

CLIP_FPS = 25


@pytest.fixture(scope="module")
def finder():
    made = FaceFinder()
    yield made
    made.close()


@pytest.fixture(scope="module")
def clip():
    """Twelve seconds of the synthetic visitor, from when they are about to come in; every second picture."""
    with av.open(str(VISITOR_CLIP)) as container:
        frames = container.decode(video=0)
        return [f.to_ndarray(format="rgb24") for k, f in enumerate(frames) if 60 <= k < 360 and k % 2 == 0]


def watch(pictures, finder, *, config=None, step_s=2 / CLIP_FPS):
    watcher = FaceWatcher(config or FacesConfig(), 65.0, finder)
    crop = np.zeros((64, 64, 3), np.uint8)
    sightings, crops = [], []
    for k, picture in enumerate(pictures):
        sightings.append(watcher.watch(Frame(picture, k, k * step_s), crop))
        crops.append(crop.copy())
    return sightings, watcher, crops


@pytest.fixture(scope="module")
def visit(clip, finder):
    return watch(clip, finder)


def test_the_visitor_is_followed_as_one_person(visit):
    sightings, _, _ = visit
    seen = [s for s in sightings if s is not None]
    first = next(k for k, s in enumerate(sightings) if s is not None)
    assert {s.face_id for s in seen} == {1}
    assert len(seen) >= 0.97 * (len(sightings) - first)


def test_landmarks_are_in_pixels_and_in_the_crop(visit, clip):
    sightings, _, _ = visit
    last = sightings[-1]
    height, width = clip[0].shape[:2]
    assert last.landmarks.shape == last.crop_landmarks.shape == (478, 3)
    assert last.landmarks.dtype == last.crop_landmarks.dtype == np.float32
    assert 0 < last.landmarks[:, 0].min() < last.landmarks[:, 0].max() < width
    assert 0 < last.landmarks[:, 1].min() < last.landmarks[:, 1].max() < height
    # In an FFHQ crop the eyes lie a little above the middle, left and right of it, and the mouth below.
    left, right, mouth = last.crop_landmarks[468], last.crop_landmarks[473], last.crop_landmarks[13]
    assert 0.25 < left[0] < 0.45 < 0.55 < right[0] < 0.75
    assert 0.38 < left[1] < 0.55
    assert 0.55 < mouth[1] < 0.8


def test_the_crop_shows_what_the_landmarks_say(visit):
    """Where the irises are said to be, the picture is darker than the cheeks: both are cut alike."""
    sightings, _, crops = visit
    openness = [0.0 if s is None else s.measures.eyes_open for s in sightings]
    widest = int(np.argmax(openness))
    for iris in (468, 473):
        x, y = (int(v) for v in sightings[widest].crop_landmarks[iris, :2] * 64)
        pupil = crops[widest][y - 1 : y + 2, x - 1 : x + 2].mean()
        cheek = crops[widest][y + 8 : y + 12, x - 2 : x + 3].mean()
        assert pupil < 0.75 * cheek


def test_the_measures_are_sane(visit):
    for sighting in visit[0]:
        if sighting is not None:
            m = sighting.measures
            assert abs(m.yaw) < 60
            assert abs(m.pitch) < 45
            assert abs(m.roll) < 30
            assert 0 <= m.mouth_open < 1.2
            assert 0 <= m.eyes_open < 0.6
            assert abs(m.smile) <= 1
            assert max(abs(m.gaze_x), abs(m.gaze_y)) <= 1
            assert 0.1 < m.distance < 6


def test_mirroring_the_picture_mirrors_yaw_and_gaze(clip, finder):
    pictures = clip[-20:]
    there = watch(pictures, finder)[0][-1].measures
    back = watch([np.ascontiguousarray(p[:, ::-1]) for p in pictures], finder)[0][-1].measures
    assert back.yaw == pytest.approx(-there.yaw, abs=3.0)
    assert back.roll == pytest.approx(-there.roll, abs=2.0)
    assert back.pitch == pytest.approx(there.pitch, abs=3.0)
    assert back.gaze_x == pytest.approx(-there.gaze_x, abs=0.15)


def _dark(pixels):
    noise = np.random.default_rng(0).normal(scale=1.5, size=pixels.shape)
    return np.clip(pixels * 0.08 + noise, 0, 255).astype(np.uint8)


def _far(pixels):
    small = cv2.resize(pixels, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    out = np.full_like(pixels, 120)
    out[60 : 60 + small.shape[0], 500 : 500 + small.shape[1]] = small
    return out


def _tilted(pixels):
    height, width = pixels.shape[:2]
    return cv2.warpAffine(pixels, cv2.getRotationMatrix2D((width / 2, height / 2), 35, 1), (width, height))


@pytest.mark.parametrize("change", [_dark, _far, _tilted], ids=lambda f: f.__name__.strip("_"))
def test_hard_pictures_are_followed_too(clip, finder, change):
    sightings, _, _ = watch([change(p) for p in clip[-30:]], finder)
    first = next(k for k, s in enumerate(sightings) if s is not None)
    assert first < 6  # every way of searching has had its turn
    assert all(s is not None for s in sightings[first:])
    assert len({s.face_id for s in sightings if s is not None}) == 1


@pytest.mark.parametrize(
    "picture",
    [np.zeros((720, 1280, 3)), np.full((16, 16, 3), 99), np.zeros((1, 1, 3)), np.full((2, 900, 3), 255)],
    ids=["black", "16x16", "1x1", "a line"],
)
def test_pictures_without_anybody_have_nobody(picture, finder):
    sightings, watcher, _ = watch([picture.astype(np.uint8)] * 8, finder)
    assert sightings == [None] * 8
    assert watcher.faces == 0


def test_noise_has_nobody(finder):
    rng = np.random.default_rng(4)
    sightings, _, _ = watch([rng.integers(0, 255, (240, 320, 3), dtype=np.uint8) for _ in range(10)], finder)
    assert sightings == [None] * 10


def test_another_size_in_the_middle_does_no_harm(clip, finder):
    small = [np.ascontiguousarray(p[::2, ::2]) for p in clip[-6:]]
    sightings, _, _ = watch([*clip[-12:-6], *small], finder)
    assert all(s is not None for s in sightings[:6])


def test_lifting_leaves_bright_pictures_alone_and_brightens_dark_ones():
    bright = np.full((32, 32, 3), 120, np.uint8)
    assert lifted(bright) is bright
    assert 90 < lifted(np.full((32, 32, 3), 12, np.uint8)).mean() < 130
    black = np.zeros((32, 32, 3), np.uint8)
    assert lifted(black) is black


@pytest.mark.footage
@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("glasses_still_480.mp4", 1),
        ("landscape_720p.mp4", 1),
        ("dark_jacket_720p.mp4", 1),
        ("two_people_720p.mp4", 2),
    ],
)
def test_real_footage_is_followed(footage, finder, name, people):
    found = probe(str(footage / name), finder, FacesConfig(), CameraConfig())
    assert found.coverage >= 0.97
    assert len(found.identities) == 1
    assert found.most_faces == people
    if name.startswith("glasses"):
        assert found.jitter < 0.005
