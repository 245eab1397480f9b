"""Faces for the audit: what was measured, drawn with a model pack, exactly as a target of the show would be.

The pack's own faces hold no correlation of their own (`engines/faces/sampler.py`), so what is seen is the audited
model's. As everywhere, skin is left alone: that axis is shown as a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.audit.measured import Measured
from engines.audit.variants import AS_IS, SLUGS
from engines.runtime import Pack
from engines.targets.captions import Attribute, attributes_of
from engines.targets.curation import TargetChoice, curate, weights_for
from engines.targets.sheet import as_u8
from engines.targets.words import Score, edit_from, moves_from
from installation.core.latents import Latent
from installation.display.pictures import save_png

FOLDER = "faces"
_DEVIATIONS = 2 * 1.96
"""Of a normal scatter, across the middle 95 %."""


def draw_faces(folder: Path, measured: Measured, pack: Pack, attributes: Sequence[Attribute]) -> dict[int, str]:
    """Draw every prompt, and every variant of the featured ones, as PNGs marked as synthetic.

    Returns:
        Row of `measured.texts` -> file name.

    Raises:
        DisplayError: If a picture cannot be written.
    """
    rows = [i for i, text in enumerate(measured.texts) if text.kind == AS_IS or measured.prompts[text.prompt].feature]
    latents = np.stack([latent_of(measured, row, pack, attributes) for row in rows])
    pictures = as_u8(pack.synthesize(latents))
    names = {row: _file_name(measured, row) for row in rows}
    for row, picture in zip(rows, pictures, strict=True):
        save_png(picture, folder / FOLDER / names[row])
    return names


def latent_of(measured: Measured, row: int, pack: Pack, attributes: Sequence[Attribute]) -> Latent:
    """The face of one text: (num_ws, w_dim). Words move along the pack's directions; pictures have an edit already."""
    if measured.route != "words":
        edit = measured.vectors[row].reshape(pack.w_avg.shape)
        return np.asarray(pack.w_avg + edit, np.float32)
    named = attributes_of(pack.directions, attributes)
    cells = measured.cells
    scores = [
        Score(a.name, float(cells.effects[row, k]), float(cells.high[row, k] - cells.low[row, k]) / _DEVIATIONS)
        for k, a in enumerate(measured.axes)
    ]
    moves = moves_from(scores, named)
    defaults = {name: named[name][0].by_default if name in named else 1.0 for name in pack.directions}
    weights = weights_for(TargetChoice(), defaults, pack.bands)
    num_ws, w_dim = pack.w_avg.shape
    edit = edit_from(moves, pack.directions, (num_ws, w_dim))
    return np.asarray(pack.w_avg + curate(edit, moves, weights, pack.directions, pack.bands), np.float32)


def _file_name(measured: Measured, row: int) -> str:
    text = measured.texts[row]
    return f"{measured.prompts[text.prompt].name}.{SLUGS[text.kind]}.png"
