"""A microphone that can be pulled out on purpose: a PulseAudio of our own, with a tone in the monitor of its null sink.

PortAudio opens it like any other input, by way of ALSA's plugin for PulseAudio. With the server its only input goes
from the machine, as it does when a plug is pulled, and comes back with it. No sound card is needed, and the
operator's own sound is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from installation.errors import MirrorError

INPUT = "pulse"
"""What ALSA's plugin calls the input; a part of the name, as in `[audio] source`."""

_ALONE_S = 300
"""A server that nobody listens to for so long ends by itself: it was forgotten."""

_PATIENCE_S = 60.0
_POLL_S = 0.05


class SoundServer:
    """One PulseAudio daemon with one input. Start it with `start`, take it away with `kill`, as often as needed.

    Args:
        folder: Where its files may lie; made.

    Attributes:
        environment: What a process needs to hear it, and to hear nothing else.
        missing: Why it cannot be used here, a sentence; empty if it can.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        socket = folder / "pulse.sock"
        self.environment = {
            "PULSE_SERVER": f"unix:{socket}",
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_RUNTIME_PATH": str(folder / "run"),
        }
        self._command = [
            *("pulseaudio", "-n", "--daemonize=no", f"--exit-idle-time={_ALONE_S}", "--disable-shm=yes"),
            *("--realtime=no", "--high-priority=no", "--log-target=stderr"),
            *("-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"),
            *("-L", "module-null-sink sink_name=mirror rate=48000"),
            *("-L", "module-sine sink=mirror frequency=440"),
        ]
        self._own = {**os.environ, **self.environment, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None
        self.missing = ""
        absent = [tool for tool in ("pulseaudio", "pactl") if shutil.which(tool) is None]
        if absent:
            self.missing = (
                f"needs PulseAudio ({' and '.join(absent)} not found): apt install pulseaudio pulseaudio-utils"
            )
            return
        try:
            self.start()
        except MirrorError as error:
            self.missing = str(error)
            return
        inputs = subprocess.run(
            [sys.executable, "-m", "installation.devices.audio_cli", "list"],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if INPUT not in inputs.stdout:
            self.missing = "PortAudio does not see PulseAudio here: apt install libportaudio2 libasound2-plugins"
            self.kill()

    def start(self) -> None:
        """Let there be sound; returns when it can be heard.

        Raises:
            MirrorError: If the server does not come up.
        """
        self._process = subprocess.Popen(
            self._command, env=self._own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while not self._answers():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise MirrorError("a PulseAudio server of our own does not start here")
                time.sleep(_POLL_S)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Take the server away without a word, and the input with it. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        """Whether the input is there."""
        command = ["pactl", "list", "short", "sources"]
        told = subprocess.run(command, env=self._own, capture_output=True, text=True, check=False)
        return "mirror.monitor" in told.stdout
