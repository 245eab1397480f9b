"""A texture that is drawn into, made anew only when its size changes."""

from __future__ import annotations

import moderngl

SRGB8_ALPHA8 = 0x8C43
"""OpenGL's internal format for bytes of encoded sRGB: drawing stores them as they are, sampling gives linear light."""


def unbind(framebuffer: moderngl.Framebuffer) -> None:
    """Bind the default framebuffer if this one is bound.

    Whatever moderngl makes next binds the last framebuffer again; if that is gone by then, OpenGL reports an error.
    """
    if framebuffer.ctx.fbo is framebuffer:
        framebuffer.ctx.detect_framebuffer(0).use()


class Target:
    """One framebuffer with one texture. Owned by whoever draws into it."""

    def __init__(
        self, ctx: moderngl.Context, dtype: str = "f1", *, smooth: bool = True, internal_format: int | None = None
    ) -> None:
        """Make no GL object yet.

        Args:
            ctx: The context.
            dtype: moderngl's texel type, "f1" for bytes or "f2" for half floats; always RGBA.
            smooth: Whether sampling filters between texels.
            internal_format: OpenGL's format, where `dtype` does not tell it.
        """
        self._ctx = ctx
        self._dtype = dtype
        self._filter = moderngl.LINEAR if smooth else moderngl.NEAREST
        self._format = internal_format
        self._texture: moderngl.Texture | None = None
        self._framebuffer: moderngl.Framebuffer | None = None
        self.size = (0, 0)

    @property
    def texture(self) -> moderngl.Texture:
        """What was drawn."""
        assert self._texture is not None, "resize first"
        return self._texture

    @property
    def framebuffer(self) -> moderngl.Framebuffer:
        """Where to draw."""
        assert self._framebuffer is not None, "resize first"
        return self._framebuffer

    def resize(self, size: tuple[int, int]) -> bool:
        """Have this size; returns whether texture and content are new (black)."""
        if size == self.size:
            return False
        self.release()
        self._texture = self._ctx.texture(size, 4, dtype=self._dtype, internal_format=self._format)
        self._texture.filter = (self._filter, self._filter)
        self._texture.repeat_x = self._texture.repeat_y = False
        self._framebuffer = self._ctx.framebuffer([self._texture])
        self._framebuffer.clear()
        self.size = size
        return True

    def use(self) -> None:
        """Draw here from now on, over the whole of it."""
        self.framebuffer.use()
        self._ctx.viewport = (0, 0, *self.size)

    def release(self) -> None:
        """Give texture and framebuffer back."""
        if self._framebuffer is not None:
            unbind(self._framebuffer)
        for thing in (self._framebuffer, self._texture):
            if thing is not None:
                thing.release()
        self._framebuffer = self._texture = None
        self.size = (0, 0)
