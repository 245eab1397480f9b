"""A port for a program that cannot be given number 0 and asked which one it took.

from ports import free_port
"""

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody has and that the system gives to nobody who asks for any: it stays free.

    Args:
        kind: `socket.SOCK_STREAM` for TCP, `socket.SOCK_DGRAM` for UDP.
    """
    lowest = int(RANGE.read_text().split()[0]) if RANGE.exists() else 49152
    tried = random.SystemRandom().sample(range(10_000, max(lowest, 12_000)), 100)  # not seeded: others may run beside
    for port in tried:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is taken")
