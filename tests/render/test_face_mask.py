"""Paste-back: light that fits, a seam that holds still."""

import numpy as np
import pytest

from installation.display.pasteback import (
    LIGHT_HALF_LIFE_S,
    POINTS,
    VERTICES,
    FaceMask,
    fit_light,
    mask_indices,
    sample,
)
from installation.display.scene import Scene


def linear(encoded):
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def ring(count=108):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([0.26 * np.sin(angle), 0.35 * np.cos(angle)], axis=1)


def test_the_mask_s_triangles_cover_it_once():
    triangles = mask_indices()
    assert triangles.shape == (3 * POINTS, 3)
    assert set(triangles.ravel()) == set(range(VERTICES))
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 1).sum() == POINTS, "only the outer ring is an edge of one triangle"
    assert counts.max() == 2


@pytest.mark.parametrize("gain", [(1.0, 1.0, 1.0), (0.6, 0.55, 0.4), (1.5, 1.6, 1.8)])
def test_an_even_difference_of_light_is_found(gain):
    picture = np.random.default_rng(1).uniform(0.2, 0.6, (108, 3))
    fit = fit_light(picture * gain, picture, ring())
    assert np.exp(fit[0]) == pytest.approx(gain, rel=0.05)
    assert np.abs(fit[1:]).max() < 0.1


def test_a_lamp_at_one_side_is_followed():
    at = ring()
    picture = np.full((len(at), 3), 0.4)
    fit = fit_light(picture * np.exp(1.2 * at[:, :1]), picture, at)
    assert fit[1] == pytest.approx([1.2] * 3, rel=0.45)
    assert np.abs(fit[2]).max() < 0.15


def test_hair_across_a_third_of_the_edge_does_not_decide_the_light():
    at = ring()
    picture = np.full((len(at), 3), 0.4)
    camera = picture * 0.8
    camera[:36] = 0.01
    even = fit_light(picture * 0.8, picture, at)
    assert np.exp(fit_light(camera, picture, at)[0]) == pytest.approx(np.exp(even[0]), rel=0.25)


def test_samples_at_the_border_repeat_it():
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:, -1] = 255
    assert sample(rgb, np.array([[50.0, 2.0], [-9.0, 2.0]])).tolist() == [[1.0] * 3, [0.0] * 3]


def mask_for(face, picture_rgb, **options):
    mask = FaceMask(**{"grow": 0.04, "feather": 0.2, "strength": 1.0, **options})
    mask.update(face.camera, face.landmarks, face.quad, picture_rgb)
    mask.advance(0.0)
    return mask


def test_the_mask_follows_the_oval_and_the_quad(drawn_face):
    face = drawn_face()
    grey = np.full((64, 64, 3), 128, np.uint8)
    mask = mask_for(face, grey)
    pixels = mask.vertices[:, :2] * face.size
    uv = (pixels - face.quad[0]) / 120.0
    assert uv == pytest.approx(mask.vertices[:, 2:4], abs=1e-4)
    assert mask.vertices[0, :2] * face.size == pytest.approx([200.0, 96.0], abs=1.0)
    assert mask.vertices[1 : 1 + POINTS, 4].tolist() == [1.0] * POINTS
    assert mask.vertices[1 + POINTS :, 4].tolist() == [0.0] * POINTS


def test_light_follows_in_time_and_not_in_frames(drawn_face):
    dark, grey = drawn_face(), np.full((64, 64, 3), 90, np.uint8)
    bright = drawn_face()
    bright.camera[:] = np.minimum(bright.camera.astype(float) * 1.15, 255)
    gains = []
    for steps in (1, 8):
        mask = mask_for(dark, grey, strength=0.3)  # far from where gains are bounded
        first = mask.vertices[:, 5:8].copy()
        mask.update(bright.camera, bright.landmarks, bright.quad, grey)
        for _ in range(steps):
            mask.advance(LIGHT_HALF_LIFE_S / steps)
        gains.append(np.log(mask.vertices[:, 5:8]) - np.log(first))
        mask.advance(1e6)
        assert gains[-1].mean() == pytest.approx((np.log(mask.vertices[:, 5:8]) - np.log(first)).mean() / 2, rel=0.05)
    assert gains[0] == pytest.approx(gains[1], abs=1e-5)


def test_landmark_noise_is_damped_and_movement_is_followed(drawn_face):
    grey = np.full((64, 64, 3), 128, np.uint8)
    face = drawn_face()
    mask = mask_for(face, grey)
    rng, moved = np.random.default_rng(4), []
    for _ in range(30):
        before = mask.vertices[1:, :2].copy()
        mask.update(face.camera, face.landmarks + rng.normal(0, 0.25, (478, 3)).astype(np.float32), face.quad, grey)
        moved.append(np.abs(mask.vertices[1:, :2] - before).mean() * face.size[0])
    assert np.mean(moved) < 0.15, "under a quarter pixel of noise, the edge hardly moves"
    shift = np.array([8.0, 0.0, 0.0], np.float32)
    before = mask.vertices[:, :2].copy()
    mask.update(face.camera, face.landmarks + shift, face.quad, grey)
    assert (mask.vertices[:, 0] - before[:, 0]).mean() * face.size[0] > 7.0, "a real movement is not delayed"


def test_the_seam_of_a_still_face_does_not_flicker(make_renderer, face_picture, drawn_face, shot):
    """Sensor and landmark noise move the seam by less than one step of 255 (rms), beyond the camera's own noise."""
    renderer = make_renderer(grain=0.0)
    renderer.show_pictures(face_picture(resolution=128))
    rng, frames, cameras = np.random.default_rng(9), [], []
    face = drawn_face(seed=0)
    still = face.camera.astype(np.float64)
    for index in range(24):
        noisy = np.clip(still + rng.normal(0, 1.5, still.shape), 0, 255).astype(np.uint8)
        landmarks = face.landmarks + rng.normal(0, 0.2, (478, 3)).astype(np.float32)
        renderer.show_camera(noisy, face.size, landmarks, face.quad)
        frames.append(shot(renderer, Scene(view="mirror", time_s=index / 30, freeze=True))[..., :3].astype(float))
        cameras.append(noisy[:, ::-1].astype(float))
    settled = np.stack(frames[8:])
    inside = slice(60, 120), slice(320 - 225, 320 - 175)  # the face without its edge: the camera adds no noise there
    assert settled[:, *inside].std(axis=0).mean() < 1.0
    band = np.stack(frames[8:]).std(axis=0).mean(axis=2) - np.stack(cameras[8:]).std(axis=0).mean(axis=2)
    quad = slice(30, 150), slice(320 - 260, 320 - 140)
    assert np.sqrt(np.square(np.maximum(band[quad], 0.0)).mean()) < 1.0


def test_pasted_light_meets_the_picture_around_it(make_renderer, face_picture, drawn_face, shot):
    """The pasted face has the camera's mean colour, which without matching it misses by far."""
    errors = []
    for match in (0.0, 1.0):
        renderer = make_renderer(grain=0.0, match_light=match, mirrored=False, mask_feather=0.02, mask_grow=-0.02)
        face = drawn_face()
        renderer.show_pictures(face_picture(resolution=128, shade=0.45))
        renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
        canvas = shot(renderer, Scene(view="mirror", freeze=True))[..., :3].astype(float)
        inside = slice(70, 130), slice(180, 220)
        errors.append(np.abs(canvas[inside].mean(axis=(0, 1)) - face.camera[inside].mean(axis=(0, 1))).mean())
    assert errors[0] > 8.0
    assert errors[1] < 0.5 * errors[0]


def test_the_mask_stands_turned_and_skewed_crops(drawn_face):
    face = drawn_face()
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    centre = face.quad.mean(axis=0)
    quad = ((face.quad - centre) @ turn + centre).astype(np.float32)
    landmarks = face.landmarks.copy()
    landmarks[:, :2] = (landmarks[:, :2] - centre) @ turn + centre
    mask = FaceMask(grow=0.04, feather=0.2, strength=1.0)
    mask.update(face.camera, landmarks, quad, np.full((64, 64, 3), 128, np.uint8))
    straight = mask_for(face, np.full((64, 64, 3), 128, np.uint8))
    assert mask.vertices[:, 2:4] == pytest.approx(straight.vertices[:, 2:4], abs=1e-4)


def test_hair_over_the_edge_stays_in_front_and_the_middle_of_the_face_is_the_generated_one(
    make_renderer, face_picture, drawn_face, shot
):
    """A strand from above into the face: dark and crisp at the mask's edge, gone where eyes and brows are."""
    face = drawn_face()
    strand = slice(196, 204)
    rows = face.landmarks[:, 1][face.landmarks[:, 1] != 90.0]
    top = int(rows.min())
    face.camera[: top + 60, strand] = 8
    renderer = make_renderer(grain=0.0, mirrored=False, mask_feather=0.3)
    renderer.show_pictures(face_picture(resolution=128))
    renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
    column = shot(renderer, Scene(view="mirror", freeze=True))[:, 198:202, :3].mean(axis=(1, 2))
    assert column[: top + 4].max() < 16, "as the camera sees it; without regard to hair it was 23"
    assert column[top + 35 : top + 55].min() > 60, "no camera in the middle"
    steps = np.diff(column[top - 4 : top + 35])
    assert steps.max() < 45, "it fades, and is not cut off"
