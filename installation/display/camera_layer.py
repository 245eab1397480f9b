"""The camera picture on the canvas: whole with the generated face in it (`mirror`), or cropped (`split`).

The camera rule lives here: the texture is only ever filled with pictures in which a face is
followed. When the face is lost, the last such picture stays until it is faded out, so nobody is
shown who does not stand behind a mask.
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.config import DisplayConfig
from installation.display.layout import UNIT, Fit, Rect, place
from installation.display.pasteback import POINTS, FaceMask, mask_indices
from installation.display.reflection import Reflection
from installation.display.shaders import ShaderLibrary
from installation.display.targets import Target
from installation.display.tiles import mirrored, parts


class CameraLayer:
    """Owns the camera texture and the face mask. One thread, the context's."""

    def __init__(self, shaders: ShaderLibrary, config: DisplayConfig) -> None:
        ctx = shaders.ctx
        self._ctx = ctx
        self._config = config
        self._whole = shaders.program("camera.frag")
        self._crop = shaders.program("crop.frag", "crop.vert")
        self._face = shaders.program("face.frag", "face.vert")
        self._mask = FaceMask(grow=config.mask_grow, feather=config.mask_feather, strength=config.match_light)
        self._vertices = ctx.buffer(reserve=self._mask.vertices.nbytes, dynamic=True)
        self._indices = ctx.buffer(mask_indices())
        self._array: moderngl.VertexArray | None = None
        self._bound_generation = 0
        self._texture: moderngl.Texture | None = None
        self._followed = False
        self.landmarks: NDArray[np.float32] | None = None
        self.quad: NDArray[np.float32] = np.zeros((4, 2), np.float32)

    @property
    def ready(self) -> bool:
        """Whether there is a picture that may be shown."""
        return self._texture is not None

    @property
    def size(self) -> tuple[int, int]:
        """Of the camera picture, pixels."""
        return self._texture.size if self._texture is not None else (1, 1)

    @property
    def mask_rings(self) -> NDArray[np.float64]:
        """Where the mask begins and ends to fade: (2, POINTS, 2), inner and outer ring, parts of the camera picture."""
        return self._mask.vertices[1:, :2].astype(np.float64).reshape(2, POINTS, 2)

    def update(
        self,
        camera_rgb: NDArray[np.uint8],
        size_wh: tuple[int, int],
        landmarks: NDArray[np.float32] | None,
        quad: NDArray[np.float32] | None,
        reflection: Reflection,
    ) -> None:
        """Take a camera picture, or refuse it if no face is followed in it; see `Renderer.show_camera`."""
        if landmarks is None or quad is None:
            self._followed = False
            return
        if not self._followed:
            self._mask.forget()
            self._followed = True
        width, height = size_wh
        picture = camera_rgb[:height, :width]
        if self._texture is None or self._texture.size != size_wh:
            if self._texture is not None:
                self._texture.release()
            self._texture = self._ctx.texture(size_wh, 3, alignment=1)
            self._texture.repeat_x = self._texture.repeat_y = False
        self._texture.write(picture if picture.flags.c_contiguous else np.ascontiguousarray(picture))
        self.landmarks, self.quad = np.array(landmarks, np.float32), np.array(quad, np.float32)
        if reflection.resolution:
            made = reflection.newest_rgb()
            self._mask.update(picture, landmarks, quad, made[:, : made.shape[0]])

    def place(self, area: Rect, fit: Fit) -> tuple[Rect, Rect]:
        """Where the whole camera picture lies: (canvas pixels, which part of it)."""
        return place(area, self.size[0] / self.size[1], fit)

    def draw_mirror(
        self, canvas: Target, area: Rect, fit: Fit, shown: moderngl.Texture, *,
        count: int, fade: float, grain: float, seed: float, dt_s: float,
    ) -> None:  # fmt: skip
        """Draw the whole camera picture and the generated face over the real one.

        Args:
            canvas: Where to; is bound.
            area: The part of it to lie in.
            fit: By which rule.
            shown: The mixed pictures, the first of which is pasted.
            count: How many pictures `shown` holds.
            fade: 1 is black.
            grain: 0..1.
            seed: For the grain.
            dt_s: Seconds since the last frame.
        """
        assert self._texture is not None
        rect, source = self.place(area, fit)
        exact = (rect.width, rect.height) == self._texture.size and source == UNIT
        near = moderngl.NEAREST if exact else moderngl.LINEAR  # at its own size the camera picture stays as it is
        self._texture.filter = (near, near)
        placed = {
            "u_rect": parts(rect, canvas.size),
            "u_source": mirrored(source, self._config.mirrored),
            "u_fade": fade,
        }
        self._whole.draw(u_camera=self._texture, **placed)
        self._mask.advance(dt_s)
        self._vertices.write(self._mask.vertices)
        self._texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._face.set(u_picture=shown, u_camera=self._texture, u_tiles=float(count), u_grain=grain, u_seed=seed)
        self._face.set(**placed)
        self._bound_array().render()

    def draw_crop(self, canvas: Target, rect: Rect, fade: float) -> None:
        """Draw the followed face into the bound `canvas` as the camera sees it, framed like its reflection."""
        assert self._texture is not None
        self._texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        top_left, bottom_left, _, top_right = self.quad / np.array(self._texture.size, np.float32)
        corner, side_x = top_left, top_right - top_left
        if self._config.mirrored:
            corner, side_x = top_right, -side_x
        self._crop.draw(
            u_camera=self._texture,
            u_rect=parts(rect, canvas.size),
            u_corner=tuple(corner),
            u_side_x=tuple(side_x),
            u_side_y=tuple(bottom_left - top_left),
            u_fade=fade,
        )

    def to_canvas(self, area: Rect, fit: Fit, crop: Rect | None) -> NDArray[np.float64]:
        """Where camera pixels lie on the canvas: (2, 3) affine map, for the whole picture or the crop in `crop`."""
        if crop is None:
            rect, source = self.place(area, fit)
            scale = np.array([rect.width / source.width, rect.height / source.height]) / self.size
            matrix = np.diag(scale)
            shift = np.array([rect.x, rect.y]) - scale * np.array([source.x, source.y]) * self.size
            middle = rect.x + rect.width / 2
        else:
            sides = np.stack([self.quad[3] - self.quad[0], self.quad[1] - self.quad[0]], axis=1).astype(np.float64)
            matrix = np.diag([crop.width, crop.height]) @ np.linalg.inv(sides)
            shift = np.array([crop.x, crop.y]) - matrix @ self.quad[0]
            middle = crop.x + crop.width / 2
        if self._config.mirrored:
            matrix, shift = np.diag([-1.0, 1.0]) @ matrix, np.array([2 * middle - shift[0], shift[1]])
        return np.concatenate([matrix, shift[:, None]], axis=1)

    def forget(self) -> None:
        """Let go of the picture, once it is faded out: visitors are guests."""
        if not self._followed and self._texture is not None:
            self._texture.release()
            self._texture = None
            self.landmarks = None
            self._mask.forget()

    def release(self) -> None:
        """Give texture and buffers back."""
        for thing in (self._array, self._vertices, self._indices, self._texture):
            if thing is not None:
                thing.release()
        self._texture = None

    def _bound_array(self) -> moderngl.VertexArray:
        """The mask's vertices tied to the program; tied again when that was compiled anew."""
        if self._array is None or self._bound_generation != self._face.generation:
            if self._array is not None:
                self._array.release()
            self._bound_generation = self._face.generation
            self._array = self._face.vertex_array(
                [(self._vertices, "2f 2f 1f 3f", "in_position", "in_uv", "in_alpha", "in_gain")],
                index_buffer=self._indices,
            )
        return self._array
