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

from installation.display.captions import CaptionLayer
from installation.display.capture import FrameReader
from installation.display.composition import Composition
from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.flat import FlatLayer
from installation.display.layout import Rect, Tile
from installation.display.notice import FLAG_SIZE, NoticeLayer
from installation.display.overlay import draw_corner, draw_face, draw_grid, draw_notice, draw_panel, text_size
from installation.display.reflection import Reflection
from installation.display.scene import Picture, Scene, View
from installation.display.shaders import SHADERS_FOLDER, ShaderLibrary
from installation.display.surface import Surface
from installation.display.surface_editor import SurfaceEditor
from installation.display.targets import Target
from installation.display.type_setting import usable_fonts
from installation.errors import DisplayError

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
        self.corner_pin = SurfaceEditor(config.corners, config.surface_file)
        self.sharpness = 1.0
        """Sides of the canvas, as parts of the screen's: less is drawn sooner."""
        self._canvas = Target(ctx)
        self._reflection = Reflection(self.shaders)
        self._composition = Composition(self.shaders, config, self._reflection)
        self._captions = CaptionLayer(self.shaders, self.captions)
        self._notice = NoticeLayer(self.shaders, self.captions)
        self._leaving = NoticeLayer(self.shaders, self.captions, size=FLAG_SIZE, corner=True)
        self._flat = FlatLayer(self.shaders)
        self._hold = self.shaders.program("hold.frag")
        self._held = Target(ctx)
        self._shown_as: tuple[str, str] | None = None
        self._changed_at_s = -1e9
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
        pinned = (self.corner_pin.notice,) if self.corner_pin.notice else ()
        return (*self._trouble, *self._captions.notices.values(), *pinned)

    @property
    def _trouble(self) -> tuple[str, ...]:
        # A broken include breaks many programs in the same place: once is enough.
        places = {error.partition("\n")[2] or error: error for error in self.shaders.errors.values()}
        return (*places.values(), *self._composition.failures.values())

    @property
    def mask_rings(self) -> NDArray[np.float64]:
        """The mirror view's mask: (2, n, 2), inner and outer ring, parts of the camera picture as it came."""
        return self._composition.camera.mask_rings

    def rehearse(self) -> None:
        """Make every look ready and open every font, for a check before doors.

        Raises:
            MirrorError: With every look's problem.
        """
        _, unusable = usable_fonts(self.captions)
        if unusable:
            raise DisplayError("\n".join(unusable))
        self._composition.rehearse()

    def show_pictures(self, picture: Picture) -> None:
        """Take the generator's newest result."""
        self._reflection.upload(picture)
        self._composition.see()

    def takes_gpu(self) -> bool:
        """Whether `show_pictures` takes pictures that lie on the GPU; tried when first asked."""
        return self._reflection.takes_gpu()

    @property
    def why_not_gpu(self) -> str:
        """Why `takes_gpu` says no; empty if it does not, or was not asked."""
        return self._reflection.refused

    def look_at_pictures(self) -> NDArray[np.uint8]:
        """Give the newest result to the host, reduced: (s, n * s, 3) uint8, pictures side by side."""
        return self._reflection.newest_rgb()

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
        self._composition.camera.update(camera_rgb, size_wh, landmarks, quad, self._reflection)

    def draw(self, scene: Scene, window_size: tuple[int, int]) -> None:
        """Draw a scene on the canvas for a screen of `window_size` framebuffer pixels."""
        self._drawn += 1
        dt_s = 0.0 if self._last_time_s is None else max(0.0, scene.time_s - self._last_time_s)
        self._last_time_s = scene.time_s
        self._reload(scene.time_s)
        size = reduced(self.surface.upright_size(window_size), self.sharpness)
        view, look = self._composition.view(scene), self._composition.look(scene)
        self._hold_last(size, "mirror" if scene.view == "mirror" else view, look, scene)
        self._canvas.resize(size)
        self._composition.forget_visitor(scene)
        area = Rect(0, 0, *size).inset(self.config.margin * min(size))
        letters = self.captions.size * min(size)
        tiles = self._composition.layout(view, area, letters, CAPTION_ROOM * letters if self.captions.enabled else 0.0)
        shown = self._reflection.render(scene.blend, tiles[-1].rect.height / tiles[-1].source.height)
        self._canvas.use()
        self._canvas.framebuffer.clear(alpha=1.0)
        if shown is None:
            self._shown_as = None  # the first picture has nothing to fade from
        else:
            self._composition.draw(self._canvas, scene, view, area, tiles, shown, dt_s)
            self._draw_captions(scene, view, area, tiles)
        self._fade_held(scene)
        self._notice.draw(size, area, scene.notice, scene.notice_alpha * (1.0 - scene.fade))
        self._leaving.draw(size, area, scene.leaving, 1.0)  # through every fade: it holds for as long as it is true
        self._draw_overlay(scene, view, area, tiles)

    def present(self, framebuffer: moderngl.Framebuffer) -> None:
        """Put the canvas on a screen: turned, pinned at its corners, with soft edges."""
        if self.size != (0, 0):
            self.surface.present(self._canvas.texture, framebuffer, self.corner_pin.corners)

    def handle(self, event: str) -> bool:
        """Take a key event of the window; returns whether it was meant for the corner-pin editor."""
        return self.corner_pin.handle(event)

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
            self._canvas, self._reflection, self._composition, self._captions, self._notice, self._leaving, self._flat,
            self._reader, self._held, self.shaders,
        ):  # fmt: skip
            if part is not None:
                part.release()

    def _hold_last(self, size: tuple[int, int], view: str, look: str, scene: Scene) -> None:
        """When view or look change, keep what is on the canvas, to fade out over what comes."""
        if self._shown_as is not None and self._shown_as != (view, look) and size == self.size:
            self._held.resize(size)
            self.ctx.copy_framebuffer(self._held.framebuffer, self._canvas.framebuffer)
            self._changed_at_s = scene.time_s
        self._shown_as = (view, look)

    def _fade_held(self, scene: Scene) -> None:
        since = scene.time_s - self._changed_at_s
        if not 0.0 <= since < self.config.view_fade_s or self._held.size != self.size:
            return
        x = since / self.config.view_fade_s
        self.ctx.enable_only(moderngl.BLEND)
        self.ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self._hold.draw(u_held=self._held.texture, u_alpha=1.0 - x * x * (3.0 - 2.0 * x))
        self.ctx.enable_only(moderngl.NOTHING)

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
        pinning = self.corner_pin.editing
        # Whoever edits files while the show runs looks at the wall; otherwise trouble is the operator's, not visitors'.
        trouble = self.corner_pin.help if pinning else "\n".join(self._trouble if self.config.hot_reload else ())
        if scene.overlay is None and not trouble:
            return
        self._flat.begin(text_size(self.size))
        if pinning:
            draw_grid(self._flat, self.size, area)
            draw_corner(self._flat, self.size, self.corner_pin.chosen)
        if scene.overlay is not None:
            if scene.overlay.grid and not pinning:
                draw_grid(self._flat, self.size, area)
            camera = self._composition.camera
            if camera.landmarks is not None and view in ("mirror", "split"):
                to_canvas = camera.to_canvas(area, self.config.fit, tiles[0].rect if view == "split" else None)
                draw_face(self._flat, camera.landmarks, camera.quad, to_canvas)
            if scene.overlay.values or scene.overlay.keys:
                draw_panel(self._flat, self.size, scene.overlay, f"{view} · {scene.look}")
        if trouble:
            draw_notice(self._flat, self.size, trouble)
        self._flat.draw(self.size)

    def _reload(self, time_s: float) -> None:
        if self.config.hot_reload and time_s >= self._reload_at_s:
            self._reload_at_s = time_s + _RELOAD_EVERY_S
            self.shaders.reload_changed()
            self._composition.reload_looks()


def reduced(size: tuple[int, int], sharpness: float) -> tuple[int, int]:
    """Sides of a canvas for a screen of `size` pixels; even, as films want them, unless nothing is reduced."""
    if sharpness >= 1.0:
        return size
    width, height = (max(2, 2 * round(0.5 * sharpness * side)) for side in size)
    return width, height
