"""Log, health server, systemd's socket: over real files, real HTTP and a real datagram socket."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from installation.errors import DeviceError
from installation.runtime.health import HealthServer
from installation.runtime.logs import FILES, MAX_TEXT, JsonLog
from installation.runtime.systemd import Notifier


def lines(folder):
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_a_line_is_json_with_time_and_kind_and_a_text_is_cut(tmp_path):
    log = JsonLog(tmp_path, 10**6, 30, clock=lambda: 0.0)
    log.event("failure", text="x" * 10_000, code=-9)
    log.close()
    (line,) = lines(tmp_path)
    assert (line["kind"], line["code"], len(line["text"])) == ("failure", -9, MAX_TEXT)
    assert line["at"].endswith("+00:00")


def test_more_than_the_rate_of_one_kind_is_counted_and_another_kind_is_not_held_back(tmp_path):
    now = [0.0]
    log = JsonLog(tmp_path, 10**6, 3, clock=lambda: now[0])
    for _ in range(100):
        log.event("noise")
    log.event("signal")
    now[0] = 60.0
    log.event("noise")
    log.close()
    found = lines(tmp_path)
    assert [line["kind"] for line in found] == ["noise"] * 3 + ["signal", "noise"]
    assert found[-1]["left_out"] == 97


def test_all_files_together_stay_under_the_cap_and_the_newest_lines_are_kept(tmp_path):
    cap = 64 * 1024
    log = JsonLog(tmp_path, cap, 10**9, clock=lambda: 0.0)
    for number in range(5000):
        log.event("count", number=number)
    log.close()
    files = list(tmp_path.glob("*.jsonl"))
    assert len(files) == FILES
    assert sum(path.stat().st_size for path in files) <= cap
    numbers = sorted(line["number"] for line in lines(tmp_path))
    assert numbers == list(range(numbers[0], 5000))


def test_a_log_that_cannot_be_written_loses_lines_and_comes_back(tmp_path):
    blocked = tmp_path / "log"
    blocked.write_text("a file where the folder should be")
    log = JsonLog(blocked, 10**6, 30, clock=lambda: 0.0)
    log.event("lost")
    assert log.lost == 1
    blocked.unlink()
    log.event("kept")
    log.close()
    assert [line["kind"] for line in lines(blocked)] == ["kept"]


FACTS = {
    "ok": True,
    "mode": "show",
    "metrics": {"mirror_ok": True, "mirror_restarts_total{process=eye}": 3, "mirror_restarts_total{process=show}": 0},
}


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_tells_facts_as_json_and_metrics_as_text_and_nothing_else():
    facts = dict(FACTS)
    server = HealthServer("127.0.0.1", 0, lambda: facts)
    try:
        status, body = get(server.port, "/healthz")
        assert (status, json.loads(body)) == (200, {"ok": True, "mode": "show"})
        _, metrics = get(server.port, "/metrics")
        assert 'mirror_restarts_total{process="eye"} 3.0' in metrics
        assert "mirror_ok 1.0" in metrics
        assert get(server.port, "/etc/passwd")[0] == 404
        facts["ok"] = False
        assert get(server.port, "/healthz")[0] == 503
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/healthz", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        refused.value.close()
        assert refused.value.code == 501
    finally:
        server.close()


def test_a_silent_client_does_not_keep_others_waiting_for_ever_and_a_taken_port_is_told():
    server = HealthServer("127.0.0.1", 0, lambda: FACTS)
    try:
        with socket.create_connection(("127.0.0.1", server.port)):
            assert get(server.port, "/healthz")[0] == 200
        with pytest.raises(DeviceError, match=r"\[health\] port"):
            HealthServer("127.0.0.1", server.port, lambda: FACTS)
    finally:
        server.close()


def test_systemd_hears_what_it_asked_for(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000000"})
        assert notifier.watchdog_s == 20.0
        notifier.ready()
        notifier.alive()
        notifier.status("all\nis well")
        notifier.stopping()
        heard = [manager.recv(500).decode() for _ in range(4)]
    assert heard == ["READY=1", "WATCHDOG=1", "STATUS=all is well", "STOPPING=1"]
    notifier.ready()  # systemd is gone: no harm
    notifier.close()


def test_without_systemd_and_without_a_watchdog_nothing_is_sent():
    Notifier({}).ready()
    another = Notifier({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"})
    another.close()
    assert another.watchdog_s is None
