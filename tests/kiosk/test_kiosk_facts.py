"""What the kiosk tells: reasons in sentences, in /healthz, in the log and on standard error."""

import os
from dataclasses import replace
from datetime import datetime

import pytest

from installation.config import Config
from installation.core.kiosk import Mode, Wanted
from installation.devices.source import SourceState
from installation.kiosk.config_file import ConfigFile
from installation.kiosk.daybook import Daybook
from installation.kiosk.facts import CameraFacts, Standing, compose

LIVE = CameraFacts(SourceState.LIVE, "", 100, 30.0, 1)
SHOWING = Wanted(Mode.SHOW, show=True, eye=True, curtain=False, black=False)
SAFE = Wanted(Mode.SAFE, show=False, eye=False, curtain=True, black=False)
WELL = Standing(SHOWING, False, True, (), "", {"show": 300.0}, 60.0, "", 0)


def told(standing, camera=LIVE):
    return compose(standing, camera=camera, status={}, restarts={"show": 2}, pids={"show": 1})


def test_all_is_well():
    facts = told(WELL)
    assert (facts["ok"], facts["problems"]) == (True, [])
    assert facts["metrics"]["mirror_resident_megabytes{process=show}"] == 300.0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"wanted": SAFE, "drawing": False}, "safe mode, the show is tried again from time to time"),
        (
            {"wanted": SAFE, "drawing": False, "last_failure": "no pack"},
            "safe mode, the show is tried again from time to time: no pack",
        ),
        ({"drawing": False}, "the show does not draw"),
        ({"drawing": False, "last_failure": "no screen"}, "the show does not draw: no screen"),
        ({"faults": ("no screen is named",)}, "no screen is named"),
    ],
)
def test_what_is_wrong_is_said_with_its_reason(changes, problem):
    facts = told(replace(WELL, **changes))
    assert (facts["ok"], facts["problems"]) == (False, [problem])


def test_a_wrong_config_is_told_once():
    facts = told(replace(WELL, wanted=SAFE, drawing=False, faults=("fps = 0",), last_failure="fps = 0"))
    assert "; ".join(facts["problems"]).count("fps = 0") == 1


def test_an_old_failure_is_no_reason_while_it_draws():
    assert told(replace(WELL, last_failure="was killed"))["problems"] == []


def test_a_failure_that_repeats_itself_is_printed_now_and_then_and_always_counted(tmp_path, capsys):
    book = Daybook(tmp_path, Config().health, datetime(2026, 11, 21, 9))
    for second in range(0, 1300, 8):
        book.failure(float(second), "curtain", "the curtain finds no screen")
    book.failure(1300.0, "curtain", "another reason")
    book.log.close()
    said = capsys.readouterr().err.splitlines()
    assert said == ["mirror: the curtain finds no screen"] * 3 + ["mirror: another reason"]
    assert (tmp_path / "log" / "mirror.jsonl").read_text().count("finds no screen") > 10


def test_a_config_is_mended_when_it_is_right_and_not_before(tmp_path):
    path = tmp_path / "config.toml"
    written = iter(range(1, 100))

    def write(text):
        path.write_text(text)
        second = 1_000_000_000 + next(written)
        os.utime(path, (second, second))

    write("[camera]\nfps = 0\n")
    file = ConfigFile(path)
    assert "fps = 0" in file.fault
    assert file.config == Config()
    assert not file.mended(), "nothing was written"
    write("[camera]\nfps = -1\n")
    assert not file.mended()
    path.unlink()
    assert not file.mended()
    write("[camera]\nfps = 25\n")
    assert file.mended()


def test_a_right_config_is_not_read_again(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[camera]\nfps = 25\n")
    file = ConfigFile(path)
    path.write_text("[camera]\nfps = 26.0\n")
    os.utime(path, (1, 1))
    assert (file.fault, file.config.camera.fps, file.mended()) == ("", 25.0, False)


def test_without_a_file_the_defaults_hold():
    assert ConfigFile(None).fault == ""
    assert not ConfigFile(None).mended()
