"""A pack of tiny untrained networks: written, loaded by the runtime, and the same numbers on its back-end."""

import copy

import numpy as np
import pytest
import torch

from engines.faces.parameters import HIGH, INDEX, LOW, NAMES
from engines.packing import sha256_of
from engines.runtime.pack import load_pack
from engines.training import colour_match, least_squares, refinement
from engines.training import pack as writing
from engines.training.directions import AXES, fit_direction
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.generator import PortraitModel
from engines.training.networks import Architecture, Readout
from engines.training.portrait import portrait_samples
from engines.training.refinement import Likeness, RefineGraph, SettleGraph, lasting_features
from installation.errors import EngineError

TINY = Architecture(channels=(12, 10, 8, 8), w_dim=8, hidden=16)


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """All steps unrolled take a minute to export; the golden vectors of the shipped pack have been through them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ARRIVAL_STEPS", "FOLLOW_STEPS"):
            patch.setattr(refinement, name, 1)
        patch.setattr(least_squares, "CONJUGATE_STEPS", 2)
        patch.setattr(colour_match, "STEPS", 1)
        yield


@pytest.fixture(scope="module")
def written(few_steps, tmp_path_factory):
    torch.manual_seed(0)
    model = PortraitModel(TINY).requires_grad_(False)
    fine_only = [column for column in model.fine_columns if column not in model.coarse_columns]
    encoder = Encoder(model.features, model.mapping, model.coarse_columns, fine_only).requires_grad_(False)
    encoder.space = LandmarkSpace(torch.rand(100, 478, 3))
    readout = Readout(TINY, model.coarse_columns, fine_only).requires_grad_(False)
    folder = tmp_path_factory.mktemp("packs") / "tiny"
    surrogate = Surrogate(model.coarse_columns, model.features.count).requires_grad_(False)
    writing.write_default_pack(folder, model, encoder, surrogate, readout, {"kind": "portrait"})
    return folder, model, encoder, surrogate, readout


@pytest.fixture(scope="module")
def loaded(written):
    with load_pack(written[0], "openvino") as pack:
        yield pack


def test_manifest(loaded):
    assert loaded.resolution == 64
    assert (loaded.num_ws, loaded.w_dim) == (8, 8)
    assert loaded.bands["coarse"] == (0, 3)
    assert loaded.manifest.encoder.landmarks
    assert loaded.manifest.licence.commercial_use
    assert loaded.manifest.architecture["readout"]["parameters"] == list(NAMES)
    assert {axis.name for axis in AXES} == set(loaded.directions)


@pytest.mark.parametrize("n", [1, 5])
def test_every_graph_agrees_with_torch_at_every_batch_size(loaded, written, n):
    _, model, encoder, _, readout = written
    rng = np.random.default_rng(n)
    z = rng.standard_normal((n, len(NAMES))).astype(np.float32)
    copula = writing.Copula(portrait_samples())
    w_plus = loaded.map(z)
    with torch.no_grad():
        np.testing.assert_allclose(w_plus, model.latents(copula(torch.from_numpy(z))).numpy(), atol=1e-3)
        drawn = model.generator(torch.from_numpy(w_plus)).numpy()
        np.testing.assert_allclose(loaded.synthesize(w_plus), drawn, atol=1e-3)
        read = writing.ReadoutGraph(model, readout)(torch.from_numpy(w_plus)).numpy()
        np.testing.assert_allclose(loaded.read_out(w_plus), read, atol=1e-2)
        crop = rng.uniform(-1, 1, (n, 3, 128, 128)).astype(np.float32)
        landmarks = rng.uniform(0, 1, (n, 478, 3)).astype(np.float32)
        encoded = encoder(torch.from_numpy(crop), torch.from_numpy(landmarks)).numpy()
        np.testing.assert_allclose(loaded.encode(crop, landmarks), encoded, atol=1e-3)


def test_the_readout_stays_in_range(loaded):
    wild = 100.0 * np.random.default_rng(0).standard_normal((5, loaded.num_ws, loaded.w_dim)).astype(np.float32)
    parameters = loaded.read_out(wild)
    assert (parameters >= LOW - 1e-6).all()
    assert (parameters <= HIGH + 1e-6).all()


def test_the_average_is_the_mean_of_the_mapping(loaded):
    z = np.random.default_rng(9).standard_normal((2000, len(NAMES))).astype(np.float32)
    w_plus = loaded.map(z)
    error = np.abs(w_plus.mean(0) - loaded.w_avg)
    assert (error < 5.0 * w_plus.std(0) / np.sqrt(2000) + 1e-4).mean() > 0.99


def test_a_direction_moves_w_plus_as_its_parameter_does(written):
    _, model, *_ = written
    axis = next(axis for axis in AXES if axis.name == "yaw")
    people = torch.from_numpy(portrait_samples()[:200])
    vector = fit_direction(model, axis, people)
    turned = people.clone()
    turned[:, INDEX["yaw"]] += 1.0
    with torch.no_grad():
        step = (model.latents(turned) - model.latents(people)).mean(0).numpy()
    assert np.corrcoef(vector.ravel(), step.ravel())[0, 1] > 0.98
    assert not vector[TINY.coarse_rows :].any()


def test_writing_twice_gives_the_same_bytes(written, tmp_path):
    folder, model, encoder, surrogate, readout = written
    again = writing.write_default_pack(tmp_path / "again", model, encoder, surrogate, readout, {"kind": "portrait"})
    for name in ("generator.onnx", "mapping.onnx", "w_avg.npy", "directions.npz", "golden.npz"):
        assert sha256_of(folder / name) == sha256_of(again / name), name


def test_another_synthesis_replaces_the_generator_alone(written, tmp_path):
    _, model, encoder, surrogate, readout = written
    folder = writing.write_default_pack(
        tmp_path / "p", model, encoder, surrogate, readout, {"kind": "portrait", "samples": 1}
    )
    hashes = {path.name: sha256_of(path) for path in folder.iterdir() if path.is_file()}
    (folder / "targets").mkdir()
    (folder / "targets" / "note.txt").write_text("kept")
    better = copy.deepcopy(model)
    better.generator.const.add_(1.0)
    writing.replace_generator(folder, better, {"samples": 2})
    changed = {name for name, old in hashes.items() if sha256_of(folder / name) != old}
    assert changed == {"generator.onnx", "golden.npz", "pack.json"}
    assert (folder / "targets" / "note.txt").exists()
    with load_pack(folder, "openvino") as pack, torch.no_grad():
        assert pack.provenance == {"kind": "portrait", "samples": 2}
        drawn = better.generator(torch.from_numpy(pack.w_avg[None].copy())).numpy()
        np.testing.assert_allclose(pack.synthesize(pack.w_avg[None]), drawn, atol=1e-3)


def test_a_pack_of_another_mapping_keeps_its_generator(written):
    folder, model, *_ = written
    other = copy.deepcopy(model)
    other.mapping.coarse_rows.bias2.add_(0.1)
    kept = sha256_of(folder / "generator.onnx")
    with pytest.raises(EngineError, match="another mapping"):
        writing.replace_generator(folder, other, {})
    assert sha256_of(folder / "generator.onnx") == kept


def test_the_refining_graphs_agree_with_torch(loaded, written):
    _, model, encoder, surrogate, readout = written
    likeness = Likeness(encoder, surrogate).eval()
    rng = np.random.default_rng(3)
    landmarks = rng.uniform(0.3, 0.7, (1, 478, 3)).astype(np.float32)
    crop = rng.uniform(-1, 1, (1, 3, 128, 128)).astype(np.float32)
    w_plus = loaded.w_avg[None].copy()
    lasting = lasting_features(model.features).numpy()
    assert loaded.manifest.architecture["refinement"]["lasting"] == lasting.astype(int).tolist()
    features, settled = np.empty((1, lasting.size), np.float32), np.empty_like(w_plus)
    loaded.engine("refine", 1).run({"w_plus": w_plus, "crop": crop, "landmarks": landmarks}, {"features": features})
    held, amount = lasting[None].astype(np.float32), np.full((1, 1), 0.5, np.float32)
    inputs = {"w_plus": w_plus, "landmarks": landmarks, "features": features, "held": held, "amount": amount}
    loaded.engine("settle", 1).run(inputs, {"settled": settled})
    given = {name: torch.from_numpy(value) for name, value in {**inputs, "crop": crop}.items()}
    with torch.no_grad():
        again = RefineGraph(likeness, readout)(given["w_plus"], given["crop"], given["landmarks"])
        np.testing.assert_allclose(features, again.numpy(), atol=2e-2)
        again = SettleGraph(model, likeness, readout)(*(given[name] for name in inputs))
        np.testing.assert_allclose(settled, again.numpy(), atol=2e-2)
