"""`mirror kiosk install`: the unit files of a user service, and a script for what only root may do.

Nothing is started or enabled behind anybody's back beyond the user's own service; root's part is written
as a script to be read first.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal

from installation.errors import DisplayError

Session = Literal["cage", "x11"]

UNITS = Path(__file__).with_name("units")
SERVICE = "mirror-kiosk.service"
TARGET = "mirror-kiosk.target"
_PROJECT = Path(__file__).resolve().parents[2]
_MEMORY = "80%"


def unit_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this user's units lie."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the kiosk's scripts lie."""
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "machine-reflections"


def files(session: Session, config: Path | None) -> dict[Path, str]:
    """Every file that an installation consists of, with its text."""
    scripts = data_folder()
    values = {
        "project": str(_PROJECT),
        "folder": str(config.resolve().parent if config is not None else _PROJECT),
        "mirror": str(Path(sys.prefix) / "bin" / "mirror"),
        "options": f"--config {config.resolve()}" if config is not None else "",
        "cage": shutil.which("cage") or "/usr/bin/cage",
        "xinit": shutil.which("xinit") or "/usr/bin/xinit",
        "session": str(scripts / "xsession"),
        "tty": "tty1",
        "memory": _MEMORY,
        "user": getpass.getuser(),
        "here": str(scripts / "kiosk-setup.sh"),
    }
    wanted = {
        unit_folder() / SERVICE: f"{session}.service",
        unit_folder() / TARGET: TARGET,
        scripts / "kiosk-setup.sh": "kiosk-setup.sh",
    }
    if session == "x11":
        wanted[scripts / "xsession"] = "xsession"
    return {path: Template((UNITS / name).read_text("utf-8")).substitute(values) for path, name in wanted.items()}


def install(session: Session, *, config: Path | None, write: bool) -> int:
    """Write the files, enable the service, and say what remains to be done; returns the exit code.

    Raises:
        DisplayError: If the compositor or X server is not installed.
    """
    program, package = ("cage", "cage") if session == "cage" else ("xinit", "xinit xserver-xorg x11-xserver-utils")
    if shutil.which(program) is None and write:
        raise DisplayError(f"{program} is not installed; sudo apt install {package}, or choose --session")
    for path, text in files(session, config).items():
        if not write:
            print(f"----- {path}\n{text}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
        print(f"wrote {path}")
    if not write:
        return 0
    systemctl = shutil.which("systemctl")
    for arguments in (["daemon-reload"], ["enable", SERVICE]):
        if systemctl is None or subprocess.run([systemctl, "--user", *arguments], check=False).returncode:
            print(f"please type in a login of this user: systemctl --user {' '.join(arguments)}")
    print(
        "\nNow:\n"
        "  1. mirror kiosk acknowledge            the notice for visitors, once\n"
        f"  2. sudo sh {data_folder() / 'kiosk-setup.sh'}   read it first\n"
        "  3. mirror check --kiosk                looks whether all of it has taken effect\n"
        "  4. mirror check --privacy              looks what the show touches\n"
        "  5. reboot, and watch it come up"
    )
    return 0
