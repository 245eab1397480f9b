"""The studio in a process of its own, as an artist starts it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Served:
    """`mirror studio` in its own process.

    Args:
        options: Of the command; the port must be among them.
        under: A program that runs it, strace for one.
    """

    def __init__(self, *options: str, under: tuple[str, ...] = ()) -> None:
        command = [*under, sys.executable, "-m", "installation.cli", "studio", "--no-browser", *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MESA_SHADER_CACHE_DISABLE": "true"}
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
        self.url, said = "", []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
                break
        if not self.url:
            raise RuntimeError(f"the studio ended with {self.close()}:\n{''.join(said)}")
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def close(self) -> int:
        """End it as a terminal does; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self._process.kill()
        self._process.stderr.close()
        return self._process.wait()
