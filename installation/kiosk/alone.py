"""Run something where nothing can be reached, and see what it tried: an empty network namespace with a packet capture.

In the namespace every address of the world is this machine itself (a local route over the loopback interface, Linux'
AnyIP), so that an attempt to reach something becomes a packet that can be counted, and gets nowhere.

Sources: packet(7), network_namespaces(7); RFC 791 and RFC 8200 for the headers.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from installation.errors import MirrorError

_ALL_PROTOCOLS = 0x0003  # ETH_P_ALL
_IPV4, _IPV6 = 0x0800, 0x86DD
_OUTGOING = 4  # PACKET_OUTGOING: the loopback interface shows each packet twice, going out and coming in
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_HEADER_BYTES = 64  # headers only: what was said is nobody's business
_ROOM_BYTES = 4 * 1024 * 1024
_LOOK_S = 0.25
_PROBE = ("192.0.2.1", 9)  # an address that is nobody's (RFC 5737), and the port for what is thrown away
_PORTS = (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
_PREPARE = (
    "ip link set lo up && ip route add local default dev lo && (ip -6 route add local default dev lo || true)"
    ' && exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a capture heard.

    Attributes:
        packets: Everything that was sent, to whomever.
        lost: Packets that the capture was too slow for.
        outside: (address, port) beyond this machine -> packets; port 0 where the protocol has none.
    """

    packets: int
    lost: int
    outside: dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, and what was heard; None with the machine's own network."""

    code: int
    heard: Heard | None


def namespace() -> list[str] | None:
    """How to run a command in an empty network namespace; None where the system does not allow it."""
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("ip") is None:
        return None
    for options in (["--net"], ["--net", "--map-root-user"]):
        prefix = [unshare, *options, "sh", "-c", _PREPARE, "sh"]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix
    return None


def run_alone(command: Sequence[str], output: IO[bytes] | None = None, limit_s: float | None = None) -> Ended:
    """Run a command there, or with the machine's network where that is not allowed.

    Args:
        command: What to run.
        output: Where its words go; to the terminal if None.
        limit_s: It is ended when it takes longer.

    Raises:
        MirrorError: If it took too long, or the capture told nothing.
    """
    prefix = namespace()
    with tempfile.TemporaryDirectory(prefix="mirror-alone-") as folder:
        result = Path(folder) / "heard.json"
        beneath = [*prefix, sys.executable, "-m", "installation.kiosk.alone", str(result)] if prefix else []
        with subprocess.Popen([*beneath, *command], stdout=output, stderr=output) as process:
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired as error:
                process.terminate()
                raise MirrorError(f"{command[0]} did not end within {limit_s:g} s") from error
        if prefix is None:
            return Ended(code, None)
        if not result.is_file():
            raise MirrorError(f"the packet capture ended with {code} and told nothing")
        told = json.loads(result.read_text("utf-8"))
    return Ended(code, Heard(told["packets"], told["lost"], {(a, p): n for a, p, n in told["outside"]}))


class Capture:
    """Listens to the loopback interface from a thread of its own. `close` returns what it heard.

    It begins with a packet of its own to an address outside: a capture that does not hear it is none.

    Raises:
        MirrorError: If that packet is not heard.
        OSError: Without the right to open a packet socket.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(_LOOK_S)
        self._header = memoryview(bytearray(_HEADER_BYTES))
        self._packets = self._lost = 0
        self._outside: Counter[tuple[str, int]] = Counter()
        self._prove()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> Heard:
        """Stop; what is still waiting in the kernel is heard first."""
        self._closing.set()
        self._thread.join()
        self._socket.close()
        return Heard(self._packets, self._lost, dict(self._outside))

    def _prove(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", _PROBE)
        try:
            while self._next() != _PROBE:
                pass
        except TimeoutError:
            raise MirrorError("the packet capture does not hear its own packet; nothing can be said with it") from None

    def _next(self) -> tuple[str, int] | None:
        """Where the next packet goes."""
        while True:
            size, address = self._socket.recvfrom_into(self._header)
            if address[2] == _OUTGOING:
                return destination(bytes(self._header[:size]), address[1])

    def _listen(self) -> None:
        while True:
            try:
                peer = self._next()
            except TimeoutError:
                if self._closing.is_set():
                    break
                continue
            if peer is not None and peer[0] == _PROBE[0]:
                continue  # the system's answer to our own packet
            self._packets += 1
            if peer is not None and not is_here(peer[0]):
                self._outside[peer] += 1
        counts = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._lost = struct.unpack("=II", counts)[1]


def destination(header: bytes, protocol: int) -> tuple[str, int] | None:
    """To whom a packet goes: (address, port), port 0 where there is none; None if it is no Internet packet.

    Args:
        header: From the first byte of the IP header.
        protocol: Its Ethernet protocol number.
    """
    if protocol == _IPV4 and len(header) >= 20:
        size, inner = (header[0] & 15) * 4, header[9]
        address = str(ipaddress.IPv4Address(header[16:20]))
    elif protocol == _IPV6 and len(header) >= 40:
        size, inner = 40, header[6]
        address = str(ipaddress.IPv6Address(header[24:40]))
    else:
        return None
    has_port = inner in _PORTS and len(header) >= size + 4
    return address, int.from_bytes(header[size + 2 : size + 4], "big") if has_port else 0


def is_here(address: str) -> bool:
    """Whether an address is this machine's own and only its own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def main(result: Path, command: Sequence[str]) -> int:
    """Run `command` under a capture and write what was heard; returns the command's exit code."""
    capture = Capture()
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all of its processes
        code = process.wait()
    heard = capture.close()
    outside = [[address, port, count] for (address, port), count in sorted(heard.outside.items())]
    told = {"packets": heard.packets, "lost": heard.lost, "outside": outside}
    result.write_text(json.dumps(told) + "\n", "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
