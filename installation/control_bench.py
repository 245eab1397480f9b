"""`mirror bench --control`: how soon a played control is in W+ and on the screen, and what a flood does to the show.

Two shows at 60 Hz, headless. In the first, another process plays one control now and then over UDP; in the second it
sends `RATE` messages a second to eight addresses besides. The times are the show's own (`control_ms` of its report).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import socket
import time
from dataclasses import dataclass
from typing import Any

from installation.app import Run, RunOptions
from installation.devices.osc_codec import build_message, parse_message, split_packet

HZ = 60.0
RATE = 20_000
_PROBED = "/mirror/amount"
_PROBE_EVERY_S = 0.037  # no multiple of a frame
_BURST_S = 0.001
_ANSWER_S = 60.0  # the show builds its engines first
_TAIL_S = 30.0  # of a show that does not answer; one that does takes a few frames
_ASK_EVERY_S = 0.5
_VISITOR_S = 15.0
_REFLECTED = "/mirror/visit/reflect"
_LAST = 0.5
_FLOODED = tuple(
    f"/mirror/{name}"
    for name in ("mix/coarse", "mix/middle", "mix/fine", "psi", "breath", "caption", "morph/strength", "morph/beauty")
)
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Played:
    """What the player did.

    Attributes:
        sent: Messages of the flood.
        kept: Flooded addresses that the show has, each asked for at the end, with the value it then had.
    """

    sent: int
    kept: dict[str, float]

    @property
    def last_wins(self) -> bool:
        """Whether each flooded address has the value that was sent last."""
        return bool(self.kept) and all(abs(value - _LAST) < 1e-6 for value in self.kept.values())


def bench_control(options: argparse.Namespace) -> dict[str, Any]:
    """Run both shows; returns their reports with what was played."""
    return {"quiet": _show(options, 0), "flood": _show(options, RATE)}


def describe(result: dict[str, Any]) -> list[str]:
    """The figures in lines for people."""
    lines = []
    for name, show in result.items():
        control, swap = show["control_ms"], show["control_to_swap_ms"]
        lines += [
            f"{name}: message received to W+ p50 {control['p50']}, p95 {control['p95']}, p99 {control['p99']} ms; "
            f"to the swap of the first frame with it p50 {swap['p50']}, p95 {swap['p95']}, p99 {swap['p99']} ms",
            f"       display {show['fps']['display']} Hz, inference {show['fps']['inference']} Hz; "
            f"memory peak {show['rss_mb']['peak']} MB, at the end {show['rss_mb']['end']} MB",
        ]
    quiet, flood = result["quiet"], result["flood"]
    played = flood["played"]
    kept = 100.0 * flood["fps"]["display"] / max(quiet["fps"]["display"], 1e-9)
    won = "won" if played["last_wins"] else f"was lost: {played['kept']}"
    lines.append(
        f"flood of {played['sent']} messages in {played['seconds']:g} s: the display kept {kept:.0f} % of its rate; "
        f"the last value of each of {len(played['kept'])} addresses {won}"
    )
    return lines


def _show(options: argparse.Namespace, rate: int) -> dict[str, Any]:
    run = Run(
        RunOptions(
            config=options.config,
            source=options.source,
            pack=options.pack,
            headless=True,
            seconds=options.seconds + _VISITOR_S + 2.0 * _TAIL_S,  # it ends when the player has
        )
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = run.config
    run.config = config.model_copy(
        update={
            "display": config.display.model_copy(update={"hz": HZ}),
            "engine": config.engine.model_copy(update={"rate_hz": HZ}),
            "osc": config.osc.model_copy(update={"enabled": True, "host": "127.0.0.1", "port": port}),
        }
    )
    receiver, sender = _SPAWN.Pipe(duplex=False)
    player = _SPAWN.Process(target=_play, args=(port, options.seconds, rate, sender), daemon=True)
    player.start()
    run.run(until=receiver.poll)
    played: Played = receiver.recv() if receiver.poll(_TAIL_S) else Played(0, {})
    player.join(_TAIL_S)
    run.report["played"] = {
        "seconds": options.seconds,
        "sent": played.sent,
        "kept": played.kept,
        "last_wins": played.last_wins,
    }
    return run.report


def _play(port: int, seconds: float, rate: int, pipe: Any) -> None:
    """Body of the player: wait until the show answers, play, ask what it then has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        if not _state(sock, _ANSWER_S):
            return
        _await_visitor(sock)
        messages = [[build_message(address, [step / 100]) for step in range(100)] for address in _FLOODED]
        sent, probes, began = 0, 0, time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if passed >= probes * _PROBE_EVERY_S:
                probes += 1
                sock.send(build_message(_PROBED, [probes % 997 / 997]))
            while sent < passed * rate:
                sock.send(messages[sent % len(messages)][sent // len(messages) % 100])
                sent += 1
            time.sleep(_BURST_S)
        # Answers come in order: after this one the socket's buffer, which may have lost some, has room again.
        _state(sock, _TAIL_S)
        for address in _FLOODED if rate else ():
            sock.send(build_message(address, [_LAST]))
        state = _state(sock, _TAIL_S)
    pipe.send(Played(sent, {address: state[address] for address in _FLOODED if rate and address in state}))


def _await_visitor(sock: socket.socket) -> None:
    """Wait until a visitor is reflected, so that the show is in full swing; play to an empty room after a while."""
    sock.settimeout(_ASK_EVERY_S)
    give_up = time.monotonic() + _VISITOR_S
    sock.send(build_message("/mirror/subscribe"))
    while time.monotonic() < give_up:
        with contextlib.suppress(TimeoutError):
            if any(parse_message(message.data)[0] == _REFLECTED for message in split_packet(sock.recv(65536))):
                break
    sock.send(build_message("/mirror/unsubscribe"))


def _state(sock: socket.socket, patience_s: float) -> dict[str, float]:
    """Ask for all values until the show answers: address -> number; empty if no answer comes.

    A ping follows each question; answers come in order, so its pong ends the state that was asked for just before.
    """
    give_up = time.monotonic() + patience_s
    sock.settimeout(_ASK_EVERY_S)
    for token in itertools.count(time.monotonic_ns() % 2**30):
        state: dict[str, float] = {}
        if time.monotonic() > give_up:
            return state
        try:
            sock.send(build_message("/mirror/state"))
            sock.send(build_message("/mirror/ping", [token]))
            while True:
                for message in split_packet(sock.recv(65536)):
                    address, args = parse_message(message.data)
                    if address == "/mirror/pong" and args == (token,):
                        return state
                    if args and isinstance(args[0], (int, float)):
                        state[address] = float(args[0])
        except TimeoutError:
            continue
        except ConnectionRefusedError:  # not yet listening
            time.sleep(0.1)
    raise AssertionError("itertools.count never ends")
