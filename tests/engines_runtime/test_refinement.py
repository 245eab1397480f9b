"""Refining likenesses with the pack that ships, on faces of its own with the landmarks that MediaPipe finds in them."""

import cv2
import numpy as np
import pytest

from engines.runtime import load_pack
from engines.runtime.refinement import Refiner, refine, refiner_of
from engines.training.bench import to_u8
from engines.training.data import LandmarkFinder
from installation.errors import EngineError


@pytest.fixture(scope="module")
def pack():
    with load_pack(backend="openvino") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def refiner(pack):
    return refiner_of(pack)


@pytest.fixture(scope="module")
def faces(pack):
    """(crop, landmarks, the encoder's W+) of a few generator samples."""
    finder, found = LandmarkFinder(), []
    z = np.random.default_rng(6).standard_normal((4, pack.manifest.z_dim)).astype(np.float32)
    for picture in pack.synthesize(pack.map(z, 0.7)):
        landmarks = finder.find(cv2.resize(to_u8(picture), (256, 256), interpolation=cv2.INTER_CUBIC))
        assert landmarks is not None
        crop = picture.clip(-1, 1)
        found.append((crop, landmarks, pack.encode(crop[None], landmarks[None])[0]))
    finder.close()
    return found


def features_of(pack, refiner, w_plus):
    return refiner.features(pack.read_out(w_plus[None])[0])


def test_features_and_parameters_invert_each_other(pack, refiner):
    parameters = pack.read_out(pack.map(np.random.default_rng(0).standard_normal((5, pack.manifest.z_dim)), 1.0))
    for row in parameters:
        np.testing.assert_allclose(refiner.parameters(refiner.features(row)), row, atol=1e-4)


def test_an_arrival_looks_more_like_what_was_seen(pack, refiner, faces):
    for crop, landmarks, w_plus in faces:
        first = features_of(pack, refiner, w_plus)
        refined = refiner.arrive(first, landmarks, crop)
        assert refiner.landmark_residual(refined, landmarks) < 0.95 * refiner.landmark_residual(first, landmarks)
        assert refiner.skin_residual(refined, landmarks, crop) <= refiner.skin_residual(first, landmarks, crop) + 0.02
        assert np.abs(refined - first).max() < 4.0


def test_following_moves_expression_and_pose_alone(pack, refiner, faces):
    for _, landmarks, w_plus in faces:
        first = features_of(pack, refiner, w_plus)
        followed = refiner.follow(first, landmarks)
        np.testing.assert_array_equal(followed[refiner.lasting], first[refiner.lasting])
        assert refiner.landmark_residual(followed, landmarks) < refiner.landmark_residual(first, landmarks)


def test_bones_given_wrong_are_made_up_for(pack, refiner, faces):
    """Somebody else's bones, the visitor's landmarks: following gets nearer than the encoder's expression does."""
    (_, landmarks, w_plus), (_, _, other) = faces[0], faces[1]
    mixed, stranger = features_of(pack, refiner, w_plus), features_of(pack, refiner, other)
    mixed[refiner.lasting] = stranger[refiner.lasting]
    followed = refiner.follow(mixed, landmarks)
    assert refiner.landmark_residual(followed, landmarks) < 0.8 * refiner.landmark_residual(mixed, landmarks)


def test_cancelling_leaves_the_colours_out(pack, refiner, faces):
    crop, landmarks, w_plus = faces[0]
    first = features_of(pack, refiner, w_plus)
    stopped, whole = refiner.arrive(first, landmarks, crop, lambda: True), refiner.arrive(first, landmarks, crop)
    assert not np.array_equal(stopped, first)
    changed = np.flatnonzero(stopped != whole)
    assert 0 < changed.size <= 6


def test_a_refined_latent_is_one_of_the_pack(pack, faces):
    crop, landmarks, w_plus = faces[2]
    refined = refine(pack, crop, landmarks, w_plus)
    assert refined.shape == w_plus.shape
    assert np.isfinite(refined).all()
    assert 0.0 < np.linalg.norm(refined - w_plus) < np.linalg.norm(w_plus - pack.w_avg)


def test_a_broken_file_is_told(tmp_path):
    (tmp_path / "refinement.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(EngineError, match=r"refinement\.npz cannot be read"):
        Refiner(tmp_path / "refinement.npz")
    np.savez(tmp_path / "refinement.npz", only=np.zeros(3))
    with pytest.raises(EngineError, match="cannot be read"):
        Refiner(tmp_path / "refinement.npz")
