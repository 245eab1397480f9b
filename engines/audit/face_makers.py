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
from engines.targets.work import FOLDER, load_work, save_work
from installation.core.latents import Latent
from installation.errors import ConfigError, EngineError
from installation.runtime.progress import Progress
from installation.runtime.tasks import Workers

Made = tuple[Faces, Questions, tuple[ModelUsed, ...], tuple[str, ...]]
"""Faces, the prompts that have some (their places renumbered), the models, and what was left out."""


def make_faces(options: argparse.Namespace, questions: Questions, pack: Pack, workers: Workers) -> Made:
    """Make or read the faces of every text by the route asked for.

    Raises:
        MirrorError: If a model, a folder or the disk cannot be used.
    """
    if options.via == "clip":
        return _guided(options, questions, pack, workers)
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
            found = find_faces(picture_files(folder), spec.input_size, upright_crops=spec.upright)
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


def _guided(options: argparse.Namespace, questions: Questions, pack: Pack, workers: Workers) -> Made:
    """Faces that CLIP finds the words in, each from another random face."""
    if options.clip_model is None:
        raise ConfigError("--via clip needs --clip-model: a folder with a CLIP, or its name on the hub")
    need("torch", "--via clip")
    from engines.audit.tasks import guided_faces
    from engines.targets.hub import model_folder, weights_sha256

    folder = model_folder(options.clip_model, "CLIP guidance")
    clip = ModelUsed(Path(options.clip_model).name, "CLIP", weights_sha256(folder))
    common = {"clip": clip.sha256, "space": space_id(pack.w_avg), "steps": options.steps, "cutouts": options.cutouts}
    wanted = [
        (place, kind, {**common, "words": words, "seed": seed})
        for place, kind, words in texts_of(questions, options.variants)
        for seed in range(options.seeds)
    ]
    found = [_stored(options.out, record) for _, _, record in wanted]
    missing = [i for i, edit in enumerate(found) if edit is None]
    orders = [
        (str(folder), pack.path, str(r["words"]), int(str(r["seed"])), options.steps, options.cutouts)
        for r in (wanted[i][2] for i in missing)
    ]
    with Progress(len(wanted), "guided faces") as progress:
        progress.advance(len(wanted) - len(missing))
        for place, edit in guided_faces(workers, orders):
            found[missing[place]] = edit
            record = wanted[missing[place]][2]
            save_work(_path(options.out, record), record, {"edit": edit})
            progress.advance(note=str(record["words"])[:40])
    faces: dict[tuple[int, str], list[Latent]] = {}
    for (place, kind, _), made in zip(wanted, found, strict=True):
        assert made is not None
        faces.setdefault((place, kind), []).append(made)
    return {key: np.stack(edits) for key, edits in faces.items()}, questions, (clip,), ()


def _stored(folder: Path, record: dict[str, object]) -> Latent | None:
    """Read a guided face; None if there is none of these words, model and settings."""
    stored = load_work(_path(folder, record), record)
    return None if stored is None else np.asarray(stored["edit"], np.float32)


def _path(folder: Path, record: dict[str, object]) -> Path:
    name = hashlib.sha256(repr(sorted(record.items())).encode()).hexdigest()[:20]
    return folder / FOLDER / f"guided.{name}.npz"


def _folder(root: Path, name: str, kind: str) -> Path:
    return root / (name if kind == AS_IS else f"{name}.{SLUGS[kind]}")
