"""The measuring itself: rows, colours, and the shipped pack on a few of its figures."""

import numpy as np
import pytest

from engines.runtime.pack import DEFAULT_PACK, load_pack
from engines.training.bench import Bench, at_least, at_most, skin_lab, to_u8
from engines.training.face_measures import MEASURED, landmark_error, measures
from engines.training.mirror_path import MirrorPath
from engines.training.verify import mixing
from engines.training.verify_still import _jitter


def test_rows_say_whether_they_are_met():
    assert at_least("a", 0.8, 0.8).met
    assert not at_most("b", 0.81, 0.8).met
    assert str(at_most("b", 0.81, 0.8, "why")).startswith("NOT met")


def test_skin_of_a_plain_picture():
    picture = np.full((64, 64, 3), 128, np.uint8)
    np.testing.assert_allclose(skin_lab(picture, np.full((478, 3), 0.5, np.float32)), [53.6, 0.0, 0.0], atol=0.3)


def test_pictures_are_clamped_and_rounded():
    image = np.stack([np.full((2, 2), value, np.float32) for value in (-3.0, 0.0, 3.0)])
    assert to_u8(image)[0, 0].tolist() == [0, 128, 255]


def test_error_is_in_inter_ocular_distances():
    face = np.random.default_rng(0).random((478, 3)).astype(np.float32)
    face[468, :2], face[473, :2] = (0.4, 0.5), (0.6, 0.5)
    assert landmark_error(face + np.array([0.02, 0.0, 0.0], np.float32), face) == pytest.approx(0.1, rel=1e-3)


@pytest.fixture(scope="module")
def bench():
    with load_pack(DEFAULT_PACK, "openvino") as pack:
        made = Bench(pack, scale=0.1)
        yield made
        made.close()


def test_a_smile_in_parameters_is_a_smile_to_mediapipe(bench):
    people = bench.people(1).repeat(2, axis=0)
    names = bench.pack.manifest.architecture["readout"]["parameters"]
    people[:, names.index("yaw")] = people[:, names.index("pitch")] = people[:, names.index("mouth_open")] = 0.0
    people[:, names.index("smile")] = (-0.4, 0.9)
    first, second = (measures(bench.find(picture)) for picture in bench.draw(bench.latents_of(people)))
    assert set(first) == set(MEASURED)
    assert second["smile"] > first["smile"] + 0.05


def test_the_shipped_pack_keeps_geometry_and_appearance_apart(bench):
    assert all(row.value < 2.0 * float(row.goal.split()[1]) for row in mixing(bench))


def test_the_mirror_begins_with_the_encoding_and_settles(bench):
    crop = bench.renderer.render(bench.people(1)[0])
    landmarks = bench.find(crop)
    path = MirrorPath(bench.pack)
    encoded = path.encode(crop, landmarks)
    np.testing.assert_array_equal(path.show(crop, landmarks, 0.0), encoded)
    shown = [path.show(crop, landmarks, at) for at in (0.5, 1.0, 1.5, 3.0, 4.0)]
    assert np.abs(shown[-1] - encoded).max() > 0.0
    np.testing.assert_allclose(shown[-1], shown[-2], atol=0.02 * np.abs(encoded).max())
    path.forget()
    np.testing.assert_array_equal(path.show(crop, landmarks, 9.0), encoded)
    path.forget()


def test_a_still_face_hardly_trembles(bench):
    person = bench.people(1)[0]
    person[[bench.pack.manifest.architecture["readout"]["parameters"].index(name) for name in ("yaw", "glasses")]] = 0.0
    assert 0.0 < _jitter(bench, person) < 0.01
