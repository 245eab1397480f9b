"""Gradient descent on a latent: it goes down, and may be cut off anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [prompts]")

import torch

from engines.targets.descent import Point, descend, ramp
from engines.targets.work import load_work, save_work
from installation.errors import EngineError

GOAL = torch.tensor([[1.0, -2.0, 0.5]])


def bowl(latent: torch.Tensor, step: int) -> torch.Tensor:
    """A bowl that shakes a little, differently at each step."""
    shake = torch.randn(GOAL.shape, generator=torch.Generator().manual_seed(step))
    return (latent - GOAL + 0.01 * shake).square().sum()


def test_it_finds_the_bottom_of_a_bowl() -> None:
    point = descend(bowl, Point.start(np.zeros((1, 3), np.float32)), steps=300, rate=0.1)
    np.testing.assert_allclose(point.latent, GOAL.numpy(), atol=0.05)
    assert point.step == 300


def test_adam_moves_by_the_rate_at_first() -> None:
    steps = []
    descend(bowl, Point.start(np.zeros((1, 3), np.float32)), steps=40, rate=0.1, every_step=steps.append)
    # The first step of Adam is the rate times the sign of the gradient (Kingma and Ba, section 2.1).
    np.testing.assert_allclose(steps[0].latent, 0.1 * ramp(0.5 / 40) * np.sign(GOAL.numpy()), rtol=1e-3)


@pytest.mark.parametrize("cut", [1, 17, 39])
def test_a_walk_that_was_cut_off_ends_where_the_whole_one_does(cut: int) -> None:
    start = Point.start(np.ones((1, 3), np.float32))
    whole = descend(bowl, start, steps=40, rate=0.1)

    class Cut(Exception):
        pass

    kept = start

    def keep(point: Point) -> None:
        nonlocal kept
        kept = point
        if point.step == cut:
            raise Cut

    with pytest.raises(Cut):
        descend(bowl, start, steps=40, rate=0.1, every_step=keep)
    assert kept.step == cut
    np.testing.assert_array_equal(descend(bowl, kept, steps=40, rate=0.1).latent, whole.latent)


def test_the_rate_rises_and_falls() -> None:
    assert ramp(0.0) == ramp(1.0) == 0.0
    assert ramp(0.5) == 1.0
    assert 0.0 < ramp(0.02) < 1.0
    assert 0.0 < ramp(0.9) < 1.0


def test_unfinished_work_is_found_again_by_its_record_alone(tmp_path: Path) -> None:
    path = tmp_path / ".work" / "nurse.npz"
    assert load_work(path, {"steps": 3}) is None
    save_work(path, {"steps": 3, "prompt": "été"}, {"latent": np.arange(3.0)})
    found = load_work(path, {"prompt": "été", "steps": 3})
    assert found is not None
    assert found["latent"].tolist() == [0.0, 1.0, 2.0]
    assert load_work(path, {"steps": 4, "prompt": "été"}) is None
    path.write_bytes(path.read_bytes()[:50])
    assert load_work(path, {"steps": 3, "prompt": "été"}) is None


def test_work_that_cannot_be_stored_is_told(tmp_path: Path) -> None:
    (tmp_path / ".work").write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="unfinished work could not be stored"):
        save_work(tmp_path / ".work" / "nurse.npz", {}, {})
