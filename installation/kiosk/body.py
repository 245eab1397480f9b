"""The first thing every process of the kiosk runs: it ends with its supervisor, and leaves no core dump."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from installation.runtime.lazy import call

_PR_SET_PDEATHSIG = 1
_CORE_FILTER = Path("/proc/self/coredump_filter")


def main(where: str, parent: int, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Run `"package.module:function"` as a process of the kiosk.

    Args:
        where: The function.
        parent: Process number of the supervisor.
        args: Its arguments.
        keywords: Its arguments by name.
    """
    forbid_core_dumps()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the supervisor died before we asked to be told
            os._exit(1)
    call(where, *args, **keywords)


def forbid_core_dumps() -> None:
    """No picture of a visitor may reach the disk by way of a crash.

    Crash reporters that the kernel feeds through a pipe get a dump in spite of the limit (core(5)); the filter
    leaves all memory out of it. Children inherit both.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _CORE_FILTER.exists():
        _CORE_FILTER.write_text("0")
