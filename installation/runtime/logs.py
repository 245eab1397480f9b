"""The kiosk's log: one JSON object a line, rotated, capped as a whole, limited in rate. One writer.

Only short texts and numbers are taken, so that nothing the size of a picture can get in. A full disk
loses lines and never stops the show.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

MAX_TEXT = 500
FILES = 8
_MINUTE_S = 60.0

LogValue = str | int | float | bool | None


class JsonLog:
    """Appends events to `folder/mirror.jsonl`; older files are `mirror.1.jsonl` and so on.

    Args:
        folder: Made if it is not there.
        max_bytes: Of all files together.
        per_minute: Lines of one kind in a minute; what is left out is counted in the next line of that kind.
        clock: Monotonic seconds, for the rate.
        wall: The time written into each line.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        per_minute: int,
        *,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._max_file = max(max_bytes // FILES, 4096)
        self._per_minute = per_minute
        self._clock = clock
        self._wall = wall
        self._file: TextIO | None = None
        self._size = 0
        self._windows: dict[str, tuple[float, int]] = {}
        self._left_out: dict[str, int] = {}
        self.lost = 0
        """Lines that could not be written: the disk is full, or the folder is not writable."""

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self._folder / "mirror.jsonl"

    def event(self, kind: str, /, **values: LogValue) -> None:
        """Write one line. `kind` is a fixed word of ours; it is what the rate limit counts by."""
        if not self._admit(kind):
            return
        record: dict[str, LogValue] = {"at": self._wall().isoformat(timespec="milliseconds"), "kind": kind}
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            record["left_out"] = left_out
        record.update({key: _short(value) for key, value in values.items()})
        self._write(json.dumps(record, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _admit(self, kind: str) -> bool:
        now = self._clock()
        since, count = self._windows.get(kind, (now, 0))
        if now - since >= _MINUTE_S:
            since, count = now, 0
        self._windows[kind] = since, count + 1
        if count < self._per_minute:
            return True
        self._left_out[kind] = self._left_out.get(kind, 0) + 1
        return False

    def _write(self, line: str) -> None:
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8")
                self._size = self.path.stat().st_size
            if self._size + len(line.encode()) > self._max_file:
                self._rotate()
            self._file.write(line)
            self._file.flush()
            self._size += len(line.encode())
        except OSError:
            self.lost += 1
            self._abandon()

    def _abandon(self) -> None:
        """Drop a file that cannot be written; the next event opens it again."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:  # the unwritten rest is lost with it, and counted
                return

    def _rotate(self) -> None:
        assert self._file is not None
        self._file.close()
        names = [self.path, *(self._folder / f"mirror.{k}.jsonl" for k in range(1, FILES))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)
        self._file = self.path.open("a", encoding="utf-8")
        self._size = 0


def _short(value: LogValue) -> LogValue:
    return value if not isinstance(value, str) or len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
