"""Whether this machine is set up to run alone: every line of the technician's list, looked at for real."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from installation.config import Config
from installation.kiosk.finding import Finding
from installation.kiosk.install import SERVICE, files, unit_folder
from installation.kiosk.state import is_acknowledged, state_folder

_PATIENCE_S = 10.0
_FREE_GB = 1.0
_SLEEPERS = ("sleep.target", "suspend.target", "hibernate.target", "hybrid-sleep.target")
_UPDATERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service", "packagekit.service")
_TALKERS = {
    "gnome-shell", "plasmashell", "xfce4-notifyd", "notify-osd", "dunst", "mako", "update-notifier", "update-manager",
    "gnome-software",
}  # fmt: skip
_GETTY = Path("/etc/systemd/system/getty@tty1.service.d")


def look(config: Config, config_path: Path | None) -> Iterator[Finding]:
    """Look at everything; nothing is changed."""
    yield _service(config_path)
    yield _verified()
    yield _enabled()
    yield _login()
    yield _sleep()
    yield _console()
    yield _blanking()
    yield _cursor(config_path)
    yield _updates()
    yield _notifications()
    yield _devices()
    yield _clock()
    yield _room(config)
    good = is_acknowledged(config)
    yield Finding("notice", "acknowledged" if good else "not acknowledged; type: mirror kiosk acknowledge", good)
    if config.docent.enabled:
        where = "this machine only" if config.docent.loopback else f"every device that reaches {config.docent.host}"
        yield Finding("docent page", f"for {where}, with a PIN")
    yield _trace()


def _session(config_path: Path | None) -> tuple[str, str] | None:
    """(session, text) of the installed service, None if it is not one of ours."""
    path = unit_folder() / SERVICE
    if not path.is_file():
        return None
    found = path.read_text("utf-8")
    for session in ("cage", "x11"):
        if found == files(session, config_path)[path]:
            return session, found
    return "edited", found


def _service(config_path: Path | None) -> Finding:
    found = _session(config_path)
    if found is None:
        return Finding("service", f"{unit_folder() / SERVICE} is not there; type: mirror kiosk install", False)
    if found[0] == "edited":
        return Finding("service", "installed, but differs from what this version writes; mirror kiosk install", False)
    return Finding("service", f"installed for {found[0]}")


def _verified() -> Finding:
    path, program = unit_folder() / SERVICE, shutil.which("systemd-analyze")
    if program is None or not path.is_file():
        return Finding("unit file", "cannot be verified: no systemd-analyze, or no unit", None)
    code, text = _ask(program, "--user", "verify", str(path))
    return Finding("unit file", "systemd finds no fault" if code == 0 else text or "systemd refuses it", code == 0)


def _enabled() -> Finding:
    code, text = _ask("systemctl", "--user", "is-enabled", SERVICE)
    return Finding("enabled", text if code == 0 else f"no ({text}); systemctl --user enable {SERVICE}", code == 0)


def _login() -> Finding:
    user = pwd.getpwuid(os.getuid()).pw_name
    texts = [path.read_text("utf-8", "replace") for path in _GETTY.glob("*.conf")] if _GETTY.is_dir() else []
    good = any(f"--autologin {user}" in text for text in texts)
    return Finding("auto-login", f"{user} on tty1" if good else "no; kiosk-setup.sh does it", good)


def _sleep() -> Finding:
    awake = [unit for unit in _SLEEPERS if _ask("systemctl", "is-enabled", unit)[1] != "masked"]
    return Finding("sleep", f"not masked: {', '.join(awake)}" if awake else "masked", not awake)


def _console() -> Finding:
    path = Path("/sys/module/kernel/parameters/consoleblank")
    if not path.is_file():
        return Finding("console", "has no blanking here", None)
    seconds = path.read_text().strip()
    return Finding("console", "never blanks" if seconds == "0" else f"blanks after {seconds} s", seconds == "0")


def _blanking() -> Finding:
    if os.environ.get("WAYLAND_DISPLAY") or not os.environ.get("DISPLAY"):
        return Finding("screen saver", "cage has none; under X11 look from within the session", None)
    code, text = _ask("xset", "q")
    if code:
        return Finding("screen saver", "xset is not installed or finds no screen", False)
    saver_off, power_off = "timeout:  0" in text, "DPMS is Enabled" not in text
    told = [f"screen saver {'off' if saver_off else 'ON'}", f"power saving {'off' if power_off else 'ON'}"]
    return Finding("screen saver", ", ".join(told), saver_off and power_off)


def _cursor(config_path: Path | None) -> Finding:
    found = _session(config_path)
    if found is None:
        return Finding("cursor", "no service to look at", None)
    hidden = found[0] == "cage" or "-nocursor" in found[1]
    return Finding("cursor", "hidden by the window" if found[0] == "cage" else "hidden by the X server", hidden)


def _updates() -> Finding:
    on = [unit for unit in _UPDATERS if _ask("systemctl", "is-enabled", unit)[1] in ("enabled", "enabled-runtime")]
    return Finding("updates", f"on: {', '.join(on)}" if on else "off", not on)


def _notifications() -> Finding:
    names = {process.info["name"] for process in psutil.process_iter(["name"])}
    talking = sorted(names & _TALKERS)
    return Finding("notifications", f"{', '.join(talking)} may speak" if talking else "nobody who could", not talking)


def _devices() -> Finding:
    nodes = [*Path("/dev").glob("video[0-9]*"), *Path("/dev/dri").glob("*[0-9]")]
    closed = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        groups = sorted({grp.getgrgid(Path(node).stat().st_gid).gr_name for node in closed})
        return Finding("devices", f"{', '.join(closed)} not allowed; add the user to {', '.join(groups)}", False)
    return Finding("devices", f"{len(nodes)} may be used" if nodes else "no camera and no graphics card", bool(nodes))


def _clock() -> Finding:
    code, text = _ask("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    if code:
        return Finding("clock", "timedatectl does not answer", None)
    return Finding(
        "clock", "synchronised" if text == "yes" else "not synchronised: opening hours may be off", text == "yes"
    )


def _room(config: Config) -> Finding:
    folder = state_folder(config.kiosk)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("room", f"{free:.1f} GB free for state and logs", free >= _FREE_GB)


def _trace() -> Finding:
    there = shutil.which("strace") is not None
    note = "strace is there for mirror check --privacy" if there else "no strace: sudo apt install strace"
    return Finding("trace", note, there or None)


def _ask(*command: str) -> tuple[int, str]:
    """Exit code and first words of a program; 127 where it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, (done.stdout.strip() or done.stderr.strip())
