"""`mirror check --privacy`: run the show under a file and network trace, and print what it touched.

The show runs as a kiosk, without a screen, with the operator's config, the synthetic visitor (or another
source) and a state folder of its own; where the system allows it, in a network namespace in which nothing
can be reached. Whatever is written outside log, state and caches is a fault, and so is anything the size of
a picture in them.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from engines.runtime.paths import cache_dir, find_pack
from installation.config import Config
from installation.errors import MirrorError
from installation.kiosk.config_text import as_toml
from installation.kiosk.finding import Finding
from installation.kiosk.loop_film import film_path
from installation.kiosk.state import acknowledge
from installation.kiosk.trace import CALLS, Trace, read_trace

PICTURE_BYTES = 16 * 1024
"""A single write of so much could hold a face; a log line is some hundred bytes."""

_START_S = 240.0
_WARM_S = 2.0
_MEMORY = ("/dev/shm/", "/memfd:", "/dev/zero", "/SYSV")
_DEVICES = ("/dev/", "/proc/", "/sys/")


def look(config: Config, pack: str | None, source: str | None, seconds: float) -> Iterator[Finding]:
    """Run and look.

    Raises:
        MirrorError: If the show does not run.
    """
    with tempfile.TemporaryDirectory(prefix="mirror-privacy-") as name:
        folder = Path(name)
        changed = _prepared(config, folder)
        command = _command(folder, changed, pack, source or "synthetic")
        _warm_up(changed, pack, command)
        yield from _settings(config)
        strace = shutil.which("strace")
        if strace is None:
            yield Finding("trace", "strace is not installed: only open files are looked at, now and then, and the\n"
                          "network not at all; sudo apt install strace for the whole look", None)  # fmt: skip
            yield from _glance(command, folder, seconds)
            return
        output = folder / "trace"
        alone = _namespace()
        note = "in an empty network namespace" if alone else "with the machine's network (no namespace allowed here)"
        began = time.monotonic()
        tracer = [strace, "-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(output)]
        _run([*alone, *tracer, *command, "--seconds", f"{seconds:g}"], seconds)
        with output.open(encoding="utf-8", errors="replace") as lines:
            trace = read_trace(lines)
        took = time.monotonic() - began
        yield Finding("trace", f"{seconds:g} s of show ({took:.0f} s in all), {len(trace.files)} files, {note}")
        yield from judge(trace, folder)


def judge(trace: Trace, folder: Path) -> Iterator[Finding]:
    """Say what a trace means. `folder`: where state and log were sent."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(trace.files):
        kinds.setdefault(_kind(path, folder), []).append(path)
    for kind, paths in kinds.items():
        if kind in ("memory", "device"):
            continue
        large = [path for path in paths if trace.largest.get(path, 0) >= PICTURE_BYTES or path in trace.mapped]
        sizes = [f"{_shown(path, folder)}: {trace.written[path]} bytes" for path in paths if trace.written[path]]
        untouched = len(paths) - len(sizes)
        if untouched:
            sizes.append(f"{untouched} opened and not written")
        good = kind != "elsewhere" and not (kind in ("log", "state") and large)
        if kind == "elsewhere":
            good = not any(trace.written[path] or path in trace.mapped for path in paths)
        yield Finding(kind, "\n".join(sizes) or "nothing", good)
    memory = len(kinds.get("memory", []))
    yield Finding("memory", f"{memory} pieces of shared memory, gone with the show")
    outside = {peer: count for peer, count in trace.spoken_to.items() if not _is_here(peer[0])}
    told = ", ".join(f"{address}:{port} ({count}x)" for (address, port), count in sorted(outside.items()))
    yield Finding("network", f"spoke to {told}" if outside else "spoke to nobody outside this machine", not outside)
    ports = sorted({(a, p) for a, p in trace.listening if p})
    open_to = sorted({f"{a}:{p}" for a, p in ports if not _is_here(a)})
    if open_to:
        yield Finding("listening", f"for other machines: {', '.join(open_to)} (as the config asks)", None)
    else:
        yield Finding("listening", ", ".join(f"{a}:{p}" for a, p in ports) or "nowhere")


def _settings(config: Config) -> Iterator[Finding]:
    """What the config itself allows."""
    privacy, keepsake = config.privacy, config.keepsake
    standing = f"stands {privacy.notice_s:g} s before the first reflection, in {', '.join(privacy.notice)}"
    yield Finding("notice", standing if privacy.notice_s > 0 else "is switched off: tell visitors in another way",
                  True if privacy.notice_s > 0 else None)  # fmt: skip
    on = []
    if config.record.path:
        on.append(f"the screen is recorded to {config.record.path}")
    if config.display.snapshots:
        on.append("the key S saves pictures")
    if keepsake.enabled:
        on.append(f"pictures on request are kept for {keepsake.keep_s:g} s")
    if config.docent.enabled and config.docent.preview_cells > 24:
        on.append("the docent's preview is fine enough to show faces")
    yield Finding("switched on", "\n".join(on) or "nothing that keeps or sends pictures", None if on else True)


def _prepared(config: Config, folder: Path) -> Config:
    """The same config with its state in `folder` and no fixed ports, acknowledged."""
    sections = config.model_dump(exclude_defaults=True)
    sections["kiosk"] = {**sections.get("kiosk", {}), "state_folder": str(folder / "state"), "restart_at": ""}
    sections["hours"] = {}
    sections["health"] = {**sections.get("health", {}), "port": 0}
    changed = Config.model_validate(sections)
    acknowledge(changed)
    return changed


def _command(folder: Path, config: Config, pack: str | None, source: str) -> list[str]:
    path = folder / "config.toml"
    path.write_text(as_toml(config), "utf-8")
    command = [sys.executable, "-m", "installation.cli", "kiosk", "--headless", "--config", str(path)]
    return [*command, "--source", source, *(["--pack", pack] if pack else [])]


def _warm_up(config: Config, pack: str | None, command: list[str]) -> None:
    """Fill the caches, so that the traced show has nothing to compile or to draw beforehand."""
    found = find_pack(pack or config.engine.pack)
    film = film_path(found, config.kiosk.loop_s)
    if not film.is_file():
        make = "import sys, pathlib; from installation.kiosk.loop_film import make_film;"
        make += "make_film(pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), pathlib.Path(sys.argv[4]))"
        arguments = [str(found), config.engine.backend, str(config.kiosk.loop_s), str(film)]
        _run([sys.executable, "-c", make, *arguments], 0.0)
    _run([*command, "--seconds", f"{_WARM_S:g}"], _WARM_S)


def _run(command: list[str], seconds: float) -> None:
    try:
        limit = seconds * 4 + _START_S
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise MirrorError(f"the show did not end within {error.timeout:g} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-8:])
        raise MirrorError(f"the show ended with {done.returncode}; it said:\n{tail}")


def _glance(command: list[str], folder: Path, seconds: float) -> Iterator[Finding]:
    """Without strace: which files are open, looked at again and again."""
    seen: set[str] = set()
    show = subprocess.Popen(
        [*command, "--seconds", f"{seconds:g}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while show.poll() is None:
        for process in [psutil.Process(show.pid), *psutil.Process(show.pid).children(recursive=True)]:
            try:
                seen |= {file.path for file in process.open_files() if file.mode not in ("r", "rb")}
            except psutil.Error:  # it has just ended
                continue
        time.sleep(0.2)
    wrong = sorted(path for path in seen if _kind(path, folder) == "elsewhere")
    yield Finding("open files", "\n".join(wrong) if wrong else f"{len(seen)} open for writing, all log, state or cache",
                  not wrong)  # fmt: skip


def _namespace() -> list[str]:
    """How to run without a network, or nothing where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    for command in ([unshare, "--net"], [unshare, "--net", "--map-root-user"]):
        up = [*command, "sh", "-c", "ip link set lo up 2>/dev/null; true"]
        if subprocess.run(up, capture_output=True, check=False).returncode == 0:
            return [*command, "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
    return []


def _kind(path: str, folder: Path) -> str:
    if path.startswith(_MEMORY):
        return "memory"
    if path.startswith(_DEVICES):
        return "device"
    if path.startswith(str(folder / "state" / "log")):
        return "log"
    if path.startswith(str(folder / "state")):
        return "state"
    caches = [cache_dir("x").parent, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    if any(Path(path).is_relative_to(cache) for cache in caches) or "/__pycache__/" in path:
        return "cache"
    return "elsewhere"


def _shown(path: str, folder: Path) -> str:
    return path.replace(str(folder), "…")


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
