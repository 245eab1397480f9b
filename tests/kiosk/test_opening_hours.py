"""Opening hours: periods, midnight, exceptions, and the two nights a year when the clock lies."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.opening_hours import OpeningHours, Period, parse_period
from installation.kiosk.config import HoursConfig

MADRID = ZoneInfo("Europe/Madrid")
DAYS = [parse_period("10:00-18:00")]


def hours(*texts, exceptions=None, zone=MADRID):
    day = [parse_period(text) for text in texts]
    return OpeningHours([day] * 7, exceptions or {}, zone)


def at(text, zone=MADRID, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("10:00-18:30", 600, 1110),
        ("9:05-9:06", 545, 546),
        ("20:00-02:00", 1200, 1560),
        ("00:00-24:00", 0, 1440),
        (" 10:00 - 11:00 ", 600, 660),
    ],
)
def test_periods_are_read(text, start, end):
    assert parse_period(text) == Period(start, end)


@pytest.mark.parametrize(
    "text", ["", "10:00", "10-11", "10:00-25:00", "24:00-01:00", "10:60-11:00", "10:00-10:00", "-"]
)
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ValueError, match=r"period|time of day|empty"):
        parse_period(text)


@pytest.mark.parametrize(
    ("when", "is_open"),
    [("09:59:59", False), ("10:00:00", True), ("17:59:59", True), ("18:00:00", False)],
)
def test_doors_open_and_close_on_the_second(when, is_open):
    assert hours("10:00-18:00").is_open(at(f"2026-11-21 {when}")) is is_open


def test_an_evening_goes_past_midnight_even_into_a_closed_day():
    table = hours("20:00-02:00", exceptions={date(2026, 12, 25): []})
    assert table.is_open(at("2026-12-25 01:59"))  # began on the 24th
    assert not table.is_open(at("2026-12-25 02:00"))
    assert not table.is_open(at("2026-12-25 21:00"))
    assert not table.is_open(at("2026-12-26 01:00"))  # nothing began on the 25th


def test_an_exception_replaces_the_weekday():
    table = hours("10:00-18:00", exceptions={date(2026, 12, 31): [parse_period("10:00-14:00")]})
    assert table.is_open(at("2026-12-31 13:59"))
    assert not table.is_open(at("2026-12-31 14:00"))


def test_in_spring_a_day_has_23_hours_and_the_doors_still_open_at_ten_on_the_wall():
    table = hours("10:00-18:00")
    assert table.instants(date(2026, 3, 28)) == [
        (datetime(2026, 3, 28, 9, tzinfo=UTC), datetime(2026, 3, 28, 17, tzinfo=UTC))
    ]
    assert table.instants(date(2026, 3, 29)) == [
        (datetime(2026, 3, 29, 8, tzinfo=UTC), datetime(2026, 3, 29, 16, tzinfo=UTC))
    ]


def test_a_night_club_is_open_an_hour_less_in_spring_and_an_hour_more_in_autumn():
    table = hours("22:00-06:00")
    lengths = [
        (end - start).total_seconds() / 3600
        for day in (date(2026, 3, 28), date(2026, 7, 1), date(2026, 10, 24))
        for start, end in table.instants(day)
    ]
    assert lengths == [7.0, 8.0, 9.0]


def test_the_hour_that_comes_twice_belongs_wholly_to_a_period_that_ends_in_it():
    table = hours("20:00-02:30")
    assert table.is_open(at("2026-10-25 02:29", fold=0))
    assert table.is_open(at("2026-10-25 02:29", fold=1))
    assert not table.is_open(at("2026-10-25 02:31", fold=1))


def test_a_time_that_the_clock_leaves_out_is_an_hour_later():
    assert hours("02:30-05:00").instants(date(2026, 3, 29))[0][0] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_the_next_change_is_found_over_a_weekend_and_never_if_doors_never_close():
    closed = [parse_period("10:00-18:00")]
    table = OpeningHours([closed] * 5 + [[], []], {}, MADRID)
    assert table.next_change(at("2026-11-20 18:00")) == at("2026-11-23 10:00")
    assert table.next_change(at("2026-11-23 11:00")) == at("2026-11-23 18:00")
    assert hours("00:00-24:00").next_change(at("2026-11-20 18:00")) is None
    assert OpeningHours([[]] * 7, {}, MADRID).next_change(at("2026-11-20 18:00")) is None


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["Europe/Madrid", "America/Santiago", "Australia/Lord_Howe", "UTC", "Pacific/Apia"]),
)
def test_each_change_flips_the_state_and_nothing_flips_between(when, start, length, zone):
    table = OpeningHours([[Period(start, min(start + length, 2880))]] * 7, {}, ZoneInfo(zone))
    instant = when.replace(tzinfo=UTC)
    change = table.next_change(instant)
    before = table.is_open(instant)
    if change is None:
        assert before
        return
    assert table.is_open(change) != before
    assert table.is_open(change - timedelta(microseconds=1)) == before
    middle = instant + (change - instant) / 2
    assert table.is_open(middle) == before


def test_config_refuses_what_is_no_zone_and_no_period():
    with pytest.raises(ValueError, match="no time zone"):
        HoursConfig(zone="Europe/Nowhere")
    with pytest.raises(ValueError, match="no period"):
        HoursConfig(monday=("morning",))
    table = HoursConfig.model_validate({"zone": "Europe/Madrid", "exceptions": {"2026-12-25": []}}).table()
    assert not table.is_open(at("2026-12-25 12:00"))
    assert table.is_open(at("2026-12-24 12:00"))
