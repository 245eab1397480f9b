"""EGL without a screen: the same renderer, read back by whoever wants the picture."""

from __future__ import annotations

import moderngl

from installation.display.config import DisplayConfig
from installation.display.window import Event, collect
from installation.errors import DisplayError


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
