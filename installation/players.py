"""Who plays the instrument beside the visit: the network now; each starts if it can and is missed if it cannot.

A port that is taken or a device that is gone never stops the show: the controls simply stay at rest,
and the operator is told in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable

from installation.config import Config
from installation.core.instrument import Instrument
from installation.core.visit import Stage
from installation.devices.osc_server import OscServer
from installation.errors import DeviceError


class Players:
    """Starts and stops them together. `tell` gets a sentence for each that cannot play."""

    def __init__(self, config: Config, instrument: Instrument, tell: Callable[[str], None]) -> None:
        self._osc = _started(OscServer(config.osc, instrument), tell) if config.osc.enabled else None

    def announce(self, stage: Stage) -> None:
        """Tell the network that the visit has come to a stage."""
        if self._osc is not None:
            self._osc.announce(f"/mirror/visit/{stage}")

    def stop(self) -> None:
        """Take all hands off."""
        if self._osc is not None:
            self._osc.stop()


def _started(server: OscServer, tell: Callable[[str], None]) -> OscServer | None:
    try:
        server.start()
    except DeviceError as error:
        tell(f"{error}; the show goes on without OSC")
        return None
    return server
