"""OSC over UDP and TCP: one thread, one loop, never blocked by a peer.

    sockets -> OscInbox -> Instrument          (in)
    Instrument.snapshot -> Feedback -> sockets (out), and the signals: visit, beat, heartbeat

The loop sleeps in `select` until something comes. After it has drained the sockets it rests
`BATCH_S` before it looks again, so that a flood comes in batches and the display keeps its processor.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence

from installation.core.control import ROOT
from installation.core.feedback import MAX_RATE_HZ, Feedback
from installation.core.instrument import Instrument, Outcome
from installation.devices.datagrams import BATCH, DatagramReader
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_codec import MAX_PACKET_BYTES, Argument, build_message
from installation.devices.osc_in import OscCounts, OscInbox, Traffic
from installation.devices.osc_tcp import MAX_CONNECTIONS, Connection, TcpClients
from installation.errors import ConfigError, DeviceError
from installation.runtime.worker import Worker

BATCH_S = 0.002
MAX_BATCHES = 16
"""Batches of packets read in one turn; so feedback goes out even while a flood lasts."""

HEARTBEAT_S = 1.0
MAX_SIGNALS = 256
_RECEIVE_BUFFER = 4 << 20  # bytes asked of the system, which may give less; holds a flood while the loop rests

log = logging.getLogger(__name__)

Address = tuple[str, int]


class OscServer:
    """The network's hands on the instrument. Owns its sockets and its thread.

    Args:
        config: Section `[osc]`.
        instrument: To play; somebody else ticks it.
        now: Monotonic seconds; the clock of the instrument.
        unix_now: Seconds since 1970, for time tags.
        traffic: Told of every message, for a monitor.
        commands: What else the table's commands do, by their path below the root: `midi/learn`.

    Raises:
        ConfigError: If `wekinator` names an address that is not in the table.
    """

    def __init__(
        self,
        config: OscConfig,
        instrument: Instrument,
        *,
        now: Callable[[], float] = time.monotonic,
        unix_now: Callable[[], float] = time.time,
        traffic: Traffic | None = None,
        commands: Mapping[str, Callable[[Sequence[Argument]], Outcome]] | None = None,
    ) -> None:
        unknown = [address for address in config.wekinator if address not in instrument.table.slots]
        if unknown:
            raise ConfigError(f"[osc] wekinator: no such control: {', '.join(unknown)}")
        self._config = config
        self._instrument = instrument
        self._now, self._unix_now = now, unix_now
        self._feedback = Feedback(len(instrument.table.stateful), rate_hz=min(config.feedback_hz, MAX_RATE_HZ))
        self._inbox = OscInbox(
            instrument,
            self._feedback,
            allow=config.allow,
            session=self._session,
            wekinator=config.wekinator,
            traffic=traffic,
        )
        self._commands = dict(commands or {})
        self._cue = ""
        self._replies: dict[Hashable, Hashable] = {}
        self._signals: deque[tuple[str, tuple[Argument, ...]]] = deque(maxlen=MAX_SIGNALS)
        self._selector = selectors.DefaultSelector()
        self._worker = Worker("osc", self._run, self._wake)
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None
        self._clients: TcpClients | None = None
        self.failure: Exception | None = None

    @property
    def counts(self) -> OscCounts:
        """What came in."""
        return self._inbox.counts

    @property
    def subscribers(self) -> int:
        """How many are told of changes."""
        return len(self._feedback)

    def allowed(self, host: str) -> bool:
        """Whether an IP address is in `[osc] allow`."""
        return self._inbox.allowed(host)

    @property
    def port(self) -> int:
        """The UDP port that is listened on."""
        assert self._udp is not None, "the server has not been started"
        return int(self._udp.getsockname()[1])

    @property
    def tcp_port(self) -> int:
        """The TCP port that is listened on."""
        assert self._tcp is not None, "TCP is off or the server has not been started"
        return int(self._tcp.getsockname()[1])

    def start(self) -> None:
        """Open the ports and begin to listen.

        Raises:
            DeviceError: If a port is taken or the address is not of this machine.
        """
        config = self._config
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        try:
            self._udp = self._open(socket.SOCK_DGRAM, config.port)
            self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._reader = DatagramReader(self._udp, MAX_PACKET_BYTES)
            if config.tcp:
                self._tcp = self._open(socket.SOCK_STREAM, config.tcp_port)
                self._tcp.listen(MAX_CONNECTIONS)
                self._clients = TcpClients(self._tcp, self._selector, self.allowed, self._feedback.unsubscribe)
        except OSError as error:
            self._close()
            raise DeviceError(
                f"cannot listen for OSC on {config.host}:{config.port}: {error.strerror or error}; "
                "another program may have the port: change [osc] port or end it"
            ) from error
        self._worker.start()

    def stop(self) -> None:
        """End the loop and close the ports; waits at most two seconds."""
        self._worker.stop()

    def announce(self, address: str, *args: Argument) -> None:
        """Send a signal to every subscriber, from any thread: `announce("/mirror/beat", 12, 0.9)`."""
        self._signals.append((address, args))
        self._wake()

    def _open(self, kind: socket.SocketKind, port: int) -> socket.socket:
        family, _, _, _, address = socket.getaddrinfo(self._config.host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        sock = socket.socket(family, kind)
        try:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self._selector.register(sock, selectors.EVENT_READ)
        return sock

    def _wake(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # full or closed: the loop is awake or gone
            self._wake_out.send(b"\0")

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:
            self.failure = error  # a thread has no one to raise to; the owner asks
            log.exception("OSC has stopped")
        finally:
            self._close()

    def _loop(self) -> None:
        started = self._now()
        next_heartbeat = started + HEARTBEAT_S
        while not self._worker.ending.is_set():
            longest = 1.0 / MAX_RATE_HZ / 2.0 if len(self._feedback) else 0.25
            ready = self._selector.select(self._inbox.wait_s(self._now(), longest))
            now = self._now()
            for key, _ in ready:
                self._read(key.fileobj, key.data, now)
            self._inbox.flush(self._now())
            self._send_signals()
            now = self._now()
            if now >= next_heartbeat:
                next_heartbeat = now + HEARTBEAT_S
                self._broadcast(f"{ROOT}/heartbeat", (now - started,))
            self._send_feedback(now)
            if self._clients is not None:
                self._clients.send_unsent()
            if ready:
                self._worker.ending.wait(BATCH_S)

    def _read(self, sock: object, connection: Connection | None, now: float) -> None:
        if sock is self._wake_in:
            with contextlib.suppress(BlockingIOError):
                self._wake_in.recv(4096)
        elif sock is self._udp:
            self._read_udp(now)
        elif self._clients is not None and connection is not None:
            for packet in self._clients.read(connection):
                self._inbox.take(packet, connection, connection.host, now, self._unix_now())
        elif self._clients is not None and not self._clients.accept():
            self._inbox.counts.not_allowed += 1

    def _read_udp(self, now: float) -> None:
        unix_now = self._unix_now()
        for _ in range(MAX_BATCHES):
            packets = self._reader.read()
            for data, peer in packets:
                self._inbox.take(data, self._replies.get(peer, peer), peer[0], now, unix_now)
            if len(packets) < BATCH:
                return

    def _session(self, client: Hashable, what: str, args: Sequence[Argument]) -> None:
        """Do what only a server can: subscribe, unsubscribe, state, ping, errors, and the commands given."""
        takes_port = what in ("subscribe", "unsubscribe", "state")
        target = self._reply_to(client, args[0] if args and takes_port else None)
        if what == "subscribe":
            seconds = args[1] if len(args) > 1 else self._config.subscription_s
            if not isinstance(seconds, (int, float)) or not 0.0 < seconds <= 3600.0:
                seconds = self._config.subscription_s
            if self._feedback.subscribe(target, self._now(), float(seconds)):
                self._replies[client] = target
                if len(self._replies) > 4 * MAX_SIGNALS:
                    live = set(self._feedback.clients)
                    self._replies = {source: to for source, to in self._replies.items() if to in live}
            else:
                self._send(target, f"{ROOT}/error", ("there are too many subscribers",))
        elif what == "unsubscribe":
            self._feedback.unsubscribe(target)
        elif what == "state":
            snapshot = self._instrument.tick(self._now())  # with what the same client sent just before
            for row in snapshot.table.stateful:
                self._send(target, row.address, (snapshot.goal(row.address),))
        elif what == "ping":
            self._send(target, f"{ROOT}/pong", args)
        elif what == "error":
            if client in self._feedback.clients:  # nobody else: a forged sender must not be answered
                self._send(client, f"{ROOT}/error", args)
        elif what in self._commands:
            outcome = self._commands[what](args)
            if not outcome.heard:
                self._send(target, f"{ROOT}/error", (outcome.reason,))

    def _reply_to(self, client: Hashable, port: Argument) -> Hashable:
        """Where a client wants its answers: the port it names, on its own host and nowhere else."""
        client = self._replies.get(client, client) if port is None else client
        if isinstance(client, tuple) and isinstance(port, (int, float)) and 0 < port < 65536:
            return (client[0], int(port))
        return client

    def _send_feedback(self, now: float) -> None:
        table, snapshot = self._instrument.table, self._instrument.snapshot
        if snapshot.cue != self._cue:
            self._cue = snapshot.cue
            self._broadcast(f"{ROOT}/cue/current", (self._cue,))
        for client, slot, goal in self._feedback.due(snapshot, now):
            row = table.stateful[slot]
            self._send(client, row.address, (row.present(goal),))

    def _send_signals(self) -> None:
        while self._signals:
            self._broadcast(*self._signals.popleft())

    def _broadcast(self, address: str, args: Sequence[Argument]) -> None:
        if len(self._feedback):
            data = build_message(address, args)
            for client in self._feedback.clients:
                self._send_bytes(client, data)

    def _send(self, client: Hashable, address: str, args: Sequence[Argument]) -> None:
        # truth values go out as 0 and 1: many faders do not know the types T and F
        self._send_bytes(client, build_message(address, [int(a) if isinstance(a, bool) else a for a in args]))

    def _send_bytes(self, client: Hashable, data: bytes) -> None:
        if isinstance(client, Connection):
            if self._clients is not None:
                self._clients.send(client, data)
        elif self._udp is not None and isinstance(client, tuple):
            with contextlib.suppress(OSError):  # lost, as any datagram may be; a renewed subscription tells everything
                self._udp.sendto(data, client)

    def _close(self) -> None:
        self._selector.close()
        for sock in (self._udp, self._tcp, self._wake_in, self._wake_out):
            if sock is not None:
                sock.close()
        if self._clients is not None:
            self._clients.close()
