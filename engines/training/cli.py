"""`mirror models train`: render, train, write a pack. Every stage resumes where it was stopped.

The work folder keeps portraits, checkpoints, sample sheets and the log; deleting it starts afresh. Ctrl-C saves and
leaves with what to type to go on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import cv2
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from engines.faces.renderer import OVERSAMPLING, PortraitRenderer
from engines.runtime.pack import DEFAULT_PACK
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
from installation.errors import EngineError, MirrorError
from installation.runtime.progress import Progress

STAGES = ("render", "generator", "encoder", "pack")
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


def main(argv: Sequence[str]) -> int:
    """Run `mirror models train` with these arguments; returns the exit code."""
    options, stages = _parse(argv)
    options.data.mkdir(parents=True, exist_ok=True)
    try:
        for stage in stages:
            if not _STAGE[stage](options):
                print(f"Stopped; the work so far is in {options.work}. The same command goes on.", file=sys.stderr)
                return 130
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


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


_STAGE = {"render": render, "generator": generator, "encoder": encoder, "pack": pack, "synthesis": synthesis}

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


def _parse(argv: Sequence[str]) -> tuple[Options, tuple[str, ...]]:
    parser = argparse.ArgumentParser(prog="mirror models train", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="portraits, checkpoints, sheets, log")
    parser.add_argument("--out", type=Path, default=DEFAULT_PACK, help="the pack folder to write")
    parser.add_argument("--stage", choices=(*STAGES, "all"), default="all", help="one stage, or all in order")
    parser.add_argument("--resolution", type=int, default=128, help="pixels: 64, 128 or 256")
    parser.add_argument("--portraits", type=int, default=20_000, help="how many to render; 250 more are held out")
    parser.add_argument("--steps", type=int, default=24_000, help="generator steps")
    parser.add_argument("--batch", type=int, default=16, help="pictures per step and worker")
    parser.add_argument("--quarter-until", type=float, default=0.15, help="part of the steps at a quarter resolution")
    parser.add_argument("--low-until", type=float, default=0.7, help="part of the steps before the full resolution")
    parser.add_argument("--encoder-scale", type=float, default=1.0, help="multiplies the encoder's steps")
    parser.add_argument(
        "--continue-synthesis", type=float, metavar="MINUTES",
        help="only train the synthesis on, for so long, with the mapping frozen: W+ keeps its meaning",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes that train the generator, one thread each")
    parser.add_argument(
        "--render-part", type=int, nargs=2, default=(0, 1), metavar=("K", "N"),
        help="render only every N-th shard, beginning with K: for several processes side by side",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-file", type=Path, help="wait as long as this file exists")
    given = parser.parse_args(argv)
    base = EncoderRecipe()
    options = Options(
        work=given.work,
        out=given.out,
        portraits=given.portraits,
        part=(given.render_part[0], given.render_part[1]),
        recipe=Recipe(
            steps=given.steps,
            batch=given.batch,
            quarter_until=given.quarter_until,
            low_until=given.low_until,
            seed=given.seed,
        ),
        encoder=EncoderRecipe(
            surrogate_steps=round(base.surrogate_steps * given.encoder_scale),
            geometry_steps=round(base.geometry_steps * given.encoder_scale),
            appearance_steps=round(base.appearance_steps * given.encoder_scale),
            seed=given.seed,
        ),
        continuation=Continuation(minutes=given.continue_synthesis or 0.0, batch=given.batch, seed=given.seed),
        workers=given.workers,
        resolution=given.resolution,
        seed=given.seed,
        pause_file=given.pause_file,
    )
    if given.continue_synthesis is not None:
        return options, ("synthesis",)
    return options, STAGES if given.stage == "all" else (given.stage,)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
