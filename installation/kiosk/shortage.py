"""Memory runs out under a running show: that of the machine for its process alone, or that of the GPU for everybody.

A show that runs steadily asks for nothing: its buffers were made once. So it is asked for a view that it has not drawn
yet, which needs buffers and a network for a larger batch; there the back-end finds that there is no memory.
"""

from __future__ import annotations

import resource
import signal
import time

import psutil

from engines.runtime.nvidia import why_no_nvidia
from installation.errors import MirrorError
from installation.kiosk.gpu_hog import GpuHog
from installation.kiosk.rehearsal import Rehearsal
from installation.runtime.supervisor import Policy

STEPPED_DOWN = "; going on with "
"""What the chain of back-ends says when it takes the next one."""

_VIEW = "/mirror/view"
_NEEDY = "series"
_USED = ("series", "strip")
"""Views with several faces share a network: a show that begins with one of them has all that the other needs."""

_PATIENCE_S = 20.0
_POLL_S = 0.05
_AGAIN_S = 0.25


def run_out(rehearsal: Rehearsal, patience_s: float = _PATIENCE_S) -> None:
    """Let no allocation of the show succeed any more, and let it need one (setrlimit(2), RLIMIT_AS).

    Raises:
        MirrorError: If the limit cannot be set, or nothing has needed memory within `patience_s`.
    """
    pid = _show(rehearsal, patience_s)
    try:
        process = psutil.Process(pid)
        process.rlimit(resource.RLIMIT_AS, (process.memory_info().vms, resource.RLIM_INFINITY))
    except psutil.Error as error:
        raise MirrorError(f"the memory of process {pid} cannot be limited: {error}") from error
    _need(rehearsal, pid, patience_s)


def run_out_on_gpu(rehearsal: Rehearsal) -> None:
    """Take all of the GPU's memory in another process, and let the show need some.

    Raises:
        MirrorError: If it cannot be taken, or nothing has needed any.
    """
    rehearsal.hog = GpuHog()
    _need(rehearsal, _show(rehearsal, _PATIENCE_S), _PATIENCE_S)


def give_back(rehearsal: Rehearsal) -> None:
    """Give the memory back, and begin anew with the view of the config.

    A show that has given a back-end up does not return to it, and one that has drawn several faces needs no more. It is
    ended when the supervisor has come to trust it, so that the next fault does not meet a longer wait.
    """
    if rehearsal.hog is not None:
        rehearsal.hog.close()
        rehearsal.hog = None
    view = rehearsal.config.display.view
    deadline = time.monotonic() + _PATIENCE_S
    while rehearsal.facts().get("show", {}).get("view") != view and time.monotonic() < deadline:
        rehearsal.player.play(_VIEW, view)
        time.sleep(_AGAIN_S)
    time.sleep(Policy().healthy_s)
    if rehearsal.facts().get("pids", {}).get("show"):
        rehearsal.signal("show", signal.SIGTERM)
    rehearsal.wait_well(2.0 * _PATIENCE_S, with_face=True)


def draws_again(rehearsal: Rehearsal) -> bool:
    """Whether the networks have drawn since memory was refused: in a new process, or on the next back-end."""
    facts, noted = rehearsal.facts(), rehearsal.noted
    if facts.get("pids", {}).get("show") != noted.get("pids", {}).get("show"):
        return True
    return int(facts.get("show", {}).get("inferences", 0)) > int(noted.get("show", {}).get("inferences", 0))


def why_not(rehearsal: Rehearsal) -> dict[str, str]:
    """Which memory cannot run out here, and why."""
    view = rehearsal.config.display.view
    if view in _USED:
        why = f"the view {view} of the config needs all memory from the start"
        return {"memory out": why, "GPU memory out": why}
    why_no_gpu = why_no_nvidia()
    if why_no_gpu is None:
        return {}
    return {"GPU memory out": f"{why_no_gpu}; 'memory out' is what its back-end would meet"}


def _show(rehearsal: Rehearsal, patience_s: float) -> int:
    """Process number of a show that draws; the one before may just have ended."""
    if rehearsal.wait_well(patience_s) is None:
        raise MirrorError(f"there is no show that could run out of memory; its log ends:\n{rehearsal.log_tail()}")
    return rehearsal.pid("show")


def _need(rehearsal: Rehearsal, pid: int, patience_s: float) -> None:
    """Return when an allocation has failed: process `pid` is gone, or the show has taken the next back-end."""
    rehearsal.player.play(_VIEW, _NEEDY)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if rehearsal.facts().get("pids", {}).get("show", pid) != pid or rehearsal.said(STEPPED_DOWN):
            rehearsal.note()
            return
        time.sleep(_POLL_S)
    raise MirrorError(f"the show needed no memory for its view {_NEEDY}, so it could not be refused any")
