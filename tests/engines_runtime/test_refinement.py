"""Refining likenesses with the pack that ships, on faces of its own with the landmarks that MediaPipe finds in them."""

import cv2
import numpy as np
import pytest

from engines.runtime import load_pack
from engines.runtime.refinement import REFINE, SETTLE, can_refine, lasting_features, refine
from engines.training.bench import to_u8
from engines.training.data import LandmarkFinder


@pytest.fixture(scope="module")
def pack():
    with load_pack(backend="openvino") as loaded:
        yield loaded


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


def settle(pack, w_plus, landmarks, features, held, amount):
    out = np.empty((1, *w_plus.shape), np.float32)
    inputs = {"w_plus": w_plus[None].copy(), "landmarks": landmarks[None].copy(), "features": features, "held": held}
    pack.engine(SETTLE, 1).run({**inputs, "amount": np.full((1, 1), amount, np.float32)}, {"settled": out})
    return out[0]


def refined_features(pack, crop, landmarks, w_plus):
    out = np.empty((1, lasting_features(pack).size), np.float32)
    inputs = {"w_plus": w_plus[None].copy(), "crop": crop[None].copy(), "landmarks": landmarks[None].copy()}
    pack.engine(REFINE, 1).run(inputs, {"features": out})
    return out


def parameters_of(pack, w_plus):
    names = pack.manifest.architecture["readout"]["parameters"]
    return dict(zip(names, pack.read_out(w_plus[None])[0], strict=True))


def test_bones_and_colours_last_and_expression_and_pose_do_not(pack):
    lasting = lasting_features(pack)
    assert set(np.unique(lasting)) == {0.0, 1.0}
    assert (lasting == 0.0).sum() == 14  # ten of expression, four of pose


def test_nothing_happens_at_amount_0(pack, faces):
    _, landmarks, w_plus = faces[0]
    zero = np.zeros((1, lasting_features(pack).size), np.float32)
    np.testing.assert_array_equal(settle(pack, w_plus, landmarks, zero, zero, 0.0), w_plus)


def test_a_refined_face_stays_that_face(pack, faces):
    for crop, landmarks, w_plus in faces:
        refined = refine(pack, crop, landmarks, w_plus)
        assert refined.shape == w_plus.shape
        assert 0.0 < np.linalg.norm(refined - w_plus) < 0.6 * np.linalg.norm(w_plus - pack.w_avg)


def test_held_colours_are_those_given(pack, faces):
    """Everything that lasts is held at another person's: the picture has that person's skin and this one's pose."""
    (_, landmarks, w_plus), (other_crop, other_landmarks, other) = faces[0], faces[1]
    theirs = refined_features(pack, other_crop, other_landmarks, other)
    shown = parameters_of(pack, settle(pack, w_plus, landmarks, theirs, lasting_features(pack)[None], 1.0))
    own, strange = parameters_of(pack, w_plus), parameters_of(pack, other)
    for name in ("skin_tone", "hair_length", "background_value"):
        assert abs(shown[name] - strange[name]) <= abs(shown[name] - own[name]) + 0.05
    for name in ("yaw", "pitch", "roll"):
        assert abs(shown[name] - own[name]) < 6.0


def test_a_pack_of_another_generator_is_left_alone(pack, faces):
    class Plain:
        manifest = pack.manifest.model_copy(update={"files": {"generator.onnx": "0" * 64}})

    crop, landmarks, w_plus = faces[0]
    assert not can_refine(Plain())
    assert refine(Plain(), crop, landmarks, w_plus) is w_plus
