"""Looks: chains of shader passes declared in TOML, one file a look."""

from __future__ import annotations

from installation.core.controls import Control
from installation.display.config import DisplayConfig


def look_names(config: DisplayConfig) -> tuple[str, ...]:
    """Names of all looks, the configured one first."""
    return ("plain",)


def look_controls(config: DisplayConfig) -> tuple[Control, ...]:
    """Rows of the control table for the looks' uniforms."""
    return ()
