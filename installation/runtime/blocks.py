"""Shared memory that is not left behind: blocks with a name of ours and a lock for as long as their owner lives.

Python's resource tracker removes the blocks of a process that was killed, but is killed itself when a service manager
ends everything at once; then the last camera pictures would lie in memory until the machine is switched off. So each
owner holds a lock on its blocks (flock(2): the kernel gives it back, whatever happens), and whoever starts next removes
those that nobody holds. Where shared memory is not a folder, there is only the tracker.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from multiprocessing import shared_memory
from pathlib import Path

PREFIX = "mirror-"
"""Of the names of all blocks."""

_FOLDER = Path("/dev/shm")
_LINUX = sys.platform.startswith("linux")


class OwnBlock:
    """A new block. The one who made it removes it.

    Attributes:
        memory: To be mapped; others attach by its `name`.
    """

    def __init__(self, size: int) -> None:
        remove_orphans()
        while True:
            self.memory = shared_memory.SharedMemory(PREFIX + secrets.token_hex(6), create=True, size=size)
            self._lock = _lock(_FOLDER / self.memory.name) if _LINUX else None
            if self._lock is not None or not _LINUX:
                return
            self.memory.close()  # between the two lines somebody took it for an orphan

    def remove(self) -> None:
        """Take the name away; mappings stay until they are closed. Twice is allowed."""
        with contextlib.suppress(FileNotFoundError):
            self.memory.unlink()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_orphans() -> int:
    """Remove the blocks whose owners have died; returns how many there were."""
    removed = 0
    for path in _FOLDER.glob(f"{PREFIX}*") if _LINUX else ():
        lock = _lock(path)
        if lock is not None:
            path.unlink(missing_ok=True)  # the tracker of a dead owner may be quicker
            os.close(lock)
            removed += 1
    return removed


def _lock(path: Path) -> int | None:
    """Lock a block that exists; None if it is gone, somebody else's, or locked by its owner."""
    import fcntl

    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino == os.fstat(file).st_ino:
            return file
    except OSError:  # locked, or removed meanwhile
        pass
    os.close(file)
    return None
