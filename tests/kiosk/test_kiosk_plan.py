"""What the kiosk wants, on a virtual clock: budget, safe mode, closing time, nightly restart, notice."""

from datetime import datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.kiosk import KioskPlan, Mode, NightlyRestart, NoticeGate, RestartBudget
from installation.core.kiosk_day import DayLedger


def plan(limit=3):
    return KioskPlan(RestartBudget(limit, 60.0), retry_s=3600.0, healthy_s=10.0)


def step(kiosk, now, *, is_open=True, paused=False, drawing=True):
    return kiosk.step(now, is_open=is_open, paused=paused, drawing=drawing)


def test_an_open_house_wants_show_and_eye_and_no_curtain():
    wanted = step(plan(), 0.0)
    assert (wanted.mode, wanted.show, wanted.eye, wanted.curtain, wanted.black) == (Mode.SHOW, True, True, False, False)


def test_the_curtain_covers_whenever_the_show_does_not_draw():
    assert step(plan(), 0.0, drawing=False).curtain


def test_a_pause_closes_the_camera_and_nothing_else():
    wanted = step(plan(), 0.0, paused=True)
    assert (wanted.show, wanted.eye, wanted.mode) == (True, False, Mode.SHOW)


def test_closed_is_black_without_a_camera_and_the_show_stays_ready():
    wanted = step(plan(), 0.0, is_open=False)
    assert (wanted.mode, wanted.show, wanted.eye, wanted.black) == (Mode.CLOSED, True, False, True)


def test_three_failures_in_a_minute_are_enough_and_three_in_an_hour_are_not():
    kiosk = plan()
    for now in (0.0, 30.0, 59.0):
        assert step(kiosk, now).show
        kiosk.show_failed(now)
    assert step(kiosk, 59.0, drawing=False).mode is Mode.SAFE
    patient = plan()
    for now in (0.0, 61.0, 122.0, 183.0):
        patient.show_failed(now)
        assert step(patient, now).mode is Mode.SHOW


def test_safe_mode_has_no_camera_and_no_show_and_tries_again_after_an_hour():
    kiosk = plan(limit=1)
    kiosk.show_failed(0.0)
    for now in (0.0, 1800.0, 3599.9):
        wanted = step(kiosk, now, drawing=False)
        assert (wanted.mode, wanted.show, wanted.eye, wanted.curtain) == (Mode.SAFE, False, False, True)
    wanted = step(kiosk, 3600.0, drawing=False)
    assert (wanted.show, wanted.eye, wanted.curtain, wanted.mode) == (True, True, True, Mode.SAFE)


def test_a_trial_that_draws_for_long_enough_ends_safe_mode_and_one_that_fails_does_not():
    kiosk = plan(limit=2)
    kiosk.show_failed(0.0, permanent=True)
    step(kiosk, 3600.0, drawing=False)
    assert step(kiosk, 3601.0).mode is Mode.SAFE
    assert step(kiosk, 3611.0).mode is Mode.SHOW
    kiosk.show_failed(3612.0)
    assert step(kiosk, 3612.0).mode is Mode.SHOW, "the budget is whole again"
    kiosk.show_failed(3613.0)
    step(kiosk, 3613.0 + 3600.0, drawing=False)
    kiosk.show_failed(7214.0)  # on trial: one is enough
    assert not step(kiosk, 7214.0, drawing=False).show


def test_who_mended_something_need_not_wait():
    kiosk = plan(limit=1)
    kiosk.show_failed(0.0)
    assert not step(kiosk, 5.0, drawing=False).show
    kiosk.retry_now(5.0)
    assert step(kiosk, 5.0, drawing=False).show


@given(st.lists(st.tuples(st.floats(0.1, 500.0), st.booleans(), st.booleans(), st.booleans()), max_size=60))
def test_the_screen_is_always_somebodys(events):
    """Whatever happens: either the show draws, or the curtain covers; the camera is open only for a show."""
    kiosk, now = plan(), 0.0
    for passed, failed, is_open, drawing in events:
        now += passed
        if failed:
            kiosk.show_failed(now)
        wanted = step(kiosk, now, is_open=is_open, drawing=drawing and not failed)
        assert wanted.curtain or (wanted.show and drawing)
        assert not wanted.eye or (wanted.show and is_open)


def local(text):
    return datetime.fromisoformat(text)


def test_the_nightly_restart_happens_once_a_day_and_only_when_it_is_quiet():
    nightly = NightlyRestart(time(4, 30), local("2026-11-20 15:00"))
    assert not nightly.due(local("2026-11-20 23:00"), quiet=True)
    assert not nightly.due(local("2026-11-21 04:29"), quiet=True)
    assert not nightly.due(local("2026-11-21 04:31"), quiet=False)
    assert nightly.due(local("2026-11-21 05:10"), quiet=True)
    assert not nightly.due(local("2026-11-21 05:11"), quiet=True)
    assert not nightly.due(local("2026-11-18 05:00"), quiet=True), "the clock was set back"
    assert nightly.due(local("2026-11-22 04:30"), quiet=True)


def test_a_start_before_the_time_restarts_the_same_morning_and_none_never():
    assert NightlyRestart(time(4, 30), local("2026-11-21 04:00")).due(local("2026-11-21 04:30"), quiet=True)
    assert not NightlyRestart(None, local("2026-11-21 04:00")).due(local("2026-11-22 12:00"), quiet=True)


def test_nobody_is_reflected_before_the_notice_stood_for_its_time():
    gate = NoticeGate(2.0, fade_s=0.5)
    for tick in range(20):  # nobody: the notice fades in
        assert not gate.step(tick * 0.1, followed=False, visiting=False)
    assert gate.alpha == 1.0
    allowed = [gate.step(2.0 + tick * 0.1, followed=True, visiting=False) for tick in range(25)]
    assert allowed.index(True) == 20
    assert gate.step(4.5, followed=True, visiting=True)
    assert gate.alpha < 1.0, "it fades while the reflection appears"


def test_the_notice_must_have_faded_in_whatever_the_time():
    gate = NoticeGate(0.1, fade_s=1.0)
    allowed = [gate.step(tick * 0.1, followed=True, visiting=False) for tick in range(15)]
    assert allowed.index(True) == 10


def test_a_new_visitor_waits_again_and_a_flicker_of_the_finder_does_not_begin_anew():
    gate = NoticeGate(2.0, fade_s=0.1)
    for tick in range(10):
        gate.step(tick * 0.1, followed=True, visiting=False)
    gate.step(1.0, followed=False, visiting=False)
    assert gate.step(2.05, followed=True, visiting=False)
    gate.step(5.0, followed=False, visiting=False)
    assert not gate.step(5.1, followed=True, visiting=False)


def test_without_a_notice_nothing_is_held_back():
    gate = NoticeGate(0.0)
    assert gate.step(0.0, followed=True, visiting=False)
    assert gate.alpha == 0.0


def test_a_day_adds_up():
    day = DayLedger("2026-11-21")
    for dwell in (10.0, 20.0, 30.0, 100.0):
        day.visit(dwell)
    day.latency(50.0)
    day.restarts["eye"] += 2
    summary = day.summary()
    assert summary["visits"] == 4
    assert summary["dwell_s"] == {"median": 30.0, "p90": 100.0, "longest": 100.0, "total": 160}
    assert summary["latency_ms"]["p50"] == pytest.approx(50.0, rel=0.03)
    assert summary["restarts"] == {"eye": 2}
    assert DayLedger("x").summary()["dwell_s"]["median"] == 0.0
