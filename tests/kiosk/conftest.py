"""A docent page that is served for real, with a board that the test writes."""

import multiprocessing
import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for docent_parts.py

from docent_parts import PIN, STATE, run_patient_docent
from ports import free_port

from installation.kiosk.config import DocentConfig
from installation.kiosk.links import JsonSlot

CONTEXT = multiprocessing.get_context("spawn")


class Page:
    """The page's process, and the two ends that the supervisor would hold."""

    def __init__(self) -> None:
        self.port = free_port()
        self.board = JsonSlot()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        """Start, or start again after `kill`."""
        self.commands, child = CONTEXT.Pipe(duplex=False)
        config = DocentConfig(enabled=True, pin=PIN, port=self.port)
        arguments = (config, self.board.layout, child, ("en", "es"), b"one secret")
        self._process = CONTEXT.Process(target=run_patient_docent, args=arguments)
        self._process.start()
        child.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def kill(self) -> None:
        """Take the process away without a word."""
        self._process.kill()
        self._process.join()
        self.commands.close()

    def asked(self, seconds: float = 60.0):
        """The next command, or None."""
        return self.commands.recv() if self.commands.poll(seconds) else None

    def close(self) -> None:
        self.kill()
        self.board.close(unlink=True)


@pytest.fixture
def page():
    pytest.importorskip("uvicorn", reason="the extra 'docent' is not installed")
    pytest.importorskip("starlette", reason="the extra 'docent' is not installed")
    served = Page()
    served.board.write(STATE)
    yield served
    served.close()
