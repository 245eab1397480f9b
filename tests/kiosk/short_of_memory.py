"""A process whose memory is about to run out: in a module of its own, so that a child process can import it."""

from __future__ import annotations

import resource
from multiprocessing.connection import Connection
from pathlib import Path

from engines.runtime import DEFAULT_PACK
from engines.runtime.chain import Chain
from engines.runtime.openvino_backend import OpenVinoBackend, OpenVinoEngine
from installation.kiosk.shortage import STEPPED_DOWN


class Roomy(OpenVinoBackend):
    """The next back-end: it finds memory again."""

    name = "roomy"

    def compile(self, pack: Path, part: str, batch: int) -> OpenVinoEngine:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return super().compile(pack, part, batch)


def compile_two_batches(ours: Connection) -> None:
    """Compile one engine, wait for what is done to this process, and ask the chain for another."""
    told: list[str] = []
    chain = Chain(DEFAULT_PACK, iter((OpenVinoBackend(threads=1), Roomy(threads=1))), told.append)
    chain.engine("generator", 1)
    ours.send("ready")
    ours.recv()
    chain.engine("generator", 5)
    ours.send((chain.current.name, [line for line in told if STEPPED_DOWN in line]))
