"""The portraits of one photograph: a worker's task, from the file to a finished folder with every number.

A portrait is a folder. It is made beside its place and moved there when it is whole, so that a folder that is there is
finished; `portrait.json`, in it, says what was asked and lists each file with its hash.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engines.runtime.targets import space_id
from installation.core.latents import Latent
from installation.core.measures import measure_face
from installation.display.pictures import DIGITAL_SOURCE_TYPE, SYNTHETIC_NOTE
from installation.errors import DisplayError
from installation.studio.order import FORMAT, Order, target_record
from installation.studio.painter import Painter
from installation.studio.photograph import Photograph, read_photograph
from installation.studio.sitter import Sitter, sitters_in
from installation.studio.workplace import Workplace, workplace

RECORD = "portrait.json"


def make_portraits(order: Order, photo: str, folder: str, fingerprint: str) -> dict[str, Any]:
    """Make the portraits of one photograph; a worker's task.

    Args:
        order: What to make.
        photo: The photograph.
        folder: Of the one portrait; with `order.every`, of the first, and the others beside it (`.face-2` ...).
        fingerprint: Of the order on its pack.

    Returns:
        {"faces": in the photograph, "portraits": names of the folders, "files": how many were written}.

    Raises:
        MirrorError: If the photograph cannot be read or shows no face, or something cannot be written.
    """
    place = workplace(order)
    photograph = read_photograph(Path(photo))
    sitters = sitters_in(
        place.pack, place.finder, photograph.pixels, policy=order.policy, every=order.every, refine=place.refine
    )
    names, count = [], 0
    for sitter in reversed(sitters):  # the first one's folder, made last, says that all are there
        final = Path(folder if sitter.place == 1 else f"{folder}.face-{sitter.place}")
        record = in_one_step(final, partial(_paint, place, photograph, sitter, fingerprint))
        names.append(final.name)
        count += len(record["files"]) + 1
    return {"faces": sitters[0].faces, "portraits": names[::-1], "files": count}


def in_one_step(final: Path, make: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Fill a folder beside `final`, then put it there in place of whatever was.

    Raises:
        DisplayError: If the disk refuses; nothing is left beside.
    """
    part = final.with_name(f".{final.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        record = make(part)
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        (part / RECORD).write_text(text + "\n", "utf-8")
        shutil.rmtree(final, ignore_errors=True)
        os.rename(part, final)
    except OSError as error:
        raise DisplayError(f"{final} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return record


def _paint(place: Workplace, photograph: Photograph, sitter: Sitter, fingerprint: str, folder: Path) -> dict[str, Any]:
    """Make the products of one sitter in `folder`; returns the record."""
    painter = Painter(place, sitter, folder)
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "series": painter.series,
        "midway": painter.midway,
        "films": painter.films,
        "mix": painter.mix,
        "features": painter.features,
        "origin": painter.origin,
    }
    painter.reflection()
    made = {name: make() for name, make in makers.items() if name in place.order.products}
    return {
        "format": FORMAT,
        "order": fingerprint,
        "note": SYNTHETIC_NOTE,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "photograph": {
            "name": photograph.name,
            "sha256": photograph.sha256,
            "kind": photograph.kind,
            "size_wh": photograph.size_wh,
            "seen_wh": (photograph.pixels.shape[1], photograph.pixels.shape[0]),
            "notes": photograph.notes,
        },
        "pack": {
            "name": place.pack.name,
            "space": space_id(place.pack.w_avg),
            "backend": place.pack.backend.name,
            "files": dict(place.pack.manifest.files),
        },
        "settings": {
            "mode": place.mode,
            "look": place.order.look,
            "side": place.order.side,
            "refined": place.refine is not None,
            "texture": place.order.texture,
        },
        "face": _face_record(place, sitter),
        "targets": {name: target_record(place.pack.targets[name]) for name in place.names},
        "products": made,
        "files": painter.files,
    }


def _face_record(place: Workplace, sitter: Sitter) -> dict[str, Any]:
    wh = (sitter.picture.shape[1], sitter.picture.shape[0])
    measures = asdict(measure_face(sitter.landmarks, wh, place.config.camera.view_angle_deg))
    away = sitter.w_plus - place.pack.w_avg
    return {
        "place": sitter.place,
        "faces": sitter.faces,
        "quad": sitter.quad.tolist(),
        "measures": {name: float(value) for name, value in measures.items()},
        "landmarks": sitter.landmarks.tolist(),
        "encoded": sitter.encoded.tolist(),
        "w_plus": sitter.w_plus.tolist(),
        "refinement_moved": float(np.linalg.norm(sitter.w_plus - sitter.encoded)),
        "distance_from_average": float(np.linalg.norm(away)),
    }


def latents_of(record: dict[str, Any]) -> Latent:
    """The W+ that a `portrait.json` holds: (num_ws, w_dim) float32, to the bit."""
    return np.asarray(record["face"]["w_plus"], np.float32)
