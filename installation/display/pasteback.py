"""The mirror view's face mask: where the generated face lies in the camera picture, and in which light.

The mask is the oval of MediaPipe's mesh, drawn as a fan and a feathered strip of triangles, so that
its edge costs nothing but vertices. The light is matched by a plane of gains per channel: the
logarithm of camera over generated picture along the mask's edge, fitted robustly. A plane follows a
lamp at one side and cannot be led astray by single hairs.

Positions: camera pixels, or uv = parts of the crop quad, x right, y down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Outline of the face in MediaPipe's mesh, clockwise from the top of the forehead (FACEMESH_FACE_OVAL)."""

POINTS = len(FACE_OVAL)
VERTICES = 1 + 2 * POINTS
VERTEX_FLOATS = 8  # position 2, uv 2, alpha 1, gain 3

JITTER = 0.004
"""Landmark noise of a still face, in quad sides: smaller moves are damped, larger ones followed at once."""

LIGHT_HALF_LIFE_S = 0.5
MAX_LOG_GAIN = 0.9
SMALLEST_SCALE = 0.05
"""Differences of light below this share are never outliers."""

_PRIOR = np.diag([0.02, 0.01, 0.01])  # a little pull to "no change"; a ring's own slope terms weigh about 0.03


def mask_indices() -> NDArray[np.int32]:
    """Return the (n, 3) triangles of the mask: vertex 0 is the centre, then the inner ring, then the outer one."""
    inner = np.arange(POINTS)
    following = (inner + 1) % POINTS
    fan = np.stack([np.zeros(POINTS), 1 + inner, 1 + following], axis=1)
    near = np.stack([1 + inner, 1 + POINTS + inner, 1 + following], axis=1)
    far = np.stack([1 + following, 1 + POINTS + inner, 1 + POINTS + following], axis=1)
    triangles: NDArray[np.int32] = np.concatenate([fan, near, far]).astype(np.int32)
    return triangles


class FaceMask:
    """Follows one face. Not thread-safe; owned by the renderer."""

    def __init__(self, *, grow: float, feather: float, strength: float) -> None:
        """Take the mask's reach and edge in face widths, and how much of the light is matched (0..1)."""
        self._grow = grow
        self._feather = feather
        self._strength = strength
        self._ring: NDArray[np.float64] | None = None  # the oval in uv
        self._light_target = np.zeros((3, 3))  # rows: constant, slope in u, slope in v; columns: R, G, B
        self._light: NDArray[np.float64] | None = None
        self.vertices: NDArray[np.float32] = np.zeros((VERTICES, VERTEX_FLOATS), np.float32)
        self.vertices[: 1 + POINTS, 4] = 1.0

    def forget(self) -> None:
        """Start afresh with the next face: nothing of the last visitor colours it."""
        self._ring = None
        self._light = None

    def update(
        self,
        camera_rgb: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        quad: NDArray[np.float32],
        picture_rgb: NDArray[np.uint8],
    ) -> None:
        """Take a new camera picture with its face.

        Args:
            camera_rgb: (h, w, 3) uint8 encoded RGB.
            landmarks: (478, 2 or 3) camera pixels.
            quad: (4, 2) camera pixels, top-left, bottom-left, bottom-right, top-right.
            picture_rgb: (r, r, 3) uint8 encoded RGB, what the generator made of this quad.
        """
        origin, side_x, side_y = (np.asarray(v, np.float64) for v in (quad[0], quad[3] - quad[0], quad[1] - quad[0]))
        to_pixels = np.stack([side_x, side_y])  # uv @ to_pixels + origin
        offset = landmarks[list(FACE_OVAL), :2] - origin
        area = side_x[0] * side_y[1] - side_x[1] * side_y[0]
        oval = offset @ np.array([[side_y[1], -side_x[1]], [-side_y[0], side_x[0]]]) / area
        if self._ring is None:
            self._ring = oval
        else:
            # Follow by the square of the distance over jitter: still faces hold still, moving ones do not lag.
            step = np.square(oval - self._ring).mean()
            self._ring += (oval - self._ring) * (step / (step + JITTER**2))
        ring = self._ring
        centre = ring.mean(axis=0)
        width = np.ptp(ring[:, 0])
        outward = ring - centre
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
        outer = ring + outward * (self._grow * width)
        inner = outer - outward * (self._feather * width)
        uv = np.concatenate([centre[None], inner, outer])
        height_px, width_px = camera_rgb.shape[:2]
        vertices = self.vertices
        vertices[:, 0:2] = (uv @ to_pixels + origin) / (width_px, height_px)
        vertices[:, 2:4] = uv
        samples = np.concatenate([inner, (inner + outer) / 2, outer])
        self._light_target = fit_light(
            sample(camera_rgb, samples @ to_pixels + origin),
            sample(picture_rgb, samples * picture_rgb.shape[0]),
            samples - 0.5,
        )

    def advance(self, dt_s: float) -> None:
        """Let the light follow by `dt_s` seconds and write the gains into `vertices`."""
        if self._light is None:
            self._light = self._light_target.copy()
        else:
            self._light += (self._light_target - self._light) * (1.0 - 2.0 ** (-max(dt_s, 0.0) / LIGHT_HALF_LIFE_S))
        uv = self.vertices[:, 2:4] - 0.5
        log_gain = (self._light[0] + uv @ self._light[1:]) * self._strength
        self.vertices[:, 5:8] = np.exp(np.clip(log_gain, -MAX_LOG_GAIN, MAX_LOG_GAIN))


def sample(rgb: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3) linear light at (n, 2) pixel positions, each the mean of a 3 x 3 cross; the edge is repeated."""
    height, width = rgb.shape[:2]
    reach = max(1.0, width / 400)
    offsets = np.array([[0, 0], [reach, 0], [-reach, 0], [0, reach], [0, -reach]])
    at = np.floor(points[None] + offsets[:, None]).astype(np.int64)
    x, y = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
    return np.asarray(_LINEAR[rgb[y, x]].mean(axis=0))


def fit_light(
    camera: NDArray[np.float64], picture: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit log gains as a plane, per channel, so that `picture * exp(gain)` meets `camera`.

    Args:
        camera: (n, 3) linear light around the mask.
        picture: (n, 3) linear light of the generated picture at the same places.
        at: (n, 2) where, centred on 0.

    Returns:
        (3, 3): constant, slope in x, slope in y; a column for each of R, G and B.
    """
    floor = 0.004  # under this, sensor noise decides the ratio
    ratio = np.log((camera + floor) / (picture + floor))
    basis = np.concatenate([np.ones((len(at), 1)), at], axis=1)
    fit = np.zeros((3, 3))
    fit[0] = np.median(ratio, axis=0)
    for _ in range(5):  # reweighted least squares from the median (Cauchy weights): hair and background lose their say
        residual = np.abs(ratio - basis @ fit).mean(axis=1, keepdims=True)
        scale = max(1.5 * float(np.median(residual)), SMALLEST_SCALE)
        weighted = basis / (1.0 + np.square(residual / scale))
        fit = _inverse(weighted.T @ basis + len(at) * _PRIOR) @ (weighted.T @ ratio)
    return fit


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert a regular symmetric (3, 3) matrix by cofactors.

    By hand, because LAPACK wakes its threads for it: 1.5 ms of processor time instead of 0.01, sixty times a second.
    """
    (a, b, c), (_, d, e), (_, _, f) = matrix.tolist()
    cofactors = np.array(
        [[d * f - e * e, c * e - b * f, b * e - c * d],
         [c * e - b * f, a * f - c * c, b * c - a * e],
         [b * e - c * d, b * c - a * e, a * d - b * b]]
    )  # fmt: skip
    return np.asarray(cofactors / (a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2]))


_CODES = np.arange(256) / 255.0
_LINEAR: NDArray[np.float64] = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4)
