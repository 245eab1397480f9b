"""The picture routes of `mirror targets make`: the artist's pictures, or a text-to-image model's, to one latent.

Every face is found, aligned, encoded, and refined where asked; the faces that the curator keeps are averaged, or
each becomes a target of its own. New faces are written into the curation file, so that the artist finds them there.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.runtime.targets import ModelUsed, space_id
from engines.targets.captions import Prompt
from engines.targets.curation import add_pictures, read_curation
from engines.targets.make import Draft
from engines.targets.pictures import Found, PictureFace, find_faces, picture_files
from engines.targets.studio import Route, Studio
from engines.targets.work import FOLDER, load_work, save_work
from installation.core.latents import Latent
from installation.errors import EngineError
from installation.runtime.progress import Progress

if TYPE_CHECKING:
    from engines.targets.generate import PicturePipeline

SPREAD_SAMPLES = 256


@dataclass(frozen=True, slots=True)
class PictureJob:
    """How pictures become latents.

    Attributes:
        apart: One target per face instead of their average.
        refine: Projector steps per face; 0 trusts the encoder.
        perceptual: Where a CLIP lies whose patch features serve as perceptual distance; None does without.
    """

    apart: bool = False
    refine: int = 0
    perceptual: str | None = None

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> PictureJob:
        return cls(options.apart, options.refine, options.perceptual)


def images_route(options: argparse.Namespace, studio: Studio, folders: Mapping[str, Path]) -> Route:
    """The artist's own pictures: one folder per prompt."""
    job = PictureJob.from_options(options)
    return lambda prompt: drafts_from_pictures(prompt, folders[prompt.name], studio, job)


def diffusers_route(options: argparse.Namespace, studio: Studio) -> Route:
    """Make pictures of each prompt, then go on as with the artist's own.

    Raises:
        MissingExtra: If diffusers is not installed.
        EngineError: If the pipeline cannot be loaded.
    """
    from engines.targets.generate import PicturePipeline

    return generated_route(options, studio, PicturePipeline.load(options.pipeline))


def generated_route(options: argparse.Namespace, studio: Studio, pipeline: PicturePipeline) -> Route:
    """The same with a pipeline at hand."""
    from engines.targets.generate import PictureOrder

    job = PictureJob.from_options(options)

    def route(prompt: Prompt) -> Iterator[tuple[Prompt, Draft]]:
        order = PictureOrder(prompt.text, options.count, options.diffusion_steps, min(options.seeds))
        folder = studio.folder / "pictures" / prompt.name
        with Progress(order.count, "pictures") as progress:
            pipeline.fill(folder, order, lambda name: progress.advance(note=name))
        yield from drafts_from_pictures(
            prompt, folder, studio, job, route="diffusers", models=(pipeline.used,), seeds=order.seeds
        )

    return route


def drafts_from_pictures(
    prompt: Prompt,
    folder: Path,
    studio: Studio,
    job: PictureJob,
    *,
    route: str = "images",
    models: Sequence[ModelUsed] = (),
    seeds: Sequence[int] = (),
) -> Iterator[tuple[Prompt, Draft]]:
    """Make drafts from a folder of pictures.

    Args:
        prompt: What the pictures show.
        folder: The pictures.
        studio: Pack and curator.
        job: Average or apart, refined or not.
        route, models, seeds: For the provenance.

    Yields:
        (prompt, draft): one, or one per kept face if `job.apart`.

    Raises:
        EngineError: If the pack has no encoder, the folder holds no picture, or no face is left.
    """
    spec = studio.pack.manifest.encoder
    if spec is None:
        raise EngineError(
            f"the pack {studio.pack.name!r} has no encoder, so pictures cannot become latents; "
            "use a pack with one, or --via clip"
        )
    files = picture_files(folder)
    with Progress(len(files), "faces") as progress:
        found = find_faces(
            files, spec.input_size, upright_crops=spec.upright, advance=lambda name: progress.advance(note=name)
        )
    for line in found.lines():
        print(line)
    if not found.faces:
        raise EngineError(f"no face in any of the {len(files)} pictures in {folder}")
    add_pictures(studio.curation_path, prompt.name, [face.name for face in found.faces])
    curation = read_curation(studio.curation_path)
    kept = [face for face in found.faces if curation.picture(prompt.name, face.name).keep]
    if not kept:
        raise EngineError(f"the curator keeps none of the {len(found.faces)} faces: {studio.curation_path}")
    latents, used = _invert(kept, prompt, studio, job)
    common = Draft(
        edit=np.zeros_like(studio.pack.w_avg),
        route=route,
        models=(*models, *used),
        seeds=tuple(seeds),
        steps=job.refine,
        settings=_settings(found, kept, job),
    )
    if not job.apart:
        edit = (latents.mean(axis=0) - studio.pack.w_avg).astype(np.float32)
        yield prompt, replace(common, edit=edit)
        return
    for i, (face, latent) in enumerate(zip(kept, latents, strict=True)):
        one = replace(prompt, name=f"{prompt.name[:44]}_{i + 1}", order=prompt.order)
        edit = (latent - studio.pack.w_avg).astype(np.float32)
        label = curation.picture(prompt.name, face.name).label
        yield one, replace(common, edit=edit, settings={**common.settings, "faces": [face.name]}, label=label)


def _invert(
    faces: Sequence[PictureFace], prompt: Prompt, studio: Studio, job: PictureJob
) -> tuple[Latent, tuple[ModelUsed, ...]]:
    pack = studio.pack
    spec = pack.manifest.encoder
    assert spec is not None
    crops = np.stack([face.crop for face in faces])
    landmarks = np.stack([face.landmarks for face in faces]) if spec.landmarks else None
    latents = pack.encode(crops, landmarks)
    encoder = ModelUsed(f"{pack.name} encoder", "encoder", pack.manifest.files.get("encoder.onnx", ""))
    if job.refine == 0:
        return latents, (encoder,)
    from engines.targets.clip import latent_spread
    from engines.targets.clip_model import ClipModel
    from engines.targets.descent import Point
    from engines.targets.projector import project
    from engines.targets.torch_draw import torch_generator

    judge = ClipModel(job.perceptual) if job.perceptual else None
    draw = torch_generator(pack)
    spread = latent_spread(studio.sample(SPREAD_SAMPLES, psi=1.0), pack.w_avg)
    refined = np.empty_like(latents)
    with Progress(len(faces) * job.refine, "refining") as progress:
        for i, (face, latent) in enumerate(zip(faces, latents, strict=True)):
            path = studio.folder / FOLDER / f"{prompt.name}.{_key(face)}.npz"
            record = {
                "steps": job.refine,
                "space": space_id(pack.w_avg),
                "perceptual": judge.sha256 if judge else "",
            }
            stored = load_work(path, record)
            if stored is not None:
                refined[i] = stored["w_plus"]
                progress.advance(job.refine, face.name)
                continue

            def every_step(point: Point, name: str = face.name) -> None:
                progress.advance(note=f"{name} {point.loss:.4f}")

            refined[i] = project(
                face.crop,
                latent,
                draw,
                spread,
                steps=job.refine,
                perceptual=judge.patches if judge else None,
                every_step=every_step,
            )
            save_work(path, record, {"w_plus": refined[i]})
    return refined, (encoder, *((judge.used,) if judge else ()))


def _settings(found: Found, kept: Sequence[PictureFace], job: PictureJob) -> dict[str, Any]:
    return {
        "faces": [face.name for face in kept],
        "left_out": [face.name for face in found.faces if face not in kept],
        "without_face": list(found.faceless),
        "unreadable": sorted(found.unreadable),
        "averaged": not job.apart,
    }


def _key(face: PictureFace) -> str:
    """Name a face's pixels, so that refined work is found again after pictures were renamed or added."""
    return hashlib.sha256(face.crop.tobytes()).hexdigest()[:16]
