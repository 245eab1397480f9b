"""From packets to the instrument: allow-list, coalescing, time tags, refusals. No socket here.

`take` accepts packets as they come; `flush` applies them. Of the values that one address receives
between two flushes only the last is parsed, so a flood costs little more than reading the socket. A
message that is not a value (a cue, a panic) first applies what came before it, so order is kept.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import logging
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from installation.core.control import ROOT, Control, Kind
from installation.core.feedback import Feedback
from installation.core.instrument import Instrument, Outcome, Verdict
from installation.devices.osc_codec import (
    IMMEDIATELY,
    MAX_ADDRESS_BYTES,
    Argument,
    PacketRefused,
    RawMessage,
    parse_message,
    split_packet,
    unix_from_ntp,
)

MAX_AHEAD_S = 10.0
"""A bundle for later than this is refused: clocks that disagree look like this."""

MAX_SCHEDULED = 4096
WEKINATOR = "/wek/outputs"
_SAY_EVERY_S = 1.0
_KNOWN_HOSTS = 1024

log = logging.getLogger(__name__)


@dataclass(slots=True)
class OscCounts:
    """What came in, since the start."""

    packets: int = 0
    messages: int = 0
    applied: int = 0
    clamped: int = 0
    refused: int = 0
    unknown: int = 0
    coalesced: int = 0
    malformed: int = 0
    not_allowed: int = 0
    scheduled: int = 0


Reply = Callable[[Hashable, str, Sequence[Argument]], None]
Traffic = Callable[[str, str, tuple[Argument, ...], str], None]
"""Told of every message that was applied or refused: sender, address, arguments, what became of it."""


class OscInbox:
    """The way of a message into the instrument. Owned by the server's thread.

    Args:
        instrument: To play.
        feedback: Its clients are told what became of their own values.
        allow: Address ranges that are heard.
        wekinator: Addresses played by the arguments of `/wek/outputs`.
        session: Called with (client, what, arguments) for what only a server can do: subscribe, ping, errors ...
        traffic: A monitor, if somebody looks.
    """

    def __init__(
        self,
        instrument: Instrument,
        feedback: Feedback,
        *,
        allow: Iterable[str],
        session: Reply,
        wekinator: Sequence[str] = (),
        traffic: Traffic | None = None,
    ) -> None:
        self.counts = OscCounts()
        self._instrument = instrument
        self._feedback = feedback
        self._session = session
        self._traffic = traffic
        self._networks = [ipaddress.ip_network(text, strict=False) for text in allow]
        self._allowed: dict[str, bool] = {}
        self._wekinator = tuple(wekinator)
        panic = f"{ROOT}/panic"
        self._values = {row.address.encode() for row in instrument.table.stateful if row.address != panic}
        self._pending: dict[bytes, tuple[Hashable, bytes]] = {}
        self._later: list[tuple[float, int, Hashable, RawMessage]] = []
        self._order = itertools.count()
        self._said_at = -_SAY_EVERY_S
        self._unsaid = 0

    def allowed(self, host: str) -> bool:
        """Whether this address may play."""
        known = self._allowed.get(host)
        if known is None:
            address = ipaddress.ip_address(host.partition("%")[0])
            mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            known = any((mapped or address) in network for network in self._networks)
            if len(self._allowed) >= _KNOWN_HOSTS:
                self._allowed.clear()
            self._allowed[host] = known
        return known

    def take(self, data: bytes, client: Hashable, host: str, now: float, unix_now: float) -> None:
        """Accept one packet.

        Args:
            data: As received.
            client: Who sent it, as known to the feedback.
            host: IP address of the sender.
            now: Monotonic seconds.
            unix_now: Seconds since 1970 at the same moment, for time tags.
        """
        self.counts.packets += 1
        if not self.allowed(host):
            self.counts.not_allowed += 1
            self._refused(host, "this address is not in [osc] allow", now)
            return
        end = data.find(b"\0", 1, MAX_ADDRESS_BYTES + 1)
        if data[:end] in self._values:  # the usual packet, and all of a flood: one message to a value
            self._put(client, data[:end], data, now)
            return
        try:
            for message in split_packet(data):
                if message.time_tag == IMMEDIATELY or (ahead := unix_from_ntp(message.time_tag) - unix_now) <= 0.0:
                    self._put(client, message.address, message.data, now)
                elif ahead > MAX_AHEAD_S or len(self._later) >= MAX_SCHEDULED:
                    self.counts.refused += 1
                    self._refused(client, f"a bundle for {ahead:.0f} s ahead; at most {MAX_AHEAD_S:.0f} s", now)
                else:
                    self.counts.scheduled += 1
                    heapq.heappush(self._later, (now + ahead, next(self._order), client, message))
        except PacketRefused as error:
            self.counts.malformed += 1
            self._refused(client, str(error), now)

    def flush(self, now: float) -> None:
        """Apply what was taken, and what is due by now."""
        while self._later and self._later[0][0] <= now:
            _, _, client, message = heapq.heappop(self._later)
            self._put(client, message.address, message.data, now)
        self._apply_pending(now)

    def wait_s(self, now: float, longest_s: float) -> float:
        """How long until something is due, at most `longest_s`."""
        return min(max(self._later[0][0] - now, 0.0), longest_s) if self._later else longest_s

    def _put(self, client: Hashable, address: bytes, data: bytes, now: float) -> None:
        self.counts.messages += 1
        if address not in self._values:
            self._apply_pending(now)
            self._apply(client, data, now)
            return
        replaced = self._pending.pop(address, None)
        if replaced is not None:
            self.counts.coalesced += 1
            if replaced[0] != client:
                self._feedback.overtaken(replaced[0], self._instrument.table.slots[address.decode()], now)
        self._pending[address] = (client, data)

    def _apply_pending(self, now: float) -> None:
        for client, data in self._pending.values():
            self._apply(client, data, now)
        self._pending.clear()

    def _apply(self, client: Hashable, data: bytes, now: float) -> None:
        try:
            address, args = parse_message(data)
        except PacketRefused as error:
            self.counts.malformed += 1
            self._refused(client, str(error), now)
            return
        outcome = self._play(client, address, args, now)
        counts = self.counts
        if outcome.verdict is Verdict.APPLIED:
            counts.applied += 1
        elif outcome.verdict is Verdict.CLAMPED:
            counts.clamped += 1
        elif outcome.verdict is Verdict.REFUSED:
            counts.refused += 1
            self._refused(client, outcome.reason, now)
        else:
            counts.unknown += 1
            self._refused(client, outcome.reason, now)
        if self._traffic is not None:
            self._traffic(str(client), address, args, outcome.verdict.value)

    def _play(self, client: Hashable, address: str, args: tuple[Argument, ...], now: float) -> Outcome:
        if address == WEKINATOR:
            return self._play_wekinator(args, now)
        row = self._instrument.table.get(address)
        if row is not None and row.kind is Kind.COMMAND and not address.startswith(f"{ROOT}/cue/"):
            self._session(client, address.removeprefix(f"{ROOT}/"), args)
            return Outcome(Verdict.APPLIED)
        outcome = self._instrument.command(address, args, "osc", now)
        slot = self._instrument.table.slots.get(address)
        if slot is not None and row is not None:
            self._feedback.heard(client, slot, _shown(row, args[0] if args else True, outcome), now)
        return outcome

    def _play_wekinator(self, args: tuple[Argument, ...], now: float) -> Outcome:
        """Play the mapped rows like faders; on the mapping layer, so that a hand on a control is stronger."""
        if not self._wekinator:
            return Outcome(Verdict.UNKNOWN, "[osc] wekinator maps nothing")
        if len(args) != len(self._wekinator):
            return Outcome(Verdict.REFUSED, f"{len(args)} outputs came, [osc] wekinator names {len(self._wekinator)}")
        for address, value in zip(self._wekinator, args, strict=True):
            if not isinstance(value, (int, float)) or math.isnan(value):
                return Outcome(Verdict.REFUSED, f"{WEKINATOR} takes numbers")
            row = self._instrument.table[address]
            self._instrument.set(address, row.from_fader(float(value)), "mapping", now)
        return Outcome(Verdict.APPLIED)

    def _refused(self, client: Hashable, reason: str, now: float) -> None:
        """Say what was wrong, at most once a second whatever comes."""
        self._unsaid += 1
        if now - self._said_at < _SAY_EVERY_S:
            return
        self._session(client, "error", (reason,))
        log.warning("OSC: %d refused since the last line; %s: %s", self._unsaid, client, reason[:200])
        self._said_at = now
        self._unsaid = 0


def _shown(row: Control, sent: Argument, outcome: Outcome) -> float:
    """The number a client shows after it sent this, whatever became of it; NaN is "cannot be known"."""
    if isinstance(sent, str):
        return row.accept(sent) if outcome.heard else math.nan
    try:
        return math.nan if sent is None or isinstance(sent, bytes) else float(sent)
    except OverflowError:
        return math.nan
