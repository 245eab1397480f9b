"""Draws a scene on the upright canvas and puts the canvas on screens.

Flow: generator -> `show_pictures`, eye -> `show_camera`, the show's loop -> `draw` -> `present`, and
`read` for the recorder. Nothing is allocated per frame: textures are written in place and made anew
only when a size changes.

The camera rule: the camera's texture is only ever filled with pictures in which a face is followed,
and only the views `mirror` and `split` draw it, as far as somebody is present. With nobody there,
they show what `portrait` shows.
"""

from __future__ import annotations

from pathlib import Path

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.capture import FrameReader
from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.layout import UNIT, Rect, Tile, pair, panels, place, single
from installation.display.pasteback import FaceMask, mask_indices
from installation.display.reflection import Reflection
from installation.display.scene import Picture, Scene
from installation.display.shaders import SHADERS_FOLDER, ShaderLibrary
from installation.display.surface import screen_from_canvas, upright_size


class Renderer:
    """Owns every GL object of the show. One thread, the context's; `release` before the window closes."""

    def __init__(
        self,
        ctx: moderngl.Context,
        config: DisplayConfig,
        captions: CaptionConfig | None = None,
        shaders_dir: Path = SHADERS_FOLDER,
    ) -> None:
        self.ctx = ctx
        self.config = config
        self._captions_config = captions or CaptionConfig()
        self.shaders = ShaderLibrary(ctx, shaders_dir)
        self._rows_program = self.shaders.program("enlarge_rows.frag")
        self._picture_program = self.shaders.program("picture.frag")
        self._camera_program = self.shaders.program("camera.frag")
        self._crop_program = self.shaders.program("crop.frag", "crop.vert")
        self._face_program = self.shaders.program("face.frag", "face.vert")
        self._present_program = self.shaders.program("present.frag", "present.vert")
        self._reflection = Reflection(self.shaders)
        self._mask = FaceMask(grow=config.mask_grow, feather=config.mask_feather, strength=config.match_light)
        self._mask_vertices = ctx.buffer(reserve=self._mask.vertices.nbytes, dynamic=True)
        self._mask_indices = ctx.buffer(mask_indices())
        self._mask_array = self._face_program.vertex_array(
            [(self._mask_vertices, "2f 2f 1f 3f", "in_position", "in_uv", "in_alpha", "in_gain")],
            index_buffer=self._mask_indices,
        )
        self._camera: moderngl.Texture | None = None
        self._camera_followed = False
        self._quad: NDArray[np.float32] = np.zeros((4, 2), np.float32)
        self._canvas: moderngl.Framebuffer | None = None
        self._rows: moderngl.Framebuffer | None = None
        self._reader: FrameReader | None = None
        self._drawn = 0
        self._read_at = 0
        self._read_last: NDArray[np.uint8] | None = None
        self._last_time_s: float | None = None
        ctx.enable_only(moderngl.NOTHING)

    @property
    def size(self) -> tuple[int, int]:
        """Size of the canvas in pixels; (0, 0) before the first `draw`."""
        return self._canvas.size if self._canvas else (0, 0)

    def show_pictures(self, picture: Picture) -> None:
        """Take the generator's newest result."""
        self._reflection.upload(picture)

    def show_camera(
        self,
        camera_rgb: NDArray[np.uint8],
        size_wh: tuple[int, int],
        landmarks: NDArray[np.float32] | None,
        quad: NDArray[np.float32] | None,
    ) -> None:
        """Take the newest camera picture, if a face is followed in it; else it is refused and the last one stays.

        Args:
            camera_rgb: (H, W, 3) uint8 RGB; the picture is its top-left part.
            size_wh: Size of that part.
            landmarks: (478, 3) camera pixels, or None for nobody.
            quad: (4, 2) crop corners in camera pixels, top-left, bottom-left, bottom-right, top-right, or None.
        """
        if landmarks is None or quad is None:
            self._camera_followed = False
            return
        if not self._camera_followed:
            self._mask.forget()
        self._camera_followed = True
        width, height = size_wh
        picture = camera_rgb[:height, :width]
        if self._camera is None or self._camera.size != size_wh:
            if self._camera is not None:
                self._camera.release()
            self._camera = self.ctx.texture(size_wh, 3, alignment=1)
            self._camera.repeat_x = self._camera.repeat_y = False
        self._camera.write(picture if picture.flags.c_contiguous else np.ascontiguousarray(picture))
        self._quad = np.array(quad, np.float32)
        if self._reflection.resolution:
            newest = self._reflection.newest_rgb[:, : self._reflection.resolution]
            self._mask.update(picture, landmarks, quad, newest)

    def draw(self, scene: Scene, window_size: tuple[int, int]) -> None:
        """Draw a scene on the canvas for a screen of `window_size` framebuffer pixels."""
        size = upright_size(window_size, self.config.rotation)
        canvas = self._canvas_of(size)
        self._drawn += 1
        dt_s = 0.0 if self._last_time_s is None else scene.time_s - self._last_time_s
        self._last_time_s = scene.time_s
        margin = self.config.margin * min(size)
        area = Rect(0, 0, *size).inset(margin)
        caption_height = 2.6 * self._captions_config.size * min(size) if scene.captions else 0.0
        gap = 0.02 * min(size)
        camera_open = self._camera is not None and scene.presence > 0.0
        view = scene.view
        if view in ("mirror", "split") and not camera_open:
            view = "portrait"
        if view == "series":
            tiles = panels(area, max(1, self._reflection.count), caption_height, gap)
        elif view == "split":
            tiles = pair(area, caption_height)[1:]
        else:
            tiles = (single(area, self.config.fit, caption_height),)
        wanted = tiles[0].rect.height / tiles[0].source.height
        shown = self._reflection.render(scene.blend, wanted)
        canvas.use()
        canvas.clear()
        if shown is None:
            return
        if view == "mirror":
            # Presence opens the camera picture over the portrait; weights add up to one, so neither shines through.
            self._draw_mirror(scene, area, shown, dt_s)
            if scene.presence < 1.0:
                self._draw_tiles(scene, tiles, shown, 1.0 - scene.presence, add=True)
            return
        if view == "split":
            self._draw_camera_tile(scene, pair(area, caption_height)[0])
        self._draw_tiles(scene, tiles, shown)

    def present(self, framebuffer: moderngl.Framebuffer) -> None:
        """Put the canvas on a screen: turned, pinned at its corners, with soft edges."""
        if self._canvas is None:
            return
        framebuffer.use()
        self.ctx.viewport = (0, 0, *framebuffer.size)
        framebuffer.clear()
        matrix = screen_from_canvas(self.config.rotation, self.config.corners)
        self._present_program.draw(
            u_canvas=self._canvas.color_attachments[0],
            u_screen_from_canvas=tuple(matrix.T.ravel()),
            u_edges=self.config.soft_edges,
        )

    def read(self, *, now: bool = False) -> NDArray[np.uint8] | None:
        """Return a finished canvas without waiting for the graphics: the one before the last.

        Args:
            now: Wait for the last one instead; not for every frame.

        Returns:
            (h, w, 4) uint8 RGBA, top row first, the caller's to keep; None as long as there is none. The same array to
            everybody who asks between two calls of `draw`.
        """
        if self._canvas is None:
            return None
        if self._reader is None or self._reader.size != self._canvas.size:
            if self._reader is not None:
                self._reader.release()
            self._reader = FrameReader(self.ctx, self._canvas.size)
        if self._read_at != self._drawn:
            self._read_at = self._drawn
            self._reader.start(self._canvas)
            self._read_last = self._reader.take()
        return self._reader.take(newest=True) if now else self._read_last

    def release(self) -> None:
        """Give every GL object back."""
        self._reflection.release()
        for framebuffer in (self._canvas, self._rows):
            if framebuffer is not None:
                framebuffer.color_attachments[0].release()
                framebuffer.release()
        for thing in (self._mask_array, self._mask_vertices, self._mask_indices, self._camera, self._reader):
            if thing is not None:
                thing.release()
        self.shaders.release()

    def _draw_tiles(
        self, scene: Scene, tiles: tuple[Tile, ...], shown: moderngl.Texture, weight: float = 1.0, *, add: bool = False
    ) -> None:
        count, config = self._reflection.count, self.config
        source = tiles[0].source
        rows = self._rows_of((shown.width, int(tiles[0].rect.height)))
        rows.use()
        self._rows_program.draw(
            u_picture=shown,
            u_sharpness=config.sharpness,
            u_rect=(0.0, 0.0, 1.0, 1.0),
            u_source=(0.0, source.y, 1.0, source.height),
        )
        canvas = self._canvas_of(self.size)
        canvas.use()
        columns = shown.width // count
        if add:
            self.ctx.enable_only(moderngl.BLEND)
            self.ctx.blend_func = moderngl.ONE, moderngl.ONE
        self._picture_program.set(
            u_rows=rows.color_attachments[0],
            u_sharpness=config.sharpness,
            u_grain=config.grain,
            u_grain_px=max(1.0, round(min(self.size) / 1080)),
            u_vignette=config.vignette,
            u_fade=1.0 - (1.0 - scene.fade) * weight,
            u_seed=_seed(scene),
        )
        for index, tile in enumerate(tiles):
            index = min(index, count - 1)
            self._picture_program.draw(
                u_rect=self._parts(tile.rect),
                u_source=self._mirrored(Rect((index + source.x) / count, 0.0, source.width / count, 1.0)),
                u_tile=(index * columns, (index + 1) * columns - 1),
            )
        self.ctx.enable_only(moderngl.NOTHING)

    def _draw_mirror(self, scene: Scene, area: Rect, shown: moderngl.Texture, dt_s: float) -> None:
        assert self._camera is not None
        rect, source = place(area, self._camera.width / self._camera.height, self.config.fit)
        exact = (rect.width, rect.height) == self._camera.size and source == UNIT
        nearest = (moderngl.NEAREST, moderngl.NEAREST)
        self._camera.filter = nearest if exact else (moderngl.LINEAR, moderngl.LINEAR)
        placed = {
            "u_rect": self._parts(rect),
            "u_source": self._mirrored(source),
            "u_fade": 1.0 - (1.0 - scene.fade) * scene.presence,
        }
        self._camera_program.draw(u_camera=self._camera, **placed)
        self._mask.advance(dt_s)
        self._mask_vertices.write(self._mask.vertices)
        self._camera.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._face_program.set(
            u_picture=shown,
            u_camera=self._camera,
            u_tiles=float(self._reflection.count),
            u_grain=self.config.grain,
            u_seed=_seed(scene),
            **placed,
        )
        self._mask_array.render()

    def _draw_camera_tile(self, scene: Scene, tile: Tile) -> None:
        """Draw the followed face as the camera sees it, framed like its reflection."""
        assert self._camera is not None
        self._camera.filter = (moderngl.LINEAR, moderngl.LINEAR)
        scale = np.array(self._camera.size, np.float32)
        top_left, bottom_left, _, top_right = self._quad / scale
        corner, side_x, side_y = top_left, top_right - top_left, bottom_left - top_left
        if self.config.mirrored:
            corner, side_x = top_right, -side_x
        self._canvas_of(self.size).use()
        self._crop_program.draw(
            u_camera=self._camera,
            u_rect=self._parts(tile.rect),
            u_corner=tuple(corner),
            u_side_x=tuple(side_x),
            u_side_y=tuple(side_y),
            u_fade=1.0 - (1.0 - scene.fade) * scene.presence,
        )

    def _canvas_of(self, size: tuple[int, int]) -> moderngl.Framebuffer:
        if self._canvas is None or self._canvas.size != size:
            self._canvas = self._target(self._canvas, size, "f1", moderngl.LINEAR)
        return self._canvas

    def _rows_of(self, size: tuple[int, int]) -> moderngl.Framebuffer:
        if self._rows is None or self._rows.size != size:
            self._rows = self._target(self._rows, size, "f2", moderngl.NEAREST)
        return self._rows

    def _target(
        self, old: moderngl.Framebuffer | None, size: tuple[int, int], dtype: str, texture_filter: int
    ) -> moderngl.Framebuffer:
        if old is not None:
            old.color_attachments[0].release()
            old.release()
        texture = self.ctx.texture(size, 4, dtype=dtype)
        texture.filter = (texture_filter, texture_filter)
        texture.repeat_x = texture.repeat_y = False
        return self.ctx.framebuffer([texture])

    def _parts(self, rect: Rect) -> tuple[float, float, float, float]:
        width, height = self.size
        return rect.x / width, rect.y / height, rect.width / width, rect.height / height

    def _mirrored(self, source: Rect) -> tuple[float, float, float, float]:
        if self.config.mirrored:
            return source.x + source.width, source.y, -source.width, source.height
        return source.x, source.y, source.width, source.height


def _seed(scene: Scene) -> float:
    """A number that differs from frame to frame and stays small, for hashes in single precision."""
    return 0.0 if scene.freeze else float(int(scene.time_s * 24.0) % 997)
