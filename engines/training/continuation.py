"""Train the synthesis network on while the mapping stands still: `mirror models train --continue-synthesis MINUTES`.

What a row of W+ means is the mapping's. With it frozen, the encoder, the readout, the directions and the targets
of a pack stay right to the bit, and only the picture gets better. The rate starts again at a moderate height and
falls along one cosine over the time that is given, so that the run always ends annealed, however busy the machine was.

Source of the schedule by budget: Li et al., "Budgeted Training" (ICLR 2020).
"""

from __future__ import annotations

import copy
import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from engines.training.data import Batch, Portraits
from engines.training.generator import (
    ADAM_BETAS,
    CLIP,
    EMA_DECAY,
    FINAL_RATE,
    WARMUP_STEPS,
    average_gradients,
    evaluate,
    load_model,
    wait_while_paused,
    workers,
)
from engines.training.losses import pyramid_loss, weight_map
from installation.errors import EngineError
from installation.runtime.progress import Progress

SAVE_EVERY_S = 120.0
LOG_EVERY_STEPS = 200


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the synthesis network is trained on.

    Attributes:
        minutes: Time in all, pauses counted in.
        batch: Pictures per step and worker.
        lr: Adam's rate at the start; a third of the first run's, since the picture is to be kept, not found.
        square_gain: Weight of the plain squared error beside the pyramid: it is dearest where the error is large, on
            outlines of hair and rims of glasses, and knows no focus.
        seed: Of the batches.
    """

    minutes: float
    batch: int = 16
    lr: float = 0.01
    square_gain: float = 5.0
    seed: int = 0

    def rate(self, step: int, part: float) -> float:
        """Learning rate as a part of its full value; `part` of the time has gone."""
        fall = FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * min(part, 1.0)))
        return min(1.0, (step + 1) / WARMUP_STEPS) * fall


class SynthesisTrainer:
    """Owns a model whose mapping is frozen, the moving average, the optimiser and what has been spent.

    Args:
        checkpoint: A finished training; read only.
        recipe: How to go on.
        progress: File that `save` writes and the constructor resumes from if it exists.
    """

    def __init__(self, checkpoint: Path, recipe: Continuation, progress: Path) -> None:
        self.recipe, self.progress = recipe, progress
        self.model = load_model(checkpoint).train()
        self.model.generator.requires_grad_(True)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.adam = torch.optim.Adam(self.model.generator.parameters(), recipe.lr, betas=ADAM_BETAS)
        self.step = self.samples = 0
        self.elapsed_s = 0.0
        if progress.exists():
            state = torch.load(progress, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.adam.load_state_dict(state["adam"])
            self.step, self.samples, self.elapsed_s = state["step"], state["samples"], state["elapsed_s"]

    def train_step(self, batch: Batch, part: float) -> float:
        """Take one step, `part` (0..1) of the time having gone; returns its loss."""
        made = self.model(batch.parameters, None, torch.bfloat16)
        weights = weight_map(batch.points, made.shape[-1])
        loss = pyramid_loss(made, batch.pictures, weights)
        loss = loss + self.recipe.square_gain * (made - batch.pictures).square().mean()
        self.adam.zero_grad()
        loss.backward()
        average_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.generator.parameters(), CLIP)
        for group in self.adam.param_groups:
            group["lr"] = self.recipe.lr * self.recipe.rate(self.step, part)
        self.adam.step()
        self.step += 1
        self.samples += len(batch.pictures) * workers()
        ours, theirs = self.average.generator.parameters(), self.model.generator.parameters()
        # Over the last tenth of the steps at first: a short run must not average what it has just left.
        decay = min(EMA_DECAY, 1.0 - 1.0 / (1.0 + 0.1 * self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(ours), list(theirs), 1.0 - decay)
        return float(loss.detach())

    def save(self) -> None:
        """Write the progress in one step: a kill leaves the old one or the new one."""
        state = {
            "model": self.model.state_dict(), "average": self.average.state_dict(), "adam": self.adam.state_dict(),
            "step": self.step, "samples": self.samples, "elapsed_s": self.elapsed_s,
        }  # fmt: skip
        _save(state, self.progress)


def continue_synthesis(
    work: Path, recipe: Continuation, *, resolution: int, rank: int, stop: Callable[[], bool], pause_file: Path | None
) -> bool:
    """Train on as one of `workers()` processes; rank 0 saves and logs. False if stopped before the time was over."""
    torch.set_num_threads(1)
    trainer = SynthesisTrainer(work / "generator.pt", recipe, work / "synthesis.pt")
    draw = torch.Generator().manual_seed(recipe.seed * 1000 + trainer.step * 10 + rank)
    portraits = Portraits(work / "portraits", resolution)
    portraits.refresh()
    whole_s, before_s, began = recipe.minutes * 60.0, trainer.elapsed_s, time.monotonic()
    loss, saved_s, stopped = 0.0, before_s, False
    stream = None if rank == 0 else io.StringIO()
    with Progress(round(whole_s), "training the synthesis on", stream=stream) as bar:
        while trainer.elapsed_s < whole_s and not stopped:
            wait_while_paused(pause_file)
            # One clock and one wish to stop for all workers, or their weights would part.
            trainer.elapsed_s, asked = agreed(before_s + time.monotonic() - began, float(stop()))
            stopped = asked > 0.0
            now = trainer.train_step(portraits.batch(recipe.batch, draw), trainer.elapsed_s / whole_s)
            loss = now if loss == 0.0 else 0.98 * loss + 0.02 * now
            bar.done = round(trainer.elapsed_s)
            bar.advance(0, f"step {trainer.step} loss {loss:.4f}")
            if rank == 0 and trainer.step % LOG_EVERY_STEPS == 0:
                _log(work, trainer, resolution, loss)
            if rank == 0 and (stopped or trainer.elapsed_s - saved_s > SAVE_EVERY_S):
                trainer.save()
                saved_s = trainer.elapsed_s
    if rank == 0:
        trainer.save()
    return not stopped


def adopt(work: Path, resolution: int) -> tuple[float, float]:
    """Make the continued weights the work folder's generator, if they are better on held-out people.

    Also after an early stop: the moving average is a generator at any moment.

    Returns:
        PSNR in dB before and after.

    Raises:
        EngineError: If nothing was continued, or it became no better; the generator is then as it was.
    """
    checkpoint, progress = work / "generator.pt", work / "synthesis.pt"
    if not progress.exists():
        raise EngineError(f"{work} has no continued synthesis; run first: mirror models train --continue-synthesis 60")
    held_out = Portraits.held_out(work / "portraits", resolution)
    model = load_model(checkpoint)
    before, _ = evaluate(model, held_out)
    state = torch.load(progress, weights_only=True)
    model.load_state_dict(state["average"])
    after, _ = evaluate(model, held_out)
    if after <= before:
        raise EngineError(f"the continued synthesis has {after:.2f} dB, the one before {before:.2f} dB; it is left out")
    old = torch.load(checkpoint, weights_only=True)
    samples = old["samples"] + state["samples"]
    _save({**old, "model": state["model"], "average": state["average"], "samples": samples}, checkpoint)
    progress.unlink()
    return before, after


def agreed(seconds: float, asked: float) -> tuple[float, float]:
    """Take the mean of all workers' clocks, and whether any of them was asked to stop."""
    if not dist.is_initialized():
        return seconds, asked
    both = torch.tensor([seconds / workers(), asked], dtype=torch.float64)
    dist.all_reduce(both)
    return float(both[0]), float(both[1])


def _log(work: Path, trainer: SynthesisTrainer, resolution: int, loss: float) -> None:
    score, _ = evaluate(trainer.average, Portraits.held_out(work / "portraits", resolution), 64)
    line = {
        "synthesis_step": trainer.step, "samples": trainer.samples, "minutes": round(trainer.elapsed_s / 60.0, 1),
        "loss": round(loss, 4), "psnr_db": round(score, 2),
    }  # fmt: skip
    with (work / "log.txt").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def _save(state: dict[str, object], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.rename(path)
