"""Which looks there are, and their knobs as rows of the control table.

A look's control `brush` of `oil.toml` is played at `/mirror/uniform/oil_brush`.
"""

from __future__ import annotations

from pathlib import Path

from installation.core.control import Control
from installation.core.controls import uniform_control
from installation.display.config import DisplayConfig
from installation.display.look_file import BUILT_IN, Look, read_look
from installation.errors import ConfigError

PLAIN = "plain"
"""The look without passes; it has no file."""


def look_files(config: DisplayConfig) -> dict[str, Path]:
    """Name -> file of every look but plain; the operator's folder wins over the built-in one.

    Raises:
        ConfigError: If the configured folder does not exist.
    """
    folders = [BUILT_IN]
    if config.looks_folder:
        folder = Path(config.looks_folder)
        if not folder.is_dir():
            raise ConfigError(
                f"[display] looks_folder = {config.looks_folder!r}: no such folder; make it or remove the entry"
            )
        folders.append(folder)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def look_names(config: DisplayConfig) -> tuple[str, ...]:
    """Names of all looks, plain first."""
    return (PLAIN, *look_files(config))


def load_looks(config: DisplayConfig) -> dict[str, Look]:
    """Read every look.

    Raises:
        ConfigError: With all problems of all files together.
    """
    looks, problems = {}, []
    for name, path in look_files(config).items():
        try:
            looks[name] = read_look(path)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return looks


def look_controls(config: DisplayConfig) -> tuple[Control, ...]:
    """Rows of the control table for the knobs of all looks."""
    return tuple(
        uniform_control(
            control_name(look, name), knob.low, knob.high, knob.default, f"{spec.title}: {knob.help}", unit=knob.unit
        )
        for look, spec in load_looks(config).items()
        for name, knob in spec.controls.items()
    )


def control_name(look: str, control: str) -> str:
    """Name under which a look's knob is played."""
    return f"{look}_{control}"
