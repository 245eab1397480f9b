"""The second way to draw: the portrait's shader instead of the generator, `[engine] generator = "portrait"`.

A pack's readout tells portrait parameters from W+, and the shader draws them at any size: sharp where the generator has
its own resolution. It draws off screen in a context of its own, so that everything behind it (views, looks, films, the
series) is the same for both. On a processor it takes many times as long as the generator, and the show then
reflects less often; the screen keeps its rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import INDEX, NAMES
from engines.faces.renderer import PortraitRenderer
from engines.runtime import Pack
from installation.core.latents import Latent
from installation.errors import DisplayError, EngineError, ShaderError

DOUBTED_GLASSES = (0.15, 0.35)
"""Nobody is drawn with glasses below 0.4. What a readout says below the first of these is doubt, and the shader would
draw it as a broken wire; above the second they are there."""


class ShaderPortraits:
    """Draws latents of a portrait pack. `warm_up`, `draw` and `close` belong to one thread, which owns the context.

    Args:
        pack: Its readout must name the parameters that the shader has.
        side: Of the pictures, in pixels.

    Raises:
        EngineError: If the pack is no portrait pack.
    """

    def __init__(self, pack: Pack, side: int) -> None:
        names = pack.manifest.architecture.get("readout", {}).get("parameters", [])
        if "readout.onnx" not in pack.manifest.files or tuple(names) != tuple(NAMES):
            raise EngineError(
                f'[engine] generator = "portrait" needs a pack whose readout tells the {len(NAMES)} parameters of the '
                f'portrait; {pack.name!r} tells {len(names)}: use the default pack, or generator = "network"'
            )
        self.side = side
        self._pack = pack
        self._renderer: PortraitRenderer | None = None
        self._latent: Latent = np.zeros((1, pack.num_ws, pack.w_dim), np.float32)
        self._parameters = np.zeros((1, len(NAMES)), np.float32)
        self._bytes = np.zeros((side, side, 3), np.uint8)

    def warm_up(self) -> None:
        """Make the context and compile the shader.

        Raises:
            DisplayError: If there is no OpenGL off screen here, or the shader does not compile.
        """
        try:
            self._renderer = PortraitRenderer(self.side)
        except ShaderError:
            raise
        except Exception as error:  # what the driver's loader raises has no type of its own
            raise DisplayError(
                f'[engine] generator = "portrait" needs OpenGL through EGL, which does not open here: {error}; '
                'use generator = "network"'
            ) from error

    def draw(self, latents: Latent, images: NDArray[np.float32]) -> None:
        """Draw (n, num_ws, w_dim) into (n, 3, side, side) float32 RGB in [-1, 1]."""
        assert self._renderer is not None, "warm_up comes first"
        for latent, image in zip(latents, images, strict=True):
            np.copyto(self._latent[0], latent)
            self._pack.engine("readout", 1).run({"w_plus": self._latent}, {"parameters": self._parameters})
            drop_doubted_glasses(self._parameters[0])
            self._renderer.render(self._parameters[0], out=self._bytes)
            np.multiply(self._bytes.transpose(2, 0, 1), np.float32(1.0 / 127.5), out=image, casting="unsafe")
            image -= 1.0

    def forget(self) -> None:
        """Wipe what was drawn last."""
        for values in (self._latent, self._parameters, self._bytes):
            values[:] = 0

    def close(self) -> None:
        """Release the context."""
        if self._renderer is not None:
            self._renderer.release()
            self._renderer = None


def drop_doubted_glasses(parameters: NDArray[np.float32]) -> None:
    """Fade out glasses that are too faint to be any, in place."""
    low, high = DOUBTED_GLASSES
    part = min(max((float(parameters[INDEX["glasses"]]) - low) / (high - low), 0.0), 1.0)
    parameters[INDEX["glasses"]] *= part * part * (3.0 - 2.0 * part)
