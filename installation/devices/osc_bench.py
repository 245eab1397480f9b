"""What OSC costs a show: the delay from a message to the next frame, and what a flood does to the frame rate.

A loop at 60 Hz ticks the instrument and works for some milliseconds as drawing does; a second thread multiplies
matrices as the networks do (NumPy lets other threads run meanwhile, as the back-ends do). Another process floods.
`mirror osc bench` prints it; the show's own figures are those of `mirror bench`.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from installation.core.controls import ControlTable, Kind
from installation.core.instrument import Instrument
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_codec import build_message
from installation.devices.osc_server import OscServer
from installation.runtime.memory import resident_mb

HZ = 60.0
_DRAW_S = 0.004
_ADDRESS = "/mirror/amount"
_STEPS = 1000  # different values, so that a frame tells which message it shows
_PROBE_EVERY_S = 0.037
_BURST_S = 0.001
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured.

    Attributes:
        quiet_fps, flood_fps: Frames a second without and with the flood.
        latency_ms: (p50, p95, p99, worst) from sending a message to the tick that has it, without the flood.
        sent, heard, applied: Messages of the flood that were sent, read from the socket, and had to be applied.
        flood_load: Processor time that the flood took here, as a part of one core.
        last_wins: Whether the last value of each address was there at the end.
        grown_mb: Memory at the end over memory after the first second.
    """

    quiet_fps: float
    flood_fps: float
    latency_ms: tuple[float, float, float, float]
    sent: int
    heard: int
    applied: int
    last_wins: bool
    flood_load: float
    grown_mb: float


def run_bench(table: ControlTable, *, seconds: float = 10.0, rate: int = 20_000) -> Bench:
    """Measure; takes a little over twice `seconds`."""
    instrument = Instrument(table, now=time.monotonic())
    server = OscServer(OscConfig(port=0), instrument)
    server.start()
    stop = threading.Event()
    network = threading.Thread(target=_multiply, args=(stop,), daemon=True)
    network.start()
    try:
        quiet_load = -time.process_time() / seconds
        quiet_fps, latencies = _frames_with_probe(instrument, server.port, seconds)
        quiet_load += time.process_time() / seconds
        before = server.counts.messages, server.counts.applied
        addresses = [row.address for row in table.stateful if row.kind is Kind.FLOAT and row.high == 1.0][:8]
        pipe, child = _SPAWN.Pipe()
        flood = _SPAWN.Process(target=_flood, args=(server.port, addresses, rate, seconds, child), daemon=True)
        flood.start()
        pipe.recv()
        frames, start, first_mb, used = 0, time.monotonic(), 0.0, time.process_time()
        while not pipe.poll():
            _frame(instrument, start, frames)
            frames += 1
            if not first_mb and time.monotonic() - start > 1.0:
                first_mb = resident_mb(os.getpid())
        flood_fps = frames / (time.monotonic() - start)
        flood_load = (time.process_time() - used) / (time.monotonic() - start) - quiet_load
        sent = int(pipe.recv())
        flood.join()
        for extra in range(30):
            _frame(instrument, time.monotonic(), extra % 2)
        snapshot = instrument.snapshot
        last_wins = all(snapshot.goal(address) == 0.5 for address in addresses)
        heard, applied = server.counts.messages - before[0], server.counts.applied - before[1]
        grown = resident_mb(os.getpid()) - first_mb
    finally:
        stop.set()
        server.stop()
        network.join()
    ms = np.percentile(np.array(latencies) * 1e3, (50, 95, 99, 100))
    latency = (float(ms[0]), float(ms[1]), float(ms[2]), float(ms[3]))
    return Bench(quiet_fps, flood_fps, latency, sent, heard, applied, last_wins, flood_load, grown)


def describe(bench: Bench) -> list[str]:
    """The figures in lines for people."""
    p50, p95, p99, worst = bench.latency_ms
    return [
        f"message to tick at {HZ:g} Hz: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, worst {worst:.1f} ms",
        f"frames a second: {bench.quiet_fps:.1f} quiet, {bench.flood_fps:.1f} in the flood"
        f" ({100 * bench.flood_fps / bench.quiet_fps:.0f} %)",
        f"flood: {bench.sent} sent, {bench.heard} read, {bench.applied} applied;"
        f" the last value of each address {'won' if bench.last_wins else 'was lost'}",
        f"the flood took {100 * bench.flood_load:.0f} % of a core here; memory grew by {bench.grown_mb:.1f} MB",
    ]


def _frame(instrument: Instrument, start: float, number: int) -> float:
    """Wait for the frame's time, tick, and work; returns the time of the tick."""
    wait = start + number / HZ - time.monotonic()
    if wait > 0.0:
        time.sleep(wait)
    now = time.monotonic()
    instrument.tick(now)
    while time.monotonic() - now < _DRAW_S:
        pass
    return now


def _frames_with_probe(instrument: Instrument, port: int, seconds: float) -> tuple[float, list[float]]:
    """Frames a second, and for each probe the time from its sending to the tick that had it."""
    pipe, child = _SPAWN.Pipe()
    sender = _SPAWN.Process(target=_probe, args=(port, seconds, child), daemon=True)
    sender.start()
    pipe.recv()
    slot = instrument.table.slots[_ADDRESS]
    shown: dict[int, float] = {}
    start, frames = time.monotonic(), 0
    while not pipe.poll():
        now = _frame(instrument, start, frames)
        frames += 1
        shown.setdefault(round(float(instrument.snapshot.goals[slot]) * _STEPS), now)
    fps = frames / (time.monotonic() - start)
    sent_at: dict[int, float] = pipe.recv()
    sender.join()
    return fps, [shown[number] - at for number, at in sent_at.items() if number in shown]


def _probe(port: int, seconds: float, pipe: Any) -> None:
    """Body of the probing process: a new value now and then; the monotonic clock is the same in all processes."""
    sent_at: dict[int, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        pipe.send("ready")
        end = time.monotonic() + seconds
        for number in range(1, _STEPS):
            time.sleep(_PROBE_EVERY_S)
            if time.monotonic() > end:
                break
            message = build_message(_ADDRESS, [number / _STEPS])
            sent_at[number] = time.monotonic()
            sock.send(message)
    time.sleep(0.2)  # the last one arrives
    pipe.send(sent_at)


def _multiply(stop: threading.Event) -> None:
    a = np.ones((384, 384), np.float32)
    while not stop.wait(0.002):
        np.dot(a, a)


def _flood(port: int, addresses: list[str], rate: int, seconds: float, pipe: Any) -> None:
    """Body of the flooding process: `rate` messages a second, the last of each address being 0.5."""
    messages = [[build_message(address, [step / 100]) for step in range(100)] for address in addresses]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        pipe.send("ready")
        sent, start = 0, time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            while sent < passed * rate:
                sock.send(messages[sent % len(messages)][sent // len(messages) % 100])
                sent += 1
            time.sleep(_BURST_S)
        for address in addresses:
            sock.send(build_message(address, [0.5]))
            sent += 1
        pipe.send(sent)
