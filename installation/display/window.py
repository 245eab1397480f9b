"""The window, or none: one face for both.

`windows.open_window` gives a glfw window on the chosen monitor or, without a screen, a context of EGL. Both
are owned by the thread that opened them; the context is handed on, never kept in a module.
"""

from __future__ import annotations

from typing import Literal, Protocol

import moderngl

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
