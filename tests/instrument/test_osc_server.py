"""OSC over real sockets with real clients, our own and ones nobody here wrote."""

from __future__ import annotations

import logging
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_codec import build_message, parse_message
from installation.devices.osc_server import OscServer
from installation.devices.slip import SlipReader, slip_frame
from installation.errors import ConfigError, DeviceError

A, B = "/mirror/amount", "/mirror/morph/beauty"
OSCSEND, OSCDUMP, PD = shutil.which("oscsend"), shutil.which("oscdump"), shutil.which("pd")


def test_values_arrive(rig: Any, clients: Any) -> None:
    client = clients(rig)
    client.send(A, 0.25)
    client.send("/mirror/view", "split")
    client.send("/mirror/freeze", True)
    assert rig.until(lambda: rig.goal(A) == 0.25 and rig.goal("/mirror/view") == "split" and rig.goal("/mirror/freeze"))


def test_subscribe_gives_the_state_then_the_changes_of_others(rig: Any, clients: Any) -> None:
    fader, other = clients(rig), clients(rig)
    fader.send("/mirror/subscribe")
    state = {}
    while len(state) < len(rig.player.table.stateful):
        address, args = fader.receive()
        if not address.startswith("/mirror/heartbeat"):  # which comes in between where the machine is busy
            state[address] = args
    assert state[A] == (1.0,)
    assert state["/mirror/view"] == ("portrait",)
    assert state["/mirror/freeze"] == (0,)
    other.send(B, 0.5)
    assert fader.receive_until(B) == (0.5,)
    fader.send(A, 0.75)  # no echo: the next thing the fader hears of this address is another's value
    assert rig.until(lambda: rig.goal(A) == 0.75)
    other.send(A, 0.125)
    assert fader.receive_until(A) == (0.125,)


def test_answers_can_go_to_another_port(rig: Any, clients: Any) -> None:
    fader, ear = clients(rig), clients(rig)
    fader.send("/mirror/subscribe", ear.sock.getsockname()[1], 30.0)
    assert ear.receive_until("/mirror/psi") == (1.0,)
    fader.send("/mirror/unsubscribe")
    assert rig.until(lambda: rig.server.subscribers == 0)


def test_ping_state_signals_and_heartbeat(rig: Any, clients: Any) -> None:
    client = clients(rig)
    client.send("/mirror/ping", 7, "x")
    assert client.receive() == ("/mirror/pong", (7, "x"))
    client.send("/mirror/state")
    assert client.receive_until("/mirror/psi") == (1.0,)
    client.send("/mirror/subscribe")
    assert rig.until(lambda: rig.server.subscribers == 1)
    rig.server.announce("/mirror/visit/approach")
    assert client.receive_until("/mirror/visit/approach") == ()
    rig.server.announce("/mirror/beat", 3, 0.5)
    assert client.receive_until("/mirror/beat") == (3, 0.5)
    assert client.receive_until("/mirror/heartbeat")[0] >= 1.0


def test_who_asks_for_the_state_hears_what_they_just_sent(rig: Any, clients: Any) -> None:
    client = clients(rig)
    for step in range(1, 21):
        client.send(A, step / 32)
        client.send("/mirror/state")
        assert client.receive_until(A) == (step / 32,)
        client.receive_until(rig.player.table.stateful[-1].address)


def test_mistakes_are_told_to_subscribers_and_cues_are_named(rig: Any, clients: Any) -> None:
    client = clients(rig)
    client.send("/mirror/subscribe")
    client.receive_until("/mirror/psi")
    client.send("/mirror/view", "sideways")
    assert "portrait, mirror" in str(client.receive_until("/mirror/error")[0])
    client.send("/mirror/cue/storm/store")
    assert client.receive_until("/mirror/cue/current") == ("storm",)


def test_tcp_with_slip(rigs: Callable[..., Any]) -> None:
    rig = rigs(tcp=True)
    with socket.create_connection(("127.0.0.1", rig.server.tcp_port), timeout=60.0) as sock:
        frames = slip_frame(build_message("/mirror/subscribe")) + slip_frame(build_message(A, [0.5]))
        for at in range(0, len(frames), 5):
            sock.sendall(frames[at : at + 5])
        assert rig.until(lambda: rig.goal(A) == 0.5)
        reader, found = SlipReader(8192), []
        while len(found) < len(rig.player.table.stateful) - 1:
            found += reader.feed(sock.recv(4096))
        assert "/mirror/psi" in dict(parse_message(packet) for packet in found)
    assert rig.until(lambda: rig.server.subscribers == 0)


def test_mutated_packets_over_the_wire(rig: Any, clients: Any, caplog: pytest.LogCaptureFixture) -> None:
    client, rng = clients(rig), random.Random(3)
    good = build_message(A, [0.5])
    with caplog.at_level(logging.DEBUG):
        for number in range(2000):
            data = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            client.sock.sendto(bytes(data), client.to)
            if number % 200 == 0:
                client.send(B, number / 2000)
                assert rig.until(lambda wanted=number / 2000: abs(rig.goal(B) - wanted) < 1e-6)
    assert len(caplog.records) < 10


def test_the_last_value_of_a_flood_wins(rig: Any, clients: Any) -> None:
    client = clients(rig)
    for number in range(20_000):
        client.send(A, (number % 100) / 200)
        if number % 200 == 199:  # not faster than the loop reads: a full socket buffer drops the newest
            assert rig.until(lambda sent=number + 1: rig.server.counts.messages >= sent)
    client.send(A, 0.875)
    assert rig.until(lambda: rig.goal(A) == 0.875)
    assert rig.server.counts.packets == 20_001


def test_a_taken_port_is_a_sentence(rig: Any) -> None:
    second = OscServer(OscConfig(port=rig.server.port), Instrument(control_table((), ())))
    with pytest.raises(DeviceError, match=r"another program may have the port"):
        second.start()


def test_wekinator_must_name_controls() -> None:
    with pytest.raises(ConfigError, match="/mirror/nothing"):
        OscServer(OscConfig(wekinator=(A, "/mirror/nothing")), Instrument(control_table((), ())))


@pytest.mark.skipif(OSCSEND is None, reason="oscsend (liblo-tools) is not installed")
def test_oscsend_plays(rig: Any) -> None:
    for args in (["f", "0.25"], ["i", "0"], ["d", "0.5"], ["T"]):
        subprocess.run([str(OSCSEND), "localhost", str(rig.server.port), A, *args], check=True, timeout=60)
        wanted = {"0.25": 0.25, "0": 0.0, "0.5": 0.5, "T": 1.0}[args[-1]]
        assert rig.until(lambda wanted=wanted: rig.goal(A) == wanted), args
    subprocess.run(
        [str(OSCSEND), "localhost", str(rig.server.port), "/mirror/look", "s", "ink"], check=True, timeout=60
    )
    assert rig.until(lambda: rig.goal("/mirror/look") == "ink")
    subprocess.run([str(OSCSEND), "localhost", str(rig.server.port), "/mirror/freeze", "I"], check=True, timeout=60)
    assert rig.until(lambda: rig.goal("/mirror/freeze") is True)


@pytest.mark.skipif(OSCDUMP is None, reason="oscdump (liblo-tools) is not installed")
def test_oscdump_reads_our_feedback(rig: Any, clients: Any) -> None:
    port = free_port(socket.SOCK_DGRAM)
    dump = subprocess.Popen([str(OSCDUMP), "-L", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert dump.stdout is not None
        client, lines = clients(rig), []
        end = time.monotonic() + 60.0
        # oscdump says nothing when it is ready: ask until it answers
        while not lines and time.monotonic() < end:
            client.send("/mirror/subscribe", port, 30.0)
            rig.until(lambda: False, 0.2)
            rig.server.announce("/mirror/visit/approach")
            lines = [dump.stdout.readline() for _ in range(5)]
        clients(rig).send(B, 0.625)  # another hand: the one that subscribed would not be told its own value
        while not any("morph/beauty f 0.625" in line for line in lines):
            lines.append(dump.stdout.readline())
            assert time.monotonic() < end, lines
    finally:
        dump.kill()
        dump.communicate()


@pytest.mark.skipif(PD is None, reason="Pure Data is not installed")
def test_pure_data_plays(rig: Any, tmp_path: Path) -> None:
    patch = tmp_path / "play.pd"
    patch.write_text(
        "#N canvas 0 0 400 300 12;\n"
        "#X obj 10 10 loadbang;\n"
        f"#X msg 10 40 connect 127.0.0.1 {rig.server.port};\n"
        "#X obj 10 70 netsend -u -b;\n"
        "#X msg 200 40 0.375;\n"
        "#X obj 200 70 oscformat mirror amount;\n"
        "#X obj 200 100 list prepend send;\n"
        "#X obj 200 130 list trim;\n"
        "#X obj 120 10 delay 200;\n"
        "#X connect 0 0 1 0;\n#X connect 1 0 2 0;\n#X connect 0 0 7 0;\n#X connect 7 0 3 0;\n"
        "#X connect 3 0 4 0;\n#X connect 4 0 5 0;\n#X connect 5 0 6 0;\n#X connect 6 0 2 0;\n"
    )
    pd = subprocess.Popen([str(PD), "-nogui", "-noaudio", "-nomidi", "-nrt", str(patch)], stderr=subprocess.PIPE)
    try:
        assert rig.until(lambda: rig.goal(A) == 0.375)
    finally:
        pd.kill()
        pd.communicate()
