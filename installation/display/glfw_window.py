"""A window of the system, by glfw: the chosen monitor, fullscreen, keys, and the monitor's going and coming back."""

from __future__ import annotations

import logging
import time
from typing import Any

import glfw
import moderngl

from installation.core.pacing import RefreshWatch
from installation.display.config import DisplayConfig
from installation.display.monitors import Place, choose_monitor, monitor_names, place_of, text_of
from installation.display.window import TITLE, Event, collect
from installation.errors import DisplayError

_HIDDEN_S = 0.01

_LOG = logging.getLogger(__name__)


class GlfwWindow:
    """A window on a monitor. Survives the monitor's unplugging and comes back to it.

    Args:
        config: Monitor, size, fullscreen, vsync.
        hidden: Whether it appears only with `reveal`.
        beside: The show's first window, if this is a further one. A further window does not wait for its screen, stays
            hidden while its monitor is not connected, and is closed before the first.
    """

    def __init__(self, config: DisplayConfig, *, hidden: bool = False, beside: GlfwWindow | None = None) -> None:
        self._config = config
        self._beside = beside
        self._events: list[Event] = []
        self._closed = False
        self._look_again_at = 0.0
        self._hidden = hidden
        self._placed: Place | None = None
        errors = _GlfwErrors()
        if beside is None and not glfw.init():
            raise DisplayError(
                f"no screen can be reached ({errors.text}); set DISPLAY or WAYLAND_DISPLAY, or use --headless"
            )
        hints = {
            glfw.CONTEXT_VERSION_MAJOR: 3, glfw.CONTEXT_VERSION_MINOR: 3,
            glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE, glfw.OPENGL_FORWARD_COMPAT: True,
            glfw.DEPTH_BITS: 0, glfw.STENCIL_BITS: 0, glfw.ALPHA_BITS: 0,
            glfw.AUTO_ICONIFY: False,  # a kiosk stays up when a dialog takes the focus
            glfw.VISIBLE: not hidden and beside is None,
        }  # fmt: skip
        for hint, value in hints.items():
            glfw.window_hint(hint, value)
        self._handle = glfw.create_window(*config.size, TITLE, None, None)
        if not self._handle:
            if beside is None:
                glfw.terminate()
            raise DisplayError(f"no window with OpenGL 3.3 ({errors.text}); update the graphics driver")
        self.make_current()
        self.ctx = moderngl.create_context(require=330)
        self.ctx.gc_mode = "context_gc"
        self._screen = self.ctx.detect_framebuffer()
        glfw.set_input_mode(self._handle, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        glfw.set_key_callback(self._handle, self._on_key)
        self._windowed = (*glfw.get_window_pos(self._handle), *config.size) if _can_place() else (0, 0, *config.size)
        self._wants_fullscreen = config.fullscreen
        self._hz = config.hz
        self._monitor = self._find_monitor()
        names = monitor_names(glfw)
        if self._monitor is None and beside is None:
            connected = ", ".join(f"{index} {name!r}" for index, name in enumerate(names)) or "none at all"
            self.close()
            raise DisplayError(f"[display] monitor = {config.monitor!r}: not connected; connected are {connected}")
        if not hidden:
            self._show()
        self._refresh = RefreshWatch(self.hz) if config.vsync and beside is None else None
        on = "no monitor yet" if self._monitor is None else names[choose_monitor(config.monitor, names) or 0]
        self.name = f"{on}, {self.ctx.info['GL_RENDERER']}"

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to draw for: neither hidden nor without its monitor."""
        return not self._hidden and (self._beside is None or self._monitor is not None)

    def make_current(self) -> None:
        """Let what is drawn from now on go to this window."""
        glfw.make_context_current(self._handle)

    @property
    def framebuffer(self) -> moderngl.Framebuffer:
        """The window's own. Its viewport is the whole window as it is now; moderngl's `size` is that of the start."""
        self._screen.viewport = (0, 0, *self.size_px)
        return self._screen

    @property
    def size_px(self) -> tuple[int, int]:
        """Framebuffer pixels, at least 1 x 1 (a minimised window has none); of a hidden window, what they will be."""
        if self._hidden and self._wants_fullscreen and self._monitor is not None:
            mode = glfw.get_video_mode(self._monitor)
            return mode.size.width, mode.size.height
        width, height = glfw.get_framebuffer_size(self._handle)
        return max(1, width), max(1, height)

    @property
    def hz(self) -> float:
        """The monitor's refresh rate; `[display] hz` if it does not say, as virtual screens do."""
        mode = glfw.get_video_mode(self._monitor) if self._monitor is not None else None
        return float(mode.refresh_rate) if mode is not None and mode.refresh_rate else self._hz

    @property
    def should_close(self) -> bool:
        """Whether the window was asked to close."""
        return self._closed or bool(glfw.window_should_close(self._handle))

    def poll(self) -> list[Event]:
        """Handle the system's events; also follows the monitor when it was unplugged, came back or changed."""
        if self._beside is None:
            glfw.poll_events()  # for all windows
        now = time.monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + 1.0
            self._follow_monitor()
        events, self._events = self._events, []
        if "fullscreen" in events:
            self._wants_fullscreen = not self._wants_fullscreen
            self._place()
        return events

    def swap(self) -> None:
        """Show the picture, then drop GL objects that Python no longer knows."""
        if self.is_shown:
            glfw.swap_buffers(self._handle)
            if self._refresh is not None:
                time.sleep(self._refresh.wait_s(time.monotonic()))
        elif self._beside is None:
            time.sleep(_HIDDEN_S)  # under Wayland a hidden window would wait for ever
        collect(self.ctx)

    def reveal(self) -> None:
        """Let a window that was opened hidden appear, where it belongs."""
        if self._hidden:
            self._hidden = False
            self._show()

    def close(self) -> None:
        """Release context and window."""
        if self._closed:
            return
        self._closed = True
        self.make_current()
        collect(self.ctx)
        self.ctx.release()
        glfw.destroy_window(self._handle)
        if self._beside is None:
            glfw.terminate()
        else:
            self._beside.make_current()

    def _on_key(self, _window: Any, key: int, _scancode: int, action: int, _mods: int) -> None:
        names: dict[int, Event] = {
            glfw.KEY_ESCAPE: "quit", glfw.KEY_Q: "quit", glfw.KEY_F: "fullscreen", glfw.KEY_V: "view",
            glfw.KEY_T: "target", glfw.KEY_SPACE: "freeze", glfw.KEY_S: "snapshot", glfw.KEY_F1: "help",
            glfw.KEY_G: "grid", glfw.KEY_C: "surface",
        }  # fmt: skip
        held: dict[int, Event] = {
            glfw.KEY_UP: "up", glfw.KEY_DOWN: "down", glfw.KEY_LEFT: "left", glfw.KEY_RIGHT: "right",
            glfw.KEY_TAB: "next",
        }  # fmt: skip
        if action == glfw.PRESS and key in names:
            self._events.append(names[key])
        elif action in (glfw.PRESS, glfw.REPEAT) and key in held:
            self._events.append(held[key])

    def _find_monitor(self) -> Any | None:
        monitors = glfw.get_monitors()
        index = choose_monitor(self._config.monitor, monitor_names(glfw))
        return None if index is None else monitors[index]

    def _follow_monitor(self) -> None:
        """Go back to the chosen monitor when it is there again, and with it when it moves or changes its resolution.

        Meanwhile the first window stays where the system put it; a further one would cover the first, and is hidden.
        """
        found = self._find_monitor()
        place = place_of(glfw, found)
        if self._hidden or place == self._placed:
            self._monitor = found
            return
        _LOG.warning("monitor %r: %s", self._config.monitor, "gone" if place is None else f"now {place}")
        self._monitor = found
        if place is not None:
            self._show()
        else:
            self._placed = None
            if self._beside is not None:
                glfw.hide_window(self._handle)

    def _show(self) -> None:
        """Appear where the window belongs; a further window without its monitor stays hidden."""
        if self.is_shown:
            glfw.show_window(self._handle)
            self._place()

    def _place(self) -> None:
        if not self.is_shown:
            return  # fullscreen would show it
        monitor = self._monitor
        self._placed = place_of(glfw, monitor)
        is_fullscreen = bool(glfw.get_window_monitor(self._handle))
        if self._wants_fullscreen and monitor is not None:
            if not is_fullscreen and _can_place():
                self._windowed = (*glfw.get_window_pos(self._handle), *glfw.get_window_size(self._handle))
            mode = glfw.get_video_mode(monitor)
            glfw.set_window_monitor(self._handle, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)
        elif is_fullscreen:
            glfw.set_window_monitor(self._handle, None, *self._windowed, 0)  # type: ignore[arg-type]
        elif monitor is not None and self._config.monitor != "" and _can_place():
            x, y, width, height = glfw.get_monitor_workarea(monitor)
            glfw.set_window_pos(
                self._handle,
                x + max(0, width - self._config.size[0]) // 2,
                y + max(0, height - self._config.size[1]) // 2,
            )
        self.make_current()
        glfw.swap_interval(1 if self._config.vsync and self._beside is None else 0)


def _can_place() -> bool:
    """Wayland does not tell windows where they are, nor lets them choose."""
    return not hasattr(glfw, "get_platform") or glfw.get_platform() != glfw.PLATFORM_WAYLAND


class _GlfwErrors:
    """Keeps what glfw says, and logs it, instead of its Python warnings."""

    def __init__(self) -> None:
        self._said: list[str] = []
        glfw.set_error_callback(self._hear)

    def _hear(self, _code: int, words: bytes | str) -> None:
        self._said = [*self._said[-3:], text_of(words)]
        _LOG.warning("glfw: %s", text_of(words))

    @property
    def text(self) -> str:
        return "; ".join(self._said) or "no reason given"
