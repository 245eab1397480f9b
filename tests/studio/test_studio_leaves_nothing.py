"""The studio under strace, from a photograph to a film: no file is written, nobody outside is spoken to."""

import shutil
import time
from ipaddress import ip_address

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from studio_client import Client
from studio_served import Served

from installation.kiosk.trace import CALLS, read_trace

STRACE = shutil.which("strace")
NO_FILES = ("/dev/", "/proc/", "/memfd:")  # a memfd is memory with a number


@pytest.mark.skipif(STRACE is None, reason="no strace is installed here")
def test_no_file_is_written_and_nobody_outside_is_spoken_to(people, tmp_path):
    log = tmp_path / "trace"
    options = ("-D", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(log))
    served = Served("--port", "0", under=(STRACE, *options))
    client = Client(served.port)
    client.bring((people / "one.jpg").read_bytes(), "one.jpg")
    assert client.hear("sitter", "trouble")[0]["kind"] == "sitter"
    for what in ("picture", "series"):
        client.ask(ask="keep", what=what, controls={"/mirror/look": "oil"})
        assert client.hear("kept", "trouble")[0]["kind"] == "kept"
    client.ask(ask="keep", what="film", controls={"/mirror/morph/power": 1.0})
    client.hear("progress", seconds=120)
    client.close()
    assert served.close() == 0
    for _ in range(100):  # the tracer writes its last lines after the studio's end
        trace = read_trace(log.read_text("utf-8", "replace").splitlines())
        if trace.listening and trace.written:
            break
        time.sleep(0.05)
    assert trace.listening == {("127.0.0.1", 0)}, "the trace saw the studio at work"
    kept = {path for path in trace.files if not path.startswith(NO_FILES)}
    assert kept == set()
    assert all(ip_address(address).is_loopback for address, _ in trace.spoken_to)
