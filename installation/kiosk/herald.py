"""What the kiosk tells others: /healthz and /metrics, the docent's board, the log, systemd."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from installation.core.kiosk import Mode
from installation.errors import DeviceError
from installation.kiosk.company import Company
from installation.kiosk.config import HealthConfig
from installation.kiosk.daybook import Daybook
from installation.kiosk.facts import Standing, compose
from installation.runtime.health import HealthServer
from installation.runtime.systemd import Notifier


class Herald:
    """Owned by the supervisor.

    Args:
        config: Where /healthz is served.
        book: Keeps what changed.
    """

    def __init__(self, config: HealthConfig, book: Daybook) -> None:
        self._config, self._book = config, book
        self._notifier = Notifier()
        self._server: HealthServer | None = None
        self._ready = False
        self.facts: dict[str, Any] = {"ok": False, "mode": "starting", "metrics": {}}
        """What /healthz answers."""

    def listen(self) -> None:
        """Open the port, unless it is open already; a taken one is told, and may be tried again later."""
        if self._server is not None or not self._config.enabled:
            return
        try:
            self._server = HealthServer(self._config.host, self._config.port, lambda: self.facts)
        except DeviceError as error:
            self._book.tell(str(error), "health-port")
        else:
            self._book.tell(f"health: http://{self._config.host}:{self._server.port}/healthz", "health-port")

    def publish(self, now: float, local: datetime, company: Company, standing: Standing) -> None:
        """Tell how things stand."""
        self.facts = compose(
            standing,
            camera=company.camera(),
            status=company.status,
            restarts={ward.name: ward.restarts for ward in company.wards},
            pids=company.pids(),
        )
        company.board.write({key: value for key, value in self.facts.items() if key != "metrics"})
        mode: Mode = standing.wanted.mode
        camera = self.facts["camera"]["state"]
        self._book.follow(now, local, mode, camera, company.status if standing.drawing else {})
        problems = "; ".join(self.facts["problems"])
        self._notifier.status(f"{mode}, camera {camera}; {problems or 'all is well'}")

    def feed(self) -> None:
        """Tell systemd that the screen shows something: the first time that all is up, then that it still is."""
        if not self._ready:
            self._ready = True
            self._notifier.ready()
        self._notifier.alive()

    def stopping(self) -> None:
        """Tell systemd that the end is asked for."""
        self._notifier.stopping()

    def close(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.close()
        self._notifier.close()
