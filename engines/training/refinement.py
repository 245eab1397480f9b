"""What a pack needs to refine a likeness (`engines.runtime.refinement`): the surrogate and what surrounds it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import INDEX, PARAMETERS
from engines.training import patches
from engines.training.encoder import Encoder, Surrogate
from engines.training.landmark_loss import GAPS, LIFTS, landmark_weights

TONE = ("skin_tone", "light_intensity", "skin_warmth", "blush", "light_warmth", "fill")
"""Parameters of the search over skin tone and light; the first two are tried on a grid."""


def refinement_arrays(encoder: Encoder, surrogate: Surrogate) -> dict[str, NDArray[Any]]:
    """Collect the arrays of `refinement.npz`, float32."""
    features = encoder.features
    live = [i for i, row in enumerate(PARAMETERS) if row.group in ("expression", "pose")]
    arrays: dict[str, Any] = {
        "features.mean": features.mean, "features.scale": features.scale,
        "features.low": features.low, "features.high": features.high, "features.hues": features.hues,
        "space.mean": encoder.space.mean, "space.basis": encoder.space.basis, "space.scale": encoder.space.scale,
        "space.weights": landmark_weights()[:, 0], "space.pairs": GAPS + LIFTS,
        "columns.geometry": surrogate.coarse, "columns.live": features.columns(live),
        "columns.tone": [features.columns([INDEX[name]])[0] for name in TONE],
        "patches.on_face": patches.SKIN_POINTS + patches.OTHER_POINTS,
        "patches.outward": [point for point, _ in patches.OUTWARD],
        "patches.parts": [part for _, part in patches.OUTWARD],
        "patches.fixed": patches.FIXED,
        "patches.anchors": (patches.FACE_TOP, patches.FACE_BOTTOM, patches.FACE_CENTRE),
        "patches.grid": patches.PATCH_GRID, "patches.skin": patches.NUM_SKIN,
        "patches.centre": patches.LAB_CENTRE, "patches.scale": patches.LAB_SCALE,
    }  # fmt: skip
    for name in ("landmarks", "colours"):
        network = getattr(surrogate, name)
        for i, layer in enumerate(network[::2]):
            arrays[f"{name}.{i}.weight"], arrays[f"{name}.{i}.bias"] = layer.weight.detach(), layer.bias.detach()
    return {name: np.asarray(value, np.float32) for name, value in arrays.items()}
