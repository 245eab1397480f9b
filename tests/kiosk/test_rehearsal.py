"""A whole kiosk with the pack that ships: its show is ended, comes back, and leaves nothing behind."""

import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from installation.config import Config
from installation.errors import MirrorError
from installation.kiosk.faults import FAULTS, NEED_SOUND
from installation.kiosk.growth import GrowthWatch, slope_per_hour
from installation.kiosk.loopback import Mood
from installation.kiosk.rehearsal import Rehearsal, RehearsalOptions
from installation.kiosk.rehearsal_config import HEARD, LOUDEST
from installation.kiosk.rehearse_cli import Outcome, _duration, _line, _size, main, summary
from installation.kiosk.shortage import STEPPED_DOWN, draws_again, give_back, run_out, why_not

PATIENCE_S = 90.0


def until(rehearsal, condition):
    """Ask again and again, with a patience that only a show that hangs can exhaust."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, rehearsal.log_tail()


def answer(rehearsal):
    """Facts that were told: a busy machine may answer too late."""
    told = {}
    until(rehearsal, lambda: told.update(rehearsal.facts()) or told)
    return told


def test_a_show_that_ends_comes_back_alone_and_a_closed_camera_does_not_stop_it():
    rehearsal = Rehearsal(RehearsalOptions(headless=True))
    with rehearsal:
        first = rehearsal.pid("show")
        rehearsal.signal("show", signal.SIGTERM)
        assert rehearsal.wait_well(PATIENCE_S, with_face=True) is not None, rehearsal.log_tail()
        assert rehearsal.pid("show") != first
        restarts = answer(rehearsal)["restarts"]
        assert (restarts["show"], restarts["eye"]) == (1, 0), "its farewell is no other's"
        rehearsal.camera.mood = Mood.GONE
        until(rehearsal, lambda: answer(rehearsal)["camera"]["state"] != "live")
        facts = answer(rehearsal)
        assert (facts["ok"], facts["drawing"], facts["mode"]) == (False, True, "show")
        rehearsal.camera.mood = Mood.LIVE
        assert rehearsal.wait_well(PATIENCE_S) is not None, rehearsal.log_tail()
        with pytest.raises(MirrorError, match="no process 'docent'"):
            rehearsal.pid("docent")
    assert rehearsal.left == []


def test_sound_that_goes_and_memory_that_runs_out_are_survived():
    rehearsal = Rehearsal(RehearsalOptions(headless=True, sound=True))
    with rehearsal:
        sound = rehearsal.sound
        if not sound.missing:
            until(rehearsal, lambda: (rehearsal.player.ask(HEARD) or 0.0) > LOUDEST / 2)
            rehearsal.begin()
            sound.kill()
            until(rehearsal, lambda: rehearsal.said("the show goes on in silence"))
            until(rehearsal, lambda: rehearsal.player.ask(HEARD) == 0.0)
            assert rehearsal.wait_well(PATIENCE_S) is not None, rehearsal.log_tail()
            sound.start()
            until(rehearsal, lambda: (rehearsal.player.ask(HEARD) or 0.0) > LOUDEST / 2)
        rehearsal.begin()
        first = rehearsal.pid("show")
        run_out(rehearsal, PATIENCE_S)
        well = rehearsal.wait_well(PATIENCE_S, with_face=True, also=lambda: draws_again(rehearsal))
        assert well is not None, rehearsal.log_tail()
        assert rehearsal.pid("show") != first or rehearsal.said(STEPPED_DOWN)
        give_back(rehearsal)
        assert rehearsal.wait_well(PATIENCE_S) is not None, rehearsal.log_tail()
    assert rehearsal.left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_rehearsal_that_is_ended_takes_its_kiosk_with_it(number):
    command = [sys.executable, "-m", "installation.cli", "rehearse", "--headless", "--soak", "10min"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    asked = psutil.Process(process.pid)
    started = time.monotonic()
    while len(kiosk := asked.children(recursive=True)) < 4:  # the kiosk, and what it has started
        assert time.monotonic() < started + PATIENCE_S
    process.send_signal(number)
    assert process.wait(PATIENCE_S) != 0
    _, left = psutil.wait_procs(kiosk, PATIENCE_S)
    assert left == []


def test_what_cannot_be_rehearsed_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[display]\nhz = -1\n")
    before = {child.pid for child in psutil.Process().children()}
    for options in (
        RehearsalOptions(config=wrong),
        RehearsalOptions(film=tmp_path / "no.mp4", sound=True),
        RehearsalOptions(film=wrong),
    ):
        with pytest.raises(MirrorError), Rehearsal(options):
            pass
        assert list((tmp_path / "temporary").iterdir()) == []
    assert {child.pid for child in psutil.Process().children()} <= before


def test_what_stands_in_the_way_of_a_fault_is_told():
    class Standing:
        config = Config()

    standing = Standing()
    assert "memory out" not in why_not(standing)
    standing.config = Config.model_validate({"display": {"view": "strip"}})
    assert why_not(standing)["memory out"] == "the view strip of the config needs all memory from the start"


def test_a_flaw_is_told_and_counts():
    outcome = Outcome("audio gone", 2.0, 0.1, "the show was started again")
    assert not outcome.good
    assert _line(outcome, "killed").endswith("   killed; but the show was started again")
    assert Outcome("audio gone", 2.0, 0.1).good


def test_faults_have_names_of_their_own():
    names = {fault.name for fault in FAULTS}
    assert len(names) == len(FAULTS)
    assert set(NEED_SOUND) <= names


def test_growth_is_a_slope_that_one_jump_does_not_bend():
    steady = [(float(t), 100.0 + t / 3600.0) for t in range(0, 7200, 10)]
    assert slope_per_hour(steady) == pytest.approx(1.0, abs=0.01)
    jump = [(t, value + (50.0 if 3000 < t < 3100 else 0.0)) for t, value in steady]
    assert slope_per_hour(jump) == pytest.approx(1.0, abs=0.05)
    assert slope_per_hour(steady[:3]) == 0.0


def test_growth_after_warm_up_is_told_by_process_in_bounded_memory():
    watch = GrowthWatch(warm_up_s=100.0)
    for second in range(20_000):
        watch.sample(float(second), {"show": (300.0 if second > 100 else second * 3.0, 20, 16)})
    figures = watch.figures()["show"]
    assert figures["rss_mb"] == [300.0, 300.0]
    assert figures["slope_mb_per_h"] == 0.0
    assert watch.total_slope_mb_per_h() == 0.0
    assert "show" in watch.table()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10min", 600.0), ("1.5h", 5400.0)])
def test_times_are_read(text, seconds):
    assert _duration(text) == seconds


def test_a_size_is_read_and_nonsense_is_not(capsys):
    assert _size("320x180") == (320, 180)
    for words in (["--size", "big"], ["--watch"], ["--soak", "soon"], ["--faults", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert "mirror rehearse: error:" in capsys.readouterr().err


def test_files_that_become_more_are_told_and_a_passing_peak_is_not():
    watch = GrowthWatch(warm_up_s=10.0)
    for second in range(1000):
        leak, peak = 20 + second // 100, 40 if second == 990 else 16
        watch.sample(float(second), {"eye": (300.0, leak, 16), "show": (300.0, 20, peak), "film": (90.0, 9, 2)})
    assert watch.creeping() == ["eye: 21 > 28 files"]
    brief = GrowthWatch(warm_up_s=10.0)
    for second in range(40):
        brief.sample(float(second), {"eye": (300.0, second, second)})
    assert brief.creeping() == [], "too short to say"


def test_many_faults_are_summed_up_by_kind():
    outcomes = [Outcome("show killed", 4.0, 0.1), Outcome("show killed", 6.0, 0.3), Outcome("eye killed", None, None)]
    head, eye, show = summary(outcomes).splitlines()
    assert head.split() == ["fault", "times", "median", "worst", "black"]
    assert eye.split() == ["eye", "killed", "1", "inf", "s", "inf", "s", "0.0", "s"]
    assert show.split() == ["show", "killed", "2", "5.0", "s", "6.0", "s", "0.3", "s"]
