"""The cue list on disk: loaded at the start, read again when somebody edits it, written when a cue is stored."""

from __future__ import annotations

from pathlib import Path

from installation.core.cues import format_cues, parse_cues
from installation.core.instrument import Instrument
from installation.devices.watching import WatchedFile
from installation.errors import ConfigError


class CueFile:
    """One cue list and its file. Used by one thread at a time.

    Args:
        path: Of the list; it need not be there yet.
        instrument: Whose list it is.
        keep: Whether cues stored during the show are written.
    """

    def __init__(self, path: Path, instrument: Instrument, *, keep: bool = True) -> None:
        self._file = WatchedFile(path)
        self._instrument = instrument
        self._keep = keep
        self._revision = instrument.snapshot.cue_revision

    def load(self) -> None:
        """Take the list from the file, if it has changed.

        Raises:
            ConfigError: If it is wrong; the cues stay as they were.
        """
        text = self._file.read_if_changed()
        if text is None:
            return
        try:
            cues = parse_cues(text)
        except ConfigError as error:
            raise ConfigError(f"{self._file.path.name} is wrong, the cues stay as they were:\n{error}") from error
        self._instrument.load_cues(cues)

    def poll(self) -> None:
        """Write what was stored since the last call, or take what was edited.

        Raises:
            ConfigError: If the edited file is wrong.
            OSError: If the file cannot be written; tried again at the next call.
        """
        revision = self._instrument.snapshot.cue_revision
        if self._keep and revision != self._revision:
            self._file.write(format_cues(self._instrument.cues))
            self._revision = revision
        else:
            self.load()
