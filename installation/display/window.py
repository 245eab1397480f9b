"""The window, or none: two classes with one face.

`open_window` gives a glfw window on the chosen monitor or, without a screen, a context of EGL. Both
are owned by the thread that opened them; the context is handed on, never kept in a module.
"""

from __future__ import annotations

from typing import Literal, Protocol

import moderngl

from installation.display.config import DisplayConfig
from installation.errors import DisplayError

Event = Literal[
    "quit", "fullscreen", "view", "target", "freeze", "snapshot", "help", "grid", "surface",
    "up", "down", "left", "right", "next",
]  # fmt: skip
"""What a key asks for."""

KEYS_HELP = {
    "Esc, Q": "leave",
    "F": "fullscreen",
    "V": "next view",
    "T": "next target",
    "Space": "freeze",
    "S": "save a picture",
    "F1": "this help",
    "G": "calibration grid",
    "C": "corners: Tab and arrows",
}
"""Keys as the overlay and the manual show them."""

TITLE = "Machine Reflections"


class Window(Protocol):
    """Where the canvas is shown.

    Attributes:
        ctx: The GL context. Everything made in it is released before `close`.
        framebuffer: What to present into, or None when there is no screen.
        name: What the window is on, for logs.
    """

    ctx: moderngl.Context
    name: str

    @property
    def framebuffer(self) -> moderngl.Framebuffer | None: ...

    @property
    def size_px(self) -> tuple[int, int]:
        """Framebuffer pixels (not window units: they differ on HiDPI screens), at least 1 x 1."""
        ...

    @property
    def hz(self) -> float:
        """How often a picture is shown."""
        ...

    @property
    def should_close(self) -> bool: ...

    def make_current(self) -> None:
        """Let what is drawn from now on go to this window; the first window of a show is current between ticks."""
        ...

    def poll(self) -> list[Event]:
        """Handle what the system sent; returns what keys asked for since the last call."""
        ...

    def swap(self) -> None:
        """Show what was drawn. Waits for the screen if it has one and `vsync` is on."""
        ...

    def reveal(self) -> None:
        """Let a window that was opened hidden appear. May be called twice."""
        ...

    def close(self) -> None:
        """Release context and window. May be called twice."""
        ...


def collect(ctx: moderngl.Context) -> None:
    """Release GL objects that Python no longer knows, on the context's thread.

    `Context.gc` would do, but it trips over objects that were released by hand before they were forgotten.
    """
    while ctx.objects:
        thing = ctx.objects.popleft()
        if hasattr(thing, "release"):
            thing.release()


def open_window(config: DisplayConfig, *, headless: bool = False, hidden: bool = False) -> Window:
    """Open a window, or a context without one if `headless`; a `hidden` one appears with `reveal`.

    Raises:
        DisplayError: If there is no screen, monitor or OpenGL 3.3; the message says which.
    """
    if headless:
        return HeadlessWindow(config)
    from installation.display.glfw_window import GlfwWindow  # loads a system library that a headless show can lack

    return GlfwWindow(config, hidden=hidden)


class HeadlessWindow:
    """EGL without a screen: the same renderer, read back by the recorder."""

    def __init__(self, config: DisplayConfig) -> None:
        try:
            self.ctx = moderngl.create_context(require=330, standalone=True, backend="egl")  # type: ignore[arg-type]
        except Exception as error:  # moderngl raises bare Exception for every cause
            raise DisplayError(
                f"no OpenGL 3.3 without a screen ({error}); install libegl1 and libgl1 with Mesa's drivers: "
                "sudo apt install libegl1 libgl1 libgl1-mesa-dri"
            ) from error
        self.ctx.gc_mode = "context_gc"
        self.name = f"no screen, {self.ctx.info['GL_RENDERER']}"
        self._size = config.size
        self._hz = config.hz
        self._closed = False

    @property
    def framebuffer(self) -> moderngl.Framebuffer | None:
        """None: nothing to present into."""
        return None

    @property
    def size_px(self) -> tuple[int, int]:
        """Size of the canvas."""
        return self._size

    @property
    def hz(self) -> float:
        """As configured."""
        return self._hz

    @property
    def should_close(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def make_current(self) -> None:
        """It is the only one."""

    def poll(self) -> list[Event]:
        """Nobody presses keys."""
        return []

    def swap(self) -> None:
        """Drop GL objects that Python no longer knows."""
        collect(self.ctx)

    def reveal(self) -> None:
        """There is nothing to be seen."""

    def close(self) -> None:
        """Release the context."""
        if not self._closed:
            self._closed = True
            collect(self.ctx)
            self.ctx.release()
