"""What a worker of the studio has at hand: pack, face finder, canvas, morph. Dear to set up, kept by each process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtime import load_pack
from engines.runtime.backends import BackendOptions
from engines.runtime.paths import find_pack
from engines.runtime.refinement import refine
from installation.core.control import ROOT, Value
from installation.core.face_shape import landmark_square
from installation.core.latents import Latent
from installation.core.morph import Morph
from installation.devices.landmarks import FaceFinder
from installation.studio.canvas import Canvas
from installation.studio.menu import menu_of, morph_of
from installation.studio.order import Order
from installation.studio.origin import Texture, find_origin, read_origin
from installation.studio.sitter import MIN_SCORE, Refine, as_tensor

Pixels = NDArray[np.uint8]


class Workplace:
    """Draws for one order. Used by the thread that made it; `close` gives everything back.

    Networks run on one thread here, whatever the configuration says: workers share the cores among themselves, and a
    result is the same to the bit in one process, in many, and on a cluster.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.config = order.settings()
        self._stack = ExitStack()
        with ExitStack() as opening:
            engine = self.config.engine
            self.options = BackendOptions(engine.device, threads=1, precision=engine.precision)
            self.pack = opening.enter_context(load_pack(find_pack(order.pack), engine.backend, options=self.options))
            self.names = order.targets_on(self.pack)
            self.finder = FaceFinder()
            opening.callback(self.finder.close)
            self.canvas = Canvas(self.config, order.side)
            opening.callback(self.canvas.close)
            self._stack = opening.pop_all()
        self.mode = order.mode or self.config.visit.morph_mode
        self.features: Sequence[Mapping[str, Any]] = menu_of(self.pack, self.config).catalogue["features"]
        self.morph: Morph = morph_of(self.pack, self.config, self.names)
        self.captions = {name: self.pack.targets[name].caption for name in self.names}
        self._texture: Texture | None = None

    @property
    def refine(self) -> Refine | None:
        """How a first W+ becomes better, where the order and the pack allow it."""
        if not self.order.refine:
            return None
        return lambda crop, landmarks, w_plus: refine(self.pack, as_tensor(crop), landmarks, w_plus)

    def toward(self, visitor: Latent, name: str, amounts: Sequence[float]) -> Latent:
        """Morph somebody toward one target by each amount, as the show does: (n, num_ws, w_dim)."""
        controls: dict[str, Value] = {f"{ROOT}/morph/{name}": 1.0, f"{ROOT}/morph_mode": self.mode}
        way = [self.morph.apply(visitor, {**controls, f"{ROOT}/amount": float(amount)}) for amount in amounts]
        return np.asarray(way, np.float32)

    def along(self, visitor: Latent, address: str, values: Sequence[float]) -> Latent:
        """Move somebody along one axis to each value of its control: (n, num_ws, w_dim)."""
        return np.asarray([self.morph.apply(visitor, {address: float(value)}) for value in values], np.float32)

    def draw(self, latents: Latent, side: int | None = None) -> list[Pixels]:
        """Draw W+ through the order's look: each (side, side, 3) uint8 RGB."""
        return [self.still(image, side) for image in self.pack.synthesize(latents)]

    def still(self, image: NDArray[np.float32], side: int | None = None) -> Pixels:
        """Draw a picture (3, r, r) in [-1, 1] through the order's look."""
        return self.canvas.still(image[None], self.order.look, {}, side=side or self.order.side)

    def landmarks_of(self, images: NDArray[np.float32], near: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
        """Read the face in each drawn picture; None where there is none to be seen.

        Args:
            images: (n, 3, r, r) float32 in [-1, 1].
            near: (478, 3) crop units, where the face is about.
        """
        side = images.shape[-1]
        square = landmark_square(near * side)
        found: list[NDArray[np.float32] | None] = []
        for image in images:
            rgb = np.rint(np.clip((image.transpose(1, 2, 0) + 1.0) * 127.5, 0.0, 255.0)).astype(np.uint8)
            landmarks, score = self.finder.mesh(np.ascontiguousarray(rgb), square)
            found.append(landmarks if score >= MIN_SCORE else None)
        return found

    def origin_of(self, name: str) -> tuple[Path, Pixels] | None:
        """The picture that a target came from, where there is one."""
        folder = Path(self.order.origins) if self.order.origins else self.pack.path / "targets" / "pictures"
        path = find_origin(folder, name)
        return None if path is None else (path, read_origin(path))

    @property
    def texture(self) -> Texture:
        """The style network, opened when it is first asked for."""
        if self._texture is None:
            self._texture = Texture(self.options)
            self._stack.callback(self._texture.close)
        return self._texture

    def close(self) -> None:
        """Give everything back."""
        self._stack.close()


@lru_cache(maxsize=1)
def workplace(order: Order) -> Workplace:
    """The workplace of this process; it stays open as long as the process lives."""
    return Workplace(order)
