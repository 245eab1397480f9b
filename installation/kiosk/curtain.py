"""The curtain: a second window, always ready, that covers the screen whenever the show does not draw.

It plays a film that was drawn from the pack beforehand, decoded on the processor and shown through the
software rasteriser: no camera, no network, no graphics card. While the show draws, the window is
hidden and the process sleeps. Without a film it shows a slow gradient; while the doors are closed, black.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.pacing import Pacer
from installation.display.config import DisplayConfig
from installation.display.layout import Rect, place
from installation.errors import DisplayError
from installation.kiosk.links import Dial
from installation.runtime.board import Heartbeat

RATE_HZ = 12.0
_HIDDEN_S = 0.04  # how soon the curtain comes down
_LOOK_AGAIN_S = 5.0  # for a film that is being made

Rgb = NDArray[np.uint8]


class Cover(IntEnum):
    """What the curtain shows."""

    HIDDEN = 0
    FILM = 1
    BLACK = 2


def run_curtain(display: DisplayConfig, headless: bool, film: Path, cover: Dial, beat: Heartbeat) -> None:
    """Body of the process; ends with SIGTERM.

    Args:
        display: Monitor, rotation, fit.
        headless: There is no screen: only keep the beat.
        film: What to play; may appear later.
        cover: A `Cover`, set by the supervisor.
        beat: Told with every picture, or while hidden.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing to finish; GL must not be left half way
    turns = 0
    if headless:
        while True:
            turns += 1
            beat.beat(turns)
            time.sleep(_HIDDEN_S)
    window = CurtainWindow(display)
    player = Player(film)
    pacer = Pacer(RATE_HZ)
    while True:
        turns += 1
        beat.beat(turns)
        wanted = Cover(int(cover.value))
        if wanted is Cover.HIDDEN:
            window.hide()
            time.sleep(_HIDDEN_S)
            continue
        window.show(player.picture(time.monotonic()) if wanted is Cover.FILM else None)
        time.sleep(pacer.wait_s(time.monotonic()))


class Player:
    """Gives the film's pictures for ever, and a gradient where there is no film.

    Args:
        film: May not exist yet, or be damaged.
    """

    def __init__(self, film: Path, *, open_film: Callable[[Path], Any] | None = None) -> None:
        self._film = film
        self._open = open_film or _open_film
        self._pictures: Any = None
        self._look_at = float("-inf")

    def picture(self, now: float) -> Rgb:
        """(h, w, 3) uint8 RGB, the next picture."""
        if self._pictures is None and now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_S
            self._pictures = self._open(self._film) if self._film.is_file() else None
        if self._pictures is not None:
            try:
                picture: Rgb = next(self._pictures)
                return picture
            except (StopIteration, OSError, ValueError):  # the end of a good film, or a damaged one: from the beginning
                self._pictures = None
        return gradient(now)


def gradient(now: float, size: int = 64) -> Rgb:
    """A warm dusk that breathes: never black, never still. (size, size, 3) uint8 RGB."""
    y = np.linspace(0.0, 1.0, size)[:, None]
    x = np.linspace(-1.0, 1.0, size)[None, :]
    breath = 0.5 + 0.5 * np.sin(now * 2.0 * np.pi / 9.0)
    glow = np.exp(-(x * x + (y - 0.55 - 0.05 * breath) ** 2 * 5.0) * (1.6 - 0.5 * breath))
    colour = np.array([196.0, 128.0, 92.0]) * glow[..., None] + np.array([26.0, 24.0, 34.0])
    dusk: Rgb = np.clip(colour, 0, 255).astype(np.uint8)
    return dusk


def compose(picture: Rgb, size: tuple[int, int], display: DisplayConfig) -> Rgb:
    """Lay a picture on a black screen as the show would: fit, margin and rotation. (h, w, 3) uint8 RGB."""
    import cv2

    upright = size if display.rotation in (0, 180) else (size[1], size[0])
    area = Rect(0, 0, *upright).inset(display.margin * min(upright))
    rect, source = place(area, picture.shape[1] / picture.shape[0], display.fit)
    height, width = picture.shape[:2]
    top, left = round(source.y * height), round(source.x * width)
    part = picture[top : top + round(source.height * height), left : left + round(source.width * width)]
    canvas = np.zeros((upright[1], upright[0], 3), np.uint8)
    x, y, w, h = (int(v) for v in (rect.x, rect.y, rect.width, rect.height))
    canvas[y : y + h, x : x + w] = cv2.resize(part, (w, h), interpolation=cv2.INTER_CUBIC)
    turned: Rgb = np.rot90(canvas, -display.rotation // 90)
    return np.ascontiguousarray(turned)


class CurtainWindow:
    """A fullscreen window through the software rasteriser, without shaders: a texture copied to the screen.

    Raises:
        DisplayError: If no window can be opened.
    """

    def __init__(self, display: DisplayConfig) -> None:
        software_rendering(os.environ)
        import glfw
        import moderngl

        from installation.display.monitors import choose_monitor, monitor_names
        from installation.display.window import TITLE

        self._glfw, self._display = glfw, display
        glfw.set_error_callback(lambda code, words: None)  # ours say it in a sentence
        if not glfw.init():
            raise DisplayError("the curtain finds no screen; set DISPLAY or WAYLAND_DISPLAY")
        index = choose_monitor(display.monitor, monitor_names(glfw))
        monitors = glfw.get_monitors()
        monitor = monitors[index] if index is not None else (monitors[0] if monitors else None)
        mode = glfw.get_video_mode(monitor) if monitor is not None else None
        hints = {
            glfw.CONTEXT_VERSION_MAJOR: 3, glfw.CONTEXT_VERSION_MINOR: 3,
            glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE, glfw.OPENGL_FORWARD_COMPAT: True,
            glfw.VISIBLE: False, glfw.DECORATED: not display.fullscreen, glfw.FOCUSED: False,
            glfw.AUTO_ICONIFY: False, glfw.FOCUS_ON_SHOW: False,
        }  # fmt: skip
        for hint, value in hints.items():
            glfw.window_hint(hint, value)
        cover = display.fullscreen and mode is not None
        size = (mode.size.width, mode.size.height) if display.fullscreen and mode is not None else display.size
        self._handle = glfw.create_window(*size, TITLE, None, None)
        if not self._handle:
            glfw.terminate()
            raise DisplayError("the curtain can open no window with OpenGL 3.3 in software; install Mesa's drivers")
        if cover and monitor is not None and glfw.get_platform() != glfw.PLATFORM_WAYLAND:
            glfw.set_window_pos(self._handle, *glfw.get_monitor_pos(monitor))
        glfw.make_context_current(self._handle)
        glfw.swap_interval(0)
        glfw.set_input_mode(self._handle, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        self._ctx = moderngl.create_context(require=330)
        self._screen = self._ctx.detect_framebuffer()
        self._canvas: Any = None
        self._shown = False

    def hide(self) -> None:
        """Take the curtain away."""
        if self._shown:
            self._glfw.hide_window(self._handle)
            self._shown = False
        self._glfw.poll_events()

    def show(self, picture: Rgb | None) -> None:
        """Cover the screen with a picture, or with black."""
        if not self._shown:
            self._glfw.show_window(self._handle)
            self._shown = True
        self._glfw.poll_events()
        size = self._glfw.get_framebuffer_size(self._handle)
        if min(size) > 0:
            self._draw(picture, size)
        self._glfw.swap_buffers(self._handle)

    def _draw(self, picture: Rgb | None, size: tuple[int, int]) -> None:
        if picture is None:
            self._screen.use()
            self._screen.clear()
            return
        if self._canvas is None or self._canvas.size != size:
            if self._canvas is not None:
                self._canvas.color_attachments[0].release()
                self._canvas.release()
            self._canvas = self._ctx.framebuffer([self._ctx.texture(size, 3, alignment=1)])
            self._screen.viewport = self._screen.scissor = (0, 0, *size)
        pixels = compose(picture, size, self._display)[::-1]  # GL counts rows from below
        self._canvas.color_attachments[0].write(np.ascontiguousarray(pixels))
        self._ctx.copy_framebuffer(self._screen, self._canvas)


def software_rendering(environ: Any) -> None:
    """Keep this process off the graphics card: Mesa's rasteriser, even where another vendor's library is installed."""
    environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
    environ["GALLIUM_DRIVER"] = "llvmpipe"
    environ["LP_NUM_THREADS"] = "1"
    environ["__GLX_VENDOR_LIBRARY_NAME"] = "mesa"
    for manifest in sorted(Path("/usr/share/glvnd/egl_vendor.d").glob("*mesa*.json")):
        environ["__EGL_VENDOR_LIBRARY_FILENAMES"] = str(manifest)


def _open_film(path: Path) -> Any:
    """Decode a film to RGB pictures, one at a time."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24")
