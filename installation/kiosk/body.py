"""The first thing every process of the kiosk runs: it ends with its supervisor, and leaves no core dump."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from installation.runtime.lazy import call

_PR_SET_PDEATHSIG = 1


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
    """No picture of a visitor may reach the disk by way of a crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
