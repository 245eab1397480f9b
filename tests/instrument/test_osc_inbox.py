"""From bytes to the instrument on a virtual clock: order, coalescing, time tags, refusals."""

from __future__ import annotations

import logging
import random
from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.controls import control_table
from installation.core.feedback import Feedback
from installation.core.instrument import Instrument
from installation.devices.osc_codec import Argument, build_bundle, build_message
from installation.devices.osc_in import OscInbox

TABLE = control_table(("strength",), ("age",))
A, B = "/mirror/amount", "/mirror/morph/strength"
HERE = "127.0.0.1"


class Desk:
    """An inbox on a clock that the test moves; the wall clock stands 1e9 s beside it."""

    def __init__(self, allow: Sequence[str] = ("127.0.0.0/8", "::1/128"), wekinator: Sequence[str] = ()) -> None:
        self.now = 100.0
        self.player = Instrument(TABLE)
        self.sessions: list[tuple[Hashable, str, tuple[Argument, ...]]] = []
        self.errors: list[tuple[Hashable, str, tuple[Argument, ...]]] = []
        self.inbox = OscInbox(
            self.player,
            Feedback(len(TABLE.stateful)),
            allow=allow,
            wekinator=wekinator,
            session=lambda client, what, args: (self.errors if what == "error" else self.sessions).append(
                (client, what, tuple(args))
            ),
        )

    def take(self, data: bytes, host: str = HERE) -> None:
        self.inbox.take(data, (host, 5000), host, self.now, self.now + 1e9)

    def send(self, address: str, *args: Argument) -> None:
        self.take(build_message(address, args))

    def goal(self, address: str) -> object:
        self.inbox.flush(self.now)
        return self.player.tick(self.now).goal(address)


def test_the_last_value_of_each_address_wins_and_the_others_are_not_even_parsed() -> None:
    desk = Desk()
    for step in range(1000):
        desk.send(A, step / 999)
        desk.send(B, 1 - step / 999)
    assert desk.goal(A) == 1.0
    assert desk.goal(B) == 0.0
    assert (desk.inbox.counts.messages, desk.inbox.counts.applied) == (2000, 2)
    assert desk.inbox.counts.coalesced == 1998


def test_a_cue_stores_what_came_before_it() -> None:
    desk = Desk()
    desk.send(A, 0.25)
    desk.send("/mirror/cue/one/store")
    desk.send(A, 0.75)
    assert desk.goal(A) == 0.75
    cue = desk.player.cues.get("one")
    assert cue is not None
    assert cue.values[A] == 0.25


def test_a_panic_that_is_released_in_the_same_batch_is_still_a_panic() -> None:
    desk = Desk()
    desk.send(B, 0.9)
    desk.send("/mirror/panic", 1)
    desk.send("/mirror/panic", 0)
    assert desk.goal(B) == 0.0


@pytest.mark.parametrize("ahead", [-86400.0, -1.0, 0.0])
def test_a_bundle_from_the_past_is_at_once(ahead: float) -> None:
    desk = Desk()
    desk.take(build_bundle([build_message(A, [0.5])], desk.now + 1e9 + ahead))
    assert desk.goal(A) == 0.5


def test_a_bundle_for_later_waits_and_does_not_block_others() -> None:
    desk = Desk()
    desk.take(build_bundle([build_message(A, [0.5])], desk.now + 1e9 + 2.0))
    desk.take(build_bundle([build_message(A, [0.6])], desk.now + 1e9 + 1.0))
    desk.send(B, 0.1)
    assert (desk.goal(A), desk.goal(B)) == (1.0, pytest.approx(0.1))
    assert desk.inbox.wait_s(desk.now, 9.0) == pytest.approx(1.0, abs=1e-6)
    desk.now += 1.01
    assert desk.goal(A) == pytest.approx(0.6)
    desk.now += 1.0
    assert desk.goal(A) == 0.5


def test_a_bundle_for_too_late_is_refused() -> None:
    desk = Desk()
    desk.take(build_bundle([build_message(A, [0.5])], desk.now + 1e9 + 10.5))
    desk.now += 60.0
    assert desk.goal(A) == 1.0
    assert desk.inbox.counts.refused == 1


def test_scheduled_messages_are_bounded() -> None:
    desk = Desk()
    bundle = build_bundle([build_message(A, [0.5])] * 100, desk.now + 1e9 + 5.0)
    for _ in range(100):
        desk.take(bundle)
    assert desk.inbox.counts.scheduled == 4096
    assert desk.inbox.counts.refused == 10_000 - 4096


def test_only_allowed_addresses_are_heard() -> None:
    desk = Desk(allow=("192.168.7.0/24", "fe80::/10"))
    for host, heard in (
        ("127.0.0.1", False), ("192.168.8.1", False), ("192.168.7.9", True), ("::ffff:192.168.7.9", True),
        ("fe80::1%eth0", True), ("::1", False),
    ):  # fmt: skip
        assert desk.inbox.allowed(host) is heard, host
    desk.take(build_message(A, [0.5]), "10.0.0.1")
    assert desk.goal(A) == 1.0
    assert desk.inbox.counts.not_allowed == 1
    desk.take(build_message(A, [0.5]), "192.168.7.9")
    assert desk.goal(A) == 0.5


def test_wrong_messages_are_counted_and_change_nothing() -> None:
    desk = Desk()
    for address, args in (
        (A, ("loud",)), (A, (float("nan"),)), (A, (float("inf"),)), (A, ()), (A, (None,)), (A, (b"x",)),
        ("/mirror/view", ("sideways",)), ("/mirror/view", (2**40,)),
    ):  # fmt: skip
        desk.send(address, *args)
        desk.inbox.flush(desk.now)
    for address in ("/mirror/*", "/mirror/nothing", "/" + "*" * 60, "/mirror/amount/x", "/mirror/beat"):
        desk.send(address, 1.0)
    desk.send("/mirror/beat", 1.0)
    before = Instrument(TABLE).tick(0.0).goals
    desk.inbox.flush(desk.now)
    assert desk.player.tick(desk.now).goals.tolist() == before.tolist()
    assert (desk.inbox.counts.refused, desk.inbox.counts.unknown, desk.inbox.counts.applied) == (8, 6, 0)


def test_session_commands_go_to_the_server() -> None:
    desk = Desk()
    desk.send("/mirror/subscribe", 9009, 30)
    desk.send("/mirror/ping", "x")
    assert desk.sessions == [((HERE, 5000), "subscribe", (9009, 30)), ((HERE, 5000), "ping", ("x",))]


def test_wekinator_outputs_play_rows_like_faders() -> None:
    desk = Desk(wekinator=(A, "/mirror/direction/age", "/mirror/view"))
    desk.send("/wek/outputs", 0.25, 0.25, 0.99)
    assert (desk.goal(A), desk.goal("/mirror/direction/age")) == (0.25, -0.5)
    assert desk.goal("/mirror/view") == "series"
    desk.send(A, 0.9)
    desk.send("/wek/outputs", 0.1, 0.1, 0.1)
    assert desk.goal(A) == pytest.approx(0.9)  # a hand on a control is stronger
    desk.send("/wek/outputs", 0.1)
    desk.send("/wek/outputs", 0.1, float("nan"), 0.0)
    desk.inbox.flush(desk.now)
    assert desk.inbox.counts.refused == 2
    bare = Desk()
    bare.send("/wek/outputs", 0.1)
    bare.inbox.flush(bare.now)
    assert bare.inbox.counts.unknown == 1


moves = st.lists(
    st.tuples(st.sampled_from([A, B, "/mirror/psi", "/mirror/view"]), st.integers(0, 3), st.booleans()), max_size=30
)


@given(moves)
def test_coalescing_changes_nothing_but_the_work(played: list[tuple[str, int, bool]]) -> None:
    batched, single = Desk(), Desk()
    for address, value, ends_batch in played:
        for desk in (batched, single):
            desk.send(address, value)
        single.inbox.flush(single.now)
        if ends_batch:
            batched.inbox.flush(batched.now)
    for row in TABLE.stateful:
        assert batched.goal(row.address) == single.goal(row.address)


def test_a_hundred_thousand_mutated_packets(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    rng = random.Random(66)
    good = [build_message(A, [0.5]), build_message("/mirror/view", ["split"]), build_message("/mirror/cue/x/store")]
    good += [build_bundle([good[0], build_bundle(good)]), build_message("/wek/outputs", [0.1, 0.2])]
    heard = 0
    with caplog.at_level(logging.DEBUG):
        for number in range(100_000):
            data = bytearray(rng.choice(good))
            for _ in range(rng.randint(1, 5)):
                what, at = rng.random(), rng.randrange(len(data) + 1)
                if what < 0.6 and at < len(data):
                    data[at] = rng.randrange(256)
                elif what < 0.8:
                    del data[at:]
                else:
                    data[at:at] = rng.randbytes(4)
            desk.take(bytes(data))
            desk.now += 1e-4
            if number % 100 == 0:
                desk.send(B, number / 100_000)
                heard += desk.goal(B) == pytest.approx(number / 100_000)
    assert heard == 1000  # valid messages in between are heard
    assert len(caplog.records) <= 12  # ten seconds, a line each at most
    assert sum(len(record.getMessage()) for record in caplog.records) < 10_000
    assert desk.inbox.counts.malformed > 50_000
