"""Where the faces of the picture routes come from: folders of pictures, a pipeline, or CLIP's guidance.

Each gives edits in W+ for every text. What is slow is kept in the audit's folder, one file per face or picture, so that
a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from engines.audit.by_pictures import Faces, texts_of
from engines.audit.questions import Questions
from engines.audit.variants import AS_IS, SLUGS
from engines.runtime import Pack
from engines.runtime.targets import ModelUsed, space_id
from engines.targets.hub import need
from engines.targets.pictures import find_faces, picture_files
from engines.targets.studio import sample_faces
from engines.targets.work import FOLDER, load_work, save_work
from installation.core.latents import Latent
from installation.errors import ConfigError, EngineError
from installation.runtime.progress import Progress

START_PSI = 0.7
SPREAD_SAMPLES = 256
Made = tuple[Faces, Questions, tuple[ModelUsed, ...], tuple[str, ...]]
"""Faces, the prompts that have some (their places renumbered), the models, and what was left out."""


def make_faces(options: argparse.Namespace, questions: Questions, pack: Pack) -> Made:
    """Make or read the faces of every text by the route asked for.

    Raises:
        MirrorError: If a model, a folder or the disk cannot be used.
    """
    if options.via == "clip":
        return _guided(options, questions, pack)
    if options.via == "diffusers":
        return _generated(options, questions, pack)
    return _given(options, questions, pack)


def _given(options: argparse.Namespace, questions: Questions, pack: Pack) -> Made:
    """The artist's own pictures: a folder for each text, NAME or NAME.VARIANT."""
    root: Path | None = options.images
    if root is None or not root.is_dir():
        raise ConfigError(
            "--via images needs --images: a folder with a folder of pictures for each prompt, by its name"
        )
    names = {p.name for p in questions.prompts}
    there = [p.name for p in questions.prompts if _folder(root, p.name, AS_IS).is_dir()]
    if not there:
        raise ConfigError(f"{root} has no folder named like a prompt; expected for example {sorted(names)[0]}")
    asked = questions.only(there)
    folders = {
        (place, kind): folder
        for place, kind, _ in texts_of(asked, options.variants)
        if (folder := _folder(root, asked.prompts[place].name, kind)).is_dir()
    }
    return _encoded(folders, asked, pack, ())


def _generated(options: argparse.Namespace, questions: Questions, pack: Pack) -> Made:
    """Pictures of a text-to-image pipeline, kept in the audit's folder."""
    if options.pipeline is None:
        raise ConfigError("--via diffusers needs --pipeline: the folder or hub name of a text-to-image pipeline")
    from engines.targets.generate import PictureOrder, PicturePipeline

    pipeline = PicturePipeline.load(options.pipeline)
    texts = texts_of(questions, options.variants)
    folders = {}
    with Progress(len(texts) * options.count, "pictures") as progress:
        for place, kind, words in texts:
            folder = _folder(options.out / "pictures", questions.prompts[place].name, kind)
            order = PictureOrder(words, options.count, options.diffusion_steps)
            pipeline.fill(folder, order, lambda name: progress.advance(note=name))
            folders[place, kind] = folder
    return _encoded(folders, questions, pack, (pipeline.used,))


def _encoded(
    folders: dict[tuple[int, str], Path], questions: Questions, pack: Pack, models: tuple[ModelUsed, ...]
) -> Made:
    spec = pack.manifest.encoder
    if spec is None:
        raise EngineError(f"the pack {pack.name!r} has no encoder, so pictures cannot be placed; use a pack with one")
    faces: Faces = {}
    notes: list[str] = []
    with Progress(len(folders), "faces") as progress:
        for key, folder in folders.items():
            found = find_faces(picture_files(folder), spec.input_size)
            notes += [f"{folder.name}/{line}" for line in found.lines()]
            if found.faces:
                crops = np.stack([face.crop for face in found.faces])
                landmarks = np.stack([face.landmarks for face in found.faces]) if spec.landmarks else None
                faces[key] = (pack.encode(crops, landmarks) - pack.w_avg).astype(np.float32)
            progress.advance(note=folder.name)
    kept = [place for place in range(len(questions.prompts)) if (place, AS_IS) in faces]
    if not kept:
        raise EngineError("no face was found in any picture of a prompt as it is, so there is nothing to measure")
    number = {place: i for i, place in enumerate(kept)}
    encoder = ModelUsed(f"{pack.name} encoder", "encoder", pack.manifest.files.get("encoder.onnx", ""))
    return (
        {(number[place], kind): edits for (place, kind), edits in faces.items() if place in number},
        questions.only(questions.prompts[place].name for place in kept),
        (*models, encoder),
        tuple(notes),
    )


def _guided(options: argparse.Namespace, questions: Questions, pack: Pack) -> Made:
    """Faces that CLIP finds the words in, each from another random face."""
    if options.clip_model is None:
        raise ConfigError("--via clip needs --clip-model: a folder with a CLIP, or its name on the hub")
    need("torch", "--via clip")
    from engines.targets.clip import ClipSettings, Guide, latent_spread
    from engines.targets.clip_model import ClipModel
    from engines.targets.torch_draw import torch_generator

    clip, draw = ClipModel(options.clip_model), torch_generator(pack)
    spread = latent_spread(sample_faces(pack, SPREAD_SAMPLES, psi=1.0), pack.w_avg)
    settings = ClipSettings(steps=options.steps, cutouts=options.cutouts)
    starts = [
        np.asarray(sample_faces(pack, 1, psi=START_PSI, seed=seed)[0], np.float32) for seed in range(options.seeds)
    ]
    texts = texts_of(questions, options.variants)
    faces: Faces = {}
    with Progress(len(texts) * options.seeds, "guided") as progress:
        for place, kind, words in texts:
            guide = Guide(clip, draw, spread, words, settings)

            found = []
            for seed in range(options.seeds):
                record = {
                    "words": words,
                    "clip": clip.sha256,
                    "space": space_id(pack.w_avg),
                    "seed": seed,
                    "steps": options.steps,
                    "cutouts": options.cutouts,
                }
                latent = _stored(options.out, record)
                if latent is None:
                    point = guide.optimise(starts[seed], seed, every_step=lambda point: None)
                    latent = guide.latent(starts[seed], point)
                    save_work(_path(options.out, record), record, {"w_plus": latent})
                found.append(latent - starts[seed])
                progress.advance(note=f"{words[:30]} {seed}")
            faces[place, kind] = np.stack(found).astype(np.float32)
    return faces, questions, (clip.used,), ()


def _stored(folder: Path, record: dict[str, object]) -> Latent | None:
    """Read a guided face; None if there is none of these words, model and settings."""
    stored = load_work(_path(folder, record), record)
    return None if stored is None else np.asarray(stored["w_plus"], np.float32)


def _path(folder: Path, record: dict[str, object]) -> Path:
    name = hashlib.sha256(repr(sorted(record.items())).encode()).hexdigest()[:20]
    return folder / FOLDER / f"guided.{name}.npz"


def _folder(root: Path, name: str, kind: str) -> Path:
    return root / (name if kind == AS_IS else f"{name}.{SLUGS[kind]}")
