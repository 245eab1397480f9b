"""Packs: what is refused before anything in it is used, and what a good one answers."""

import json
import shutil

import numpy as np
import pytest

from engines.runtime import DEFAULT_PACK, load_pack
from engines.runtime.backends import BACKENDS, create_backend
from engines.runtime.manifest import read_manifest
from engines.runtime.pack import _pieces
from engines.runtime.paths import find_pack
from installation.errors import EngineError


@pytest.fixture
def copy(tmp_path):
    """A copy of the default pack that a test may spoil."""
    shutil.copytree(DEFAULT_PACK, tmp_path / "pack")
    return tmp_path / "pack"


@pytest.fixture(scope="module")
def pack():
    with load_pack() as opened:
        yield opened


def edit(folder, **changes):
    path = folder / "pack.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_mapping_synthesis_and_encoding_fit_together(pack):
    rng = np.random.default_rng(1)
    w_plus = pack.map(rng.normal(size=(3, pack.manifest.z_dim)).astype(np.float32))
    assert w_plus.shape == (3, pack.num_ws, pack.w_dim)
    pictures = pack.synthesize(w_plus)
    assert pictures.shape == (3, 3, pack.resolution, pack.resolution)
    assert np.isfinite(pictures).all()
    assert np.abs(pictures).max() < 3.0
    size = pack.manifest.encoder.input_size
    crops = np.clip(pictures[:, :, :size, :size], -1, 1)
    landmarks = rng.uniform(0.2, 0.8, (3, 478, 3)).astype(np.float32)
    assert pack.encode(crops, landmarks).shape == w_plus.shape


def test_truncation_reaches_the_average_exactly(pack):
    z = np.random.default_rng(2).normal(size=(1, pack.manifest.z_dim)).astype(np.float32)
    np.testing.assert_array_equal(pack.map(z, psi=0.0)[0], pack.w_avg)


def test_different_latents_give_different_pictures(pack):
    """A generator that ignores its input would pass every other test."""
    rng = np.random.default_rng(3)
    a, b = pack.synthesize(pack.map(rng.normal(size=(2, pack.manifest.z_dim)).astype(np.float32)))
    assert np.abs(a - b).mean() > 0.05


def test_a_batch_is_the_same_as_one_by_one(pack):
    rng = np.random.default_rng(4)
    w_plus = pack.map(rng.normal(size=(6, pack.manifest.z_dim)).astype(np.float32))
    together = pack.synthesize(w_plus)
    alone = np.concatenate([pack.synthesize(w[None]) for w in w_plus])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_encoding_without_the_landmarks_it_asks_for_is_refused(pack):
    size = pack.manifest.encoder.input_size
    with pytest.raises(EngineError, match="encodes with landmarks"):
        pack.encode(np.zeros((1, 3, size, size), np.float32))


def test_a_file_that_was_changed_is_refused(copy):
    blob = bytearray((copy / "generator.onnx").read_bytes())
    blob[len(blob) // 2] ^= 1
    (copy / "generator.onnx").write_bytes(blob)
    with pytest.raises(EngineError, match=r"generator\.onnx has sha256 .* import the pack again"):
        load_pack(copy)


def test_a_missing_file_is_told(copy):
    (copy / "w_avg.npy").unlink()
    with pytest.raises(EngineError, match=r"w_avg\.npy is missing"):
        load_pack(copy)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": 2}, "format"),
        ({"num_ws": 0}, "num_ws"),
        ({"bands": {"coarse": [0, 99]}}, "does not lie"),
        ({"files": {"../../etc/passwd": "0" * 64}}, "outside the pack"),
        ({"files": {"/etc/passwd": "0" * 64}}, "outside the pack"),
        ({"surprise": 1}, "surprise"),
        ({"resolution": float("nan")}, "resolution"),
    ],
)
def test_a_manifest_that_says_something_impossible_is_refused(copy, changes, expected):
    edit(copy, **changes)
    with pytest.raises(EngineError, match=expected):
        read_manifest(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "\x00"])
def test_a_manifest_that_is_none_gets_one_sentence(copy, text):
    (copy / "pack.json").write_text(text)
    with pytest.raises(EngineError, match=r"pack\.json is not"):
        read_manifest(copy)


def test_names_are_found_and_unknown_ones_listed(tmp_path):
    assert find_pack("default") == DEFAULT_PACK
    with pytest.raises(EngineError, match=r"there are: .*default"):
        find_pack("nobody")
    with pytest.raises(EngineError, match=r"has no pack\.json"):
        load_pack(tmp_path)


def test_an_unknown_backend_is_refused_and_the_known_ones_named():
    with pytest.raises(EngineError, match="openvino"):
        create_backend("abacus")
    assert create_backend("auto").name in BACKENDS


def test_buffers_of_the_wrong_kind_are_refused_by_name(pack):
    engine = pack.engine("generator", 1)
    image = np.zeros(engine.outputs["image"].shape, np.float32)
    with pytest.raises(EngineError, match=r"'w_plus' .* is missing"):
        engine.run({}, {"image": image})
    with pytest.raises(EngineError, match="must be C-contiguous float32"):
        engine.run({"w_plus": np.zeros((1, 2, 3), np.float32)}, {"image": image})


@pytest.mark.parametrize("n", range(13))
def test_any_number_is_cut_into_batches_that_exist(n):
    pieces = _pieces(n, (1, 5))
    assert sum(size for _, size in pieces) == n
    assert [start for start, _ in pieces] == list(np.cumsum([0] + [size for _, size in pieces])[:-1])
    assert {size for _, size in pieces} <= {1, 5}
