"""The CLIP route of `mirror targets make`: several seeds, the best kept, resumable, with a live preview."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engines.runtime.targets import space_id
from engines.targets.captions import Prompt
from engines.targets.clip import ClipSettings, Draw, Guide, latent_spread
from engines.targets.clip_model import ClipModel
from engines.targets.descent import Point
from engines.targets.make import Draft
from engines.targets.sheet import Block, draw_sheet, save_picture
from engines.targets.studio import Route, Studio
from engines.targets.torch_draw import torch_generator
from engines.targets.work import FOLDER, load_work, save_work
from installation.core.latents import Latent
from installation.runtime.progress import Progress

SPREAD_SAMPLES = 256
GLOBAL_SAMPLES = 16
START_PSI = 0.7
STORE_EVERY = 10
"""Steps between two stores of the unfinished work and two drawings of the preview."""


def clip_route(options: argparse.Namespace, studio: Studio) -> Route:
    """Prepare the route: load CLIP and the differentiable generator once.

    Raises:
        MissingExtra: If transformers or torch is not installed.
        EngineError: If CLIP or the generator's weights cannot be had.
    """
    clip = ClipModel(options.clip_model)
    draw = torch_generator(studio.pack)
    settings = ClipSettings(
        options.steps, options.rate, options.cutouts, options.latent_weight, options.identity_weight
    )
    samples = studio.sample(SPREAD_SAMPLES, psi=1.0)
    spread = latent_spread(samples, studio.pack.w_avg)
    if options.global_:
        return lambda prompt: [
            _global(Guide(clip, draw, spread, prompt.text, settings), prompt, studio, options.source)
        ]
    run = _Run(studio, clip, draw, spread, settings, options.start, options.seeds, options.preview)
    return run.make


class _Run:
    """Optimises one prompt after the other."""

    def __init__(
        self,
        studio: Studio,
        clip: ClipModel,
        draw: Draw,
        spread: Latent,
        settings: ClipSettings,
        start: str,
        seeds: Sequence[int],
        preview: Path | None,
    ) -> None:
        self.studio = studio
        self.clip = clip
        self.draw = draw
        self.spread = spread
        self.settings = settings
        self.start = start
        self.seeds = tuple(seeds)
        self.preview = preview

    def make(self, prompt: Prompt) -> Iterator[tuple[Prompt, Draft]]:
        guide = Guide(self.clip, self.draw, self.spread, prompt.text, self.settings)
        path = self.studio.folder / FOLDER / f"{prompt.name}.clip.npz"
        record = self._record(prompt)
        done, resume = self._stored(path, record)
        total = len(self.seeds) * self.settings.steps
        with Progress(total, prompt.name) as progress:
            progress.advance(len(done) * self.settings.steps + (resume.step if resume else 0))
            for seed in self.seeds[len(done) :]:
                start = self._start(seed)

                def every_step(
                    point: Point, start: Latent = start, seed: int = seed, done: Sequence[Latent] = tuple(done)
                ) -> None:
                    progress.advance(note=f"seed {seed} loss {point.loss:.4f}")
                    if point.step % STORE_EVERY == 0:
                        save_work(path, record, _packed(done, point))
                        self._show(prompt, [*done, guide.latent(start, point)], f"step {point.step}")

                point = guide.optimise(start, seed, resume=resume, every_step=every_step)
                done.append(guide.latent(start, point))
                resume = None
                save_work(path, record, _packed(done, None))
        likeness = [guide.similarity(w_plus) for w_plus in done]
        best = int(np.argmax(likeness))
        self._show(prompt, done, "finished")
        before = guide.similarity(self._start(self.seeds[best]))
        yield (
            prompt,
            Draft(
                edit=(done[best] - self.studio.pack.w_avg).astype(np.float32),
                route="clip",
                models=(self.clip.used,),
                seeds=(self.seeds[best], *(s for i, s in enumerate(self.seeds) if i != best)),
                steps=self.settings.steps,
                settings={
                    "way": "optimise",
                    "start": self.start,
                    "similarity_before": round(before, 6),
                    "similarity": round(likeness[best], 6),
                    **asdict(self.settings),
                },
            ),
        )

    def _record(self, prompt: Prompt) -> dict[str, Any]:
        """What unfinished work must agree on to be gone on with."""
        return {
            "prompt": prompt.text,
            "clip": self.clip.sha256,
            "space": space_id(self.studio.pack.w_avg),
            "start": self.start,
            "seeds": list(self.seeds),
            **asdict(self.settings),
        }

    def _start(self, seed: int) -> Latent:
        if self.start == "average":
            return self.studio.pack.w_avg
        return np.asarray(self.studio.sample(1, psi=START_PSI, seed=seed)[0], np.float32)

    def _stored(self, path: Path, record: dict[str, Any]) -> tuple[list[Latent], Point | None]:
        arrays = load_work(path, record)
        if arrays is None:
            return [], None
        done = [np.asarray(w_plus, np.float32) for w_plus in arrays["done"]]
        if "latent" not in arrays:
            return done, None
        point = Point(arrays["latent"], arrays["mean"], arrays["square"], int(arrays["step"]), float(arrays["loss"]))
        return done, point

    def _show(self, prompt: Prompt, latents: Sequence[Latent], state: str) -> None:
        if self.preview is None:
            return
        pictures = self.studio.pack.synthesize(np.stack([self.studio.pack.w_avg, *latents]).astype(np.float32))
        captions = ["w_avg", *(f"seed {seed}" for seed in self.seeds[: len(latents)])]
        title = f"{prompt.text}: {state}"
        save_picture(draw_sheet([Block(title, pictures, captions, len(captions))], self.studio.tile), self.preview)


def _packed(done: Sequence[Latent], point: Point | None) -> dict[str, np.ndarray[Any, Any]]:
    arrays: dict[str, np.ndarray[Any, Any]] = {"done": np.asarray(done, np.float32)}
    if point is not None:
        arrays |= {"latent": point.latent, "mean": point.mean, "square": point.square}
        arrays |= {"step": np.array(point.step), "loss": np.array(point.loss)}
    return arrays


def _global(guide: Guide, prompt: Prompt, studio: Studio, source: str) -> tuple[Prompt, Draft]:
    samples = studio.sample(GLOBAL_SAMPLES, psi=START_PSI)
    with Progress(GLOBAL_SAMPLES, prompt.name) as progress:
        edit, reach = guide.global_edit(source, samples, progress.advance)
    w_avg = studio.pack.w_avg
    return prompt, Draft(
        edit=edit,
        route="clip",
        models=(guide.clip.used,),
        seeds=(0,),
        settings={
            "way": "global",
            "source": source,
            "reach": reach,
            "faces": GLOBAL_SAMPLES,
            "similarity_before": round(guide.similarity(w_avg), 6),
            "similarity": round(guide.similarity(w_avg + edit), 6),
            **asdict(guide.settings),
        },
    )
