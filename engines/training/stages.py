"""The stages of `mirror models train`: render, train the generator, train the encoder, write the pack, train on.

Each takes the options, goes on where it was stopped, and returns whether it came to its end.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import cv2
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from engines.faces.renderer import OVERSAMPLING, PortraitRenderer
from engines.training.continuation import Continuation, adopt, continue_synthesis
from engines.training.data import SHARD_SIZE, LandmarkFinder, Portraits, render_shard, shard_path
from engines.training.encoder import Encoder, Surrogate
from engines.training.encoder_training import EncoderData, EncoderRecipe, EncoderTrainer, damping_vector
from engines.training.generator import (
    GeneratorTrainer,
    PortraitModel,
    Recipe,
    evaluate,
    load_model,
    sample_sheet,
    wait_while_paused,
)
from engines.training.networks import Architecture
from engines.training.pack import replace_generator, write_default_pack
from engines.training.portrait import portrait_samples
from engines.training.readout import train_readout
from installation.errors import EngineError
from installation.runtime.progress import Progress

SAVE_EVERY_S = 120.0
REFRESH_EVERY_STEPS = 200
LOG_EVERY_STEPS = 200
SHEET_PICTURES = 32
MIN_PORTRAITS = 4 * SHARD_SIZE


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, parsed."""

    work: Path
    out: Path
    portraits: int
    part: tuple[int, int]
    recipe: Recipe
    encoder: EncoderRecipe
    continuation: Continuation
    workers: int
    resolution: int
    seed: int
    pause_file: Path | None

    @property
    def data(self) -> Path:
        return self.work / "portraits"

    @property
    def shards(self) -> int:
        return -(-self.portraits // SHARD_SIZE) + 1


class Stop:
    """Set by Ctrl-C or a termination: the loops look at it after every step."""

    def __init__(self) -> None:
        self.asked = False
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def render(options: Options) -> bool:
    """Render this process's part of the shards; False if stopped."""
    stop = Stop()
    first, stride = options.part
    missing = [i for i in range(first, options.shards, stride) if not shard_path(options.data, i).exists()]
    if not missing:
        return True
    renderer, finder = PortraitRenderer(options.resolution, oversampling=OVERSAMPLING), LandmarkFinder()
    with Progress(len(missing), "rendering portraits") as progress:
        for index in missing:
            wait_while_paused(options.pause_file)
            render_shard(options.data, index, renderer=renderer, finder=finder, seed=options.seed)
            progress.advance()
            if stop.asked:
                return False
    finder.close()
    renderer.release()
    return True


def generator(options: Options) -> bool:
    """Train the generator on what is rendered so far and what appears meanwhile; False if stopped."""
    if len(list(options.data.glob("portraits_*.npz"))) * SHARD_SIZE < MIN_PORTRAITS:
        raise EngineError(f"{options.data} has fewer than {MIN_PORTRAITS} portraits; render first: --stage render")
    return _side_by_side(options, _train_generator)


def synthesis(options: Options) -> bool:
    """Train the synthesis on with a frozen mapping, and put it into the pack; False if stopped.

    A stop keeps the progress for the next call; when the time is over, the better of the two generators stays.
    """
    if not (options.work / "generator.pt").exists():
        raise EngineError(f"{options.work} has no trained generator to go on from; run first: mirror models train")
    if not _side_by_side(options, _train_synthesis):
        return False
    before, after = adopt(options.work, options.resolution)
    print(f"{before:.2f} dB before, {after:.2f} dB after, on held-out people")
    if (options.out / "pack.json").exists():
        samples = torch.load(options.work / "generator.pt", weights_only=True)["samples"]
        provenance = {"samples": samples, "psnr_db": round(after, 2), "continuation": asdict(options.continuation)}
        print(replace_generator(options.out, load_model(options.work / "generator.pt"), provenance))
    return True


def encoder(options: Options) -> bool:
    """Train the encoder; it needs the portraits, not the generator. False if stopped."""
    target = options.work / "encoder.pt"
    if target.exists():
        return True
    torch.set_num_threads(1)
    model = PortraitModel(_architecture(options.resolution))
    portraits = Portraits(options.data, options.resolution)
    portraits.refresh()
    recipe = options.encoder
    total = recipe.surrogate_steps + recipe.geometry_steps + recipe.appearance_steps
    with Progress(total, "training the encoder") as progress:
        trained, surrogate = EncoderTrainer(
            model,
            EncoderData.of(portraits, model.features),
            recipe,
            report=lambda stage, step, steps, loss: progress.advance(1, f"{stage} {loss:.3f}"),
            between_steps=lambda: wait_while_paused(options.pause_file),
        ).train()
    state = {name: value for name, value in trained.state_dict().items() if not name.startswith("mapping")}
    _save({"encoder": state, "surrogate": surrogate.state_dict(), "portraits": len(portraits)}, target)
    return True


def pack(options: Options) -> bool:
    """Train the readout and write the pack."""
    torch.set_num_threads(1)
    checkpoint = options.work / "generator.pt"
    if not checkpoint.exists() or not (options.work / "encoder.pt").exists():
        raise EngineError(
            f"{options.work} has no trained generator and encoder yet; run the stages before --stage pack"
        )
    model = load_model(checkpoint)
    fine_only = [column for column in model.fine_columns if column not in model.coarse_columns]
    trained = Encoder(model.features, model.mapping, model.coarse_columns, fine_only)
    state = torch.load(options.work / "encoder.pt", weights_only=True)
    trained.load_state_dict(state["encoder"], strict=False)
    surrogate = Surrogate(model.coarse_columns, model.features.count)
    surrogate.load_state_dict(state["surrogate"])
    portraits = state["portraits"]
    trained.damping = damping_vector(model.features)
    with Progress(4000, "training the readout") as progress:
        readout = train_readout(
            model,
            torch.from_numpy(portrait_samples()),
            report=lambda step, steps, loss: progress.advance(1, f"{loss:.4f}"),
            between_steps=lambda: wait_while_paused(options.pause_file),
        )
    held_out = Portraits.held_out(options.data, options.resolution)
    score, made = evaluate(model, held_out)
    _write_sheet(options.work / "held_out.png", held_out, made)
    state = torch.load(checkpoint, weights_only=True)
    provenance = {
        "kind": "portrait",
        "source": "procedural portraits drawn by shaders/portrait; no photograph of anybody",
        "steps": state["step"],
        "samples": state["samples"],
        "portraits": portraits,
        "seed": options.seed,
        "recipe": asdict(options.recipe),
        "encoder_recipe": asdict(options.encoder),
        "psnr_db": round(score, 2),
    }
    print(write_default_pack(options.out, model, trained, surrogate, readout, provenance))
    return True


Job = Callable[[Options, int], bool]
"""What each worker does, given its rank; False if it was stopped."""


def _side_by_side(options: Options, job: Job) -> bool:
    """Run `job` in `options.workers` processes that share their gradients; this one is rank 0."""
    if options.workers == 1:
        return job(options, 0)
    port = 20000 + os.getpid() % 20000
    context = mp.get_context("spawn")
    pool = [context.Process(target=_worker, args=(options, rank, port, job)) for rank in range(1, options.workers)]
    for process in pool:
        process.start()
    try:
        return _worker(options, 0, port, job)
    finally:
        for process in pool:
            process.join(timeout=30.0)
            if process.is_alive():
                process.terminate()


def _worker(options: Options, rank: int, port: int, job: Job) -> bool:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=options.workers)
    try:
        return job(options, rank)
    finally:
        dist.destroy_process_group()


def _train_synthesis(options: Options, rank: int) -> bool:
    stop = Stop()
    return continue_synthesis(
        options.work,
        options.continuation,
        resolution=options.resolution,
        rank=rank,
        stop=lambda: stop.asked,
        pause_file=options.pause_file,
    )


def _train_generator(options: Options, rank: int) -> bool:
    """One worker's loop. Rank 0 saves, logs and draws sheets; the others only add gradients."""
    torch.set_num_threads(1)
    stop = Stop()
    trainer = GeneratorTrainer(_architecture(options.resolution), options.recipe, options.work / "generator.pt")
    recipe, full = options.recipe, options.resolution
    draw = torch.Generator().manual_seed(recipe.seed * 1000 + trainer.step * 10 + rank)
    portraits: Portraits | None = None
    loss, saved_at = 0.0, time.monotonic()
    with Progress(recipe.steps, "training the generator", stream=None if rank == 0 else open(os.devnull, "w")) as bar:
        bar.done = trainer.step
        while trainer.step < recipe.steps:
            wait_while_paused(options.pause_file)
            resolution = recipe.resolution(trainer.step, full)
            if portraits is None or portraits.resolution != resolution:
                portraits = Portraits(options.data, resolution)
                portraits.refresh()
            now = trainer.train_step(portraits.batch(recipe.batch, draw))
            loss = now if loss == 0.0 else 0.98 * loss + 0.02 * now
            bar.advance(1, f"{resolution} px loss {loss:.4f}")
            if trainer.step % REFRESH_EVERY_STEPS == 0:
                portraits.refresh()
            if rank == 0 and trainer.step % LOG_EVERY_STEPS == 0:
                _log(options, trainer, len(portraits), resolution, loss)
            leave = _agreed(stop.asked)
            if rank == 0 and (leave or time.monotonic() - saved_at > SAVE_EVERY_S):
                trainer.save()
                saved_at = time.monotonic()
            if leave:
                return False
    if rank == 0:
        trainer.save()
    return True


def _log(options: Options, trainer: GeneratorTrainer, portraits: int, resolution: int, loss: float) -> None:
    """Append one line of figures, and draw the held-out sheet."""
    held_out = Portraits.held_out(options.data, resolution)
    score, made = evaluate(trainer.average, held_out, 64)
    line = {
        "step": trainer.step, "samples": trainer.samples, "portraits": portraits, "resolution": resolution,
        "loss": round(loss, 4), "psnr_db": round(score, 2), "time": round(time.time()),
    }  # fmt: skip
    with (options.work / "log.txt").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    _write_sheet(options.work / "samples.png", held_out, made)


def _write_sheet(path: Path, held_out: Portraits, made: torch.Tensor) -> None:
    true = held_out.take(torch.arange(SHEET_PICTURES)).pictures
    cv2.imwrite(str(path), sample_sheet(true, made[:SHEET_PICTURES])[..., ::-1])


def _agreed(asked: bool) -> bool:
    """Stop together: a worker that left alone would leave the others waiting for its gradients."""
    if not dist.is_initialized():
        return asked
    flag = torch.tensor([float(asked)])
    dist.all_reduce(flag)
    return bool(flag.item() > 0.0)


def _architecture(resolution: int) -> Architecture:
    channels = {64: (160, 160, 96, 48), 128: (160, 160, 96, 48, 24), 256: (192, 192, 128, 64, 32, 16)}
    if resolution not in channels:
        raise EngineError(f"no architecture for {resolution} px; choose {', '.join(map(str, channels))}")
    return Architecture(channels=channels[resolution])


def _save(state: dict[str, object], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.rename(path)
