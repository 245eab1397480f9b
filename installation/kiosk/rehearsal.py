"""A kiosk under observation: started like any other, on a screen and with a camera of our own.

Everything it writes lies in a folder that is deleted afterwards; what it leaves behind is told.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from installation.config import load_config
from installation.devices.synthetic import VISITOR_CLIP
from installation.errors import DisplayError, MirrorError
from installation.kiosk.config_text import as_toml
from installation.kiosk.false_clock import FalseClock
from installation.kiosk.gpu_hog import GpuHog
from installation.kiosk.loopback import Loopback
from installation.kiosk.player import Player
from installation.kiosk.rehearsal_config import rehearsed
from installation.kiosk.screen import Screen
from installation.kiosk.sound import SoundServer
from installation.kiosk.state import acknowledge
from installation.kiosk.witness import Witness
from installation.runtime.blocks import PREFIX

POLL_S = 0.1
START_S = 120.0
_END_S = 15.0
_PORT_PATIENCE_S = 10.0
_OURS = ("config.toml", "kiosk.log", "trace", "state", "cache", "sound", "clock.c", "clock.so", "clock.offset")


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """What is rehearsed.

    Attributes:
        config: The operator's config; the default one if None.
        pack: Name or folder of a model pack.
        film: What the camera sees.
        headless: Without a screen to look at.
        verbose: Tell more about what went wrong.
        size: Of the screen, width and height in pixels.
        watched: Follow every file and address that the kiosk touches, with strace.
        sound: The show hears a tone, from a sound server that can be taken away.
    """

    config: Path | None = None
    pack: str | None = None
    film: Path | None = None
    headless: bool = False
    verbose: bool = False
    size: tuple[int, int] = (640, 360)
    watched: bool = False
    sound: bool = False


class Rehearsal:
    """One kiosk, its camera and its screen. Use as a context manager.

    Raises:
        MirrorError: If it does not come up.
    """

    def __init__(self, options: RehearsalOptions, changes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._options, self._changes = options, changes or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = ExitStack()
        """Ends what was started beside the kiosk."""
        self._shared: set[str] = set()
        self._seen_pids: set[int] = set()
        self._health_url = ""
        self._heard_bytes = 0
        self.noted: dict[str, Any] = {}
        """The facts at the last `note`."""
        self.hog: GpuHog | None = None
        """Who holds the GPU's memory now."""
        self.left: list[str] = []
        """What the kiosk left behind, one line each; known after the end."""

    def __enter__(self) -> Rehearsal:
        self.folder = Path(tempfile.mkdtemp(prefix="mirror-rehearsal-"))
        try:
            self._start()
            self._wait_for_port()
            if self.wait_well(START_S, with_face=True) is None:
                raise MirrorError(f"the kiosk did not come up within {START_S:g} s; its log ends:\n{self.log_tail()}")
        except BaseException:
            self.close()
            raise
        if self.screen is not None:
            self.screen.begin()
        return self

    def _start(self) -> None:
        options, folder = self._options, self.folder
        self.log_path = folder / "kiosk.log"
        base = load_config(options.config)
        self.sound = SoundServer(folder / "sound") if options.sound else None
        if self.sound is not None:
            self._started.callback(self.sound.kill)
        self.hears = self.sound is not None and not self.sound.missing
        """Whether the show was started with sound."""
        self.config = rehearsed(base, folder, options.size, self._changes, hears=self.hears)
        self.player = Player(self.config.osc.host, self.config.osc.port)
        acknowledge(self.config)
        config_path = folder / "config.toml"
        config_path.write_text(as_toml(self.config), "utf-8")
        self.camera = Loopback(options.film or VISITOR_CLIP, rate_hz=self.config.camera.fps)
        self._started.callback(self.camera.close)
        self.screen: Screen | None = None
        environment = {**os.environ, "MIRROR_CACHE": str(folder / "cache"), "TMPDIR": str(folder)}
        environment.pop("WAYLAND_DISPLAY", None)
        self.clock = FalseClock(folder)
        environment.update(self.clock.environment)
        if self.sound is not None and self.hears:
            environment.update(self.sound.environment)
        if not options.headless:
            try:
                self.screen = Screen(options.size)
                self._started.callback(self.screen.close)
                environment["DISPLAY"] = self.screen.display
            except DisplayError as error:
                print(f"without a screen to look at: {error}", file=sys.stderr)
        command = [sys.executable, "-m", "installation.cli", "kiosk", "--config", str(config_path)]
        command += ["--source", self.camera.url]
        if options.pack:
            command += ["--pack", str(Path(options.pack).resolve()) if Path(options.pack).is_dir() else options.pack]
        if self.screen is None:
            command += ["--headless"]
        self.witness = Witness(folder / "trace") if options.watched else None
        if self.witness is not None:
            self._started.callback(self.witness.close)
            command = [*self.witness.prefix, *command]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self._seen_pids.add(self._process.pid)

    def __exit__(self, *_: object) -> None:
        self.close()

    def facts(self) -> dict[str, Any]:
        """What /healthz says now; empty if it does not answer."""
        try:
            with urllib.request.urlopen(self._health_url, timeout=2.0) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:  # 503 carries the facts too
            found = json.load(error)
        except (OSError, ValueError):
            return {}
        pids = [pid for pid in found.get("pids", {}).values() if pid]
        for pid in set(pids) - self._seen_pids:
            self._shared |= _shared_memory(pid)
        self._seen_pids.update(pids)
        return dict(found)

    def begin(self) -> None:
        """Something is about to be done to the kiosk: from now on black is counted and the log is listened to."""
        if self.screen is not None:
            self.screen.begin()
        self._heard_bytes = self.log_path.stat().st_size
        self.note()

    def note(self) -> None:
        """Remember the facts as they are now, in `noted`."""
        self.noted = self.facts()

    def said(self, words: str) -> int:
        """How many lines with these words the kiosk's processes have written to standard error since `begin`."""
        with self.log_path.open("rb") as log:
            log.seek(self._heard_bytes)
            return sum(words in line for line in log.read().decode("utf-8", "replace").splitlines())

    def wait_well(
        self, limit_s: float, *, with_face: bool = False, steady: int = 3, also: Callable[[], bool] = lambda: True
    ) -> float | None:
        """Wait until the kiosk is well and moving; returns the monotonic time at which that began, None if never.

        Args:
            limit_s: So long at most.
            with_face: And sees a face.
            steady: Found so as often as this in a row.
            also: What else must be so.
        """
        began = time.monotonic()
        good, since, last = 0, 0.0, (-1, -1)
        while time.monotonic() - began < limit_s:
            facts = self.facts()
            show = facts.get("show", {})
            moving = int(show.get("displayed", -1)), int(facts.get("camera", {}).get("captured", -1))
            well = facts.get("ok") and moving[0] > last[0] and moving[1] > last[1] and last[0] >= 0
            well = well and (not with_face or facts["camera"]["faces"] > 0) and also()
            last = moving
            since = time.monotonic() if good == 0 else since
            good = good + 1 if well else 0
            if good >= steady:
                return since
            time.sleep(POLL_S * 2.5)  # the facts are renewed five times a second
        return None

    def pid(self, name: str) -> int:
        """Process number of one of the kiosk's processes.

        Raises:
            MirrorError: If there is none.
        """
        pid = self.facts().get("pids", {}).get(name)
        if not pid:
            raise MirrorError(f"the kiosk has no process {name!r} now")
        return int(pid)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the kiosk's processes."""
        os.kill(self.pid(name), number)

    def resources(self) -> dict[str, tuple[float, int, int]]:
        """Name -> (resident MB, open files, threads) of each process."""
        found = {}
        for name, pid in self.facts().get("pids", {}).items():
            if pid:
                try:
                    process = psutil.Process(pid)
                    found[name] = (process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())
                except psutil.Error:  # it has just ended
                    continue
        return found

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the kiosk's log and of its standard error."""
        events = self.folder / "state" / "log" / "mirror.jsonl"
        paths = [path for path in (events, self.log_path) if path.exists()]
        return "\n".join(line for p in paths for line in p.read_text("utf-8", "replace").splitlines()[-lines:])

    def close(self) -> None:
        """End everything; `left` then says what was left behind."""
        left = self.left = []
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                left.append(f"the kiosk did not end within {_END_S:g} s")
                self._process.kill()
                self._process.wait()
            time.sleep(0.5)  # the kernel takes the children of a killed parent
        left += [f"process {pid}" for pid in self._seen_pids if _lives(pid)]
        left += [f"shared memory {name}" for name in sorted(self._shared) if Path("/dev/shm", name).exists()]
        if self.hog is not None:
            self.hog.close()
        self._started.close()
        if self.folder.exists():
            left += [f"file {path.name}" for path in self.folder.iterdir() if path.name not in _OURS]
            shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_for_port(self) -> None:
        """The health server's port is free to choose; the log names it."""
        deadline = time.monotonic() + _PORT_PATIENCE_S + START_S / 2
        while time.monotonic() < deadline:
            for line in self.log_path.read_text("utf-8", "replace").splitlines():
                if "health: http" in line:
                    self._health_url = line.split("health: ")[1].strip()
                    return
            if self._process is None or self._process.poll() is not None:
                raise MirrorError(f"the kiosk ended at once:\n{self.log_tail()}")
            time.sleep(POLL_S)
        raise MirrorError(f"the kiosk opened no health port:\n{self.log_tail()}")


def _shared_memory(pid: int) -> set[str]:
    """Names of the shared memory that a process has mapped."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it has just ended
        return set()
    return {line.split("/dev/shm/")[1].split()[0] for line in maps.splitlines() if f"/dev/shm/{PREFIX}" in line}


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
