"""What each client of the network must still be told.

The state has one register for each address and the last writer wins, so the server's order decides and
clients converge when each is told what it cannot know. Nobody is told what it has just said itself: a
fader under a finger must not be pulled. Three cases need care, and only they send a value back:

- Another client (or a clamp, or a panic) changed the value after this one set it. It is told when its
  finger has been still for `QUIET_S`.
- A value was on its way to this client while it sent its own. Which one it shows is not known, so it is told
  the outcome once, `DOUBT_S` after its last word.
- Its message was overtaken by another client's within one batch. The same.

Pure: clients are any hashable, time is handed in, sending is the server's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator

import numpy as np
from numpy.typing import NDArray

from installation.core.snapshot import Snapshot

MAX_RATE_HZ = 30.0
QUIET_S = 0.3
DOUBT_S = 1.0
CROSSING_S = 0.5
"""Longer than there and back on any network worth playing over."""


class _Client:
    """What one subscriber is thought to show, by slot."""

    def __init__(self, slots: int, expires_at: float) -> None:
        self.expires_at = expires_at
        self.next_at = -math.inf
        self.shows: NDArray[np.float64] = np.full(slots, np.nan)
        self.told_at: NDArray[np.float64] = np.full(slots, -np.inf)
        self.heard_at: NDArray[np.float64] = np.full(slots, -np.inf)
        self.doubt: NDArray[np.bool_] = np.zeros(slots, bool)


class Feedback:
    """The subscribers of one server. Owned by the server's thread.

    Args:
        slots: Of the control table.
        limit: How many may subscribe.
        rate_hz: How often each is told at most.
    """

    def __init__(self, slots: int, *, limit: int = 32, rate_hz: float = MAX_RATE_HZ) -> None:
        self._slots = slots
        self._limit = limit
        self._interval_s = 1.0 / rate_hz
        self._clients: dict[Hashable, _Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def clients(self) -> tuple[Hashable, ...]:
        """Who is subscribed."""
        return tuple(self._clients)

    def subscribe(self, client: Hashable, now: float, seconds: float) -> bool:
        """Add or renew a subscriber, who will be told the whole state next. False if there are too many."""
        if client not in self._clients and len(self._clients) >= self._limit:
            return False
        self._clients[client] = _Client(self._slots, now + seconds)
        return True

    def unsubscribe(self, client: Hashable) -> None:
        """Forget a subscriber; an unknown one is no mistake."""
        self._clients.pop(client, None)

    def heard(self, client: Hashable, slot: int, value: float, now: float) -> None:
        """Note that a client set a control: it shows that value, unless ours crossed it."""
        known = self._clients.get(client)
        if known is not None:
            known.shows[slot] = value
            known.heard_at[slot] = now
            known.doubt[slot] |= now - known.told_at[slot] < CROSSING_S

    def overtaken(self, client: Hashable, slot: int, now: float) -> None:
        """Note that a client's message was replaced by another's before it was applied."""
        known = self._clients.get(client)
        if known is not None:
            known.heard_at[slot] = now
            known.doubt[slot] = True

    def due(self, snapshot: Snapshot, now: float) -> Iterator[tuple[Hashable, int, float]]:
        """Give what must be sent now: (client, slot, goal). Drops subscribers whose time is over.

        Call at least `MAX_RATE_HZ` times a second; each value is taken as sent.
        """
        for client in [c for c, known in self._clients.items() if known.expires_at <= now]:
            del self._clients[client]
        for client, known in list(self._clients.items()):  # sending may end a client
            if now < known.next_at:
                continue
            still_for = now - known.heard_at
            # a snapshot from before the client's own message would tell it an old value
            settled = (still_for >= QUIET_S) & (snapshot.now >= known.heard_at)
            tell = settled & ((known.shows != snapshot.goals) | (known.doubt & (still_for >= DOUBT_S)))
            slots = np.flatnonzero(tell)
            if slots.size:
                known.next_at = now + self._interval_s
                known.shows[slots] = snapshot.goals[slots]
                known.told_at[slots] = now
                known.doubt[slots] = False
                for slot in slots:
                    yield client, int(slot), float(snapshot.goals[slot])
