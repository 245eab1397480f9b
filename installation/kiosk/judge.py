"""Say what it means that a show touched this and spoke to that: one finding for each kind of thing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engines.runtime.paths import cache_dir
from installation.kiosk.alone import Heard, is_here
from installation.kiosk.finding import Finding
from installation.kiosk.trace import Trace

PICTURE_BYTES = 16 * 1024
"""A single write of so much could hold a face; a log line is some hundred bytes."""

_MEMORY = ("/dev/shm/", "/memfd:", "/dev/zero", "/SYSV")
_DEVICES = ("/dev/", "/proc/", "/sys/")


def judge(trace: Trace, folder: Path) -> Iterator[Finding]:
    """Say what a trace means. `folder`: where state, log and caches were sent."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(trace.files):
        kinds.setdefault(kind_of(path, folder), []).append(path)
    for kind, paths in kinds.items():
        if kind in ("memory", "device"):
            continue
        large = any(trace.largest.get(path, 0) >= PICTURE_BYTES or path in trace.mapped for path in paths)
        if kind == "elsewhere":
            good = not any(trace.written[path] or path in trace.mapped for path in paths)
        else:
            good = kind not in ("log", "state") or not large
        yield Finding(kind, _table(trace, paths, folder), good)
    memory = len(kinds.get("memory", []))
    yield Finding("memory", f"{memory} pieces of shared memory, gone with the show")
    outside = {peer: count for peer, count in trace.spoken_to.items() if not is_here(peer[0])}
    yield Finding("addresses", f"asked for {_peers(outside)}" if outside else "asked for none outside this machine",
                  not outside)  # fmt: skip
    ports = sorted({(a, p) for a, p in trace.listening if p})
    open_to = sorted({f"{a}:{p}" for a, p in ports if not is_here(a)})
    if open_to:
        yield Finding("listening", f"for other machines: {', '.join(open_to)} (as the config asks)", None)
    else:
        yield Finding("listening", ", ".join(f"{a}:{p}" for a, p in ports) or "nowhere")


def judge_heard(heard: Heard | None) -> Iterator[Finding]:
    """Say what a packet capture means; None where there was none."""
    if heard is None:
        yield Finding("packets", "not captured: this system allows no network namespace (unshare --net)", None)
        return
    missed = f", {heard.lost} more were missed" if heard.lost else ""
    told = f"{heard.packets} in an empty network namespace{missed}; "
    told += f"sent outside: {_peers(heard.outside)}" if heard.outside else "none sent outside this machine"
    yield Finding("packets", told, not heard.outside and not heard.lost)


def kind_of(path: str, folder: Path) -> str:
    """What a path is: memory, device, log, state, cache or elsewhere."""
    if path.startswith(_MEMORY):
        return "memory"
    if path.startswith(_DEVICES):
        return "device"
    if path.startswith((str(folder / "state" / "log"), str(folder / "kiosk.log"))):
        return "log"
    if path.startswith(str(folder / "state")):
        return "state"
    caches = [folder / "cache", cache_dir("x").parent, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    if any(Path(path).is_relative_to(cache) for cache in caches) or "/__pycache__/" in path:
        return "cache"
    return "elsewhere"


def _table(trace: Trace, paths: list[str], folder: Path) -> str:
    """A line for each file that was written: bytes in all, bytes of the largest write, name."""
    written = [path for path in paths if trace.written[path] or path in trace.mapped]
    lines = [f"{'bytes':>12}{'at once':>10}  file"] if written else []
    for path in written:
        name = path.replace(str(folder), "…") + (" (mapped)" if path in trace.mapped else "")
        lines.append(f"{trace.written[path]:>12}{trace.largest.get(path, 0):>10}  {name}")
    if len(written) < len(paths):
        lines.append(f"{len(paths) - len(written)} opened and not written")
    return "\n".join(lines)


def _peers(counts: dict[tuple[str, int], int]) -> str:
    return ", ".join(f"{address}:{port} ({count}x)" for (address, port), count in sorted(counts.items()))
