"""The generator's pictures on the graphics side: uploaded in place, cross-faded at their own size.

Networks deliver some pictures a second, the screen wants many more. Each new picture fades in over
what was on screen at that moment, which need not be a whole earlier picture: so an early or late
result never makes a jump. Pictures of one result lie side by side in one texture.
"""

from __future__ import annotations

import math

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.scene import Picture
from installation.display.shaders import ShaderLibrary
from installation.display.targets import Target

LONGEST_RUN = 8
"""Frames in a row that may bring a new picture while pictures are still faded: 25 a second on a 30 Hz screen make 5."""


class Reflection:
    """Owns the textures of the newest result and of what is shown. One thread, the context's."""

    def __init__(self, shaders: ShaderLibrary) -> None:
        self._ctx = shaders.ctx
        self._crossfade = shaders.program("crossfade.frag")
        self._newest: moderngl.Texture | None = None
        self._shown = [Target(self._ctx, "f2"), Target(self._ctx, "f2")]
        self._bytes: NDArray[np.uint8] = np.zeros((1, 1, 4), np.uint8)
        self._work: NDArray[np.float32] = np.zeros((3, 1, 1), np.float32)
        self._arrived = False
        self._run = 0
        self._first = True
        self._whole = False
        self.count = 0
        self.first_beside = 0
        self.resolution = 0

    @property
    def newest_rgb(self) -> NDArray[np.uint8]:
        """(r, n * r, 3) uint8 encoded RGB of the newest result, pictures side by side; a view, valid until the next."""
        return self._bytes[..., :3]

    def upload(self, picture: Picture) -> None:
        """Take a result. Values outside -1..1 are clamped and NaN becomes black.

        Raises:
            ValueError: If the images are not (n, 3, r, r) with n >= 1.
        """
        shape = picture.images.shape
        if len(shape) != 4 or shape[0] < 1 or shape[1] != 3 or shape[2] != shape[3] or shape[2] < 1:
            raise ValueError(f"a picture is (n, 3, r, r) with n >= 1; got {shape}")
        if (shape[0], shape[2]) != (self.count, self.resolution):
            self._allocate(shape[0], shape[2])
        self.first_beside = int(picture.single and shape[0] > 1)
        size = self.resolution
        for index, image in enumerate(picture.images):
            np.multiply(image, 127.5, out=self._work)
            self._work += 128.0
            np.fmax(self._work, 0.0, out=self._work)  # fmax and fmin prefer the number to a NaN
            np.fmin(self._work, 255.0, out=self._work)
            self._bytes[:, index * size : (index + 1) * size, :3] = self._work.transpose(1, 2, 0)
        assert self._newest is not None
        self._newest.write(self._bytes)
        self._arrived = True

    def render(self, blend: float, wanted_px: float) -> moderngl.Texture | None:
        """Mix the newest result into what was shown when it arrived.

        Args:
            blend: 0..1, 1 is the newest alone.
            wanted_px: Pixels that one picture will fill on the canvas; larger pictures are averaged down by powers
                of two first, so that enlarging need not also reduce.

        Returns:
            The mixed pictures side by side, encoded, linear filter; None before the first result.
        """
        if self._newest is None:
            return None
        box = 2 ** max(0, math.floor(math.log2(self.resolution / max(wanted_px, 1.0)) + 0.25))
        self._resize_shown(box)
        arrived, self._arrived = self._arrived, False
        if self._whole and not arrived:
            return self._shown[1].texture
        if arrived:
            self._shown.reverse()  # what was drawn last is what the newest result fades in over
        self._run = self._run + 1 if arrived else 0
        # Nothing to fade from, or results faster than frames for a while: then fading would only pile up what is old.
        at_once = self._first or self._run > LONGEST_RUN
        before, now = self._shown
        now.use()
        blend = 1.0 if at_once else blend
        self._crossfade.draw(u_shown=before.texture, u_newest=self._newest, u_box=float(box), u_blend=blend)
        self._first, self._whole = False, blend >= 1.0
        return now.texture

    def release(self) -> None:
        """Give the textures back."""
        if self._newest is not None:
            self._newest.release()
            self._newest = None
        for target in self._shown:
            target.release()

    def _allocate(self, count: int, resolution: int) -> None:
        self.release()
        self.count, self.resolution = count, resolution
        self._newest = self._ctx.texture((count * resolution, resolution), 4)
        self._newest.repeat_x = self._newest.repeat_y = False
        self._newest.filter = (moderngl.NEAREST, moderngl.NEAREST)
        self._bytes = np.full((resolution, count * resolution, 4), 255, np.uint8)
        self._work = np.empty((3, resolution, resolution), np.float32)

    def _resize_shown(self, box: int) -> None:
        side = max(1, self.resolution // box)
        if [target for target in self._shown if target.resize((side * self.count, side))]:
            self._first, self._whole = True, False
