"""The faults of a rehearsal: how each is done, and how it is undone. Each gets a running `Rehearsal`."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from installation.errors import MirrorError
from installation.kiosk.loopback import Mood
from installation.kiosk.rehearsal import Rehearsal
from installation.kiosk.rehearsal_config import HEARD, LOUDEST
from installation.kiosk.shortage import draws_again, give_back, run_out, run_out_on_gpu, why_not

_FLOOD_S = 3.0
_SOUND_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune.

    Attributes:
        name: For the table.
        inject: Does it; returns when it has hit.
        what: One line for the table.
        hold_s: Seconds until it is undone; the recovery is measured from then. None: it is undone after the recovery,
            which is measured from the injection.
        undo: Undoes it.
        flaw: Asked before it is undone: what is not as it should be meanwhile, in a few words; empty if all is.
        mended: What must be so for a recovery, beside a show that is well.
    """

    name: str
    inject: Callable[[Rehearsal], None]
    what: str
    hold_s: float | None = 0.0
    undo: Callable[[Rehearsal], None] = lambda _: None
    flaw: Callable[[Rehearsal], str] = lambda _: ""
    mended: Callable[[Rehearsal], bool] = lambda _: True


def _send(process: str, number: signal.Signals) -> Callable[[Rehearsal], None]:
    return lambda rehearsal: rehearsal.signal(process, number)


def _mood(mood: Mood) -> Callable[[Rehearsal], None]:
    def set_mood(rehearsal: Rehearsal) -> None:
        rehearsal.camera.mood = mood

    return set_mood


def _camera(mood: Mood, what: str, hold_s: float = 5.0) -> Fault:
    return Fault(f"camera {mood}", _mood(mood), what, hold_s, _mood(Mood.LIVE))


def _flood(rehearsal: Rehearsal) -> None:
    """Garbage and valid messages to the OSC port, as fast as one thread can."""
    address = (rehearsal.config.osc.host, rehearsal.config.osc.port)
    valid = b"/mirror/amount\0\0,f\0\0\x3f\x00\x00\x00"
    until = time.monotonic() + _FLOOD_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while time.monotonic() < until:
            for _ in range(100):
                sender.sendto(valid, address)
                sender.sendto(os.urandom(64), address)
            time.sleep(0.001)


def _spoil_cache(rehearsal: Rehearsal) -> None:
    """Overwrite the middle of every compiled engine, then take the show away, so that it must load them."""
    cache = rehearsal.folder / "cache"
    for path in [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".mp4"]:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size // 3)
            file.write(os.urandom(max(size // 3, 1)))
    rehearsal.signal("show", signal.SIGKILL)


def _limit_files(limit: int) -> Callable[[Rehearsal], None]:
    """No process of the kiosk can write to a file any more; what a full disk does, without filling one."""

    def set_limit(rehearsal: Rehearsal) -> None:
        for pid in filter(None, rehearsal.facts().get("pids", {}).values()):
            try:
                psutil.Process(pid).rlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            except psutil.NoSuchProcess:  # it has ended by itself: the film is made
                continue
            except psutil.Error as error:
                raise MirrorError(f"the file limit of process {pid} cannot be set: {error}") from error

    return set_limit


def _fill_and_kill(rehearsal: Rehearsal) -> None:
    _limit_files(0)(rehearsal)
    rehearsal.signal("show", signal.SIGKILL)


def _set_clock(seconds: float) -> Callable[[Rehearsal], None]:
    def turn(rehearsal: Rehearsal) -> None:
        rehearsal.clock.set(seconds)

    return turn


def _silence(rehearsal: Rehearsal) -> None:
    """Take the sound server away from a show that hears it."""
    assert rehearsal.sound is not None, "not_here leaves this fault out"
    deadline = time.monotonic() + _SOUND_PATIENCE_S
    while not _hears(rehearsal):
        if time.monotonic() > deadline:
            raise MirrorError(f"the show hears nothing of a tone that plays; its log ends:\n{rehearsal.log_tail()}")
        time.sleep(0.2)
    rehearsal.begin()
    rehearsal.sound.kill()


def _sound_again(rehearsal: Rehearsal) -> None:
    assert rehearsal.sound is not None
    rehearsal.sound.start()


def _hears(rehearsal: Rehearsal) -> bool:
    value = rehearsal.player.ask(HEARD)
    return isinstance(value, float) and value > LOUDEST / 2


def _deaf_flaw(rehearsal: Rehearsal) -> str:
    """A show without its sound goes on as it is, says so once, and rests what the sound has played."""
    if rehearsal.facts().get("pids", {}).get("show") != rehearsal.noted.get("pids", {}).get("show"):
        return "the show was started again"
    if (value := rehearsal.player.ask(HEARD)) != 0.0:
        return f"what the sound plays does not rest in silence: {value!r}"
    told = rehearsal.said("the show goes on in silence")
    return "" if told == 1 else f"the log tells of the loss {told} times"


FAULTS: tuple[Fault, ...] = (
    Fault("eye killed", _send("eye", signal.SIGKILL), "SIGKILL"),
    Fault("eye stopped", _send("eye", signal.SIGSTOP), "SIGSTOP: alive, but makes no progress"),
    Fault("show killed", _send("show", signal.SIGKILL), "SIGKILL"),
    Fault("show stopped", _send("show", signal.SIGSTOP), "SIGSTOP: the window stands still"),
    Fault("curtain killed", _send("curtain", signal.SIGKILL), "SIGKILL"),
    _camera(Mood.STALL, "connected, sends nothing"),
    _camera(Mood.BLACK, "black pictures"),
    _camera(Mood.FROZEN, "the same picture again and again"),
    _camera(Mood.GARBAGE, "random bytes in place of pictures"),
    _camera(Mood.RESIZED, "another resolution in the middle of the stream"),
    _camera(Mood.GONE, "hangs up and refuses"),
    _camera(Mood.EMPTY, "everybody leaves"),
    Fault("OSC flood", _flood, f"{_FLOOD_S:g} s of messages and garbage, as fast as they go"),
    Fault("engine cache spoilt", _spoil_cache, "compiled engines overwritten, show killed"),
    Fault("disk full", _fill_and_kill, "no file can be written, show killed", 5.0, _limit_files(-1)),
    Fault("audio gone", _silence, "the sound server is killed", 5.0, _sound_again, flaw=_deaf_flaw, mended=_hears),
    Fault(
        "memory out",
        run_out,
        "no allocation of the show succeeds (prlimit), a view that needs one",
        None,
        give_back,
        mended=draws_again,
    ),
    Fault(
        "GPU memory out",
        run_out_on_gpu,
        "another process holds all of the GPU's memory, a view that needs some",
        None,
        give_back,
        mended=draws_again,
    ),
    Fault("clock back", _set_clock(-86400.0 * 3), "the wall clock jumps three days back", 3.0, _set_clock(0.0)),
    Fault("clock forward", _set_clock(86400.0 * 3), "the wall clock jumps three days ahead", 3.0, _set_clock(0.0)),
)


NEED_SOUND = ("audio gone",)
"""Faults for which the rehearsal needs a sound server."""


def not_here(rehearsal: Rehearsal) -> dict[str, str]:
    """Names of faults that cannot be rehearsed on this machine, and why."""
    absent = why_not(rehearsal)
    if rehearsal.sound is not None and rehearsal.sound.missing:
        absent["audio gone"] = rehearsal.sound.missing
    if not rehearsal.clock.works:
        absent["clock back"] = absent["clock forward"] = "needs a C compiler to stand between the kiosk and the clock"
    if not any(path.suffix != ".mp4" for path in Path(rehearsal.folder / "cache").rglob("*.*")):
        absent["engine cache spoilt"] = "this back-end keeps no compiled engines"
    return absent
