"""Whole kiosks as an operator starts them, without a screen: a bad start is safe mode or a sentence."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from installation.config import load_config
from installation.kiosk.state import acknowledge
from installation.runtime.blocks import PREFIX

LIMIT_S = 180.0


PATIENT = "display_silence_s = 60\ninference_silence_s = 600\neye_silence_s = 60\n"
"""Where the tests run, nobody is restarted for being slow."""


class Kiosk:
    """A kiosk in a process of its own."""

    def __init__(self, folder, text="", *options, acknowledged=True, environment=None, headless=True) -> None:
        self.config = folder / "config.toml"
        head = f'[kiosk]\nstate_folder = "{folder}/state"\n{PATIENT}[health]\nport = 0\n[osc]\nenabled = false\n'
        self.config.write_text(head + text)
        self.log = folder / "stderr"
        if acknowledged:
            with contextlib.suppress(Exception):  # the test is about a config that cannot be read
                acknowledge(load_config(self.config))
        command = [
            sys.executable,
            "-m",
            "installation.cli",
            "kiosk",
            *(["--headless"] if headless else []),
            "--config",
            str(self.config),
            *options,
        ]
        environment = {**os.environ, **(environment or {}), "MIRROR_CACHE": str(folder / "cache")}
        environment["MIRROR_STATE"] = str(folder / "state")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def facts(self):
        urls = re.findall(r"health: (http\S+)\n", self.said())
        if not urls:
            return {}
        try:
            return ask(urls[-1])
        except OSError:  # it begins afresh
            return {}

    def said(self):
        return self.log.read_text("utf-8", "replace")

    def until(self, condition):
        deadline = time.monotonic() + LIMIT_S
        while not condition(facts := self.facts()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, (facts, self.said())
            time.sleep(0.1)
        return facts

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S)


def ask(url):
    """What a health page says; 503 carries it too."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(text="", *options, **keywords):
        running.append(Kiosk(tmp_path, text, *options, **keywords))
        return running[-1]

    yield begin
    for kiosk in running:
        if kiosk.process.poll() is None:
            kiosk.process.kill()
        kiosk.process.wait()


def test_nobody_has_acknowledged_the_notice(start):
    kiosk = start(acknowledged=False)
    assert kiosk.process.wait(LIMIT_S) == 78
    assert "mirror kiosk acknowledge" in kiosk.said()


def test_a_missing_pack_is_safe_mode_at_once_and_says_so(start):
    kiosk = start("", "--pack", "nowhere")
    facts = kiosk.until(lambda facts: facts.get("mode") == "safe" and facts["pids"]["eye"] is None)
    assert (facts["ok"], facts["pids"]["show"]) == (False, None)
    assert "there is no model pack 'nowhere'" in kiosk.said()
    assert "there is no model pack 'nowhere'" in "".join(facts["problems"])
    assert kiosk.said().count("no model pack") == 1, "no crash loop"
    assert kiosk.end() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a screen")
def test_a_machine_without_a_screen_is_told_and_not_well(start):
    kiosk = start("", "--pack", "nowhere", headless=False, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    facts = kiosk.until(lambda facts: facts.get("mode") == "safe")
    assert facts["problems"][0].startswith("no screen is named")
    assert "no screen is named" in kiosk.said()
    assert kiosk.end() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names an X server")
def test_a_screen_that_cannot_be_reached_is_a_sentence_and_tried_again(start):
    kiosk = start("", headless=False, environment={"DISPLAY": ":9999", "WAYLAND_DISPLAY": ""})
    facts = kiosk.until(lambda facts: "no screen can be reached" in "".join(facts.get("problems", [])))
    assert (facts["ok"], facts["mode"], facts["drawing"]) == (False, "show", False), (
        "safe mode would not be seen either"
    )
    assert "Traceback" not in kiosk.said()
    assert kiosk.end() == 0


def test_a_camera_that_is_not_there_is_a_sentence_and_the_show_goes_on(start):
    kiosk = start("", "--source", "camera:97")
    facts = kiosk.until(lambda facts: facts.get("drawing") and "there is no camera '97'" in "".join(facts["problems"]))
    assert (facts["ok"], facts["mode"]) == (False, "show")
    assert facts["restarts"] == dict.fromkeys(facts["restarts"], 0), "no crash loop"
    assert kiosk.end() == 0


def test_systemd_is_told_when_there_is_a_picture_and_as_long_as_there_is_one(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT_S)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000000"}
        kiosk = start("", "--pack", "nowhere", environment=told)
        heard = []
        while heard.count("WATCHDOG=1") < 2:
            heard.append(manager.recv(1000).decode())
        kiosk.process.send_signal(signal.SIGTERM)
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(1000).decode())
    beats = [word for word in heard if not word.startswith("STATUS=")]
    assert beats[:2] == ["READY=1", "WATCHDOG=1"]
    assert any("STATUS=safe" in word for word in heard)
    assert kiosk.process.wait(LIMIT_S) == 0


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory is not visible here")
def test_a_killed_supervisor_leaves_no_process_and_no_shared_memory(start):
    kiosk = start("", "--pack", "nowhere")
    facts = kiosk.until(lambda facts: facts.get("mode") == "safe" and facts["pids"]["curtain"])
    curtain = psutil.Process(facts["pids"]["curtain"])
    maps = Path(f"/proc/{kiosk.process.pid}/maps").read_text().splitlines()
    blocks = {Path("/dev/shm", line.split("/dev/shm/")[1].split()[0]) for line in maps if f"/dev/shm/{PREFIX}" in line}
    assert len(blocks) == 3
    kiosk.process.kill()
    curtain.wait(LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while any(block.exists() for block in blocks):
        assert time.monotonic() < deadline, blocks
        time.sleep(0.05)


def test_a_wrong_config_is_safe_mode_until_it_is_mended(start):
    kiosk = start("[hours]\nzone = 'Europe/Nowhere'\n")
    kiosk.until(lambda facts: "no time zone" in " ".join(facts.get("problems", [])))
    write(kiosk.config, kiosk.config.read_text().replace("Europe/Nowhere", "Nowhere"))
    time.sleep(1.5)
    assert kiosk.process.poll() is None
    text = kiosk.config.read_text().replace("zone = 'Nowhere'", 'sunday = []\n[engine]\npack = "elsewhere"')
    acknowledge(load_config(write(kiosk.config.with_name("good.toml"), text)))
    write(kiosk.config, text)
    kiosk.until(lambda _: "no model pack 'elsewhere'" in kiosk.said())
    assert kiosk.end() == 0


def test_a_taken_port_is_a_sentence_and_the_show_goes_on(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = f'[docent]\nenabled = true\npin = "1234"\nport = {port}\n'
        kiosk = start(text, "--pack", "nowhere")
        kiosk.until(
            lambda facts: f"TCP 127.0.0.1:{port} cannot be used" in kiosk.said() and facts.get("mode") == "safe"
        )
        assert kiosk.end() == 0


def write(path, text):
    """Write a file at once: nobody ever reads a half of it, which may be a config as well."""
    part = path.with_suffix(".part")
    part.write_text(text)
    return part.replace(path)
