"""Talk to systemd: readiness, a status line, and the watchdog, over the socket it names. Elsewhere nothing happens.

Source: sd_notify(3), "Standalone Implementations".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends state to `$NOTIFY_SOCKET`; harmless where there is none.

    Args:
        environ: Where the socket and the watchdog's period are named.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        period = environ.get("WATCHDOG_USEC", "")
        own = environ.get("WATCHDOG_PID", "")
        meant = not own or own == str(os.getpid())
        self.watchdog_s = int(period) / 1e6 if period.isdecimal() and meant else None
        """The watchdog's period in seconds; None if nobody watches."""

    def ready(self) -> None:
        """The screen shows something."""
        self._send("READY=1")

    def alive(self) -> None:
        """There was progress: feed the watchdog."""
        if self.watchdog_s is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split())[:200])

    def stopping(self) -> None:
        """An orderly end has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:  # systemd is busy or being restarted; the next beat will reach it
            return
