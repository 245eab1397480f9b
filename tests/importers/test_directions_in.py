"""Directions and projected latents of every form come into a pack; what does not fit is refused and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.importers.checkpoint import import_checkpoint
from engines.importers.directions import COMPONENTS, add_to_pack
from engines.runtime import load_pack
from installation.errors import EngineError

NUM_WS, W_DIM = 6, 12


@pytest.fixture
def pack(checkpoints: Any, tmp_path: Path) -> Path:
    return import_checkpoint(checkpoints.write_nvidia(tmp_path / "tiny.pkl"), tmp_path / "packs" / "tiny").pack


def vector(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(W_DIM,), (1, W_DIM), (NUM_WS, W_DIM), (1, NUM_WS, W_DIM)])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor(pack: Path, tmp_path: Path, shape: tuple[int, ...], zipped: bool) -> None:
    values = vector(*shape)
    torch.save(torch.from_numpy(values), tmp_path / "Age+.pt", _use_new_zipfile_serialization=zipped)
    assert add_to_pack(tmp_path / "Age+.pt", pack).directions == ("age",)
    with load_pack(pack, "torch") as loaded:
        axis = loaded.directions["age"]
    flat = values.reshape(-1, W_DIM)
    np.testing.assert_array_equal(axis.vector, np.broadcast_to(flat, (NUM_WS, W_DIM)))
    assert axis.low < 0 < axis.high
    assert json.loads((pack / "pack.json").read_text())["directions"]["age"]["source"] == "Age+.pt"


def test_a_tensor_that_lay_on_a_gpu(pack: Path, tmp_path: Path) -> None:
    """Regression: `pose.pt` was saved on cuda:0; where a tensor once lay does not matter here."""
    path = tmp_path / "pose.pt"
    torch.save(torch.from_numpy(vector(1, W_DIM)), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(b"X\x03\x00\x00\x00cpu") == 1
    path.write_bytes(data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    assert add_to_pack(path, pack).directions == ("pose",)


@pytest.mark.parametrize("form", ["ffhq_pca.pt", "ganspace.npz"])
def test_principal_components(pack: Path, tmp_path: Path, form: str) -> None:
    comp, deviation = vector(30, 1, W_DIM), np.linspace(3, 0.1, 30, dtype=np.float32)
    path = tmp_path / form
    if form.endswith(".pt"):
        # stored as columns, so that its strides are not contiguous, as in the public file
        turned = torch.from_numpy(np.ascontiguousarray(comp.transpose(2, 1, 0))).permute(2, 1, 0)
        torch.save({"comp": turned, "mean": torch.zeros(1, W_DIM), "std": torch.from_numpy(deviation)}, path)
    else:
        np.savez_compressed(
            path, lat_comp=comp, lat_stdev=deviation, lat_mean=np.zeros((1, W_DIM)), act_comp=vector(3, 5)
        )
    names = add_to_pack(path, pack).directions
    assert len(names) == COMPONENTS
    with load_pack(pack, "torch") as loaded:
        np.testing.assert_allclose(loaded.directions["pca_03"].vector[0], comp[3, 0] * deviation[3], rtol=1e-6)
        assert loaded.directions["pca_03"].unit == "standard deviations"


def test_own_archive_with_ranges(pack: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    smile = vector(NUM_WS, W_DIM)
    np.savez(path, **{"Smile": smile, "Smile.low": -1.5, "Smile.high": np.float32(2), "yaw": vector(W_DIM)})
    assert set(add_to_pack(path, pack).directions) == {"smile", "yaw"}
    with load_pack(pack, "torch") as loaded:
        axis = loaded.directions["smile"]
        assert (axis.low, axis.high) == (-1.5, 2.0)
        np.testing.assert_array_equal(axis.vector, smile)


def test_interfacegan(pack: Path, tmp_path: Path) -> None:
    before = (pack / "pack.json").read_bytes()
    for name in ("stylegan_ffhq_age_w_boundary.npy", "pggan_celebahq_smile_boundary.npy"):
        np.save(tmp_path / name, vector(1, W_DIM))
        with pytest.raises(EngineError, match="StyleGAN1"):
            add_to_pack(tmp_path / name, pack)
    assert (pack / "pack.json").read_bytes() == before
    np.save(tmp_path / "stylegan2_age.npy", vector(1, W_DIM))
    assert add_to_pack(tmp_path / "stylegan2_age.npy", pack).directions == ("stylegan2_age",)


def test_projected_latent(pack: Path, tmp_path: Path) -> None:
    w = vector(1, NUM_WS, W_DIM)
    np.savez(tmp_path / "projected_w.npz", w=w)
    assert add_to_pack(tmp_path / "projected_w.npz", pack).targets == ("projected_w",)
    with load_pack(pack, "torch") as loaded:
        np.testing.assert_array_equal(loaded.targets["projected_w"].w_plus, w[0])
    np.save(tmp_path / "b.npy", vector(W_DIM))
    add_to_pack(tmp_path / "b.npy", pack)
    with load_pack(pack, "torch") as loaded:
        assert set(loaded.targets) == {"projected_w"}
        assert set(loaded.directions) == {"b"}


def test_several_files_add_up_and_the_networks_stay(pack: Path, tmp_path: Path) -> None:
    weights = (pack / "generator.onnx").read_bytes()
    for name in ("a", "b", "a"):
        np.save(tmp_path / f"{name}.npy", vector(W_DIM) + len(name))
        add_to_pack(tmp_path / f"{name}.npy", pack)
    with load_pack(pack, "torch") as loaded:
        assert set(loaded.directions) == {"a", "b"}
    assert (pack / "generator.onnx").read_bytes() == weights
    assert [path.name for path in pack.parent.iterdir()] == ["tiny"]


BAD = {
    "width.npy": vector(W_DIM + 1),
    "rows.npy": vector(NUM_WS + 1, W_DIM),
    "nothing.npy": np.zeros(W_DIM, np.float32),
    "nan.npy": np.full(W_DIM, np.nan, np.float32),
    "words.npy": np.array(["a", "b"]),
    "objects.npy": np.array([{}, []], dtype=object),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit(pack: Path, tmp_path: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in pack.iterdir()}
    np.save(tmp_path / name, BAD[name], allow_pickle=True)
    with pytest.raises(EngineError, match=name):
        add_to_pack(tmp_path / name, pack)
    assert {path: path.read_bytes() for path in pack.iterdir()} == before


def test_other_archives(pack: Path, tmp_path: Path, checkpoints: Any) -> None:
    np.savez(tmp_path / "range.npz", **{"a": vector(W_DIM), "a.low": 2.0, "a.high": 1.0})
    with pytest.raises(EngineError, match="low must be below high"):
        add_to_pack(tmp_path / "range.npz", pack)
    torch.save({"comp": torch.zeros(4, 1, 7), "std": torch.ones(4)}, tmp_path / "pca.pt")
    with pytest.raises(EngineError, match="components"):
        add_to_pack(tmp_path / "pca.pt", pack)
    with pytest.raises(EngineError, match="neither a known network nor directions"):
        add_to_pack(checkpoints.write_nvidia(tmp_path / "net.pkl"), pack)
    with pytest.raises(EngineError, match="no pack"):
        add_to_pack(tmp_path / "range.npz", tmp_path)
