"""Training the synthesis on: the mapping stands still, the time ends it, and only something better is taken."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engines.training import continuation
from engines.training.continuation import Continuation, SynthesisTrainer, adopt, continue_synthesis
from engines.training.data import Portraits, shard_path
from engines.training.generator import GeneratorTrainer, Recipe, load_model
from engines.training.networks import Architecture
from engines.training.portrait import portrait_samples
from installation.errors import EngineError

TINY = Architecture(channels=(12, 10), w_dim=6, hidden=16)


@pytest.fixture
def work(tmp_path):
    """Portraits of one grey, and a generator that was never trained."""
    (tmp_path / "portraits").mkdir()
    for index in range(2):
        np.savez(
            shard_path(tmp_path / "portraits", index),
            pictures=np.full((6, 16, 16, 3), 200, np.uint8), parameters=portrait_samples()[index * 6 : index * 6 + 6],
            landmarks=np.zeros((6, 478, 3), np.float32), found=np.ones(6, bool),
        )  # fmt: skip
    GeneratorTrainer(TINY, Recipe(steps=8), tmp_path / "generator.pt").save()
    return tmp_path


def run(work, minutes=1.0, stop=lambda: False):
    recipe = Continuation(minutes=minutes, batch=4, lr=0.03)
    return continue_synthesis(work, recipe, resolution=16, rank=0, stop=stop, pause_file=None)


@pytest.fixture
def quick_clock(monkeypatch):
    """Each look at the clock is a second later."""
    ticks = iter(range(1_000_000))
    monkeypatch.setattr(continuation, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))


def test_the_rate_falls_over_the_time_whatever_the_number_of_steps():
    recipe = Continuation(minutes=10.0)
    assert recipe.rate(0, 0.0) == pytest.approx(0.01)
    falling = [recipe.rate(10_000, part) for part in np.linspace(0.0, 1.0, 50)]
    assert falling == sorted(falling, reverse=True)
    assert (falling[0], falling[-1]) == (1.0, pytest.approx(0.02))
    assert recipe.rate(10_000, 1.5) == pytest.approx(0.02)


def test_latents_stay_to_the_bit_and_pictures_change(work):
    before = load_model(work / "generator.pt")
    trainer = SynthesisTrainer(work / "generator.pt", Continuation(minutes=1.0), work / "synthesis.pt")
    data = Portraits(work / "portraits", 16)
    data.refresh()
    losses = [trainer.train_step(data.take(torch.arange(4)), 0.0) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]
    people = torch.from_numpy(portrait_samples()[:5])
    torch.testing.assert_close(trainer.average.latents(people), before.latents(people), rtol=0, atol=0)
    assert not torch.equal(trainer.average(people), before(people))


def test_it_ends_with_the_time_and_the_better_one_is_adopted(work, quick_clock):
    assert run(work)
    before, after = adopt(work, 16)
    assert after > before + 0.1
    assert not (work / "synthesis.pt").exists()
    state = torch.load(work / "generator.pt", weights_only=True)
    assert state["samples"] % 4 == 0
    assert state["samples"] > 40


def test_a_stopped_run_goes_on_where_it_was(work, quick_clock):
    assert not run(work, stop=lambda: True)
    saved = torch.load(work / "synthesis.pt", weights_only=True)
    assert saved["step"] == 1
    assert run(work)
    assert torch.load(work / "synthesis.pt", weights_only=True)["elapsed_s"] >= 60.0


def test_what_is_no_better_is_refused(work):
    with pytest.raises(EngineError, match="no continued synthesis"):
        adopt(work, 16)
    trainer = SynthesisTrainer(work / "generator.pt", Continuation(minutes=1.0), work / "synthesis.pt")
    trainer.save()
    kept = (work / "generator.pt").read_bytes()
    with pytest.raises(EngineError, match="left out"):
        adopt(work, 16)
    assert (work / "generator.pt").read_bytes() == kept
