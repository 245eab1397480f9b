"""`mirror check --privacy`: run the show under a file and network trace, and print what it touched.

The show runs as a kiosk, without a screen, with the operator's config, the synthetic visitor (or another
source) and a state folder of its own; where the system allows it, in a network namespace in which nothing
can be reached. Whatever is written outside log, state and caches is a fault, and so is anything the size of
a picture in them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from engines.runtime.paths import find_pack
from installation.config import Config
from installation.errors import MirrorError
from installation.kiosk.alone import Heard, run_alone
from installation.kiosk.config_text import as_toml
from installation.kiosk.finding import Finding
from installation.kiosk.judge import judge, judge_heard, kind_of
from installation.kiosk.loop_film import film_path
from installation.kiosk.state import acknowledge
from installation.kiosk.witness import Witness

_START_S = 240.0
_WARM_S = 2.0


def look(config: Config, pack: str | None, source: str | None, seconds: float) -> Iterator[Finding]:
    """Run and look.

    Raises:
        MirrorError: If the show does not run.
    """
    with tempfile.TemporaryDirectory(prefix="mirror-privacy-") as name:
        folder = Path(name)
        changed = _prepared(config, folder)
        command = _command(folder, changed, pack, source or "synthetic")
        _warm_up(changed, pack, command, folder)
        yield from _settings(config)
        strace = shutil.which("strace")
        if strace is None:
            yield Finding("trace", "strace is not installed: only open files are looked at, now and then, and the\n"
                          "network not at all; sudo apt install strace for the whole look", None)  # fmt: skip
            yield from _glance(command, folder, seconds)
            return
        witness = Witness(folder / "trace")
        began = time.monotonic()
        try:
            heard = _run([*witness.prefix, *command, "--seconds", f"{seconds:g}"], seconds, folder)
        finally:
            witness.close()
        took = time.monotonic() - began
        yield Finding("trace", f"{seconds:g} s of show ({took:.0f} s in all), {len(witness.trace.files)} files")
        yield from judge(witness.trace, folder)
        yield from judge_heard(heard)


def _settings(config: Config) -> Iterator[Finding]:
    """What the config itself allows."""
    privacy, keepsake = config.privacy, config.keepsake
    standing = f"stands {privacy.notice_s:g} s before the first reflection, in {', '.join(privacy.notice)}"
    yield Finding("notice", standing if privacy.notice_s > 0 else "is switched off: tell visitors in another way",
                  True if privacy.notice_s > 0 else None)  # fmt: skip
    on = []
    if config.record.path:
        on.append(f"the screen is recorded to {config.record.path}")
    for way, name in config.out.named.items():
        on.append(f"the screen leaves the machine: [out] {way} = {name!r}, and says so")
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


def _warm_up(config: Config, pack: str | None, command: list[str], folder: Path) -> None:
    """Fill the caches, so that the traced show has nothing to compile or to draw beforehand."""
    found = find_pack(pack or config.engine.pack)
    film = film_path(found, config.kiosk.loop_s)
    if not film.is_file():
        make = "import sys, pathlib; from installation.kiosk.loop_film import make_film;"
        make += "make_film(pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), pathlib.Path(sys.argv[4]))"
        arguments = [str(found), config.engine.backend, str(config.kiosk.loop_s), str(film)]
        _run([sys.executable, "-c", make, *arguments], 0.0, folder)
    _run([*command, "--seconds", f"{_WARM_S:g}"], _WARM_S, folder)


def _run(command: list[str], seconds: float, folder: Path) -> Heard | None:
    """Run to the end where nothing can be reached; returns what was heard there."""
    words = folder / "kiosk.log"
    with words.open("wb") as file:
        ended = run_alone(command, file, seconds * 4 + _START_S)
    if ended.code != 0:
        tail = "\n".join(words.read_text("utf-8", "replace").splitlines()[-8:])
        raise MirrorError(f"the show ended with {ended.code}; it said:\n{tail}")
    return ended.heard


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
    wrong = sorted(path for path in seen if kind_of(path, folder) == "elsewhere")
    yield Finding("open files", "\n".join(wrong) if wrong else f"{len(seen)} open for writing, all log, state or cache",
                  not wrong)  # fmt: skip
