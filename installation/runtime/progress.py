"""One progress bar for all long work: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

_BAR = 28  # characters
_PLAIN_LINES = 4  # how many lines a log gets, beside the last


class Progress:
    """Show how far a piece of work is. Use as a context manager and call `advance`.

    Args:
        total: Units of work; 0 shows an empty bar until `total` is set.
        label: What is being done, e.g. "rendering".
        stream: Where to; standard error by default, so that piped results stay clean.
    """

    def __init__(self, total: int, label: str, *, stream: TextIO | None = None) -> None:
        self.total = total
        self.label = label
        self.done = 0
        self.note = ""
        self._stream = stream or sys.stderr
        self._tty = self._stream.isatty()
        self._started = time.monotonic()
        self._drawn_at = -1.0
        self._plain_step = -1

    def __enter__(self) -> Progress:
        self._draw()
        return self

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more units as done; `note` is shown after the bar."""
        self.done += amount
        self.note = note or self.note
        self._draw()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._draw(last=True)
        if self._tty:
            self._stream.write("\n")
            self._stream.flush()

    def _draw(self, last: bool = False) -> None:
        now = time.monotonic()
        part = min(self.done / self.total, 1.0) if self.total else 0.0
        if self._tty:
            if not last and now - self._drawn_at < 0.1:
                return
            self._drawn_at = now
            bar = "█" * round(part * _BAR)
            line = f"\r{self.label} {bar:<{_BAR}} {part:4.0%} {now - self._started:5.1f} s {self.note}"
            self._stream.write(line[:140].ljust(100))
            self._stream.flush()
            return
        step = int(part * _PLAIN_LINES)
        if step > self._plain_step:
            self._plain_step = step
            print(f"{self.label}: {part:.0%} {self.note}".rstrip(), file=self._stream, flush=True)
