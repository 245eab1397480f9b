"""The studio under strace, from a photograph to a film: no file is written, nobody outside is spoken to."""

import shutil
from ipaddress import ip_address

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from studio_client import Client
from studio_served import Served

from installation.kiosk.witness import Witness

STRACE = shutil.which("strace")
NO_FILES = ("/dev/", "/proc/", "/memfd:")  # a memfd is memory with a number


@pytest.mark.skipif(STRACE is None, reason="no strace is installed here")
def test_no_file_is_written_and_nobody_outside_is_spoken_to(people, tmp_path):
    witness = Witness(tmp_path / "trace")
    served = Served("--port", "0", under=tuple(witness.prefix))
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
    witness.close()
    trace = witness.trace
    assert trace.listening == {("127.0.0.1", 0)}, "the trace saw the studio at work"
    kept = {path for path in trace.files if not path.startswith(NO_FILES)}
    assert kept == set()
    assert all(ip_address(address).is_loopback for address, _ in trace.spoken_to)
