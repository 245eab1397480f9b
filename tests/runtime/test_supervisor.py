"""The supervisor: the decision on a virtual clock, the loop with real processes that die, stall and refuse to end."""

import multiprocessing
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.runtime.board import Heartbeat, StopFlag
from installation.runtime.supervisor import Act, Child, Policy, Supervisor, Watch

CONTEXT = multiprocessing.get_context("spawn")
POLICY = Policy(first_beat_s=10.0, silence_s=2.0, backoff_s=0.5, backoff_max_s=8.0, healthy_s=10.0)


def test_a_missing_process_is_started_at_once():
    assert Watch(POLICY).decide(0.0, alive=False, last_beat=None) is Act.START


def test_it_is_given_time_for_its_first_progress_and_then_watched_closely():
    watch = Watch(POLICY)
    watch.started(100.0)
    assert watch.decide(109.9, alive=True, last_beat=None) is Act.NOTHING
    assert watch.decide(110.1, alive=True, last_beat=None) is Act.KILL
    assert watch.decide(106.9, alive=True, last_beat=105.0) is Act.NOTHING
    assert watch.decide(107.1, alive=True, last_beat=105.0) is Act.KILL


def test_the_wait_doubles_while_it_keeps_dying_and_starts_anew_after_a_healthy_life():
    watch, now, waits = Watch(POLICY), 0.0, []
    for _ in range(7):
        watch.started(now)
        now += 0.1
        died = now
        while watch.decide(now, alive=False, last_beat=None) is not Act.START:
            now += 0.01
        waits.append(round(now - died, 1))
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    watch.started(now)
    assert watch.decide(now + 11.0, alive=False, last_beat=None) is Act.NOTHING
    assert watch.decide(now + 11.6, alive=False, last_beat=None) is Act.START
    assert watch.restarts == 8


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.booleans()), max_size=80))
def test_it_never_starts_what_runs_and_never_kills_what_does_not(events):
    watch, now, running = Watch(POLICY), 0.0, False
    for dt, dies in events:
        now += dt
        act = watch.decide(now, running, None)
        if act is Act.START:
            assert not running
            watch.started(now)
            running = True
        elif act is Act.KILL:
            assert running
            running = False
        if dies:
            running = False


def _eye(heartbeat, stop, mode):
    """Beats three times, then dies or hangs; started again it beats on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for count in range(1, 4):
        heartbeat.beat(count)
        time.sleep(0.01)
    if mode == "dies":
        raise SystemExit(7)
    while not (mode == "obedient" and stop.is_set()):
        time.sleep(0.01)


def _show(stop, restarts_wanted, seen):
    while seen[0] < restarts_wanted and not stop.is_set():
        time.sleep(0.01)
    raise SystemExit(5)


@pytest.mark.parametrize("mode", ["dies", "hangs"])
def test_a_dead_or_hung_process_comes_back_and_a_stubborn_one_is_ended(mode):
    stop, beat, seen, told = StopFlag(CONTEXT), Heartbeat(CONTEXT), CONTEXT.RawArray("d", 1), []
    policy = Policy(first_beat_s=20.0, silence_s=0.3, backoff_s=0.01, backoff_max_s=0.02)
    eye = Child("eye", _eye, (beat, stop, mode), beat, policy)
    show = Child("show", _show, (stop, 2, seen), Heartbeat(CONTEXT))
    supervisor = Supervisor(CONTEXT, [eye, show], stop, told.append)

    def tick(now):
        seen[0] = supervisor.restarts["eye"]

    assert supervisor.run(tick) == 5
    assert supervisor.restarts["eye"] >= 2
    assert any("eye" in line for line in told)
    for child in (eye, show):
        child.process.join(60.0)
    assert supervisor.pids == []


def test_stopping_ends_everything_in_order(monkeypatch):
    monkeypatch.setattr("installation.runtime.supervisor.STOP_GRACE_S", 60.0)
    stop, beat = StopFlag(CONTEXT), Heartbeat(CONTEXT)
    eye = Child("eye", _eye, (beat, stop, "obedient"), beat, Policy(first_beat_s=60.0, silence_s=60.0))
    supervisor = Supervisor(CONTEXT, [eye], stop, lambda text: None)

    def tick(now):
        if beat.progress >= 3:
            stop.set()

    assert supervisor.run(tick) == 0
    assert eye.process.exitcode == 0
    assert supervisor.restarts == {"eye": 0}
