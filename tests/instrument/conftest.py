"""A server on a free port with a ticking instrument, and a plain UDP client: for tests over real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_codec import Argument, build_message, parse_message
from installation.devices.osc_server import OscServer

TABLE = control_table(("strength", "beauty"), ("age",), looks=("plain", "ink"))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops a thread waits for its end here, however busy the machine is."""
    monkeypatch.setattr("installation.runtime.worker.PATIENCE_S", 60.0)


class Rig:
    """A server, its instrument, and a thread that ticks it as the show would."""

    def __init__(self, **config: object) -> None:
        self.player = Instrument(TABLE, now=time.monotonic())
        self.server = OscServer(OscConfig(port=0, tcp_port=0, **config), self.player)  # type: ignore[arg-type]
        self.server.start()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick)
        self._thread.start()

    def _tick(self) -> None:
        while not self._stop.wait(1 / 60):
            self.player.tick(time.monotonic())

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
        """Wait for something that other threads bring about; the limit is only for a broken test."""
        end = time.monotonic() + timeout_s
        pause = threading.Event()
        while not condition() and time.monotonic() < end:
            pause.wait(0.005)
        return condition()

    def goal(self, address: str) -> object:
        return self.player.snapshot.goal(address)

    def close(self) -> None:
        self.server.stop()
        self._stop.set()
        self._thread.join()
        assert self.server.failure is None


class Client:
    """One UDP socket that talks to a server."""

    def __init__(self, port: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(60.0)
        self.to = ("127.0.0.1", port)

    def send(self, address: str, *args: Argument) -> None:
        self.sock.sendto(build_message(address, args), self.to)

    def receive(self) -> tuple[str, tuple[Argument, ...]]:
        return parse_message(self.sock.recv(65536))

    def receive_until(self, address: str) -> tuple[Argument, ...]:
        while True:
            found, args = self.receive()
            if found == address:
                return args


@pytest.fixture
def rigs() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**config: object) -> Rig:
        made.append(Rig(**config))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    return rigs()


@pytest.fixture
def clients() -> Iterator[Callable[[Rig], Client]]:
    made: list[Client] = []

    def make(rig: Rig) -> Client:
        made.append(Client(rig.server.port))
        return made[-1]

    yield make
    for client in made:
        client.sock.close()
