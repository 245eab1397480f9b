"""Run an audit: measure by one route, find, draw, and write everything into one folder.

The folder may be run again: embeddings, guided faces and pictures that are there are used, labels are taken in.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from engines.audit.by_words import measure_words
from engines.audit.document import JSON_NAME, Audit, Summary, read_summary, write_json, write_text
from engines.audit.faces import draw_faces
from engines.audit.findings import (
    FINDING,
    Moves,
    control,
    families,
    of_added_words,
    of_kinds,
    of_pairs,
    of_prompts,
    of_themes,
)
from engines.audit.labels import read_labelling
from engines.audit.measured import Measured
from engines.audit.questions import Questions, read_questions
from engines.audit.remembered import Remembered
from engines.audit.report import report_html
from engines.audit.sentences import observations
from engines.audit.tables import write_tables
from engines.audit.zero_shot import CATEGORIES, ZeroShot, read_categories, zero_shot
from engines.runtime import load_pack
from engines.targets.captions import CAPTIONS, NEUTRAL, Attribute, read_attributes, read_neutral
from engines.targets.hub import need
from installation.runtime.progress import Progress
from installation.runtime.tasks import Workers
from installation.runtime.workers import open_workers

REPORT_NAME = "report.html"
_VERSIONS = ("machine-reflections", "numpy", "torch", "sentence-transformers", "transformers", "diffusers", "openvino")


def run(options: argparse.Namespace) -> int:
    """Audit, write, and say what was found.

    Raises:
        MirrorError: If the questions, the model or the folder cannot be used.
    """
    questions = read_questions(options.prompts)
    attributes = read_attributes(options.captions or CAPTIONS)
    other = read_summary(options.compare) if options.compare else None
    labelling = read_labelling(options.out)
    started = time.monotonic()
    with open_workers(cluster=options.cluster, count=options.workers) as workers:
        measured, moves, questions = _measure(options, questions, attributes, workers)
    seconds = time.monotonic() - started
    summary = summarise(measured, questions)
    faces, pack_name = _faces(options, measured, attributes)
    audit = Audit(
        summary=summary,
        measured=measured,
        pairs=questions.pairs,
        moves=moves,
        control=control(measured, questions, families(measured, questions.primary)),
        versions=_versions(),
        faces=faces,
        pack=pack_name,
        zero_shot=_zero_shot(options),
        labelling=labelling,
        other=other,
        seconds=seconds,
    )
    write_json(options.out / JSON_NAME, audit)
    tables = write_tables(options.out, audit)
    write_text(options.out / REPORT_NAME, report_html(options.out, audit))
    _tell(options, audit, tables)
    return 0


def summarise(measured: Measured, questions: Questions) -> Summary:
    """Find what there is to be found."""
    primary = families(measured, questions.primary)
    return Summary(
        route=measured.route,
        models=measured.models,
        prompts=measured.prompts,
        axes=measured.axes,
        primary=questions.primary,
        blind=questions.blind,
        own=of_prompts(measured, primary),
        themes=of_themes(measured, questions, primary),
        kinds=of_kinds(measured, primary),
        pairs=of_pairs(measured, questions, primary),
        questions=questions.sha256,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _measure(
    options: argparse.Namespace, questions: Questions, attributes: tuple[Attribute, ...], workers: Workers
) -> tuple[Measured, Moves | None, Questions]:
    if options.via != "words":
        return _measure_faces(options, questions, attributes, workers)
    need("torch", "an audit by words")
    from engines.audit.tasks import embed_chunks, text_model

    neutral = read_neutral(options.neutral or NEUTRAL)
    model = text_model(options.text_model)
    notes = tuple(note for prompt in questions.prompts if (note := model.check(prompt.text)))
    with Progress(0, "texts") as progress:
        embed = Remembered(partial(embed_chunks, workers, options.text_model), options.out, model.sha256, progress)
        measured, yard = measure_words(embed, questions, attributes, neutral, models=(model.used,), notes=notes)
        return measured, of_added_words(embed, yard, questions), questions


def _measure_faces(
    options: argparse.Namespace, questions: Questions, attributes: tuple[Attribute, ...], workers: Workers
) -> tuple[Measured, None, Questions]:
    from engines.audit.by_pictures import measure_faces, ruler_for
    from engines.audit.face_makers import make_faces

    with load_pack(options.pack) as pack:
        ruler = ruler_for(pack, attributes)
        faces, asked, models, notes = make_faces(options, questions, pack, workers)
        settings = {"pack": pack.name, "steps": options.steps} if options.via == "clip" else {"pack": pack.name}
        measured = measure_faces(faces, asked, ruler, route=options.via, models=models, settings=settings, notes=notes)
    return measured, None, asked


def _zero_shot(options: argparse.Namespace) -> ZeroShot | None:
    """Ask the vision-language model, if there is one, about drawn people."""
    if options.clip_model is None:
        return None
    need("torch", "the zero-shot tables")
    from engines.audit.clip_eyes import likeness_of
    from engines.audit.sitters import balanced_sitters, draw_sitters, save_sitters
    from engines.targets.clip_model import ClipModel

    categories = read_categories(options.categories or CATEGORIES)
    clip = ClipModel(options.clip_model)
    sitters = balanced_sitters(options.people)
    pictures = draw_sitters(sitters)
    found = zero_shot(likeness_of(clip, pictures), sitters, categories, clip.used)
    save_sitters(options.out, pictures, sitters, {i for examples in found.examples.values() for i in examples})
    return found


def _faces(
    options: argparse.Namespace, measured: Measured, attributes: tuple[Attribute, ...]
) -> tuple[Mapping[int, str], str]:
    if options.no_faces:
        return {}, ""
    with load_pack(options.pack) as pack:
        return draw_faces(options.out, measured, pack, attributes), pack.name


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _tell(options: argparse.Namespace, audit: Audit, tables: list[str]) -> None:
    """The observations, and where everything lies."""
    for title, lines in observations(audit):
        print(f"\n{title}")
        for line in lines:
            print(f"  {line}")
    s = audit.summary
    found = sum(s.own.verdict(r, k) == FINDING for r in range(len(s.own.rows)) for k in range(len(s.axes)))
    texts = f"{len(audit.measured.texts)} texts on {len(s.axes)} axes in {audit.seconds:.0f} s"
    print(f"\n{texts}; {found} findings on single prompts")
    print(f"{options.out / REPORT_NAME}; {JSON_NAME}, {', '.join(tables)} beside it")
