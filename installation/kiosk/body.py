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

from installation.errors import MirrorError
from installation.runtime.lazy import call

WORDS_BYTES = 2048
"""Room for a process' last words."""

_PR_SET_PDEATHSIG = 1
_NO_SHADER_CACHE = {"MESA_SHADER_CACHE_DISABLE": "true", "MESA_GLSL_CACHE_DISABLE": "true"}
"""Mesa writes its cache on a thread of idle priority. On a busy machine that thread does not even get the time to be
killed: a show kept its window for 6 s and a curtain for 10 s after SIGKILL (Mesa 22.3, 2 cores, load 10)."""

_M_ARENA_MAX = -8  # <malloc.h>
_ARENAS = 2

_CORE_FILTER = Path("/proc/self/coredump_filter")


def main(where: str, parent: int, args: Sequence[Any], keywords: Mapping[str, Any], words: Any) -> None:
    """Run `"package.module:function"` as a process of the kiosk. An error for people is told in a sentence.

    Args:
        where: The function.
        parent: Process number of the supervisor.
        args: Its arguments.
        keywords: Its arguments by name.
        words: Takes the sentence, a shared array of `WORDS_BYTES` characters; the supervisor tells it.
    """
    forbid_core_dumps()
    hold_memory_together()
    os.environ.update(_NO_SHADER_CACHE)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the supervisor died before we asked to be told
            os._exit(1)
    try:
        call(where, *args, **keywords)
    except MirrorError as error:
        words.value = str(error).encode()[: WORDS_BYTES - 1]
        sys.exit(error.exit_code)
    except Exception as error:  # a bug: what it says may hold anything, and stays in the traceback
        words.value = f"a fault of the program, {type(error).__name__}".encode()
        raise


def forbid_core_dumps() -> None:
    """No picture of a visitor may reach the disk by way of a crash.

    Crash reporters that the kernel feeds through a pipe get a dump in spite of the limit (core(5)); the filter
    leaves all memory out of it. Children inherit both.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _CORE_FILTER.exists():
        _CORE_FILTER.write_text("0")


def hold_memory_together() -> None:
    """Let all threads allocate from two arenas (mallopt(3)); to be called before there are threads.

    glibc gives every thread an arena of its own, up to eight per core, and none gives back what a short peak took: the
    eye, with sixteen threads, grew by 2.5 MB in its first hour.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
