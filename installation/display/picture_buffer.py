"""The networks' pictures on their way into a texture: one pixel buffer, filled by the host or by CUDA.

Pictures stay what the networks made, planes of numbers; the graphics makes colours of them (`planes.frag`). So both
ways differ only in who writes the buffer.
"""

from __future__ import annotations

from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.core.device_images import DeviceImages
from installation.display.cuda_gl import CudaGl
from installation.runtime.cuda import CudaError


class PictureBuffer:
    """Pixel buffer and texture for `count` pictures of one size. Owned by the thread of the context.

    Attributes:
        count: How many pictures.
        side: Of each, pixels.
        shared: CUDA's side of the context, where pictures may come from the GPU.
        planes: (3 * count) layers of `side` x `side`: red, green and blue of the first picture, of the second ...

    Raises:
        CudaError: If the buffer cannot be shared; nothing is held then.
    """

    def __init__(self, ctx: moderngl.Context, count: int, side: int, shared: CudaGl | None) -> None:
        self.count, self.side, self.shared = count, side, shared
        self._resource: Any = None
        self._buffer = ctx.buffer(reserve=count * 3 * side * side * 4, dynamic=True)
        if shared is not None:
            try:
                self._resource = shared.register(self._buffer)
            except CudaError:
                self._buffer.release()
                raise
        self.planes = ctx.texture_array((side, side, 3 * count), 1, dtype="f4")
        self.planes.filter = (moderngl.NEAREST, moderngl.NEAREST)

    def upload(self, images: NDArray[np.float32] | DeviceImages) -> None:
        """Bring (count, 3, side, side) float32 into the texture.

        Raises:
            CudaError: If they lie on a GPU and do not come over; the texture keeps what it had.
        """
        if isinstance(images, DeviceImages):
            assert self.shared is not None, "pictures on the GPU are taken only where it is shared"
            self.shared.fill(self._resource, images)
        else:
            self._buffer.write(np.ascontiguousarray(images, np.float32))  # never made anew: CUDA knows its storage
        self.planes.write(self._buffer)

    def release(self) -> None:
        """Give everything back."""
        if self.shared is not None:
            self.shared.unregister(self._resource)
        self.planes.release()
        self._buffer.release()
