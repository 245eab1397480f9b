"""An empty network namespace: what is sent in it is heard, and reaches nobody."""

import shutil
import subprocess
import sys

import pytest

from installation.errors import MirrorError
from installation.kiosk.alone import Heard, destination, is_here, namespace, run_alone
from installation.kiosk.judge import judge_heard
from installation.kiosk.trace import read_trace
from installation.kiosk.witness import Witness

allowed = pytest.mark.skipif(namespace() is None, reason="no network namespace is allowed here")

UDP = bytes.fromhex("4500001d000040004011000008080808 08080404 0bb80035 0009".replace(" ", ""))
TCP6 = bytes.fromhex("6000000000140640" + "00" * 15 + "01" + "20010db8" + "00" * 11 + "01" + "0bb801bb")


@pytest.mark.parametrize(
    ("header", "protocol", "peer"),
    [
        (UDP, 0x0800, ("8.8.4.4", 53)),
        (UDP[:9] + bytes([1]) + UDP[10:], 0x0800, ("8.8.4.4", 0)),  # ICMP has no port
        (bytes([0x46]) + UDP[1:20] + bytes(4) + UDP[20:], 0x0800, ("8.8.4.4", 53)),  # a header with options
        (TCP6, 0x86DD, ("2001:db8::1", 443)),
        (UDP[:19], 0x0800, None),
        (TCP6[:39], 0x86DD, None),
        (UDP, 0x0806, None),
        (b"", 0x0800, None),
    ],
)
def test_a_header_says_where_a_packet_goes(header, protocol, peer):
    assert destination(header, protocol) == peer


def test_only_loopback_is_here():
    assert [is_here(a) for a in ("127.0.0.1", "127.9.9.9", "::1")] == [True] * 3
    assert [is_here(a) for a in ("0.0.0.0", "::", "192.168.0.1", "224.0.0.251", "nobody")] == [False] * 5


PROGRAM = """
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for peer in [("127.0.0.1", 9), ("10.1.2.3", 53), ("224.0.0.251", 5353), ("255.255.255.255", 67)]:
    udp.sendto(b"x", peer)
tcp = socket.socket()
try:
    tcp.connect(("93.184.216.34", 443))
except ConnectionRefusedError:
    sys.exit(7)
"""


@allowed
def test_every_attempt_is_heard():
    ended = run_alone([sys.executable, "-c", PROGRAM])
    assert ended.code == 7
    assert ended.heard is not None
    outside = {("10.1.2.3", 53), ("224.0.0.251", 5353), ("255.255.255.255", 67), ("93.184.216.34", 443)}
    # the address that refuses answers from its own name: what it says goes to the program, which bears it as well
    assert outside <= set(ended.heard.outside)
    assert {address for address, _ in ended.heard.outside} == {address for address, _ in outside}
    assert ended.heard.lost == 0
    assert [finding.good for finding in judge_heard(ended.heard)] == [False]


@allowed
def test_who_speaks_to_nobody_is_cleared():
    ended = run_alone([sys.executable, "-c", "import sys; sys.exit(3)"])
    assert ended.code == 3
    assert ended.heard is not None
    assert ended.heard.outside == {}
    assert [finding.good for finding in judge_heard(ended.heard)] == [True]


@allowed
def test_what_takes_too_long_is_ended():
    with pytest.raises(MirrorError, match=r"did not end within 0\.5 s"):
        run_alone([sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.5)


@pytest.mark.parametrize(
    ("heard", "good"),
    [(None, None), (Heard(5, 0, {}), True), (Heard(5, 1, {}), False), (Heard(5, 0, {("9.9.9.9", 53): 1}), False)],
)
def test_a_capture_is_judged(heard, good):
    assert [finding.good for finding in judge_heard(heard)] == [good]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")
def test_a_witness_sees_what_is_written_and_is_not_in_the_way(tmp_path):
    witness = Witness(tmp_path / "pipe")
    code = "import os, sys; open(sys.argv[1], 'wb').write(bytes(70000)); sys.exit(os.getpid() % 100)"
    command = [*witness.prefix, sys.executable, "-c", code, str(tmp_path / "written")]
    with subprocess.Popen(command) as process:
        assert process.wait() == process.pid % 100, "signals and numbers are those of the program"
    witness.close()
    if not witness.trace.files:
        pytest.skip("strace may not trace here")
    assert witness.trace.written[str(tmp_path / "written")] == 70000


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")
def test_a_witness_of_nothing_ends(tmp_path):
    witness = Witness(tmp_path / "pipe")
    witness.close()
    assert witness.trace == read_trace([])
