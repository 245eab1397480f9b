"""Somebody who plays the mirror over the network and asks how it stands, as any OSC client may: for rehearsals."""

from __future__ import annotations

import contextlib
import socket
import time

from installation.core.control import ROOT
from installation.devices.osc_codec import Argument, PacketRefused, build_message, parse_message

_PATIENCE_S = 1.0
_MOST_BYTES = 8192


class Player:
    """Speaks OSC over UDP to one mirror on this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    def play(self, address: str, value: Argument) -> None:
        """Set a control, `play("/mirror/view", "series")`. Nobody says whether it was heard."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(build_message(address, (value,)), self._address)

    def ask(self, address: str) -> Argument:
        """How a control stands; None if nobody answers in time."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(build_message(f"{ROOT}/state"), self._address)
            deadline = time.monotonic() + _PATIENCE_S
            while (left := deadline - time.monotonic()) > 0.0:
                client.settimeout(left)
                with contextlib.suppress(PacketRefused):
                    try:
                        found, values = parse_message(client.recv(_MOST_BYTES))
                    except OSError:  # too late, or the show is not there
                        return None
                    if found == address and values:
                        return values[0]
        return None
