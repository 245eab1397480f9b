"""A screen of our own that can be looked at: Xvfb, whose picture lies in a file that is mapped into memory.

For rehearsals: how long the screen was black is measured from the pixels that a visitor would see.
Source: XWDFile.h of the X Window System for the header; Xvfb(1), `-fbdir`.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from installation.errors import DisplayError

BLACK_LEVEL = 4.0
"""Mean brightness, 0..255, below which the screen counts as black."""

_LOOK_EVERY_S = 0.04
_START_S = 60.0
_END_S = 60.0
_HEADER_WORDS = 25
_COLOUR_BYTES = 12


class Screen:
    """An X server without a monitor, and a thread that watches it.

    Args:
        size: Width and height in pixels.

    Raises:
        DisplayError: If Xvfb is not installed or does not start.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        xvfb = shutil.which("Xvfb")
        if xvfb is None:
            raise DisplayError("Xvfb is not installed; sudo apt install xvfb, or rehearse with --headless")
        self._folder = Path(tempfile.mkdtemp(prefix="mirror-screen-"))
        read, write = os.pipe()
        geometry = f"{size[0]}x{size[1]}x24"
        command = [xvfb, "-displayfd", str(write), "-screen", "0", geometry, "-fbdir", str(self._folder), "-nocursor"]
        self._server = subprocess.Popen(
            [*command, "-nolisten", "tcp"],
            pass_fds=(write,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            number = numbers.readline().strip()
        if not number:
            raise DisplayError("Xvfb did not start; rehearse with --headless")
        self.display = f":{number}"
        self._pixels = _map(self._folder / "Xvfb_screen0")
        self._closing = threading.Event()
        self._black_since: float | None = None
        self._longest = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="screen", daemon=True)
        self._thread.start()

    @property
    def brightness(self) -> float:
        """Mean of all channels now, 0..255."""
        return float(self._pixels[::4, ::4, :3].mean())

    def picture(self) -> NDArray[np.uint8]:
        """What is on the screen, (h, w, 3) RGB."""
        return np.ascontiguousarray(self._pixels[..., 2::-1])

    def begin(self) -> None:
        """Start to measure."""
        with self._lock:
            self._longest = 0.0
            self._black_since = None

    def longest_black_s(self) -> float:
        """The longest time for which the screen was black since `begin`."""
        with self._lock:
            running = 0.0 if self._black_since is None else time.monotonic() - self._black_since
            return max(self._longest, running)

    def close(self) -> None:
        """End the server."""
        self._closing.set()
        self._thread.join(1.0)
        self._server.terminate()
        self._server.wait(_END_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_EVERY_S):
            black, now = self.brightness < BLACK_LEVEL, time.monotonic()
            with self._lock:
                if black and self._black_since is None:
                    self._black_since = now
                elif not black and self._black_since is not None:
                    self._longest = max(self._longest, now - self._black_since)
                    self._black_since = None


def _map(path: Path) -> NDArray[np.uint8]:
    """Map an XWD file: (h, w, 4) uint8, blue first."""
    deadline = time.monotonic() + _START_S
    while not path.is_file() or path.stat().st_size < _HEADER_WORDS * 4:
        if time.monotonic() > deadline:
            raise DisplayError(f"Xvfb wrote no picture to {path} within {_START_S:g} s")
        time.sleep(0.05)
    with path.open("rb") as file:
        words = struct.unpack(f">{_HEADER_WORDS}I", file.read(_HEADER_WORDS * 4))
    header, width, height, line, colours = words[0], words[4], words[5], words[12], words[19]
    data = np.memmap(path, np.uint8, "r", header + colours * _COLOUR_BYTES, (height, line))
    return data[:, : width * 4].reshape(height, width, 4)
