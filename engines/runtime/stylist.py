"""A style network at work: style pictures become two short vectors each, and a frame is drawn with a blend of them.

Blending means and deviations with weights that sum to one is blending in feature space (see `engines.style.adain`), so
a frame costs one encoder and one decoder however many pictures are blended. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.runtime.backends import BackendOptions, Engine, usable_backends
from engines.runtime.chain import Chain
from engines.runtime.manifest import verify_files
from engines.runtime.style_folder import DEFAULT_STYLE, StyleManifest, read_style_manifest
from installation.errors import EngineError

MAX_PICTURE_BYTES = 64 << 20


class Stylist:
    """A style network on a chain of back-ends, with the styles it has learnt. Used from one thread."""

    def __init__(self, manifest: StyleManifest, chain: Chain) -> None:
        self.manifest = manifest
        self.names: tuple[str, ...] = ()
        self._chain = chain
        self._engine: Engine | None = None
        shape = (0, manifest.channels)
        self._means: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._stds: NDArray[np.float32] = np.zeros(shape, np.float32)
        side = manifest.size
        self._inputs = {
            "content": np.zeros((1, 3, side, side), np.float32),
            "mean": np.zeros((1, manifest.channels), np.float32),
            "std": np.zeros((1, manifest.channels), np.float32),
            "strength": np.zeros((1, 1), np.float32),
        }

    @property
    def size(self) -> int:
        """Side of the pictures it draws."""
        return self.manifest.size

    def learn(self, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Take the statistics of style pictures (h, w, 3) uint8 RGB; the middle square of each counts."""
        engine = self._chain.engine("statistics", 1)
        shape = (len(pictures), self.manifest.channels)
        self.names = tuple(pictures)
        self._means, self._stds = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for row, picture in enumerate(pictures.values()):
            square = _square(picture, self.size).astype(np.float32) / 127.5 - 1.0
            inputs = {"picture": np.ascontiguousarray(square.transpose(2, 0, 1)[None])}
            engine.run(inputs, {"mean": self._means[row : row + 1], "std": self._stds[row : row + 1]})
        engine.close()

    def warm_up(self) -> None:
        """Compile the network and run it, so that no first run is slow on screen."""
        self._engine = self._chain.engine("stylize", 1)
        for _ in range(2):
            self._engine.run(self._inputs, {"image": np.zeros((1, 3, self.size, self.size), np.float32)})

    def stylise(
        self,
        images: NDArray[np.float32],
        weights: NDArray[np.float32],
        strength: float,
        out: NDArray[np.float32],
    ) -> None:
        """Draw pictures in a blend of the styles.

        Args:
            images: (n, 3, r, r) float32 RGB, nominally [-1, 1]; any side.
            weights: One for each of `names`, not negative, not all 0; only their ratios count.
            strength: 0..1 from the content's own features to the style's.
            out: (n, 3, size, size) float32, takes the result, not clamped.

        Raises:
            EngineError: If the network failed on every back-end.
        """
        assert self._engine is not None, "warm_up comes first"
        shares = weights / weights.sum()
        np.matmul(shares, self._means, out=self._inputs["mean"][0])
        np.matmul(shares, self._stds, out=self._inputs["std"][0])
        self._inputs["strength"][0] = strength
        content = self._inputs["content"]
        for index, image in enumerate(images):
            fit_square(image, content[0])
            np.clip(content, -1.0, 1.0, out=content)
            self._engine.run(self._inputs, {"image": out[index : index + 1]})

    def forget(self) -> None:
        """Wipe the last content."""
        self._inputs["content"][:] = 0.0

    def close(self) -> None:
        """Release the engines."""
        self._chain.close()


def load_stylist(
    path: str | Path = DEFAULT_STYLE,
    backend: str = "auto",
    *,
    options: BackendOptions | None = None,
    announce: Callable[[str], None] = lambda text: None,
) -> Stylist:
    """Open a style folder: check its manifest and files, choose a back-end.

    Raises:
        EngineError: If the folder is none, a file has the wrong hash, or no back-end can run here.
    """
    folder = Path(path).expanduser().resolve()
    manifest = read_style_manifest(folder)
    verify_files(folder, manifest)
    return Stylist(manifest, Chain(folder, usable_backends(backend, options, announce), announce))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a style picture: (h, w, 3) uint8 RGB.

    Raises:
        EngineError: If it is none.
    """
    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise EngineError(f"{path} is larger than {MAX_PICTURE_BYTES >> 20} MB; save the style picture smaller")
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise EngineError(f"{path} is no picture that can be read; save it again as JPEG or PNG")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def fit_square(image: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    """Resize a square picture (3, r, r) into (3, s, s): cubic when it grows, by area when it shrinks."""
    side, wanted = image.shape[-1], into.shape[-1]
    if side == wanted:
        np.copyto(into, image)
        return
    method = cv2.INTER_CUBIC if side < wanted else cv2.INTER_AREA
    for plane, target in zip(image, into, strict=True):
        cv2.resize(plane, (wanted, wanted), dst=target, interpolation=method)


def _square(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(picture[top : top + side, left : left + side])
    method = cv2.INTER_CUBIC if side < size else cv2.INTER_AREA
    return np.asarray(cv2.resize(middle, (size, size), interpolation=method), np.uint8)
