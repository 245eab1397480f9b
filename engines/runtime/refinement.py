"""What a pack's refinement graphs give the show: a likeness by what the camera saw (`engines.training.refinement`).

`refine` tells the features of a face from one picture: W+, crop, landmarks -> (F,). `settle` draws a W+ toward given
features, as far as they last, and solves expression and pose again for them. Features are portrait parameters,
standardised. Packs of other generators have neither graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.runtime.pack import Pack
from installation.core.latents import Latent

REFINE, SETTLE = "refine", "settle"


def can_refine(pack: Pack) -> bool:
    """Whether the pack brings what refinement needs."""
    return {f"{REFINE}.onnx", f"{SETTLE}.onnx"} <= pack.manifest.files.keys()


def lasting_features(pack: Pack) -> NDArray[np.float32]:
    """(F,) 1 where a feature stays the same for a visit (bones, appearance), 0 for expression and pose."""
    return np.asarray(pack.manifest.architecture["refinement"]["lasting"], np.float32)


def held_features(pack: Pack) -> NDArray[np.float32]:
    """(F,) how much of each lasting feature a visit's mean holds, 0..1; 0 for expression and pose."""
    return np.asarray(pack.manifest.architecture["refinement"]["held"], np.float32)


def refine(pack: Pack, crop: NDArray[np.float32], landmarks: NDArray[np.float32], w_plus: Latent) -> Latent:
    """Refine the face of a still picture; a pack that cannot returns it as it came.

    Args:
        pack: Used by this thread.
        crop: (3, s, s) float32 RGB in [-1, 1], as the encoder took it.
        landmarks: (478, 3) float32 crop units.
        w_plus: (num_ws, w_dim), the encoder's answer.

    Returns:
        (num_ws, w_dim) float32.
    """
    if not can_refine(pack):
        return w_plus
    held = lasting_features(pack)[None]
    features, refined = np.empty_like(held), np.empty((1, *w_plus.shape), np.float32)
    seen = {"w_plus": w_plus[None].copy(), "landmarks": np.array(landmarks[None], np.float32)}
    pack.engine(REFINE, 1).run({**seen, "crop": np.array(crop[None], np.float32)}, {"features": features})
    whole = {"features": features, "held": held, "amount": np.ones((1, 1), np.float32)}
    pack.engine(SETTLE, 1).run({**seen, **whole}, {"settled": refined})
    latent: Latent = refined[0]
    return latent
