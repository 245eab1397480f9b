"""The corner pin, moved on the wall: Tab chooses a corner, arrows move it, C keeps it.

The corners go to a small TOML file of their own, so that `config.toml` keeps its comments.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from installation.display.config import Corners
from installation.display.surface import quad_from_square
from installation.errors import ConfigError, DisplayError
from installation.runtime.section import Section

CORNER_NAMES = ("top left", "top right", "bottom right", "bottom left")
STEP = 1.0 / 1000.0
"""One press of an arrow, in parts of the screen: about two pixels of a 1080p projector."""

_ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class SurfaceFile(Section):
    """What a surface file holds."""

    corners: Corners = Field(description="Top-left, top-right, bottom-right, bottom-left, in parts of the screen.")


class SurfaceEditor:
    """Holds the corners in use. `editing` says whether the grid is up."""

    def __init__(self, corners: Corners, file: str) -> None:
        """Start with the configured corners, or with those of `file` if it is there.

        Raises:
            ConfigError: If the file is no surface file, or the corners make no picture.
        """
        self._file = Path(file) if file else None
        if self._file is not None and self._file.is_file():
            corners = read_corners(self._file)
        quad_from_square(corners)
        self.corners: Corners = corners
        self.chosen = 0
        self.editing = False
        self.notice = ""

    def handle(self, event: str) -> bool:
        """Take a key event; returns whether it was meant for the corner pin."""
        if event == "surface":
            self.editing = not self.editing
            self.notice = "" if self.editing else self._keep()
            return True
        if not self.editing:
            return False
        if event == "next":
            self.chosen = (self.chosen + 1) % 4
            return True
        if event in _ARROWS:
            self._move(*_ARROWS[event])
            return True
        return False

    @property
    def help(self) -> str:
        """One line for the overlay while editing."""
        x, y = self.corners[self.chosen]
        return f"corner pin: {CORNER_NAMES[self.chosen]} at {x:.3f}, {y:.3f}. Tab: next, arrows: move, C: keep"

    def _move(self, right: int, down: int) -> None:
        x, y = self.corners[self.chosen]
        moved = list(self.corners)
        moved[self.chosen] = (round(x + right * STEP, 4), round(y + down * STEP, 4))
        try:
            quad_from_square(moved)
        except ConfigError:  # a fold: the corner stays where it was
            return
        self.corners = (moved[0], moved[1], moved[2], moved[3])

    def _keep(self) -> str:
        if self._file is None:
            return "corners kept for this run; [display] surface_file keeps them for good"
        try:
            write_corners(self._file, self.corners)
        except DisplayError as error:
            return str(error)
        return f"corners saved to {self._file}"


def read_corners(path: Path) -> Corners:
    """Read a surface file.

    Raises:
        ConfigError: If it is none.
    """
    try:
        return SurfaceFile.model_validate(tomllib.loads(path.read_text("utf-8"))).corners
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: no surface file ({error}); remove it and pin the corners again with C") from error


def write_corners(path: Path, corners: Sequence[Sequence[float]]) -> None:
    """Write a surface file in one step, so that a power cut leaves the old or the new one.

    Raises:
        DisplayError: If it cannot be written.
    """
    lines = [f"    [{x:.4f}, {y:.4f}],  # {name}" for (x, y), name in zip(corners, CORNER_NAMES, strict=True)]
    text = "\n".join(
        ["# Corner pin, in parts of the screen. Written by the editor (key C).", "corners = [", *lines, "]", ""]
    )
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, "utf-8")
        os.replace(fresh, path)
    except OSError as error:
        raise DisplayError(f"cannot save the corners to {path}: {error.strerror or error}") from error
