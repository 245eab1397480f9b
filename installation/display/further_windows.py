"""Further windows of one show: the same reflection on more monitors, in the same view or another.

Each has a GL context and a renderer of its own, so that monitors may hang on different graphics cards; the networks'
result is uploaded once for each, which is small. Only the first window waits for its screen: two that wait would halve
the rate. Between ticks the first window's context is current.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.renderer import Renderer
from installation.display.scene import Picture, Scene, View
from installation.display.window import Event, Window

if TYPE_CHECKING:
    from installation.display.glfw_window import GlfwWindow

OwnView = View | Literal[""]
"""The view of a further window; "" follows the show's."""


@dataclass(frozen=True, slots=True)
class _Further:
    """One of them."""

    window: GlfwWindow
    renderer: Renderer
    view: OwnView


class FurtherWindows:
    """All windows but the first. Owned by the thread of the first one; closed before it."""

    def __init__(self, first: Window, config: DisplayConfig, captions: CaptionConfig) -> None:
        """Open a window for each of `config.windows`, hidden until `reveal`; none where the first has no screen.

        Raises:
            DisplayError: If one cannot be opened. A monitor that is not connected is waited for.
        """
        self._first = first
        self._all: list[_Further] = []
        if not config.windows or first.framebuffer is None:
            return
        from installation.display.glfw_window import GlfwWindow  # loads a library that a headless show can lack

        assert isinstance(first, GlfwWindow)
        try:
            for one in config.windows:
                own = config.further(one)
                window = GlfwWindow(own, hidden=True, beside=first)
                self._all.append(_Further(window, Renderer(window.ctx, own, captions), one.view))
        finally:
            first.make_current()

    @property
    def views(self) -> tuple[OwnView, ...]:
        """The views that these windows show; "" for the show's own."""
        return tuple(one.view for one in self._all)

    @property
    def names(self) -> tuple[str, ...]:
        """What each is on, for logs."""
        return tuple(one.window.name for one in self._all)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know."""
        return tuple(dict.fromkeys(notice for one in self._all for notice in one.renderer.notices))

    def takes_gpu(self) -> bool:
        """Whether all of them take pictures that lie on the GPU: their monitors may hang on another."""
        answers: list[bool] = []
        self._each(lambda one: answers.append(one.renderer.takes_gpu()))
        return all(answers)

    def show_pictures(self, picture: Picture) -> None:
        """Take the generator's newest result; see `Renderer.show_pictures`."""
        self._each(lambda one: one.renderer.show_pictures(picture))

    def show_camera(
        self,
        camera_rgb: NDArray[np.uint8],
        size_wh: tuple[int, int],
        landmarks: NDArray[np.float32] | None,
        quad: NDArray[np.float32] | None,
    ) -> None:
        """Take the newest camera picture; see `Renderer.show_camera`."""
        self._each(lambda one: one.renderer.show_camera(camera_rgb, size_wh, landmarks, quad))

    def sharpen(self, sharpness: float) -> None:
        """Draw all of them so sharp from now on; see `Renderer.sharpness`."""
        for one in self._all:
            one.renderer.sharpness = sharpness

    def draw(self, scene_of: Callable[[OwnView], Scene]) -> None:
        """Draw and swap each window that is to be seen; `scene_of` makes the scene of a view, "" for the show's."""

        def draw_one(one: _Further) -> None:
            if one.window.is_shown:
                one.renderer.draw(scene_of(one.view), one.window.size_px)
                one.renderer.present(one.window.framebuffer)
            one.window.swap()

        self._each(draw_one)

    def poll(self) -> list[Event]:
        """Let each follow its monitor; returns what keys asked for, less what a corner-pin editor took."""
        events: list[Event] = []

        def poll_one(one: _Further) -> None:
            events.extend(event for event in one.window.poll() if not one.renderer.handle(event))

        self._each(poll_one)
        return events

    def reveal(self) -> None:
        """Let them appear, with the first picture."""
        self._each(lambda one: one.window.reveal())

    def close(self) -> None:
        """Release renderers and windows."""
        for one in reversed(self._all):
            one.window.make_current()
            one.renderer.release()
            one.window.close()
        self._all.clear()
        self._first.make_current()

    def _each(self, act: Callable[[_Further], None]) -> None:
        """Do something with each window, its context being current."""
        if not self._all:
            return
        for one in self._all:
            one.window.make_current()
            act(one)
        self._first.make_current()
