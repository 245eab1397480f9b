"""The whole mirror, started as a person starts it: real processes, real MediaPipe, the pack that ships.

Nothing here asserts on wall time; waits are for events, with a limit that only a broken program reaches.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import av
import psutil
import pytest

from installation.runtime.blocks import PREFIX

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 180.0


def mirror(*arguments, **options):
    """Start `mirror` headless in the background."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.Popen(
        [sys.executable, "-m", "installation.cli", *map(str, arguments)],
        cwd=options.pop("cwd", ROOT),
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def wait_for(condition, process):
    """Look again and again until `condition` gives something true; fails if the program ends first."""
    pause = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a wait that is no sleep: nobody ever writes here
    pause.bind(("127.0.0.1", 0))
    pause.settimeout(0.05)
    deadline = time.monotonic() + LIMIT_S
    with pause:
        while time.monotonic() < deadline:
            if found := condition():
                return found
            assert process.poll() is None, process.communicate()
            try:
                pause.recv(1)
            except TimeoutError:
                continue
    raise AssertionError("it did not happen in time")


def children(process):
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """Twelve seconds of the drawn visitor, all of it written down: the eye may open well after the show."""
    folder = tmp_path_factory.mktemp("run")
    process = mirror(
        "run", "--source", "synthetic", "--headless", "--seconds", 12, "--record", folder / "film.mp4",
        "--sheet", folder / "sheet.png", "--report", folder / "report.json",
    )  # fmt: skip
    code, _, err = finish(process)
    assert code == 0, err
    return folder, json.loads((folder / "report.json").read_text()), err


def test_a_run_leaves_a_film_that_plays_and_a_sheet(short_run):
    folder, report, err = short_run
    with av.open(str(folder / "film.mp4")) as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert film.streams.video[0].width == report["size"][0]
    assert frames > 1
    assert (folder / "sheet.png").stat().st_size > 10_000
    assert str(folder / "sheet.png") in err


def test_the_report_has_the_schema_and_its_numbers_fit_together(short_run):
    _, report, _ = short_run
    assert set(report["frames"]) == {"captured", "displayed", "dropped"}
    assert set(report["fps"]) == {"display", "inference", "capture"}
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}
    assert set(report["rss_mb"]) >= {"start", "peak", "end"}
    for stage in ("encode", "morph", "generate", "draw"):
        assert set(report["stages_ms"][stage]) == {"p50", "p95", "worst"}
    assert report["errors"] == []
    assert report["restarts"] == {"eye": 0}
    assert report["backend"] == "openvino"
    assert report["pack"] == "default"
    assert report["visits"] == 1
    assert report["faces"]["frames_with_face"] > 0
    assert report["frames"]["displayed"] > 0
    assert report["fps"]["inference"] > 0
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["p99"]


def test_an_eye_that_is_killed_comes_back_and_the_show_goes_on(tmp_path):
    report = tmp_path / "report.json"
    process = mirror("run", "--source", "synthetic", "--headless", "--report", report)

    def eye():
        return [c for c in children(process) if "mediapipe" in maps(c.pid)]

    (first,) = wait_for(eye, process)[:1]
    first.send_signal(signal.SIGKILL)
    wait_for(lambda: [c for c in eye() if c.pid != first.pid], process)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 0, err
    assert json.loads(report.read_text())["restarts"]["eye"] >= 1
    assert "starting it again" in err
    assert "Traceback" not in err


def maps(pid):
    """What a process has in its memory; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""


def is_alive(member):
    with suppress(psutil.NoSuchProcess):
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_at_any_moment_loses_nothing_and_leaves_nothing_behind(tmp_path, number):
    film = tmp_path / "film.mp4"
    process = mirror("run", "--source", "synthetic", "--headless", "--record", film)
    wait_for(lambda: film.exists() and film.stat().st_size > 20_000, process)
    family, mapped = children(process), maps(process.pid)
    blocks = [Path("/dev/shm", name) for name in re.findall(rf"/dev/shm/({PREFIX}\w+)", mapped)]
    assert blocks
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == 0, err
    assert "Traceback" not in err
    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 0
    deadline = time.monotonic() + LIMIT_S
    while left := [member for member in family if is_alive(member)]:  # some end just after the first of them
        assert time.monotonic() < deadline, left
    assert not [block for block in blocks if block.exists()]


def test_a_power_cut_leaves_a_film_that_plays(tmp_path):
    film = tmp_path / "film.mp4"
    process = mirror("run", "--source", "synthetic", "--headless", "--record", film)
    wait_for(lambda: film.exists() and film.stat().st_size > 100_000, process)
    family = [psutil.Process(process.pid), *children(process)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.communicate(timeout=LIMIT_S)
    with av.open(str(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--source", "nowhere.mp4"], 2, "does not exist; check the path"),
        (["--source", "{noise}"], 2, "is not a video"),
        (["--source", "camera:97"], 3, "there is no camera"),
        (["--source", "gopher://x"], 2, "a stream begins with one of"),
        (["--source", "http://127.0.0.1:1/"], 3, "does not answer"),
        (["--pack", "nobody"], 4, "there is no model pack 'nobody'"),
        (["--config", "none.toml"], 2, "there is no config file"),
        (["--source", "synthetic", "--view", "sideways"], 4, "portrait, mirror, split"),
        (["--source", "synthetic", "--record", "/proc/no/film.mp4"], 5, "choose another file"),
    ],
)
def test_bad_input_gets_one_sentence_and_no_traceback(tmp_path, arguments, code, sentence):
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 64)
    filled = [argument.replace("{noise}", str(noise)) for argument in arguments]
    process = mirror("run", "--headless", "--seconds", 3, *filled, cwd=tmp_path)
    found, _, err = finish(process)
    assert "Traceback" not in err
    assert sentence in err
    assert found == code
