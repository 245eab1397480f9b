"""The midway blend: where a visitor and what they become are equally recognisable.

A morph goes from the visitor, amount 0, to the whole morph, amount 1. How far a blend has come is told by the balance
of its distances to both ends,

    share = d(blend, visitor) / (d(blend, visitor) + d(blend, end)),

once in W+ (Euclidean over all rows), which a straight path crosses evenly, and once in landmarks as they are seen in
the drawn pictures, which do not follow evenly: a mouth opens late, a jaw grows at once. The midway is the amount at
which the mean of both shares is one half. It is geometry alone, a proposal; the artist's eye may choose otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.measures import IRIS_LEFT, IRIS_RIGHT

BALANCE = 0.5


@dataclass(frozen=True, slots=True)
class Midway:
    """Where the balance lies, and how it was found.

    Attributes:
        amount: 0..1, where the mean share is one half.
        latent_share: Share in W+ at that amount.
        landmark_share: Share in landmarks at that amount; that of W+ where faces were not seen.
        amounts: (n,) where it was looked.
        latent_shares: (n,) shares in W+ there.
        landmark_shares: (n,) shares in landmarks there; NaN where no face was seen.
        seen: Whether landmarks had a say.
    """

    amount: float
    latent_share: float
    landmark_share: float
    amounts: NDArray[np.float64]
    latent_shares: NDArray[np.float64]
    landmark_shares: NDArray[np.float64]
    seen: bool


def find_midway(
    amounts: Sequence[float],
    latents: NDArray[np.floating[Any]],
    landmarks: Sequence[NDArray[np.floating[Any]] | None],
) -> Midway:
    """Find the midway of one morph.

    Args:
        amounts: n rising amounts, the first 0 and the last 1.
        latents: (n, num_ws, w_dim) W+ at those amounts.
        landmarks: For each, (478, 2 or 3) in the drawn picture, any unit; None where no face was seen.

    Raises:
        ValueError: If the amounts do not rise from 0 to 1, or the lengths differ.
    """
    at = np.asarray(amounts, np.float64)
    if at.ndim != 1 or len(at) < 2 or at[0] != 0.0 or at[-1] != 1.0 or (np.diff(at) <= 0.0).any():
        raise ValueError(f"amounts must rise from 0 to 1; got {list(amounts)}")
    if len(latents) != len(at) or len(landmarks) != len(at):
        raise ValueError(f"{len(at)} amounts, {len(latents)} latents, {len(landmarks)} faces: one of each is needed")
    flat = np.asarray(latents, np.float64).reshape(len(at), -1)
    in_w = shares(np.linalg.norm(flat - flat[0], axis=1), np.linalg.norm(flat - flat[-1], axis=1))
    in_face = np.full(len(at), np.nan)
    first, last = landmarks[0], landmarks[-1]
    if first is not None and last is not None:
        for index, points in enumerate(landmarks):
            if points is not None:
                away, left = landmark_distance(points, first), landmark_distance(points, last)
                in_face[index] = shares(np.array([away]), np.array([left]))[0]
    known = ~np.isnan(in_face)
    seen = bool(known.any())
    face = np.interp(at, at[known], in_face[known]) if seen else in_w
    amount = _crossing(at, (in_w + face) / 2.0)
    return Midway(
        amount,
        float(np.interp(amount, at, in_w)),
        float(np.interp(amount, at, face)),
        at,
        in_w,
        in_face,
        seen,
    )


def shares(away: NDArray[np.float64], left: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far of the way: distances from the start and to the end as `away / (away + left)`, 1/2 where both are 0."""
    whole = away + left
    return np.divide(away, whole, out=np.full_like(whole, BALANCE), where=whole > 0.0)


def landmark_distance(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Root mean square distance of two faces' landmarks in the picture plane, in inter-ocular distances.

    Place and size are taken out, pose is not: a head that turns away is recognised less.
    """
    a, b = _normalised(one), _normalised(other)
    return float(np.sqrt(np.mean(np.sum((a - b) ** 2, axis=1))))


def _normalised(landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    points = np.asarray(landmarks, np.float64)[:, :2]
    between = float(np.hypot(*(points[IRIS_RIGHT] - points[IRIS_LEFT])))
    return np.asarray((points - points.mean(axis=0)) / max(between, 1e-9))


def _crossing(amounts: NDArray[np.float64], balance: NDArray[np.float64]) -> float:
    """First amount at which the balance reaches one half, straight between neighbours."""
    index = int(np.argmax(balance >= BALANCE))
    if index == 0:  # both ends are the same: any amount is midway
        return BALANCE
    low, high = balance[index - 1], balance[index]
    part = (BALANCE - low) / (high - low)
    return float(amounts[index - 1] + part * (amounts[index] - amounts[index - 1]))
