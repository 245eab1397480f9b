"""From W+ to pictures: the generator, or the portrait's shader in its place, over a ring of buffers made once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from engines.runtime.resident import ResidentPictures
from installation.core.device_images import DeviceImages
from installation.core.latents import Latent
from installation.shader_portraits import ShaderPortraits

PICTURES = 4
"""Of the ring: one shown, one arriving, one being made, one spare."""


class Drawing:
    """Draws latents, each time into the next buffers of a ring. Used by one thread.

    Args:
        pack: Has the generator.
        shader: Draws in the generator's place; closed with this.

    Attributes:
        resident: Whether the last pictures were made on a GPU and could have stayed there.
    """

    def __init__(self, pack: Pack, shader: ShaderPortraits | None = None) -> None:
        self._pack = pack
        self._shader = shader
        self._on_gpu = ResidentPictures(PICTURES)
        self._inputs: dict[int, Latent] = {}
        self._images: dict[int, list[NDArray[np.float32]]] = {}
        self._turn = 0
        self.resident = False

    def warm_up(self, latents: Latent) -> None:
        """Draw before the curtain, so that no first picture is slow on screen."""
        if self._shader is not None:
            self._shader.warm_up()
        for _ in range(2):
            self.draw(latents, stay=False)

    def draw(self, latents: Latent, *, stay: bool) -> NDArray[np.float32] | DeviceImages:
        """Draw in one batch where the pack has one that fits; the buffers are reused after `PICTURES` more.

        Args:
            latents: (n, num_ws, w_dim) float32.
            stay: On the GPU, if they are made there.

        Returns:
            (n, 3, r, r) float32 RGB in about [-1, 1].
        """
        n = latents.shape[0]
        batch = min((size for size in (1, *self._pack.manifest.batches) if size >= n), default=1)
        if n not in self._images:
            side = self._pack.resolution if self._shader is None else self._shader.side
            shape = (max(n, batch), 3, side, side)
            self._images[n] = [np.zeros(shape, np.float32) for _ in range(PICTURES)]
            self._inputs[n] = np.zeros((shape[0], self._pack.num_ws, self._pack.w_dim), np.float32)
        self._turn = (self._turn + 1) % PICTURES
        images, inputs = self._images[n][self._turn], self._inputs[n]
        np.copyto(inputs[:n], latents)
        if self._shader is not None:
            self._shader.draw(inputs[:n], images[:n])
            return images[:n]
        engine = self._pack.engine("generator", batch)
        self.resident = engine.resident
        if stay and (drawn := self._on_gpu.draw(engine, inputs, n)) is not None:
            return drawn
        for start in range(0, n, batch):
            stop = start + batch
            engine.run({"w_plus": inputs[start:stop]}, {"image": images[start:stop]})
        return images[:n]

    def forget(self) -> None:
        """Wipe what is held beside the pictures, which may be on the screen still."""
        if self._shader is not None:
            self._shader.forget()

    def wipe(self, *, resting: bool) -> None:
        """Wipe the pictures, those of the single view only when `resting`: else the attract walk draws over them."""
        for n, images in self._images.items():
            self._inputs[n][:] = 0.0
            for image in images if n > 1 or resting else ():
                image[:] = 0.0
        self._on_gpu.wipe(resting=resting)

    def close(self) -> None:
        """Release what is not the pack's."""
        self._on_gpu.close()
        if self._shader is not None:
            self._shader.close()
