"""Checkpoints of every layout become packs that give the networks' own numbers on both back-ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.export.verify import verify_pack
from engines.importers.checkpoint import import_checkpoint
from engines.importers.safetensors import write_safetensors
from engines.lazy import LazyArray
from engines.networks.architecture import E4E, EncoderArchitecture, encoder_shapes, generator_shapes
from engines.networks.fill_rule import filled, image_input
from engines.networks.psp import Encoder
from engines.networks.stylegan2 import Generator
from engines.runtime import load_pack
from installation.core.latents import truncate

BACKENDS = ("torch", "openvino")


def generator_of(arch: Any, prefix: str | None = None) -> Generator:
    """The network itself, filled: by NVIDIA's names, or by the rosinality family's behind `prefix`."""
    from engines.importers.layouts import rosinality_names

    names = {} if prefix is None else {ours: prefix + theirs for ours, theirs in rosinality_names(arch).items()}
    state = {}
    for ours, shape in generator_shapes(arch).items():
        if ours == "mapping.w_avg":
            array = np.broadcast_to(filled(ours, (arch.w_dim,)), shape)
        else:
            array = filled(names.get(ours, ours), shape)
        state[ours] = torch.from_numpy(np.array(array))
    network = Generator(arch).eval()
    network.load_state_dict(state)
    return network


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_nvidia_pickle(checkpoints: Any, tmp_path: Path, protocol: int) -> None:
    source = checkpoints.write_nvidia(tmp_path / "snapshot.pkl", protocol=protocol)
    made = import_checkpoint(source, tmp_path / "pack")
    network = generator_of(checkpoints.tiny)
    z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    with torch.no_grad():
        w_plus = network.mapping(torch.from_numpy(z), 0.7).numpy()
        image = network.synthesis(torch.from_numpy(w_plus)).numpy()
    for backend in BACKENDS:
        with load_pack(made.pack, backend) as pack:
            np.testing.assert_allclose(pack.map(z, psi=0.7), w_plus, atol=5e-6)
            np.testing.assert_allclose(pack.synthesize(w_plus), image, atol=2e-5)
            assert pack.manifest.architecture["generator"]["conv_clamp"] == 256.0
    assert not made.has_encoder
    assert not made.licence.commercial_use


def test_clamping_and_eps_belong_to_the_file(checkpoints: Any, tmp_path: Path) -> None:
    """A network whose clamp cuts into the activations must be drawn with it."""
    from dataclasses import replace

    arch = replace(checkpoints.tiny, conv_clamp=0.5)
    made = import_checkpoint(checkpoints.write_nvidia(tmp_path / "a.pkl", arch), tmp_path / "pack")
    w_plus = filled("w_avg", (1, 6, 12)).astype(np.float32) * 10
    with torch.no_grad():
        image = generator_of(arch).synthesis(torch.from_numpy(w_plus)).numpy()
        free = generator_of(checkpoints.tiny).synthesis(torch.from_numpy(w_plus)).numpy()
    assert np.abs(image - free).max() > 0.01
    for backend in BACKENDS:
        with load_pack(made.pack, backend) as pack:
            np.testing.assert_allclose(pack.synthesize(w_plus), image, atol=2e-5)


@pytest.mark.parametrize("protocol", [3, 4])
def test_tensorflow_pickle_is_the_same_network(checkpoints: Any, tmp_path: Path, protocol: int) -> None:
    nvidia = import_checkpoint(checkpoints.write_nvidia(tmp_path / "a.pkl"), tmp_path / "a")
    source = checkpoints.write_tensorflow(tmp_path / "b.pkl", protocol=protocol)
    tensorflow = import_checkpoint(source, tmp_path / "b")
    z = np.ones((1, 8), np.float32)
    with load_pack(nvidia.pack, "torch") as one, load_pack(tensorflow.pack, "torch") as two:
        np.testing.assert_allclose(two.map(z, 0.5), one.map(z, 0.5), atol=1e-6)
        np.testing.assert_allclose(two.synthesize(two.map(z)), one.synthesize(one.map(z)), atol=2e-6)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_rosinality(checkpoints: Any, tmp_path: Path, zipped: bool) -> None:
    arch = checkpoints.small
    source = tmp_path / "stylegan2.pt"
    average = torch.from_numpy(np.array(filled("latent_avg", (arch.w_dim,))))
    tree = {"g_ema": checkpoints.rosinality_state(arch), "latent_avg": average}
    torch.save(tree, source, _use_new_zipfile_serialization=zipped)
    made = import_checkpoint(source, tmp_path / "pack", name="mine")
    network = generator_of(arch, "")
    z = np.random.default_rng(1).standard_normal((2, 8)).astype(np.float32)
    with torch.no_grad():
        w_plus = network.mapping(torch.from_numpy(z)).numpy()
        image = network.synthesis(torch.from_numpy(w_plus)).numpy()
    for backend in BACKENDS:
        with load_pack(made.pack, backend) as pack:
            np.testing.assert_allclose(pack.map(z, 0.3), truncate(w_plus, average.numpy(), 0.3), atol=5e-6)
            np.testing.assert_allclose(pack.synthesize(w_plus), image, atol=2e-5)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kind", ["psp", "e4e"])
def test_encoder_checkpoints(checkpoints: Any, tmp_path: Path, kind: str, form: str) -> None:
    arch = checkpoints.small
    shape = EncoderArchitecture(kind, 8, True, checkpoints.encoder.stages)
    tree = checkpoints.psp_tree(arch, shape)
    source = tmp_path / "checkpoint"
    if form == "safetensors":
        tensors = {**tree["state_dict"], "latent_avg": tree["latent_avg"]}
        notes = {"opts": json.dumps(tree["opts"])}
        write_safetensors(source, {name: LazyArray.of(value.numpy()) for name, value in tensors.items()}, notes)
    else:
        torch.save(tree, source, _use_new_zipfile_serialization=form == "zip")
    made = import_checkpoint(source, tmp_path / "pack")
    encoder = Encoder(shape).eval()
    state = {
        name: torch.from_numpy(np.array(filled(f"encoder.{name}", s))) for name, s in encoder_shapes(shape).items()
    }
    encoder.load_state_dict(state, strict=False)
    crop = image_input(0)
    with torch.no_grad():
        codes = encoder(torch.from_numpy(crop)).numpy() + filled("latent_avg", (8, 48))
        image = generator_of(arch, "decoder.").synthesis(torch.from_numpy(codes)).numpy()
    for backend in BACKENDS:
        with load_pack(made.pack, backend) as pack:
            found = pack.encode(crop)
            np.testing.assert_allclose(found, codes, atol=5e-5)
            np.testing.assert_allclose(pack.synthesize(found), image, atol=1e-4)
    assert made.has_encoder
    assert (kind == E4E) == ("e4e" in made.layout)


def test_every_backend_agrees_with_the_golden_vectors(checkpoints: Any, tmp_path: Path) -> None:
    source = tmp_path / "psp.pt"
    torch.save(checkpoints.psp_tree(checkpoints.small, checkpoints.encoder), source)
    made = import_checkpoint(source, tmp_path / "pack")
    rows = verify_pack(made.pack, lambda row: None)
    assert all(row.ok for row in rows)
    ran = {(row.part, row.backend.split()[0]) for row in rows if not row.reason}
    assert {(p, b) for p in ("encoder", "generator", "mapping") for b in BACKENDS} <= ran
    assert ("generator", "fp16") in ran
    assert ("encoder", "fp16") in ran


def test_a_changed_weight_is_noticed(checkpoints: Any, tmp_path: Path) -> None:
    """Verification that could not fail would be worthless."""
    made = import_checkpoint(checkpoints.write_nvidia(tmp_path / "a.pkl"), tmp_path / "a")
    arch = checkpoints.tiny
    state = generator_of(arch).state_dict()
    state["synthesis.b8.conv1.weight"] = state["synthesis.b8.conv1.weight"].flip(2)
    tensors = {f"generator.{k}": LazyArray.of(v.numpy()) for k, v in state.items()}
    write_safetensors(made.pack / "weights.safetensors", tensors)
    record = json.loads((made.pack / "pack.json").read_text())
    from engines.packing import seal

    record.pop("files")
    seal(made.pack, record)
    rows = verify_pack(made.pack, lambda row: None)
    assert [row.ok for row in rows if row.part == "generator" and row.backend == "torch"] == [False]
    assert all(row.ok for row in rows if row.backend == "openvino")


def test_optional_parts_may_be_missing(checkpoints: Any, tmp_path: Path) -> None:
    """Noise, kernels, options and the average: many files in circulation lack some of them."""
    tree = checkpoints.psp_tree(checkpoints.small, checkpoints.encoder)
    state = tree["state_dict"]
    for name in [name for name in state if ".noises." in name or name.endswith(".kernel")]:
        del state[name]
    tree["opts"] = {}
    source = tmp_path / "bare.pt"
    torch.save(tree, source)
    first = import_checkpoint(source, tmp_path / "one")
    assert any("noise" in note for note in first.notes)
    assert any("psp" in note for note in first.notes)
    again = import_checkpoint(source, tmp_path / "two", encoder_kind="e4e")
    assert again.layout.startswith("e4e")
    for name in ("generator.onnx", "w_avg.npy"):
        assert (first.pack / name).read_bytes() == (again.pack / name).read_bytes()


def test_without_an_average_it_is_estimated(checkpoints: Any, tmp_path: Path) -> None:
    arch = checkpoints.small
    source = tmp_path / "a.pt"
    torch.save({"g_ema": checkpoints.rosinality_state(arch)}, source)
    made = import_checkpoint(source, tmp_path / "pack")
    network = generator_of(arch, "")
    with torch.no_grad():
        w = network.mapping(torch.randn(20_000, 8, generator=torch.Generator().manual_seed(0)))[:, 0]
    with load_pack(made.pack, "torch") as pack:
        np.testing.assert_allclose(pack.w_avg[0], w.mean(0).numpy(), atol=0.1 * float(w.std()))


def test_half_precision_checkpoint(checkpoints: Any, tmp_path: Path) -> None:
    arch = checkpoints.small
    state = {name: value.half() for name, value in checkpoints.rosinality_state(arch).items()}
    source = tmp_path / "half.pt"
    torch.save({"g_ema": state, "latent_avg": torch.zeros(48, dtype=torch.bfloat16)}, source)
    made = import_checkpoint(source, tmp_path / "pack")
    w_plus = np.ones((1, 8, 48), np.float32)
    with torch.no_grad():
        image = generator_of(arch, "").synthesis(torch.from_numpy(w_plus)).numpy()
    with load_pack(made.pack, "openvino") as pack:
        np.testing.assert_allclose(pack.synthesize(w_plus), image, atol=0.02)


def test_same_file_same_pack(checkpoints: Any, tmp_path: Path) -> None:
    source = checkpoints.write_nvidia(tmp_path / "a.pkl")
    one = import_checkpoint(source, tmp_path / "one", name="x").pack
    two = import_checkpoint(source, tmp_path / "two", name="x").pack
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
