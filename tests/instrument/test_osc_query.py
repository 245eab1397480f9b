"""OSCQuery as clients ask it, over real HTTP; surfaces read back."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from installation.core.control import Kind
from installation.core.controls import control_table, uniform_control
from installation.core.instrument import Instrument
from installation.devices import osc_cli
from installation.devices.osc_layout import open_stage_control, touch_osc
from installation.devices.osc_query import Announcement, OscQueryServer
from installation.errors import ConfigError, DeviceError, MissingExtra

UNIFORM = uniform_control("grain", 0.0, 2.0, 0.5, "Size of the grain.", unit="px")
TABLE = control_table(("strength", "beauty"), ("age",), looks=("plain", "ink"), uniforms=[UNIFORM])


@pytest.fixture
def query() -> Iterator[OscQueryServer]:
    player = Instrument(TABLE)
    player.set("/mirror/amount", 0.25)
    player.set("/mirror/freeze", 1)
    player.command("/mirror/cue/storm/store")
    player.tick(1.0)
    server = OscQueryServer(player, "127.0.0.1", 0, 9000, lambda host: host == "127.0.0.1")
    server.start()
    yield server
    server.stop()


def get(server: OscQueryServer, target: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{target}", timeout=60) as answer:
            body = answer.read()
            return answer.status, json.loads(body) if body else None
    except urllib.error.HTTPError as error:
        with error:
            error.read()
        return error.code, None


def test_host_info(query: OscQueryServer) -> None:
    status, info = get(query, "/?HOST_INFO")
    assert status == 200
    assert (info["NAME"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == ("Machine Reflections", 9000, "UDP")
    assert info["OSC_IP"] == "127.0.0.1"
    assert info["EXTENSIONS"]["RANGE"] is True
    assert info["EXTENSIONS"]["LISTEN"] is False


def test_the_whole_tree_has_every_address(query: OscQueryServer) -> None:
    def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "TYPE" in node:
            yield node
        for child in node.get("CONTENTS", {}).values():
            yield from leaves(child)

    _, tree = get(query, "/")
    found = {leaf["FULL_PATH"]: leaf for leaf in leaves(tree)}
    wanted = {address.replace("<id>", "storm") for address in TABLE}
    assert set(found) == wanted
    for address, leaf in found.items():
        row, _ = TABLE.find(address) or pytest.fail(address)
        assert leaf["DESCRIPTION"] == row.help
        assert leaf["ACCESS"] == {Kind.COMMAND: 2, Kind.SIGNAL: 1}.get(row.kind, 3)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/mirror/amount?VALUE", {"VALUE": [0.25]}),
        ("/mirror/amount?TYPE", {"TYPE": "f"}),
        ("/mirror/amount?RANGE", {"RANGE": [{"MIN": 0.0, "MAX": 1.0}]}),
        ("/mirror/view?RANGE", {"RANGE": [{"VALS": ["portrait", "mirror", "split", "series"]}]}),
        ("/mirror/view?VALUE", {"VALUE": ["portrait"]}),
        ("/mirror/freeze?TYPE", {"TYPE": "T"}),
        ("/mirror/uniform/grain?UNIT", {"UNIT": ["px"]}),
        ("/mirror/cue/storm/go?VALUE", {"VALUE": [None]}),
    ],
)
def test_attributes(query: OscQueryServer, target: str, wanted: dict[str, Any]) -> None:
    assert get(query, target) == (200, wanted)


def test_what_is_not_there(query: OscQueryServer) -> None:
    assert get(query, "/mirror/nothing")[0] == 404
    assert get(query, "/mirror/cue/%3Cid%3E/go")[0] == 404
    assert get(query, "/mirror/amount?COLOUR")[0] == 400
    assert get(query, "/mirror/cue/next?RANGE")[0] == 204
    assert get(query, "/" + "x" * 600)[0] == 414


def test_a_client_that_others_wrote_reads_the_tree(query: OscQueryServer) -> None:
    client_module = pytest.importorskip("pythonoscquery.osc_query_client", reason="python-oscquery is not installed")
    zeroconf = pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    kind = "_oscjson._tcp.local."
    info = zeroconf.ServiceInfo(kind, f"mirror.{kind}", query.port, addresses=[socket.inet_aton("127.0.0.1")])
    client = client_module.OSCQueryClient(info)
    assert client.get_host_info().osc_port == 9000
    root = client.query_node("/")
    assert root.find_subnode("/mirror/amount").value == [0.25]
    assert root.find_subnode("/mirror/cue/storm/go") is not None
    assert client.query_node("/mirror/nothing") is None


def test_garbage_and_dawdlers_do_not_stop_it(query: OscQueryServer) -> None:
    slow = socket.create_connection(("127.0.0.1", query.port))
    slow.sendall(b"GET / HT")
    for data in (b"\0\xff" * 50, b"POST / HTTP/1.0\r\n\r\n", b"GET\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", query.port)) as sock:
            sock.sendall(data)
    assert get(query, "/mirror/psi?VALUE") == (200, {"VALUE": [1.0]})
    slow.close()


def test_strangers_are_not_answered() -> None:
    server = OscQueryServer(Instrument(TABLE), "127.0.0.1", 0, 9000, lambda host: False)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.settimeout(60.0)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                answer = sock.recv(100)
            except ConnectionResetError:
                answer = b""
        assert answer == b""
    finally:
        server.stop()


def test_a_taken_port_is_a_sentence(query: OscQueryServer) -> None:
    second = OscQueryServer(Instrument(TABLE), "127.0.0.1", query.port, 9000, lambda host: True)
    with pytest.raises(DeviceError, match="query_port"):
        second.start()


def test_the_mirror_is_found_on_the_network(query: OscQueryServer) -> None:
    zeroconf = pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    try:
        announcement = Announcement(9000, query.port, ["127.0.0.1"])
    except DeviceError as error:
        pytest.skip(str(error))
    browser = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    try:
        info = browser.get_service_info("_oscjson._tcp.local.", "Machine Reflections._oscjson._tcp.local.", 3000)
        if info is None:
            pytest.skip("multicast does not come back on this machine")
        assert info.port == query.port
    finally:
        browser.close()
        announcement.stop()


def test_without_zeroconf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zeroconf", None)
    with pytest.raises(MissingExtra, match=r"machine-reflections\[network\]"):
        Announcement(9000, None)


def test_the_open_stage_control_session_has_every_playable_row() -> None:
    session = json.loads(open_stage_control(TABLE, "10.0.0.5:9000", ["storm"]))
    assert (session["type"], session["content"]["type"]) == ("session", "root")
    widgets = [widget for tab in session["content"]["tabs"] for widget in tab["widgets"]]
    addresses = [widget["address"] for widget in widgets]
    assert len(set(addresses)) == len(addresses)
    assert {row.address for row in TABLE.stateful} <= set(addresses)
    assert "/mirror/cue/storm/go" in addresses
    assert all(widget["target"] == "10.0.0.5:9000" for widget in widgets)
    grain = next(widget for widget in widgets if widget["address"] == UNIFORM.address)
    assert (grain["type"], grain["range"], grain["default"]) == ("fader", {"min": 0.0, "max": 2.0}, 0.5)
    view = next(widget for widget in widgets if widget["address"] == "/mirror/view")
    assert (view["type"], view["values"][0]) == ("switch", "portrait")


def test_the_touchosc_document_is_well_formed_and_nothing_overlaps() -> None:
    root = ElementTree.fromstring(zlib.decompress(touch_osc(TABLE, ["storm"])))
    assert root.tag == "lexml"
    nodes = list(root.iter("node"))
    assert len({node.get("ID") for node in nodes}) == len(nodes)
    addresses = {value.text for value in root.iterfind(".//osc/path/partial/value")}
    assert {row.address for row in TABLE.stateful} | {"/mirror/cue/storm/go", "/mirror/cue/next"} <= addresses
    for page in (node for node in nodes if node.get("type") == "GROUP"):
        frames = []
        for child in page.findall("children/node"):
            x, y, w, h = (int(child.find(f"properties/property/value/{key}").text) for key in "xywh")  # type: ignore
            assert min(w, h) > 0
            frames.append((x, y, w, h))
        for number, (x, y, w, h) in enumerate(frames):
            for a, b, c, d in frames[:number]:
                assert x >= a + c or a >= x + w or y >= b + d or b >= y + h


def test_the_command_line_writes_surfaces(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mirror.json"
    assert osc_cli.main(["layout", "--target", "10.1.1.1:9", "--out", str(out)], TABLE) == 0
    assert "10.1.1.1:9" in out.read_text()
    assert osc_cli.main(["layout", "--touchosc", "--out", str(tmp_path / "mirror.tosc")], TABLE) == 0
    assert zlib.decompress((tmp_path / "mirror.tosc").read_bytes()).startswith(b"<?xml")
    with pytest.raises(DeviceError, match="cannot be written"):
        osc_cli.main(["layout", "--out", str(tmp_path / "no" / "where.json")], TABLE)
    capsys.readouterr()
    assert osc_cli.main(["list"], TABLE) == 0
    assert "/mirror/direction/age" in capsys.readouterr().out


def test_the_monitor_prints_what_a_mirror_says(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    end = time.monotonic() + 60.0

    def now() -> float:
        """Its half second is over when it has said what we wait for."""
        return 1.0 if any("/mirror/amount  1.0" in line for line in said) or time.monotonic() > end else 0.0

    monkeypatch.setattr(osc_cli, "time", SimpleNamespace(monotonic=now))
    monkeypatch.setattr(osc_cli, "print", lambda line, flush: said.append(line), raising=False)
    assert osc_cli.main(["monitor", "--port", str(rig.server.port), "--seconds", "0.5"]) == 0
    assert any("/mirror/amount  1.0" in line for line in said)


def test_a_monitor_without_a_mirror_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(DeviceError, match="is the mirror on"):
            osc_cli.main(["monitor", "--port", str(silent.getsockname()[1]), "--seconds", "0.3"])


def test_a_touchosc_document_is_not_thrown_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with pytest.raises(ConfigError, match="--out"):
        osc_cli.main(["layout", "--touchosc"], TABLE)
