"""Clients converge on the server's state, over a network that delays; nobody hears an echo."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.core.controls import control_table
from installation.core.feedback import MAX_RATE_HZ, Feedback
from installation.core.instrument import Instrument

TABLE = control_table(("strength",), ())
A, B = "/mirror/amount", "/mirror/morph/strength"


class Net:
    """Server, clients and delayed messages on one virtual clock, 5 ms a step."""

    def __init__(self, names: str) -> None:
        self.now = 0.0
        self.player = Instrument(TABLE)
        self.feedback = Feedback(len(TABLE.stateful))
        self.shows: dict[str, dict[str, float]] = {name: {} for name in names}
        self.up: deque[tuple[float, str, str, float]] = deque()
        self.down: dict[str, deque[tuple[float, str, float]]] = {name: deque() for name in names}
        self.told: list[tuple[float, str, str, float]] = []
        self.delay = 0.0
        for name in names:
            self.feedback.subscribe(name, 0.0, 1e6)

    def set(self, client: str, address: str, value: float) -> None:
        self.shows[client][address] = value
        self.up.append((self.now + self.delay, client, address, value))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.005
            self.up = deque(sorted(self.up, key=lambda message: message[0]))
            while self.up and self.up[0][0] <= self.now:
                _, client, address, value = self.up.popleft()
                self.player.set(address, value, "osc", self.now)
                self.feedback.heard(client, TABLE.slots[address], value, self.now)
            snapshot = self.player.tick(self.now)
            for who, slot, goal in self.feedback.due(snapshot, self.now):
                address = TABLE.stateful[slot].address
                self.told.append((self.now, str(who), address, goal))
                self.down[str(who)].append((self.now + self.delay, address, goal))
            for name, queue in self.down.items():
                while queue and queue[0][0] <= self.now:
                    _, address, goal = queue.popleft()
                    self.shows[name][address] = goal


def test_a_new_subscriber_is_told_everything_once() -> None:
    net = Net("a")
    net.run(2.0)
    assert net.shows["a"] == {row.address: row.default for row in TABLE.stateful}
    assert len(net.told) == len(TABLE.stateful)


def test_others_are_told_and_the_sender_is_not() -> None:
    net = Net("ab")
    net.run(3.0)
    net.told.clear()
    net.set("a", A, 0.25)
    net.run(3.0)
    assert [(who, address, goal) for _, who, address, goal in net.told] == [("b", A, 0.25)]


def test_a_sender_is_told_what_became_of_a_value_out_of_range() -> None:
    net = Net("a")
    net.run(3.0)
    net.told.clear()
    net.set("a", B, 7.0)
    net.run(1.0)
    assert [(who, address, goal) for _, who, address, goal in net.told] == [("a", B, 1.0)]


def test_no_client_is_told_more_than_thirty_times_a_second() -> None:
    net = Net("ab")
    net.run(3.0)
    net.told.clear()
    start = net.now
    for step in range(400):
        net.set("a", A, step / 400)
        net.run(0.005)
    times = [when for when, who, _, _ in net.told if who == "b"]
    assert 0.8 * MAX_RATE_HZ * (net.now - start) < len(times) <= MAX_RATE_HZ * (net.now - start) + 1
    assert not [1 for _, who, _, _ in net.told if who == "a"]


def test_subscriptions_expire_and_are_limited() -> None:
    feedback, player = Feedback(len(TABLE.stateful), limit=2), Instrument(TABLE)
    assert feedback.subscribe("a", 0.0, 10.0)
    assert feedback.subscribe("b", 0.0, 20.0)
    assert not feedback.subscribe("c", 0.0, 10.0)
    assert feedback.subscribe("a", 5.0, 10.0)
    list(feedback.due(player.tick(14.9), 14.9))
    assert feedback.clients == ("a", "b")
    list(feedback.due(player.tick(15.0), 15.0))
    assert feedback.clients == ("b",)
    feedback.unsubscribe("b")
    feedback.unsubscribe("b")
    assert len(feedback) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([A, B]), st.floats(-0.5, 1.5), st.floats(0.0, 0.4)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0.0, 0.02, 0.2]),
)
def test_clients_converge_after_any_interleaving(moves: list[tuple[str, str, float, float]], delay: float) -> None:
    net = Net("abc")
    net.delay = delay
    for client, address, value, pause in moves:
        net.set(client, address, value)
        net.run(pause)
    net.run(3.0)
    goals = net.player.snapshot
    for name in "abc":
        assert net.shows[name] == {row.address: goals.goals[slot] for slot, row in enumerate(TABLE.stateful)}, name


def test_a_message_overtaken_in_one_batch_is_answered() -> None:
    net = Net("ab")
    net.run(3.0)
    net.player.set(A, 0.4, "osc", net.now)
    net.run(3.0)
    net.shows["a"][A] = 0.1  # set, but b's 0.4 came in the same batch and took its place
    net.feedback.overtaken("a", TABLE.slots[A], net.now)
    net.feedback.heard("b", TABLE.slots[A], 0.4, net.now)
    net.run(3.0)
    assert net.shows["a"][A] == pytest.approx(0.4)
