"""Read what strace wrote: which files were written and how much, which addresses were spoken to. Pure.

Expects `strace -f -y -s 0 -e trace=...`, a file with the process number before each call; calls that were
interrupted by another process's (`<unfinished ...>`) are put together again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,ftruncate,mmap,"
    "connect,bind,sendto,sendmsg,sendmmsg"
)
"""What strace must follow."""

_UNFINISHED = " <unfinished ...>"
_LINE = re.compile(r"^(?:\[pid\s+)?(\d+)\]?\s+(.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)\s+=\s+(-?\d+)(?:<([^>]*)>)?")
_FIRST_FD = re.compile(r"^\d+<([^>]*)>")
_INET = re.compile(
    r'sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, "|)([\w.:]+)"'
)
_WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"}
_SENDS = {"connect", "sendto", "sendmsg", "sendmmsg"}


@dataclass
class Trace:
    """What a run touched.

    Attributes:
        written: Path -> bytes written, of everything that is a path.
        largest: Path -> bytes of the largest single write.
        opened: Paths that were opened for writing.
        mapped: Paths whose content was mapped shared and writable.
        spoken_to: (address, port) -> how often.
        listening: (address, port) of sockets that were bound.
    """

    written: Counter[str] = field(default_factory=Counter)
    largest: dict[str, int] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    mapped: set[str] = field(default_factory=set)
    spoken_to: Counter[tuple[str, int]] = field(default_factory=Counter)
    listening: set[tuple[str, int]] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        """Every path that was written to or opened for it."""
        return {path for path in {*self.written, *self.opened, *self.mapped} if path.startswith("/")}


def read_trace(lines: Iterable[str]) -> Trace:
    """Add up a trace."""
    trace = Trace()
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        process, text = found.groups()
        if text.endswith(_UNFINISHED):
            begun[process] = text.removesuffix(_UNFINISHED)
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            text = begun.pop(process, "") + resumed[2]
        call = _CALL.match(text)
        if call is not None:
            _add(trace, call[1], call[2], int(call[3]), call[4] or "")
    return trace


def _add(trace: Trace, name: str, arguments: str, result: int, result_path: str) -> None:
    first = _FIRST_FD.match(arguments)
    path = first[1] if first is not None else ""
    if name in ("open", "openat", "creat"):
        if result >= 0 and (name == "creat" or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", arguments)):
            trace.opened.add(result_path)
    elif name in _WRITES and result > 0:
        trace.written[path] += result
        trace.largest[path] = max(trace.largest.get(path, 0), result)
    elif name == "mmap" and "MAP_SHARED" in arguments and "PROT_WRITE" in arguments:
        mapped = re.search(r"\d+<([^>]*)>", arguments)
        if mapped is not None:
            trace.mapped.add(mapped[1])
    elif name in _SENDS or name == "bind":
        address = _INET.search(arguments)
        if address is not None:
            peer = address[2], int(address[1])
            if name == "bind":
                trace.listening.add(peer)
            else:
                trace.spoken_to[peer] += 1
