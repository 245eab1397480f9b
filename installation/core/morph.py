"""The morph: from the visitor's W+ to the W+ that is drawn.

In this order, each step leaving the latent untouched when its controls are at rest:

1. toward the targets. Weights that sum over 1 are divided by their sum, so `total` is at most 1; in
   row r the way is `p_r = amount * mix[band of r] * total`. `replace` goes that part of the way from the
   visitor to the weighted mean of the targets; `edit` adds that part of the mean of their edits (target
   minus `w_avg`) to the visitor, who so keeps what the targets do not speak of. At 0 and 1 the ends are exact.
2. along the directions (GANSpace, InterFaceGAN: `w + alpha * d`), and the breath along the same axes;
3. style mixing: rows `style/first` to `style/last` toward the donor (StyleGAN, section 3.1);
4. truncation (StyleGAN, appendix B): `w_avg + psi * (w - w_avg)`; so psi 0 is exactly `w_avg`.

Straight lines are what W was made for (StyleGAN, section 4.1: the mapping unwarps z). The spherical
path turns the deviation from `w_avg` row by row and moves its length evenly, so that half-way is as
far from the average face as the ends are; a straight line between opposite faces passes near the average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from installation.core.breath import Breath
from installation.core.control import ROOT, Value
from installation.core.controls import MORPH_MODES, NO_DONOR, PATHS
from installation.core.latents import BAND_NAMES, Bands, Latent

LADDER: tuple[tuple[str, ...], ...] = ((), *((band,) for band in BAND_NAMES), BAND_NAMES)
"""Bands that each rung of the style-mix ladder takes from the target: none, each alone, all (StyleGAN, figure 3)."""

BREATH_REACH = 0.5
"""Part of each direction's useful range that the breath walks at most, divided by the root of their number."""

_PARALLEL = 1e-4  # rad; below this, and near half a turn, the straight line is taken: the sphere names no way


class Morph:
    """The morph of one pack. Owned by one thread: it works in buffers made once.

    Args:
        w_avg: (num_ws, w_dim) or (w_dim,) float32.
        bands: Band name -> (first row, one past the last).
        targets: Name -> (num_ws, w_dim) float32, absolute (not relative to `w_avg`).
        directions: Name -> (num_ws, w_dim) or (w_dim,) float32; 1.0 times it is the end of the useful range.
        num_ws: Rows; needed only if `w_avg` is (w_dim,).
        seed: Of the breath.
    """

    def __init__(
        self,
        w_avg: Latent,
        bands: Bands,
        targets: Mapping[str, Latent],
        directions: Mapping[str, Latent],
        *,
        num_ws: int | None = None,
        seed: int = 0,
    ) -> None:
        rows = num_ws if num_ws is not None else (w_avg.shape[0] if w_avg.ndim == 2 else None)
        if rows is None:
            raise ValueError(f"w_avg has shape {w_avg.shape}; give num_ws, or w_avg as (num_ws, w_dim)")
        self.shape: tuple[int, int] = (rows, w_avg.shape[-1])
        self.target_names = tuple(targets)
        self.direction_names = tuple(directions)
        self._bands = dict(bands)
        self._w_avg = np.ascontiguousarray(np.broadcast_to(w_avg, self.shape), np.float32)
        self._targets = self._stack("target", targets)
        self._edits = self._targets - self._w_avg
        self._directions = self._stack("direction", directions)
        self._breath = Breath(len(directions), seed=seed)
        self._breath_unit = BREATH_REACH / max(len(directions), 1) ** 0.5
        self._weights = np.zeros(len(targets), np.float32)
        self._one_weight = np.zeros(len(targets), np.float32)
        self._alphas = np.zeros(len(directions), np.float32)
        self._walk = np.zeros(len(directions), np.float32)
        self._way = np.zeros((rows, 1), np.float32)
        self._mean = np.empty(self.shape, np.float32)
        self._work = np.empty(self.shape, np.float32)

    def apply(
        self, visitor: Latent, controls: Mapping[str, Value], *, now: float = 0.0, out: Latent | None = None
    ) -> Latent:
        """Morph one face.

        Args:
            visitor: (num_ws, w_dim) float32; left as it is.
            controls: A `Snapshot`, or a plain dict; addresses that are missing are at rest.
            now: Monotonic seconds, for the breath.
            out: (num_ws, w_dim) float32 to fill; may be `visitor` itself.

        Returns:
            `out`, or a new array.
        """
        out = self._prepared(visitor, self.shape, out)
        self._toward(out, self._weights, self._read_weights(controls), controls)
        self._finish(out, controls, now)
        return out

    def apply_each(
        self, visitor: Latent, controls: Mapping[str, Value], *, now: float = 0.0, out: Latent | None = None
    ) -> Latent:
        """Morph one face toward each target alone, for the series: (n, num_ws, w_dim) in the order of `target_names`.

        The weights of the targets do not count here; all else does.
        """
        count = len(self.target_names)
        out = self._prepared(visitor, (count, *self.shape), out)
        for index in range(count):
            self._one_weight[:] = 0.0
            self._one_weight[index] = 1.0
            self._toward(out[index], self._one_weight, 1.0, controls)
            self._finish(out[index], controls, now)
        return out

    def apply_ladder(
        self, visitor: Latent, controls: Mapping[str, Value], *, now: float = 0.0, out: Latent | None = None
    ) -> Latent:
        """Morph one face through the bands of each rung of `LADDER`: (5, num_ws, w_dim), the last as `apply` does."""
        out = self._prepared(visitor, (len(LADDER), *self.shape), out)
        total = self._read_weights(controls)
        for rung, bands in zip(out, LADDER, strict=True):
            self._toward(rung, self._weights, total, controls, bands)
            self._finish(rung, controls, now)
        return out

    def _read_weights(self, controls: Mapping[str, Value]) -> float:
        """Take the targets' weights; returns their sum, at most 1."""
        for index, name in enumerate(self.target_names):
            self._weights[index] = _number(controls, f"morph/{name}", 0.0)
        total = float(self._weights.sum())
        if total > 1.0:
            self._weights /= np.float32(total)
            total = 1.0
        return total

    def _stack(self, what: str, latents: Mapping[str, Latent]) -> Latent:
        stack = np.empty((len(latents), *self.shape), np.float32)
        for index, (name, latent) in enumerate(latents.items()):
            if latent.shape not in (self.shape, self.shape[1:]):
                raise ValueError(f"{what} {name!r} has shape {latent.shape}, the pack {self.shape}")
            stack[index] = latent
        return stack

    def _prepared(self, visitor: Latent, shape: Sequence[int], out: Latent | None) -> Latent:
        if visitor.shape != self.shape:
            raise ValueError(f"w_plus has shape {visitor.shape}, the pack {self.shape}")
        if out is None:
            out = np.empty(shape, np.float32)
        elif out.shape != tuple(shape):
            raise ValueError(f"out has shape {out.shape}, needed is {tuple(shape)}")
        out[...] = visitor
        return out

    def _toward(
        self,
        w_plus: Latent,
        weights: NDArray[np.float32],
        total: float,
        controls: Mapping[str, Value],
        bands: Sequence[str] = BAND_NAMES,
    ) -> None:
        amount = _number(controls, "amount", 1.0)
        if total <= 0.0 or amount <= 0.0:
            return
        self._way[:] = 0.0
        for band in bands:
            start, stop = self._bands[band]
            self._way[start:stop] = _number(controls, f"mix/{band}", 1.0)
        if _name(controls, "morph_mode", MORPH_MODES[0]) == "edit":
            self._way *= np.float32(amount)
            np.dot(weights, self._edits.reshape(len(weights), -1), out=self._mean.reshape(-1))
            self._mean *= self._way
            w_plus += self._mean
            return
        self._way *= np.float32(amount * total)
        np.dot(weights, self._targets.reshape(len(weights), -1), out=self._mean.reshape(-1))
        self._mean /= np.float32(total)
        if _name(controls, "morph_path", PATHS[0]) == "spherical":
            self._spherical(w_plus, self._mean, self._way)
        else:
            self._straight(w_plus, self._mean, self._way)

    def _straight(self, w_plus: Latent, end: Latent, way: NDArray[np.float32] | np.float32) -> None:
        """`w_plus * (1 - way) + end * way` in place: exact at 0 and at 1."""
        np.multiply(end, way, out=self._work)
        w_plus *= np.float32(1.0) - way
        w_plus += self._work

    def _spherical(self, w_plus: Latent, end: Latent, way: NDArray[np.float32]) -> None:
        for row in range(self.shape[0]):
            part = float(way[row, 0])
            if part in (0.0, 1.0):
                w_plus[row] = end[row] if part else w_plus[row]
                continue
            w_plus[row] = slerp(w_plus[row] - self._w_avg[row], end[row] - self._w_avg[row], part) + self._w_avg[row]

    def _finish(self, w_plus: Latent, controls: Mapping[str, Value], now: float) -> None:
        breath = _number(controls, "breath", 0.0) * self._breath_unit
        for index, name in enumerate(self.direction_names):
            self._alphas[index] = _number(controls, f"direction/{name}", 0.0)
        if breath > 0.0:
            self._breath.walk(now, self._walk)
            self._walk *= np.float32(breath)
            self._alphas += self._walk
        if self._alphas.any():
            np.dot(self._alphas, self._directions.reshape(len(self._alphas), -1), out=self._work.reshape(-1))
            w_plus += self._work
        donor = _name(controls, "style/donor", NO_DONOR)
        if donor != NO_DONOR:
            first = int(_number(controls, "style/first", 0))
            stop = int(_number(controls, "style/last", self.shape[0] - 1)) + 1
            if first < stop:
                part = np.float32(_number(controls, "style/amount", 1.0))
                end, work = self._targets[self.target_names.index(donor)], self._work[first:stop]
                np.multiply(end[first:stop], part, out=work)
                w_plus[first:stop] *= np.float32(1.0) - part
                w_plus[first:stop] += work
        psi = _number(controls, "psi", 1.0)
        if psi != 1.0:
            w_plus -= self._w_avg
            w_plus *= np.float32(psi)
            w_plus += self._w_avg


def slerp(start: NDArray[np.float32], end: NDArray[np.float32], way: float) -> NDArray[np.float32]:
    """Turn from `start` to `end`, both (n,), moving the length evenly; `way` 0..1.

    For z it is the usual choice (White, "Sampling Generative Networks", 2016). Where a vector is zero,
    or both point the same or opposite ways, the straight line is taken.
    """
    length_a, length_b = float(np.linalg.norm(start)), float(np.linalg.norm(end))
    if length_a > 0.0 and length_b > 0.0:
        cosine = float(np.dot(start, end)) / (length_a * length_b)
        angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
        if _PARALLEL < angle < np.pi - _PARALLEL:
            a = np.sin((1.0 - way) * angle) / np.sin(angle) / length_a
            b = np.sin(way * angle) / np.sin(angle) / length_b
            length = (1.0 - way) * length_a + way * length_b
            return (np.float32(length * a) * start + np.float32(length * b) * end).astype(np.float32)
    return (np.float32(1.0 - way) * start + np.float32(way) * end).astype(np.float32)


def blend_feedback(
    crop: NDArray[np.float32], shown: NDArray[np.float32], amount: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Lay the picture shown last over the next input of the encoder: `crop * (1 - amount) + shown * amount`.

    Args:
        crop: (..., 3, s, s) RGB in [-1, 1], the visitor.
        shown: The same shape and range; values outside are clamped, as a screen would.
        amount: 0 gives exactly `crop`. 1 is a closed loop that has forgotten the visitor.
        out: To fill; may be `crop`.
    """
    if out is None:
        out = np.empty_like(crop)
    if amount <= 0.0:
        out[...] = crop
        return out
    laid = np.clip(shown, -1.0, 1.0)
    laid *= np.float32(amount)
    np.multiply(crop, np.float32(1.0 - amount), out=out)
    out += laid
    return out


def _number(controls: Mapping[str, Value], path: str, rest: float) -> float:
    value = controls.get(f"{ROOT}/{path}", rest)
    return float(value)


def _name(controls: Mapping[str, Value], path: str, rest: str) -> str:
    return str(controls.get(f"{ROOT}/{path}", rest))
