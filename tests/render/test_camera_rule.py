"""The real camera picture is never shown by accident, and outside the mask never changed."""

import numpy as np
import pytest

from installation.display.scene import VIEWS, Scene

MAGENTA = np.array([255, 0, 255], np.uint8)
PLAIN = {"grain": 0.0, "vignette": 0.0}


def magenta_share(pixels):
    rgb = pixels[..., :3].astype(int)
    return float(((rgb[..., 0] > 90) & (rgb[..., 2] > 90) & (rgb[..., 1] < 40)).mean())


@pytest.fixture
def alarming(drawn_face):
    """A followed face in a picture of a colour that nothing else has."""
    face = drawn_face()
    face.camera[:] = MAGENTA
    return face


@pytest.mark.parametrize("view", VIEWS)
def test_a_picture_without_a_followed_face_is_never_shown(make_renderer, face_picture, alarming, shot, view):
    renderer = make_renderer()
    renderer.show_pictures(face_picture())
    renderer.show_camera(alarming.camera, alarming.size, None, None)
    for presence in (0.0, 0.5, 1.0):
        assert magenta_share(shot(renderer, Scene(view=view, presence=presence))) == 0.0


@pytest.mark.parametrize("view", VIEWS)
def test_only_mirror_and_split_show_it_and_only_to_somebody(make_renderer, face_picture, alarming, shot, view):
    renderer = make_renderer()
    renderer.show_pictures(face_picture())
    renderer.show_camera(alarming.camera, alarming.size, alarming.landmarks, alarming.quad)
    assert magenta_share(shot(renderer, Scene(view=view))) == (
        pytest.approx(0.9, abs=0.15) if view == "mirror" else pytest.approx(0.4, abs=0.1) if view == "split" else 0.0
    )
    assert magenta_share(shot(renderer, Scene(view=view, presence=0.0))) == 0.0


def test_a_lost_face_keeps_the_last_masked_picture_until_it_is_faded_out(
    make_renderer, face_picture, drawn_face, alarming, shot
):
    """Regression in spirit: with the mask at an old place, a newer picture shows the real face beside it."""
    renderer = make_renderer(**PLAIN)
    face = drawn_face()
    renderer.show_pictures(face_picture())
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    before = shot(renderer, Scene(view="mirror"))
    renderer.show_camera(alarming.camera, alarming.size, None, None)
    assert np.array_equal(shot(renderer, Scene(view="mirror")), before)
    assert magenta_share(shot(renderer, Scene(view="mirror", presence=0.4))) == 0.0
    shot(renderer, Scene(view="mirror", presence=0.0))
    assert magenta_share(shot(renderer, Scene(view="mirror", presence=1.0))) == 0.0, "gone with the visitor"


@pytest.mark.parametrize("mirrored", [False, True])
def test_outside_the_mask_the_camera_picture_is_untouched_to_the_bit(
    make_renderer, face_picture, drawn_face, shot, mirrored
):
    renderer = make_renderer(mirrored=mirrored)
    face = drawn_face((320, 180))
    renderer.show_pictures(face_picture())
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    canvas = shot(renderer, Scene(view="mirror"), (320, 180))[..., :3]
    seen = canvas[:, ::-1] if mirrored else canvas
    left, top = face.quad.min(axis=0).astype(int)
    right, bottom = face.quad.max(axis=0).astype(int)
    outside = np.ones((180, 320), bool)
    outside[top:bottom, left:right] = False
    assert np.array_equal(seen[outside], face.camera[outside])
    assert not np.array_equal(seen[~outside], face.camera[~outside]), "inside it is the generated face"


def test_words_and_numbers_are_never_mirrored(make_renderer, face_picture, shot):
    """The mirror swaps pictures, not type: with and without it the caption is the same."""
    captions = []
    for mirrored in (False, True):
        renderer = make_renderer(mirrored=mirrored, **PLAIN)
        black = face_picture()
        black.images[:] = -1.0
        renderer.show_pictures(black)
        captions.append(shot(renderer, Scene(captions=("power",), freeze=True)))
    assert captions[0][..., :3].max() > 150
    assert np.array_equal(captions[0], captions[1])


def test_a_mirror_swaps_left_and_right(make_renderer, face_picture, shot):
    pictures = []
    for mirrored in (False, True):
        renderer = make_renderer(mirrored=mirrored, **PLAIN)
        renderer.show_pictures(face_picture())
        pictures.append(shot(renderer, Scene(freeze=True))[..., :3].astype(int))
    assert np.abs(pictures[0] - pictures[1][:, ::-1]).max() <= 3, "but for the dither"
    assert np.abs(pictures[0] - pictures[1]).max() > 50


def test_presence_fades_between_portrait_and_mirror_without_a_gap(make_renderer, face_picture, drawn_face, shot):
    renderer = make_renderer(**PLAIN)
    face = drawn_face()
    renderer.show_pictures(face_picture())
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    portrait = shot(renderer, Scene(view="portrait", freeze=True))[..., :3].astype(float)
    mirror = shot(renderer, Scene(view="mirror", freeze=True))[..., :3].astype(float)
    for presence in (0.1, 0.5, 0.9):
        between = shot(renderer, Scene(view="mirror", presence=presence, freeze=True))[..., :3]
        expected = presence * mirror + (1 - presence) * portrait
        assert np.abs(between - expected).max() <= 4.0
