"""What a camera would see of a portrait, without drawing it: NumPy networks that a pack brings in `refinement.npz`.

Portrait *features* are the parameters standardised; a hue is a sine and a cosine. A surrogate tells, from features, the
principal components of the landmarks that MediaPipe would find and the colours that a picture would have at places
which the landmarks name. Networks this small run in NumPy in tens of microseconds, on any thread, with their Jacobian.

Source of the Lab formulas: CIE 15:2004, section 8.2.1, with the sRGB primaries of IEC 61966-2-1 and D65.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[np.float32]]

SLOPE = 0.2
"""Of the leaky ReLU."""

_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    np.float32,
)
_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)


class Standardisation:
    """Parameters (P,) in their own units <-> features (F,): plain ones, then sines, then cosines of the hues."""

    def __init__(self, arrays: Arrays) -> None:
        self._mean, self._scale = arrays["features.mean"], arrays["features.scale"]
        self._low, self._high = arrays["features.low"], arrays["features.high"]
        self._hues = arrays["features.hues"].astype(np.intp)
        self._plain = np.setdiff1d(np.arange(self._mean.size), self._hues)
        self.parameter_count = self._mean.size
        self.count = self._plain.size + 2 * self._hues.size
        """How many features there are."""

    def features(self, parameters: Array) -> Array:
        """(P,) -> (F,)."""
        plain = ((parameters - self._mean) / self._scale)[self._plain]
        turn = parameters[self._hues] * np.float32(2.0 * np.pi)
        root = np.float32(np.sqrt(2.0))
        return np.concatenate([plain, root * np.sin(turn), root * np.cos(turn)])

    def parameters(self, features: Array) -> Array:
        """(F,) -> (P,), each inside its range."""
        out = np.empty_like(self._mean)
        n, k = self._plain.size, self._hues.size
        out[self._plain] = features[:n] * self._scale[self._plain] + self._mean[self._plain]
        turn = np.arctan2(features[n : n + k], features[n + k :]) / (2.0 * np.pi)
        out[self._hues] = np.mod(turn, 1.0)
        return np.asarray(np.clip(out, self._low, self._high), np.float32)


class Perceptron:
    """Two hidden layers with leaky ReLU."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self._layers = [(arrays[f"{name}.{i}.weight"], arrays[f"{name}.{i}.bias"]) for i in range(3)]

    def __call__(self, x: Array) -> Array:
        """(..., inputs) -> (..., outputs)."""
        *hidden, (last, bias) = self._layers
        for weight, offset in hidden:
            x = x @ weight.T + offset
            x = np.maximum(x, SLOPE * x)
        return x @ last.T + bias

    def with_jacobian(self, x: Array) -> tuple[Array, Array]:
        """(inputs,) -> (outputs,), (outputs, inputs)."""
        jacobian: Array | None = None
        *hidden, (last, bias) = self._layers
        for weight, offset in hidden:
            x = weight @ x + offset
            inner = weight if jacobian is None else weight @ jacobian
            jacobian = np.where(x > 0.0, np.float32(1.0), np.float32(SLOPE))[:, None] * inner
            x = np.maximum(x, SLOPE * x)
        assert jacobian is not None
        return last @ x + bias, last @ jacobian


class LandmarkSpace:
    """Landmarks in crop units -> standardised principal components, and how far apart two of them look."""

    LIMIT = 4.0
    """Standard deviations beyond which a component of a strange face counts no further."""

    DEPTH_WEIGHT = 0.1
    PAIR_WEIGHT = 0.3
    """Of the offsets between lips, lids, mouth corners and brows, against the places of all landmarks."""

    def __init__(self, arrays: Arrays) -> None:
        self._mean, basis, scale = arrays["space.mean"], arrays["space.basis"], arrays["space.scale"]
        self._project = (basis / scale[:, None]).astype(np.float32)
        places = (basis * scale[:, None]).astype(np.float64).reshape(scale.size, -1, 3)
        weights = np.outer(arrays["space.weights"], (1.0, 1.0, self.DEPTH_WEIGHT)) / places.shape[1]
        first, second = arrays["space.pairs"].astype(np.intp).T
        offsets = (places[:, first, :2] - places[:, second, :2]).reshape(scale.size, -1)
        metric = np.einsum("ipc,pc,jpc->ij", places, weights, places, optimize=True)
        metric += self.PAIR_WEIGHT / first.size * offsets @ offsets.T
        self.root = np.linalg.cholesky(metric + 1e-12 * np.eye(scale.size)).T.astype(np.float32)
        """(K, K): the length of `root @ (a - b)` is the weighted root mean square distance of the landmarks."""

    def components(self, landmarks: Array) -> Array:
        """(478, 3) -> (K,); depth counts from its mean."""
        centred = landmarks - np.array([0.0, 0.0, landmarks[:, 2].mean()], np.float32)
        return np.clip(self._project @ (centred.ravel() - self._mean), -self.LIMIT, self.LIMIT)


@dataclass(frozen=True, slots=True)
class ColourPatches:
    """Where colours are read: on landmarks, outward from landmarks, and at fixed places; skin comes first.

    Attributes:
        on_face: Landmark indices.
        outward: Landmark indices from which a place lies away from the face's centre.
        parts: (len(outward),) how far, in heights of the face.
        fixed: (k, 2) crop units.
        anchors: Landmark indices of the face's top, bottom and centre.
        grid: The crop is averaged to so many pixels a side first.
        centre, scale: (3,) of Lab.
        skin: How many of `on_face` are skin.
    """

    on_face: NDArray[np.intp]
    outward: NDArray[np.intp]
    parts: Array
    fixed: Array
    anchors: NDArray[np.intp]
    grid: int
    centre: Array
    scale: Array
    skin: int

    @classmethod
    def of(cls, arrays: Arrays) -> ColourPatches:
        """Read the description out of a pack's arrays."""
        return cls(
            on_face=arrays["patches.on_face"].astype(np.intp),
            outward=arrays["patches.outward"].astype(np.intp),
            parts=arrays["patches.parts"],
            fixed=arrays["patches.fixed"],
            anchors=arrays["patches.anchors"].astype(np.intp),
            grid=int(arrays["patches.grid"].item()),
            centre=arrays["patches.centre"],
            scale=arrays["patches.scale"],
            skin=int(arrays["patches.skin"].item()),
        )

    def read(self, crop: Array, landmarks: Array) -> Array:
        """(3, s, s) RGB in [-1, 1], (478, 3) crop units -> (patches, 3) standardised Lab."""
        side = crop.shape[-1] // self.grid
        small = crop.reshape(3, self.grid, side, self.grid, side).mean(axis=(2, 4), dtype=np.float32)
        at = np.clip(self._places(landmarks[:, :2]) * self.grid - 0.5, 0.0, self.grid - 1.0)
        low = np.minimum(at.astype(np.intp), self.grid - 2)
        u, v = (at - low).astype(np.float32).T
        x, y = low.T
        above = small[:, y, x] * (1.0 - u) + small[:, y, x + 1] * u
        below = small[:, y + 1, x] * (1.0 - u) + small[:, y + 1, x + 1] * u
        rgb = (above * (1.0 - v) + below * v).T * 0.5 + 0.5
        return np.asarray((_lab(rgb) - self.centre) / self.scale, np.float32)

    def _places(self, points: Array) -> Array:
        top, bottom, centre = points[self.anchors]
        start = points[self.outward]
        away = start - centre
        away = away / (np.linalg.norm(away, axis=1, keepdims=True) + 1e-6)
        reach = np.linalg.norm(top - bottom) * self.parts[:, None]
        return np.concatenate([points[self.on_face], start + away * reach, self.fixed])


def _lab(rgb: Array) -> Array:
    """(n, 3) sRGB in 0..1 -> (n, 3) L 0..100, a, b."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ_FROM_RGB.T / _WHITE
    bent = np.where(xyz > 216 / 24389, np.maximum(xyz, 1e-4) ** (1.0 / 3.0), xyz * (841.0 / 108.0) + 4.0 / 29.0)
    x, y, z = bent.T
    return np.asarray(np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=1), np.float32)
