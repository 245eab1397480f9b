"""The generator's loop: schedule, resuming, pausing, data."""

import itertools

import numpy as np
import pytest
import torch

from engines.faces.parameters import mirrored
from engines.faces.sampler import sample
from engines.training.data import Batch, Portraits, focus_points, shard_path
from engines.training.generator import GeneratorTrainer, Recipe, load_model, sample_sheet, wait_while_paused
from engines.training.networks import Architecture

TINY = Architecture(channels=(12, 10), w_dim=6, hidden=16)


def write_shard(folder, index, n=6, size=32):
    rng = np.random.default_rng(index)
    parameters = np.stack([sample(rng) for _ in range(n)])
    pictures = rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    np.savez(
        shard_path(folder, index), pictures=pictures, parameters=parameters,
        landmarks=np.zeros((n, 478, 3), np.float32), found=np.ones(n, bool),
    )  # fmt: skip
    return pictures, parameters


def batch_of(folder):
    data = Portraits(folder, 16)
    data.refresh()
    return data.take(torch.arange(4))


def test_the_rate_warms_up_holds_and_falls():
    recipe = Recipe(steps=10_000)
    rates = [recipe.rate(step) for step in range(10_000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[100:5000] == [1.0] * 4900
    assert all(a >= b for a, b in itertools.pairwise(rates[5000:]))
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_resolution_grows():
    recipe = Recipe(steps=100, quarter_until=0.2, low_until=0.6)
    sizes = [recipe.resolution(step, 128) for step in (0, 19, 20, 59, 60, 99)]
    assert sizes == [32, 32, 64, 64, 128, 128]


def test_a_resumed_run_ends_like_an_unbroken_one(tmp_path):
    write_shard(tmp_path, 1)
    batch, recipe = batch_of(tmp_path), Recipe(steps=8)
    whole = GeneratorTrainer(TINY, recipe, tmp_path / "whole.pt")
    for _ in range(6):
        whole.train_step(batch)
    part = GeneratorTrainer(TINY, recipe, tmp_path / "part.pt")
    for _ in range(3):
        part.train_step(batch)
    part.save()
    resumed = GeneratorTrainer(TINY, recipe, tmp_path / "part.pt")
    assert (resumed.step, resumed.samples) == (3, 12)
    for _ in range(3):
        resumed.train_step(batch)
    resumed.save()
    whole.save()
    for name, value in load_model(tmp_path / "whole.pt").state_dict().items():
        torch.testing.assert_close(value, load_model(tmp_path / "part.pt").state_dict()[name])


def test_it_learns(tmp_path):
    write_shard(tmp_path, 1)
    batch = batch_of(tmp_path)
    smooth = Batch(torch.nn.functional.avg_pool2d(batch.pictures, 5, 1, 2), batch.parameters, batch.points)
    trainer = GeneratorTrainer(TINY, Recipe(steps=400), tmp_path / "g.pt")
    losses = [trainer.train_step(smooth) for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


def test_data_grows_and_leaves_the_held_out_shard_alone(tmp_path):
    held, _ = write_shard(tmp_path, 0)
    data = Portraits(tmp_path, 32)
    assert data.refresh() == 0
    pictures, _ = write_shard(tmp_path, 1)
    write_shard(tmp_path, 2)
    assert data.refresh() == 2
    assert len(data) == 12
    assert data.refresh() == 0
    np.testing.assert_array_equal(data.pictures[:6].permute(0, 2, 3, 1).numpy(), pictures)
    np.testing.assert_array_equal(Portraits.held_out(tmp_path, 32).pictures.permute(0, 2, 3, 1).numpy(), held)


def test_a_flip_mirrors_picture_parameters_and_points(tmp_path):
    _, parameters = write_shard(tmp_path, 1)
    data = Portraits(tmp_path, 32)
    data.refresh()
    index = torch.arange(3)
    plain, flipped = data.take(index), data.take(index, torch.ones(3, dtype=torch.bool))
    torch.testing.assert_close(flipped.pictures, plain.pictures.flip(3))
    np.testing.assert_allclose(flipped.parameters.numpy(), mirrored(parameters[:3]), rtol=1e-6)
    # The mirrored portrait's own eyes and mouth are where the flip says.
    np.testing.assert_allclose(flipped.points.numpy(), focus_points(mirrored(parameters[:3])), atol=2e-3)


def test_pausing_waits_until_the_file_is_gone(tmp_path):
    file = tmp_path / "pause"
    file.touch()
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            file.unlink()

    wait_while_paused(file, sleep)
    assert len(waited) == 3
    wait_while_paused(None, sleep)
    assert len(waited) == 3


def test_sheet_pairs_rows():
    true, made = torch.ones(4, 3, 8, 8), -torch.ones(4, 3, 8, 8)
    sheet = sample_sheet(true, made, columns=2)
    assert sheet.shape == (32, 16, 3)
    assert (sheet[:8] == 255).all()
    assert (sheet[8:16] == 0).all()
