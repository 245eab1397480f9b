"""The pictures of a scene on the canvas: which view, where its tiles lie, through which look.

With the plain look a view is drawn straight onto the canvas. With another it is drawn at the look's
working size first, the look runs over that, and the result is enlarged onto the canvas.
"""

from __future__ import annotations

from pathlib import Path

import moderngl

from installation.display.camera_layer import CameraLayer
from installation.display.chain import STYLE_PICTURE, Chain
from installation.display.config import DisplayConfig
from installation.display.ghosts import DIM, KEPT, GhostTrail, ghost_layout
from installation.display.layout import UNIT, Rect, Tile, bounding, caption_strip, pair, panels, single
from installation.display.look_file import Look, read_look
from installation.display.looks import PLAIN, load_looks, look_files
from installation.display.reflection import Reflection
from installation.display.scene import Scene, View
from installation.display.shaders import ShaderLibrary
from installation.display.targets import SRGB8_ALPHA8, Target
from installation.display.tiles import TilePainter, parts
from installation.errors import MirrorError


class Composition:
    """Owns camera layer, tiles, trail and looks. Owned by the renderer."""

    def __init__(self, shaders: ShaderLibrary, config: DisplayConfig, reflection: Reflection) -> None:
        """Read every look and compile what all views need.

        Raises:
            ConfigError, ShaderError: With every problem found.
        """
        self._shaders = shaders
        self._config = config
        self._reflection = reflection
        self.camera = CameraLayer(shaders, config)
        self._tiles = TilePainter(shaders, config)
        self._ghosts = GhostTrail(shaders)
        self._finish = shaders.program("finish.frag")
        self._stage = Target(shaders.ctx, internal_format=SRGB8_ALPHA8)
        self._looks = load_looks(config)
        self._chains: dict[str, Chain] = {}
        self._look = PLAIN
        self._visited = False
        self._seen = {name: _written_at(path) for name, path in look_files(config).items()}
        self.failures: dict[str, str] = {}

    def view(self, scene: Scene) -> View:
        """The view that can be shown now: those with a camera picture need one, and somebody."""
        if scene.view in ("mirror", "split") and not (self.camera.ready and scene.presence > 0.0):
            return "portrait"
        return scene.view

    def look(self, scene: Scene) -> str:
        """The look that can be shown now: plain for one that is unknown or broken."""
        broken = scene.look in self.failures and scene.look not in self._chains
        return scene.look if scene.look in self._looks and not broken else PLAIN

    def layout(self, view: View, area: Rect, letters: float, room: float) -> tuple[Tile, ...]:
        """Lay out a view's tiles.

        Args:
            view: Which.
            area: The canvas without its safe margin.
            letters: Size of the captions' letters, pixels.
            room: Height kept for a caption, pixels.
        """
        if view in ("series", "strip"):
            gap = 0.6 * letters if view == "series" else 0.0
            return panels(area.inset(gap), max(1, self._reflection.count - self._reflection.first_beside), room, gap)
        if view == "split":
            return pair(area, room)
        if view == "ghosts":
            rect = ghost_layout(area)[0]
            return (Tile(rect, UNIT, caption_strip(rect, rect, room)),)  # moments may stand right below
        return (single(area, self._config.fit, room),)

    def draw(
        self, canvas: Target, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...], shown: moderngl.Texture,
        dt_s: float,
    ) -> None:  # fmt: skip
        """Draw a view's pictures onto the cleared, bound canvas, `dt_s` seconds after the last time."""
        if view == "ghosts" and scene.presence >= 1.0:  # before that, the attract walk's face is still in it
            self._ghosts.follow(shown, self._reflection.count, scene.time_s)
            canvas.use()
        self._look = self.look(scene)
        chain = None if self._look == PLAIN else self._chain(self._look)
        if chain is None:
            self._draw_view(canvas, scene, view, area, tiles, shown, dt_s, light=1.0 - scene.fade)
        else:
            self._draw_look(canvas, chain, scene, view, area, tiles, shown, dt_s)

    def see(self) -> None:
        """Let the look in use know of the newest picture."""
        if self._look in self._chains:
            self._chains[self._look].see(self._reflection.newest_rgb())

    def rehearse(self) -> None:
        """Make every look ready, for a check before doors.

        Raises:
            MirrorError: With every look's problem.
        """
        for name in self._looks:
            self._chain(name)
        if self.failures:
            raise MirrorError("\n".join(self.failures.values()))

    def reload_looks(self) -> None:
        """Read looks again whose files have changed; a broken edit keeps the last good look and is told.

        Knobs that an edit adds are at rest until the next start: the instrument's table is made once.
        """
        for name, path in look_files(self._config).items():
            written = _written_at(path)
            if self._seen.setdefault(name, written) == written:
                continue
            self._seen[name] = written
            try:
                look = read_look(path)
                chain = self._made(name, look)
            except MirrorError as error:
                self.failures[name] = f"look {name}: {error}"
                continue
            self.failures.pop(name, None)
            self._looks[name] = look
            if (before := self._chains.pop(name, None)) is not None:
                before.release()
            self._chains[name] = chain

    def forget_visitor(self, scene: Scene) -> None:
        """When a visitor is gone, nothing of them stays: no camera picture, no trail."""
        if scene.presence > 0.0:
            self._visited = True
            return
        self.camera.forget()
        if self._visited:
            self._visited = False
            self._ghosts.forget()
            for chain in self._chains.values():
                chain.forget()

    def release(self) -> None:
        """Give every GL object back."""
        for chain in self._chains.values():
            chain.release()
        self.camera.release()
        self._tiles.release()
        self._ghosts.release()
        self._stage.release()

    def _draw_view(
        self, target: Target, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...], shown: moderngl.Texture,
        dt_s: float, *, light: float, plain: bool = True,
    ) -> None:  # fmt: skip
        """Draw a view's pictures, with the plain look's grain if `plain`, dimmed to `light`."""
        count, seed = self._reflection.count, grain_seed(scene)
        if view == "mirror":
            # Presence opens the camera picture over the portrait; the weights add up to one, so nothing shines through.
            self.camera.draw_mirror(
                target, area, self._config.fit, shown, count=count, fade=1.0 - light * scene.presence,
                grain=self._config.grain, seed=seed, dt_s=dt_s,
            )  # fmt: skip
            if scene.presence >= 1.0:
                return
            light *= 1.0 - scene.presence
        if view == "ghosts":
            self._draw_ghosts(target, area, light, seed)
        if view == "split":
            self.camera.draw_crop(target, tiles[0].rect, 1.0 - light * scene.presence)
            tiles = tiles[1:]
        first = self._reflection.first_beside if view in ("series", "strip") else 0
        self._tiles.draw(
            target, tiles, shown, pictures=tuple(min(first + i, count - 1) for i in range(len(tiles))), count=count,
            fade=1.0 - light, seed=seed, plain=plain, add=view == "mirror",
        )  # fmt: skip

    def _draw_ghosts(self, target: Target, area: Rect, light: float, seed: float) -> None:
        """Draw the visit's earlier moments beside the present."""
        for age, (tile, cell) in enumerate(zip(ghost_layout(area)[1], self._ghosts.cells, strict=False)):
            self._tiles.draw(
                target, (tile,), self._ghosts.strip, pictures=(cell,), count=KEPT, fade=1.0 - light * DIM ** (age + 1),
                seed=seed, plain=False,
            )  # fmt: skip

    def _draw_look(
        self, canvas: Target, chain: Chain, scene: Scene, view: View, area: Rect, tiles: tuple[Tile, ...],
        shown: moderngl.Texture, dt_s: float,
    ) -> None:  # fmt: skip
        """Draw a view at the look's working size, run the look over it, and enlarge the result onto the canvas."""
        camera = self.camera.place(area, self._config.fit)[0] if view == "mirror" else None
        windows = [tile.rect for tile in tiles] if camera is None or scene.presence < 1.0 else []
        if camera is not None:
            windows.append(camera)
        if view == "ghosts":
            windows = [area]
        block = bounding(windows)
        shorter = min(block.width, block.height)
        scale = min(1.0, (chain.look.work_px or shorter) / shorter)
        self._stage.resize((max(1, round(block.width * scale)), max(1, round(block.height * scale))))
        self._stage.use()
        self._stage.framebuffer.clear()
        tiles = tuple(tile.within(block, scale) for tile in tiles)
        area = area.within(block, scale)
        self._draw_view(self._stage, scene, view, area, tiles, shown, dt_s, light=1.0, plain=False)
        made = chain.run(
            self._stage.texture, time_s=scene.time_s, presence=scene.presence, controls=scene.uniforms,
            frozen=scene.freeze,
        )  # fmt: skip
        canvas.use()
        finish = chain.look.finish
        self._finish.set(
            u_picture=made, u_sharpness=finish.sharpness if scale < 1.0 else 0.0, u_grain=finish.grain,
            u_grain_px=max(1.0, round(min(canvas.size) / 1080)), u_vignette=finish.vignette, u_fade=scene.fade,
            u_seed=grain_seed(scene),
        )  # fmt: skip
        for window in [block] if camera is not None else windows:
            source = parts(Rect(window.x - block.x, window.y - block.y, window.width, window.height), block.size)
            self._finish.draw(u_rect=parts(window, canvas.size), u_source=source)

    def _chain(self, look: str) -> Chain | None:
        """The look's chain, made the first time, which the cross-fade covers; None if it cannot be made."""
        if look in self._chains or look in self.failures:
            return self._chains.get(look)  # the last good one, where an edit broke it
        try:
            chain = self._made(look, self._looks[look])
        except MirrorError as error:  # told to the operator, while visitors see the plain look
            self.failures[look] = f"look {look}: {error}"
            return None
        self._chains[look] = chain
        return chain

    def _made(self, name: str, look: Look) -> Chain:
        style = Path(self._config.style_picture) if self._config.style_picture else STYLE_PICTURE
        chain = Chain(name, look, self._shaders, look_files(self._config)[name].parent, style)
        if self._reflection.resolution:
            chain.see(self._reflection.newest_rgb())
        return chain


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # an editor that replaces files leaves a gap
        return 0


def grain_seed(scene: Scene) -> float:
    """A number that differs from frame to frame and stays small, for hashes in single precision."""
    return 0.0 if scene.freeze else float(int(scene.time_s * 24.0) % 997)
