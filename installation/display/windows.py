"""Opens the window that a config asks for: one on a monitor, or none."""

from __future__ import annotations

from installation.display.config import DisplayConfig
from installation.display.headless_window import HeadlessWindow
from installation.display.window import Window


def open_window(config: DisplayConfig, *, headless: bool = False, hidden: bool = False) -> Window:
    """Open a window, or a context without one if `headless`; a `hidden` one appears with `reveal`.

    Raises:
        DisplayError: If there is no screen, monitor or OpenGL 3.3; the message says which.
    """
    if headless:
        return HeadlessWindow(config)
    from installation.display.glfw_window import GlfwWindow  # loads a system library that a headless show can lack

    return GlfwWindow(config, hidden=hidden)
