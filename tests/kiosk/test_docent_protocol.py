"""The docent page's server over real HTTP and websockets: PIN, origin, staleness, nonsense."""

import json
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest

from installation.runtime.pages import PinGate

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from docent_parts import PIN, STALE_S
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture
def talk(page):
    """Open a connection, say the first word, and give the socket and the answer."""
    with ExitStack() as stack:

        def begin(first, origin=None):
            address = f"ws://127.0.0.1:{page.port}/ws"
            socket = stack.enter_context(connect(address, origin=origin, open_timeout=60, ping_interval=None))
            socket.send(json.dumps(first))
            return socket, json.loads(socket.recv(timeout=60))

        yield begin


def state_of(socket):
    while "state" not in (message := json.loads(socket.recv(timeout=60))):
        pass
    return message


def answer_of(socket, command):
    socket.send(json.dumps(command))
    while "answer" not in (message := json.loads(socket.recv(timeout=60))):
        pass
    return message


def test_files_come_with_a_policy_that_allows_nothing_from_elsewhere(page):
    for path, words in (("", b"<!doctype html>"), ("docent.js", b'"use strict"'), ("docent.css", b"--ink")):
        with urllib.request.urlopen(page.url + path, timeout=60) as reply:
            assert words in reply.read()
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(page.url + "../config.toml", timeout=60)
    refused.value.close()


def test_a_wrong_pin_and_none_are_refused_and_the_right_one_gives_a_token_that_opens_again(page, talk):
    assert talk({"pin": "0000"})[1] == {"refused": "wrong PIN"}
    assert talk({})[1] == {"refused": "PIN"}
    assert talk(["nonsense"])[1] == {"refused": "PIN"}
    assert talk({"token": "guess"})[1] == {"refused": "PIN"}
    hello = talk({"pin": PIN})[1]
    assert hello["languages"] == ["en", "es"]
    assert talk({"token": hello["token"]})[1]["token"] == hello["token"]
    assert page.asked(0) is None


def test_a_page_of_another_origin_is_not_heard(page, talk):
    with pytest.raises(InvalidStatus, match="403"):
        talk({"pin": PIN}, origin="http://elsewhere.example")


def test_a_command_arrives_once_with_its_value_and_time(page, talk):
    socket, _ = talk({"pin": PIN})
    tick = state_of(socket)["tick"]
    before = time.monotonic()
    assert answer_of(socket, {"id": 7, "do": "light", "value": 0.25, "tick": tick}) == {"answer": 7, "done": "light"}
    message = page.asked()
    assert (message["do"], message["value"]) == ("light", 0.25)
    assert before <= message["at"] <= time.monotonic()
    assert page.asked(0) is None


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ({"do": "light", "value": 2}, "brightness"),
        ({"do": "light", "value": True}, "brightness"),
        ({"do": "pause", "value": 1}, "true"),
        ({"do": "cue", "value": "../x"}, "cue"),
        ({"do": "shutdown", "value": None}, "no such command"),
        ({"do": ["pause"], "value": True}, "no such command"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(page, talk, command, why):
    socket, _ = talk({"pin": PIN})
    answer = answer_of(socket, {"id": 1, "tick": state_of(socket)["tick"], **command})
    assert why in answer["refused"]
    assert page.asked(0) is None


@pytest.mark.parametrize("tick", [None, "now", float("-inf"), True])
def test_a_command_without_a_tick_is_refused(page, talk, tick):
    socket, _ = talk({"pin": PIN})
    assert "too late" in answer_of(socket, {"id": 1, "do": "pause", "value": True, "tick": tick})["refused"]


def test_a_command_in_answer_to_an_old_state_or_a_future_one_is_refused(page, talk):
    socket, _ = talk({"pin": PIN})
    tick = state_of(socket)["tick"]
    for wrong in (tick - STALE_S - 0.1, tick + 600.0):
        answer = answer_of(socket, {"id": 1, "do": "blackout", "value": True, "tick": wrong})
        assert "too late" in answer["refused"]
    assert page.asked(0) is None


def test_nonsense_and_oversized_messages_do_not_end_the_server(page, talk):
    socket, _ = talk({"pin": PIN})
    assert "refused" in answer_of(socket, "text")
    assert "refused" in answer_of(socket, [1, 2])
    with pytest.raises(ConnectionClosed):
        answer_of(socket, {"id": 1, "do": "x" * 5000})
    assert "token" in talk({"pin": PIN})[1]


def test_five_wrong_pins_close_the_door_for_a_minute_but_not_for_who_has_the_token():
    now = [0.0]
    gate = PinGate(PIN, b"secret", lambda: now[0])
    for _ in range(5):
        assert gate.admit({"pin": "1234"}) == "wrong PIN"
    assert "wait" in gate.admit({"pin": PIN})
    assert gate.admit({"token": gate.token}) == ""
    now[0] = 59.9
    assert "wait" in gate.admit({"pin": PIN})
    now[0] = 60.1
    assert gate.admit({"pin": PIN}) == ""


def test_tokens_differ_by_pin_and_by_life_of_the_kiosk():
    tokens = {PinGate(pin, secret).token for pin in ("1111", "2222") for secret in (b"a", b"b")}
    assert len(tokens) == 4
