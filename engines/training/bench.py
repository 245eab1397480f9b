"""The pack, the shader and MediaPipe side by side: what `verify` measures with."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.faces.renderer import OVERSAMPLING, PortraitRenderer
from engines.faces.sampler import sample
from engines.runtime.pack import Pack
from engines.training.data import LandmarkFinder
from engines.training.patches import SKIN_POINTS
from installation.errors import EngineError

SEED = 424_242

DETECTOR_PX = 256
"""MediaPipe reads 192 px of a face: smaller pictures are enlarged for it, as a screen would."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured, what it should be, and whether it is; None where it could not be measured."""

    name: str
    value: float
    goal: str
    met: bool | None
    note: str = ""

    def __str__(self) -> str:
        verdict = {True: "met    ", False: "NOT met", None: "no data"}[self.met]
        return f"{verdict}  {self.value:9.3f}  {self.goal:>8}  {self.name}  {self.note}".rstrip()


def at_least(name: str, value: float | None, bound: float, note: str = "") -> Row:
    """A row whose value should not be smaller; without a value, `note` says why there is none."""
    if value is None:
        return Row(name, float("nan"), f">= {bound:g}", None, note)
    return Row(name, value, f">= {bound:g}", bool(value >= bound), note)


def at_most(name: str, value: float, bound: float, note: str = "") -> Row:
    """A row whose value should not be larger."""
    return Row(name, value, f"<= {bound:g}", bool(value <= bound), note)


class Bench:
    """Holds what measuring needs; used from one thread.

    Args:
        pack: A portrait pack.
        scale: Multiplies numbers of samples.
    """

    def __init__(self, pack: Pack, scale: float = 1.0) -> None:
        if pack.provenance.get("kind") != "portrait":
            raise EngineError(
                f"{pack.path} is no portrait pack: its figures need the data it was trained on; "
                "`mirror models verify` checks the golden vectors of other packs"
            )
        self.pack = pack
        self.scale = scale
        self.renderer = PortraitRenderer(pack.resolution, oversampling=OVERSAMPLING)
        self.rng = np.random.default_rng(SEED)
        self._finder = LandmarkFinder()

    def count(self, full: int) -> int:
        """How many samples to take where the full report takes `full`."""
        return max(4, round(full * self.scale))

    def people(self, n: int) -> NDArray[np.float32]:
        """Draw portraits that training never saw: (n, P)."""
        return np.stack([sample(self.rng) for _ in range(n)])

    def random_latents(self, n: int, psi: float) -> NDArray[np.float32]:
        """Map random z: (n, num_ws, w_dim)."""
        return self.pack.map(self.rng.standard_normal((n, self.pack.manifest.z_dim)).astype(np.float32), psi)

    def latents_of(self, parameters: NDArray[np.float32]) -> NDArray[np.float32]:
        """Find the W+ of given portraits: (n, P) -> (n, num_ws, w_dim)."""
        return self.pack.portray(parameters)

    def draw(self, w_plus: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        """Draw latents with the generator: (r, r, 3) uint8 RGB each."""
        return [to_u8(image) for image in self.pack.synthesize(np.array(w_plus, np.float32))]

    def find(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Find the landmarks of a picture in crop units, None where there is no face."""
        if picture.shape[0] < DETECTOR_PX:
            large = cv2.resize(picture, (DETECTOR_PX, DETECTOR_PX), interpolation=cv2.INTER_CUBIC)
            picture = np.asarray(large, np.uint8)
        return self._finder.find(picture)

    def close(self) -> None:
        """Release what was opened here."""
        self._finder.close()
        self.renderer.release()


def to_u8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(3, r, r) in [-1, 1] -> (r, r, 3) uint8."""
    return np.ascontiguousarray(np.rint((image.clip(-1.0, 1.0) + 1.0) * 127.5).astype(np.uint8).transpose(1, 2, 0))


def skin_lab(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean CIE Lab of the skin patches: (3,), L 0..100."""
    size = picture.shape[0]
    soft = cv2.blur(picture, (max(3, size // 24),) * 2).astype(np.float32) / 255.0
    lab = cv2.cvtColor(soft, cv2.COLOR_RGB2Lab)
    at = np.clip(np.rint(landmarks[list(SKIN_POINTS), :2] * size - 0.5).astype(int), 0, size - 1)
    return np.asarray(lab[at[:, 1], at[:, 0]].astype(np.float64).mean(axis=0))
