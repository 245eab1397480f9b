"""Refine a likeness by what the camera saw: Gauss-Newton on landmarks, a search over skin tone and light.

The encoder answers at once, from what it learned of all faces. Refinement asks what this one portrait would look like
and moves its parameters until the landmarks and the colours agree. It knows three kinds of features: *bones* and
*appearance*, which stay the same for a visit, and *live* ones, expression and pose, which `follow` solves again for
each picture against bones that are held. So the bones can be averaged over a visit without the face lagging behind.

Source: Gauss-Newton with a prior about the first answer, Levenberg (1944); Marquardt (1963).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.runtime.pack import Pack
from engines.runtime.surrogate import Array, ColourPatches, LandmarkSpace, Perceptron, Standardisation
from installation.core.latents import Latent
from installation.errors import EngineError

FILE = "refinement.npz"

LANDMARK_NOISE = 0.006
"""How far MediaPipe and the surrogate may be off together, root mean square in crop units."""

PATCH_NOISE = 0.4
TONE_NOISE = 0.04
"""The same for one patch of skin and for the mean of all, in standardised Lab: shadows may lie elsewhere."""

BONES_PRIOR = 0.2
LIVE_PRIOR = 0.05
TONE_PRIOR = 1.0
"""Pull toward the first answer, in squared standard deviations of a feature against those of a landmark or colour."""

FREE_RANGE = 2.6
"""Standard deviations from the mean within which a solved feature stays."""

ARRIVAL_STEPS = 4
FOLLOW_STEPS = 2

TONES = np.linspace(-0.9, 0.9, 7, dtype=np.float32)
LIGHTS = np.linspace(-1.0, 1.0, 5, dtype=np.float32)
"""The search: skin tone and light so many standard deviations about the first answer."""


class Refiner:
    """Refines portraits of one pack. Plain NumPy without state: any thread may use it.

    Args:
        path: A pack's `refinement.npz`.

    Raises:
        EngineError: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                arrays: dict[str, Array] = {name: np.asarray(stored[name], np.float32) for name in stored.files}
            self._standard = Standardisation(arrays)
            self._space = LandmarkSpace(arrays)
            self._patches = ColourPatches.of(arrays)
            self._landmarks, self._colours = Perceptron(arrays, "landmarks"), Perceptron(arrays, "colours")
            self._geometry = arrays["columns.geometry"].astype(np.intp)
            self._tone = arrays["columns.tone"].astype(np.intp)
            live = arrays["columns.live"].astype(np.intp)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise EngineError(f"{path} cannot be read: {error}; write the pack again") from error
        self._live = np.isin(self._geometry, live)
        self.lasting: NDArray[np.bool_] = ~np.isin(np.arange(self._standard.count), live)
        """(F,) which features stay the same for a visit."""

    @property
    def parameter_count(self) -> int:
        """P."""
        return self._standard.parameter_count

    def features(self, parameters: Array) -> Array:
        """Standardise portrait parameters: (P,) -> (F,)."""
        return self._standard.features(parameters)

    def parameters(self, features: Array) -> Array:
        """Turn features back into parameters inside their ranges: (F,) -> (P,)."""
        return self._standard.parameters(features)

    def arrive(
        self, features: Array, landmarks: Array, crop: Array, cancelled: Callable[[], bool] = lambda: False
    ) -> Array:
        """Refine everything: (F,), (478, 3) crop units, (3, s, s) RGB in [-1, 1] -> (F,).

        `cancelled` is asked between the parts; what is done by then is returned.
        """
        out = features.copy()
        seen = self._space.components(landmarks)
        everything = np.ones_like(self._live)
        out[self._geometry] = self._solve(features[self._geometry], seen, everything, BONES_PRIOR, ARRIVAL_STEPS)
        if not cancelled():
            out = self._tint(out, self._patches.read(crop, landmarks))
        return out

    def follow(self, features: Array, landmarks: Array) -> Array:
        """Solve expression and pose alone, bones held: (F,), (478, 3) crop units -> (F,)."""
        out = features.copy()
        seen = self._space.components(landmarks)
        out[self._geometry] = self._solve(features[self._geometry], seen, self._live, LIVE_PRIOR, FOLLOW_STEPS)
        return out

    def landmark_residual(self, features: Array, landmarks: Array) -> float:
        """Weighted root mean square distance of seen landmarks and those the portrait would show, crop units."""
        made = self._landmarks(features[self._geometry])
        return float(np.linalg.norm(self._space.root @ (made - self._space.components(landmarks))))

    def skin_residual(self, features: Array, landmarks: Array, crop: Array) -> float:
        """How far the mean colour of the skin is off, standardised Lab."""
        off = self._off(self._colours(features), self._patches.read(crop, landmarks))
        return float(np.linalg.norm(off[-3:]) * TONE_NOISE)

    def _solve(self, first: Array, seen: Array, free: NDArray[np.bool_], prior: float, steps: int) -> Array:
        x = first.copy()
        # Nothing is pushed out of its range, nor pulled back that the encoder put there.
        low = np.minimum(first[free], -FREE_RANGE)
        high = np.maximum(first[free], FREE_RANGE)
        for _ in range(steps):
            made, jacobian = self._landmarks.with_jacobian(x)
            residual = self._space.root @ (made - seen) / LANDMARK_NOISE
            slope = self._space.root @ jacobian[:, free] / LANDMARK_NOISE
            x[free] = np.clip(_step(x[free], first[free], residual, slope, prior), low, high)
        return x

    def _tint(self, first: Array, seen: Array) -> Array:
        """Find skin tone and light whose colours are those seen."""
        tries: Array = np.repeat(first[None], TONES.size * LIGHTS.size, axis=0)
        tries[:, self._tone[0]] += np.repeat(TONES, LIGHTS.size)
        tries[:, self._tone[1]] += np.tile(LIGHTS, TONES.size)
        x: Array = tries[int(np.argmin(self._tint_cost(tries, first, seen)))]
        cost = float(self._tint_cost(x, first, seen))
        for _ in range(ARRIVAL_STEPS):
            made, jacobian = self._colours.with_jacobian(x)
            residual = self._off(made, seen)
            slope = self._off(jacobian[:, self._tone].T, np.zeros_like(seen)).T
            better = x.copy()
            tone = _step(x[self._tone], first[self._tone], residual, slope, TONE_PRIOR)
            better[self._tone] = np.clip(tone, -FREE_RANGE, FREE_RANGE)
            now = float(self._tint_cost(better, first, seen))
            if now >= cost:  # the surrogate bends more than a step may be long: what was found is good
                break
            x, cost = better, now
        return x

    def _tint_cost(self, x: Array, first: Array, seen: Array) -> Array:
        """(..., F) -> (...): squared errors of the colours and of the prior."""
        off, away = self._off(self._colours(x), seen), (x - first)[..., self._tone]
        return np.asarray((off**2).sum(axis=-1) + TONE_PRIOR * (away**2).sum(axis=-1), np.float32)

    def _off(self, made: Array, seen: Array) -> Array:
        """Weigh differences of skin colours, each and their mean: (..., patches * 3), (patches, 3) -> (..., r)."""
        skin = self._patches.skin
        off = made.reshape(*made.shape[:-1], -1, 3)[..., :skin, :] - seen[:skin]
        each = off.reshape(*off.shape[:-2], -1) / PATCH_NOISE
        return np.asarray(np.concatenate([each, off.mean(axis=-2) / TONE_NOISE], axis=-1), np.float32)


def refiner_of(pack: Pack) -> Refiner | None:
    """The pack's refiner; None where the pack brings none."""
    return Refiner(pack.path / FILE) if FILE in pack.manifest.files else None


def refine(pack: Pack, crop: Array, landmarks: Array, w_plus: Latent) -> Latent:
    """Refine one face of a still picture; a pack without `refinement.npz` returns it as it came.

    Args:
        pack: Used by this thread.
        crop: (3, s, s) float32 RGB in [-1, 1], as the encoder took it.
        landmarks: (478, 3) float32 crop units.
        w_plus: (num_ws, w_dim), the encoder's answer.

    Returns:
        (num_ws, w_dim) float32.
    """
    refiner = refiner_of(pack)
    if refiner is None:
        return w_plus
    features = refiner.features(pack.read_out(w_plus[None])[0])
    refined: Latent = pack.portray(refiner.parameters(refiner.arrive(features, landmarks, crop))[None])[0]
    return refined


def _step(x: Array, first: Array, residual: Array, slope: Array, prior: float) -> Array:
    """One step of Gauss-Newton with a prior about `first`."""
    normal = slope.T @ slope + prior * np.eye(x.size, dtype=np.float32)
    return np.asarray(x - np.linalg.solve(normal, slope.T @ residual + prior * (x - first)), np.float32)
