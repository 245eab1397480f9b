"""Draws a scene on the upright canvas and puts the canvas on screens.

Flow: generator -> `show_pictures`, eye -> `show_camera`, the show's loop -> `draw` -> `present`, and
`read` for the recorder. Nothing is allocated per frame: textures are written in place and made anew
only when a size changes.

The camera rule: the camera's texture is only ever filled with pictures in which a face is followed,
only the views `mirror` and `split` draw it, as far as somebody is present, and it is dropped when the
visitor is gone. With nobody there, those views show what `portrait` shows.
"""

from __future__ import annotations

from pathlib import Path

import moderngl
import numpy as np
from numpy.typing import NDArray

from installation.display.camera_layer import CameraLayer
from installation.display.captions import CaptionLayer
from installation.display.capture import FrameReader
from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.flat import FlatLayer
from installation.display.layout import Rect, Tile, pair, panels, single
from installation.display.overlay import draw_face, draw_grid, draw_notice, draw_panel, text_size
from installation.display.reflection import Reflection
from installation.display.scene import Picture, Scene, View
from installation.display.shaders import SHADERS_FOLDER, ShaderLibrary
from installation.display.surface import Surface
from installation.display.targets import Target
from installation.display.tiles import TilePainter

CAPTION_ROOM = 2.4
"""Height kept for a caption, in letter sizes."""

_RELOAD_EVERY_S = 0.5


class Renderer:
    """Owns every GL object of the show. One thread, the context's; `release` before the window closes."""

    def __init__(
        self,
        ctx: moderngl.Context,
        config: DisplayConfig,
        captions: CaptionConfig | None = None,
        shaders_dir: Path = SHADERS_FOLDER,
    ) -> None:
        """Compile every shader and make what has a fixed size.

        Raises:
            ShaderError: With file, line and message, if a shader does not compile.
        """
        self.ctx = ctx
        self.config = config
        self.captions = captions or CaptionConfig()
        self.shaders = ShaderLibrary(ctx, shaders_dir)
        self.surface = Surface(self.shaders, config)
        self._canvas = Target(ctx)
        self._reflection = Reflection(self.shaders)
        self._camera = CameraLayer(self.shaders, config)
        self._tiles = TilePainter(self.shaders, config)
        self._captions = CaptionLayer(self.shaders, self.captions)
        self._flat = FlatLayer(self.shaders)
        self._reader: FrameReader | None = None
        self._read_last: NDArray[np.uint8] | None = None
        self._drawn = self._read_at = 0
        self._last_time_s: float | None = None
        self._reload_at_s = 0.0
        ctx.enable_only(moderngl.NOTHING)

    @property
    def size(self) -> tuple[int, int]:
        """Size of the canvas in pixels; (0, 0) before the first `draw`."""
        return self._canvas.size

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know: broken shader edits, missing letters."""
        return (*self.shaders.errors.values(), *self._captions.notices.values())

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
        self._camera.update(camera_rgb, size_wh, landmarks, quad, self._reflection)

    def draw(self, scene: Scene, window_size: tuple[int, int]) -> None:
        """Draw a scene on the canvas for a screen of `window_size` framebuffer pixels."""
        self._drawn += 1
        dt_s = 0.0 if self._last_time_s is None else max(0.0, scene.time_s - self._last_time_s)
        self._last_time_s = scene.time_s
        self._reload(scene.time_s)
        self._canvas.resize(self.surface.upright_size(window_size))
        if scene.presence <= 0.0:
            self._camera.forget()
        area = Rect(0, 0, *self.size).inset(self.config.margin * min(self.size))
        view = self._view(scene)
        tiles = self._layout(view, area)
        shown = self._reflection.render(scene.blend, tiles[-1].rect.height / tiles[-1].source.height)
        self._canvas.use()
        self._canvas.framebuffer.clear()
        if shown is not None:
            self._draw_view(scene, view, area, tiles, shown, dt_s)
            self._draw_captions(scene, view, area, tiles)
        self._draw_overlay(scene, view, area, tiles)

    def present(self, framebuffer: moderngl.Framebuffer) -> None:
        """Put the canvas on a screen: turned, pinned at its corners, with soft edges."""
        if self.size != (0, 0):
            self.surface.present(self._canvas.texture, framebuffer)

    def read(self, *, now: bool = False) -> NDArray[np.uint8] | None:
        """Return a finished canvas without waiting for the graphics: the one before the last.

        Args:
            now: Wait for the last one instead; not for every frame.

        Returns:
            (h, w, 4) uint8 RGBA, top row first, the caller's to keep; None as long as there is none. The same array to
            everybody who asks between two calls of `draw`.
        """
        if self.size == (0, 0):
            return None
        if self._reader is None or self._reader.size != self.size:
            if self._reader is not None:
                self._reader.release()
            self._reader = FrameReader(self.ctx, self.size)
            self._read_at = 0
        if self._read_at != self._drawn:
            self._read_at = self._drawn
            self._reader.start(self._canvas.framebuffer)
            self._read_last = self._reader.take()
        return self._reader.take(newest=True) if now else self._read_last

    def release(self) -> None:
        """Give every GL object back."""
        for part in (
            self._canvas, self._reflection, self._camera, self._tiles, self._captions, self._flat, self._reader,
            self.shaders,
        ):  # fmt: skip
            if part is not None:
                part.release()

    def _view(self, scene: Scene) -> View:
        """The view that can be shown now: those with a camera picture need one, and somebody."""
        if scene.view in ("mirror", "split") and not (self._camera.ready and scene.presence > 0.0):
            return "portrait"
        return scene.view

    def _layout(self, view: View, area: Rect) -> tuple[Tile, ...]:
        letters = self.captions.size * min(self.size)
        room = CAPTION_ROOM * letters if self.captions.enabled else 0.0
        if view == "series":
            return panels(area, max(1, self._reflection.count), room, gap=0.6 * letters)
        if view == "split":
            return pair(area, room)
        return (single(area, self.config.fit, room),)

    def _draw_view(
        self, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...], shown: moderngl.Texture, dt_s: float
    ) -> None:
        count, seed = self._reflection.count, _seed(scene)
        light = 1.0 - scene.fade
        if view == "mirror":
            # Presence opens the camera picture over the portrait; the weights add up to one, so nothing shines through.
            self._camera.draw_mirror(
                self._canvas, area, self.config.fit, shown, count=count, fade=1.0 - light * scene.presence,
                grain=self.config.grain, seed=seed, dt_s=dt_s,
            )  # fmt: skip
            if scene.presence >= 1.0:
                return
            light *= 1.0 - scene.presence
        if view == "split":
            self._camera.draw_crop(self._canvas, tiles[0].rect, 1.0 - light * scene.presence)
            tiles = tiles[1:]
        self._tiles.draw(
            self._canvas, tiles, shown, pictures=tuple(min(i, count - 1) for i in range(len(tiles))), count=count,
            fade=1.0 - light, seed=seed, add=view == "mirror",
        )  # fmt: skip

    def _draw_captions(self, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...]) -> None:
        places = [tile.caption for tile in (tiles[1:] if view == "split" else tiles)]
        if len(scene.captions) < len(places):
            places = [Rect(area.x, places[-1].y, area.width, places[-1].height)]
        height = places[0].height
        if self.captions.position == "top":
            places = [Rect(place.x, area.y, place.width, height) for place in places]
        elif self.captions.position == "bottom":
            places = [Rect(place.x, area.y + area.height - height, place.width, height) for place in places]
        size_px = max(4, round(self.captions.size * min(self.size)))
        words = list(zip(places, scene.captions, strict=False))
        self._captions.draw(self.size, words, scene.caption_alpha * (1.0 - scene.fade), scene.time_s, size_px)

    def _draw_overlay(self, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...]) -> None:
        trouble = "\n".join(self.shaders.errors.values())
        if scene.overlay is None and not trouble:
            return
        self._flat.begin(text_size(self.size))
        if scene.overlay is not None:
            if scene.overlay.grid:
                draw_grid(self._flat, self.size, area)
            if self._camera.landmarks is not None and view in ("mirror", "split"):
                to_canvas = self._camera.to_canvas(area, self.config.fit, tiles[0].rect if view == "split" else None)
                draw_face(self._flat, self._camera.landmarks, self._camera.quad, to_canvas)
            if scene.overlay.values or scene.overlay.keys:
                draw_panel(self._flat, self.size, scene.overlay, f"{view} · {scene.look}")
        elif trouble:
            draw_notice(self._flat, self.size, trouble)
        self._flat.draw(self.size)

    def _reload(self, time_s: float) -> None:
        if self.config.hot_reload and time_s >= self._reload_at_s:
            self._reload_at_s = time_s + _RELOAD_EVERY_S
            self.shaders.reload_changed()


def _seed(scene: Scene) -> float:
    """A number that differs from frame to frame and stays small, for hashes in single precision."""
    return 0.0 if scene.freeze else float(int(scene.time_s * 24.0) % 997)
