"""Find the system libraries that no Python wheel carries, and install them with apt where that is allowed.

Run by the Makefile before there is a virtual environment, so: the standard library alone, and nothing
from this package. `mirror check` uses `missing()` too.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12))

LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libportaudio.so.2": "libportaudio2",
}
"""Shared object -> Debian package. cv2 needs GL and GLib, moderngl EGL, sounddevice PortAudio."""

MESA = ("libgl1-mesa-dri", "libegl-mesa0")
"""The software rasteriser; only asked for where no GL driver is installed at all."""

_DRIVER_MANIFESTS = Path("/usr/share/glvnd/egl_vendor.d")


def missing() -> list[str]:
    """Name the Debian packages that are needed and not there, sorted."""
    packages = {package for library, package in LIBRARIES.items() if not _loads(library)}
    if not any(_DRIVER_MANIFESTS.glob("*.json")) and not _loads("libEGL_mesa.so.0"):
        packages.update(MESA)
    if importlib.util.find_spec("ensurepip") is None:
        packages.add("python3-venv")
    return sorted(packages)


def install(packages: list[str]) -> bool:
    """Install with apt, as root or through sudo without a password; False if that is not possible."""
    apt = shutil.which("apt-get")
    if apt is None:
        return False
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode:
            return False
        prefix = [sudo, "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run([*prefix, apt, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            return False
    return True


def main() -> int:
    """Check, install, and otherwise say exactly what to type."""
    if sys.version_info[:2] not in SUPPORTED:
        found = ".".join(map(str, sys.version_info[:2]))
        print(f"The mirror needs Python 3.11 or 3.12, this is {found}. Try: make PYTHON=python3.12", file=sys.stderr)
        return 1
    packages = missing()
    if not packages:
        return 0
    print(f"Installing system libraries: {' '.join(packages)}", flush=True)
    if install(packages):
        return 0
    print(
        f"They could not be installed from here. Please type:\n  sudo apt install {' '.join(packages)}", file=sys.stderr
    )
    return 1


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
