"""A thread that looks after one thing for as long as the show runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

PATIENCE_S = 2.0
"""How long the end of a thread is waited for; it is a daemon, so one that hangs does not hold up the show's end."""


class Worker:
    """Runs `body` on a thread of its own from `start` to `stop`.

    Args:
        name: Of the thread.
        body: Returns soon after `ending` is set; `ending.wait` is its way to sleep.
        wake: Called when the end is wanted, for a body that waits for something else.
    """

    def __init__(self, name: str, body: Callable[[], None], wake: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._body = body
        self._wake = wake
        self._thread: threading.Thread | None = None
        self.ending = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._body, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end and wait for it, at most `PATIENCE_S`. May be called twice, and before `start`."""
        self.ending.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            self._thread = None
