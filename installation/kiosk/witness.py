"""Follow a kiosk's files and addresses with strace, for as long as it runs, in bounded memory and without a file.

strace writes into a named pipe and a thread adds up what comes. It runs beside the kiosk, not above it (`-D`), so
that signals and process numbers are those of the kiosk itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from pathlib import Path

from installation.errors import MirrorError
from installation.kiosk.trace import CALLS, Trace, read_trace

OPTIONS = ("-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}")
"""Only the calls that are asked for stop a process; nothing of what is written is shown."""

_LAST_LINES_S = 60.0
_AGAIN_S = 0.02


class Witness:
    """What a command touched. Put `prefix` before the command; `trace` is whole after `close`.

    Args:
        path: Where the pipe may lie.

    Raises:
        MirrorError: Without strace.
    """

    def __init__(self, path: Path) -> None:
        strace = shutil.which("strace")
        if strace is None:
            raise MirrorError("strace is not installed; sudo apt install strace")
        os.mkfifo(path, 0o600)
        self.trace = Trace()
        self.prefix = [strace, "-D", *OPTIONS, "-o", str(path)]
        self._path = path
        self._thread = threading.Thread(target=self._read, name="witness", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read what strace still has to say; every process it follows must have ended."""
        deadline = time.monotonic() + _LAST_LINES_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            # Where strace was never started, the reader waits for a writer: one that says nothing sets it free. It may
            # come before the reader (ENXIO), so again.
            with contextlib.suppress(OSError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
            self._thread.join(_AGAIN_S)

    def _read(self) -> None:
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            self.trace = read_trace(lines)
