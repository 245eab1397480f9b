"""What strace wrote is read rightly: hand-made lines, and a real program under the real strace."""

import shutil
import socket
import subprocess
import sys

import pytest

from installation.kiosk.judge import PICTURE_BYTES, judge
from installation.kiosk.trace import CALLS, read_trace

LINES = """\
101 openat(AT_FDCWD</home/a>, "/home/a/log/mirror.jsonl", O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666) = 5</home/a/log/mirror.jsonl>
101 openat(AT_FDCWD</home/a>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 6</etc/hosts>
101 openat(AT_FDCWD</home/a>, "/etc/secret", O_WRONLY) = -1 EACCES (Permission denied)
101 write(5</home/a/log/mirror.jsonl>, ""..., 120) = 120
102 write(7<pipe:[55]>, ""..., 8 <unfinished ...>
101 write(5</home/a/log/mirror.jsonl>, ""..., 30) = 30
102 <... write resumed>)                 = 8
102 pwrite64(8</tmp/face.raw>, ""..., 65536, 0) = 65536
102 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 9</tmp/mapped>, 0) = 0x7f0000000000
102 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 9</lib/x.so>, 0) = 0x7f0000000000
102 connect(10<TCP:[77]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("93.184.216.34")}, 16) = -1 ENETUNREACH
102 sendto(11<UDP:[78]>, ""..., 40, MSG_NOSIGNAL, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")}, 16) = 40
102 connect(12<TCPv6:[79]>, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 ENETUNREACH
102 bind(13<UDP:[80]>, {sa_family=AF_INET, sin_port=htons(9000), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
102 connect(14<UNIX:[81]>, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0
"""  # noqa: E501


def test_lines_add_up():
    trace = read_trace(LINES.splitlines())
    assert trace.written["/home/a/log/mirror.jsonl"] == 150
    assert trace.largest["/tmp/face.raw"] == 65536
    assert trace.opened == {"/home/a/log/mirror.jsonl"}
    assert trace.mapped == {"/tmp/mapped"}
    assert trace.files == {"/home/a/log/mirror.jsonl", "/tmp/face.raw", "/tmp/mapped"}
    assert set(trace.spoken_to) == {("93.184.216.34", 443), ("10.0.0.1", 53), ("2001:db8::1", 80)}
    assert trace.listening == {("127.0.0.1", 9000)}


def test_it_is_judged(tmp_path):
    wrong = {finding.name for finding in judge(read_trace(LINES.splitlines()), tmp_path) if finding.good is False}
    assert wrong == {"elsewhere", "addresses"}


@pytest.mark.parametrize(("size", "good"), [(200, True), (PICTURE_BYTES, False)])
def test_a_log_may_hold_lines_and_no_pictures(tmp_path, size, good):
    line = f'1 write(5<{tmp_path}/state/log/mirror.jsonl>, ""..., {size}) = {size}'
    findings = {finding.name: finding.good for finding in judge(read_trace([line]), tmp_path)}
    assert findings["log"] is good


PROGRAM = """
import mmap, os, socket, sys
from multiprocessing import Process
def child():
    open(sys.argv[1] + "/child", "wb").write(bytes(70000))
if __name__ == "__main__":
    p = Process(target=child); p.start(); p.join()
    f = open(sys.argv[1] + "/mapped", "w+b"); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[0] = 1
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", ("127.0.0.1", int(sys.argv[2])))
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")
def test_a_real_program_is_seen_through(tmp_path):
    script, output = tmp_path / "program.py", tmp_path / "trace"
    script.write_text(PROGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = sink.getsockname()[1]
        command = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(output)]
        done = subprocess.run([*command, sys.executable, str(script), str(tmp_path), str(port)], check=False)
    if done.returncode:
        pytest.skip("strace may not trace here")
    trace = read_trace(output.read_text().splitlines())
    assert trace.written[str(tmp_path / "child")] == 70000
    assert str(tmp_path / "mapped") in trace.mapped
    assert ("127.0.0.1", port) in trace.spoken_to
