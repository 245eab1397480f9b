"""The operator's config as a running kiosk sees it: read once, and looked at again for as long as it is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

from installation.config import Config, load_config
from installation.errors import ConfigError


class ConfigFile:
    """A config file.

    Args:
        path: The file; None for the defaults.

    Attributes:
        config: What it says; the defaults if it is wrong.
        fault: What is wrong with it, a line each; empty if nothing is.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written_at = self._stamp()
        self.config, self.fault = self._read()

    def mended(self) -> bool:
        """Whether a file that was wrong has been written anew and is right."""
        written_at = self._stamp()
        if not self.fault or written_at == self._written_at:
            return False
        self._written_at = written_at
        return not self._read()[1]

    def _read(self) -> tuple[Config, str]:
        try:
            return load_config(self._path), ""
        except ConfigError as error:
            return Config(), str(error)

    def _stamp(self) -> int:
        """When it was written; 0 if it cannot be seen: between two saves of an editor, or not there at all."""
        with contextlib.suppress(OSError):
            return self._path.stat().st_mtime_ns if self._path is not None else 0
        return 0
