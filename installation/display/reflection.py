"""The generator's pictures on the graphics side: uploaded in place, cross-faded at their own size.

Networks deliver some pictures a second, the screen wants many more. Each new picture fades in over
what was on screen at that moment, which need not be a whole earlier picture: so an early or late
result never makes a jump. Pictures of one result lie side by side in one texture. They come from the
host's memory or, where that has proved to work, from the networks' own on the GPU.
"""

from __future__ import annotations

import logging
import math

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.core.device_images import DeviceImages
from installation.display.cuda_gl import CudaGl
from installation.display.picture_buffer import PictureBuffer
from installation.display.scene import Picture
from installation.display.shaders import ShaderLibrary
from installation.display.targets import Target
from installation.runtime.cuda import CudaError

LONGEST_RUN = 8
"""Frames in a row that may bring a new picture while pictures are still faded: 25 a second on a 30 Hz screen make 5."""

LOOKED_AT_PX = 256
"""Most that the host gets to see of a picture's side, to match light and colours by it."""

log = logging.getLogger(__name__)


class Reflection:
    """Owns the textures of the newest result and of what is shown. One thread, the context's.

    Attributes:
        count, resolution: How many pictures the newest result has, and the side of each in pixels; 0 before the first.
        first_beside: Which of them is the first to stand beside others.
        refused: Why pictures cannot come in the memory of the GPU; empty if they can, or nobody has asked.
    """

    def __init__(self, shaders: ShaderLibrary) -> None:
        self._ctx = shaders.ctx
        self._colours = shaders.program("planes.frag")
        self._crossfade = shaders.program("crossfade.frag")
        self._buffer: PictureBuffer | None = None
        self._newest = Target(self._ctx, smooth=False)
        self._small = Target(self._ctx)
        self._looked_at: NDArray[np.uint8] | None = None
        self._shown = [Target(self._ctx, "f2"), Target(self._ctx, "f2")]
        self._shared: CudaGl | None = None
        self.refused = ""
        self._arrived = False
        self._run = 0
        self._first = True
        self._whole = False
        self.count = 0
        self.first_beside = 0
        self.resolution = 0

    def takes_gpu(self) -> bool:
        """Whether pictures may come in the memory of the GPU; tried when first asked, and logged why not."""
        if self._shared is None and not self.refused:
            try:
                self._shared = CudaGl(self._ctx)
            except CudaError as error:
                self._refuse(error)
            else:
                log.info("pictures go from the networks to the screen inside the GPU: a test pattern came through")
        return self._shared is not None

    def newest_rgb(self) -> NDArray[np.uint8]:
        """Look at the newest result, reduced in light to at most `LOOKED_AT_PX`: waits for the graphics, once for each.

        Returns:
            (s, n * s, 3) uint8 encoded RGB, pictures side by side, valid until the next result; black before the first.
        """
        if self.count == 0:
            return np.zeros((1, 1, 3), np.uint8)
        if self._looked_at is None:
            bound, viewport = self._ctx.fbo, self._ctx.viewport
            box = max(1, math.ceil(self.resolution / LOOKED_AT_PX))
            side = self.resolution // box
            self._small.resize((self.count * side, side))
            self._small.use()
            newest = self._newest.texture
            self._crossfade.draw(u_shown=newest, u_newest=newest, u_box=float(box), u_blend=1.0)
            self._looked_at = np.empty((side, self.count * side, 3), np.uint8)
            self._small.framebuffer.read_into(self._looked_at, components=3)
            bound.use()
            self._ctx.viewport = viewport
        return self._looked_at

    def upload(self, picture: Picture) -> None:
        """Take a result. Values outside -1..1 are clamped and NaN becomes black.

        One that does not come over from the GPU is left out, and no more are taken from there.

        Raises:
            ValueError: If the images are not (n, 3, r, r) with n >= 1.
        """
        shape = picture.images.shape
        if len(shape) != 4 or shape[0] < 1 or shape[1] != 3 or shape[2] != shape[3] or shape[2] < 1:
            raise ValueError(f"a picture is (n, 3, r, r) with n >= 1; got {shape}")
        if isinstance(picture.images, DeviceImages) and self._shared is None:
            return  # it was on its way when no more were taken
        try:
            buffer = self._buffer_for(shape[0], shape[2])
            buffer.upload(picture.images)
        except CudaError as error:
            self._refuse(error)
            return
        self.count, self.resolution = buffer.count, buffer.side
        self.first_beside = int(picture.single and self.count > 1)
        self._newest.resize((self.count * self.resolution, self.resolution))
        self._newest.use()
        self._colours.draw(u_planes=buffer.planes)
        self._looked_at = None
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
        if self.count == 0:
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
        self._crossfade.draw(u_shown=before.texture, u_newest=self._newest.texture, u_box=float(box), u_blend=blend)
        self._first, self._whole = False, blend >= 1.0
        return now.texture

    def release(self) -> None:
        """Give the textures back."""
        if self._buffer is not None:
            self._buffer.release()
            self._buffer = None
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        for target in (self._newest, self._small, *self._shown):
            target.release()
        self.count = 0

    def _buffer_for(self, count: int, side: int) -> PictureBuffer:
        """Have a buffer of this size that is shared with CUDA as it should be; made anew only when that changes."""
        held = self._buffer
        if held is not None and (held.count, held.side, held.shared) == (count, side, self._shared):
            return held
        self._buffer = PictureBuffer(self._ctx, count, side, self._shared)
        if held is not None:
            held.release()
        return self._buffer

    def _refuse(self, error: CudaError) -> None:
        """Take pictures from the host alone from now on; what is shown stays."""
        self._shared, self.refused = None, str(error)
        log.warning("pictures go to the screen through the host: %s", error)

    def _resize_shown(self, box: int) -> None:
        side = max(1, self.resolution // box)
        if [target for target in self._shown if target.resize((side * self.count, side))]:
            self._first, self._whole = True, False
