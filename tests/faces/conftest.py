"""Fixtures of the portrait's tests: renderers on an EGL context, closed at the end of the module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines.faces.renderer import PortraitRenderer


def _renderer(size: int) -> Iterator[PortraitRenderer]:
    renderer = PortraitRenderer(size)
    assert renderer.context.error == "GL_NO_ERROR"
    yield renderer
    assert renderer.context.error == "GL_NO_ERROR"
    renderer.release()


@pytest.fixture(scope="module")
def small() -> Iterator[PortraitRenderer]:
    yield from _renderer(64)


@pytest.fixture(scope="module")
def large() -> Iterator[PortraitRenderer]:
    yield from _renderer(192)
