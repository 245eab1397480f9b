"""Opening hours: a weekly table with exceptions, in the local time of the house. Pure.

Times of day are turned into instants through the time zone, so that a day with 23 or 25 hours opens and
closes when the clock on the wall says so. Where the clock is put back, an hour comes twice: a period
begins at the first and ends at the second of the two. A time that is left out by the clock counts as
the moment one hour later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_DAY_MINUTES = 24 * 60
_SOON_DAYS = 12  # most houses open and close within a week
_HORIZON_DAYS = 400  # exceptions are seldom written further ahead than a season


@dataclass(frozen=True, slots=True)
class Period:
    """One stretch of opening, in minutes of wall time after the midnight of its date; `end` may lie in the next day."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < _DAY_MINUTES and self.start < self.end <= 2 * _DAY_MINUTES):
            raise ValueError(f"a period from minute {self.start} to minute {self.end} is none")


def parse_period(text: str) -> Period:
    """Read `"10:00-18:30"`; `"20:00-02:00"` goes past midnight, `"00:00-24:00"` is a whole day.

    Raises:
        ValueError: With what was expected and found.
    """
    start_text, dash, end_text = text.replace(" ", "").partition("-")
    if not dash:
        raise ValueError(f"{text!r} is no period; write for example 10:00-18:00")
    start, end = _minutes(start_text), _minutes(end_text)
    if start in (end, _DAY_MINUTES):
        raise ValueError(f"{text!r} is empty; a whole day is 00:00-24:00, a closed day has no periods")
    return Period(start, end if end > start else end + _DAY_MINUTES)


def _minutes(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        raise ValueError(f"{text!r} is no time of day; write for example 09:30")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or total > _DAY_MINUTES:
        raise ValueError(f"{text!r} is no time of day; it lies between 00:00 and 24:00")
    return total


class OpeningHours:
    """When the doors are open.

    Args:
        weekly: Seven sequences of periods, Monday first.
        exceptions: Date -> its periods, in place of its weekday's. A period of the evening before still ends in it.
        zone: Of the house.
    """

    def __init__(
        self, weekly: Sequence[Sequence[Period]], exceptions: Mapping[date, Sequence[Period]], zone: tzinfo
    ) -> None:
        if len(weekly) != len(WEEKDAYS):
            raise ValueError(f"a week has {len(WEEKDAYS)} days, not {len(weekly)}")
        self._weekly = tuple(tuple(day) for day in weekly)
        self._exceptions = {day: tuple(periods) for day, periods in exceptions.items()}
        self.zone = zone

    def is_open(self, at: datetime) -> bool:
        """Whether the doors are open at an instant (any aware datetime)."""
        instant = at.astimezone(UTC)
        today = instant.astimezone(self.zone).date()
        days = (today - timedelta(days=2), today - timedelta(days=1), today)
        return any(start <= instant < end for day in days for start, end in self.instants(day))

    def instants(self, day: date) -> list[tuple[datetime, datetime]]:
        """The periods that begin on a date, as instants in UTC."""
        periods = self._exceptions.get(day, self._weekly[day.weekday()])
        return [(self._instant(day, p.start, fold=0), self._instant(day, p.end, fold=1)) for p in periods]

    def next_change(self, at: datetime) -> datetime | None:
        """The next instant (UTC) after `at` at which the doors open or close; None if that never happens."""
        instant = at.astimezone(UTC)
        now_open = self.is_open(instant)
        first = instant.astimezone(self.zone).date() - timedelta(days=2)
        for days in (_SOON_DAYS, _HORIZON_DAYS):
            pairs = (pair for k in range(days) for pair in self.instants(first + timedelta(days=k)))
            for edge in sorted(edge for pair in pairs for edge in pair if edge > instant):
                if self.is_open(edge) != now_open:
                    return edge
        return None

    def _instant(self, day: date, minutes: int, *, fold: int) -> datetime:
        days, minutes = divmod(minutes, _DAY_MINUTES)
        wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), self.zone)
        return wall.replace(fold=fold if self._comes_twice(wall) else 0).astimezone(UTC)

    def _comes_twice(self, wall: datetime) -> bool:
        first, second = (wall.replace(fold=fold).utcoffset() for fold in (0, 1))
        return first is not None and second is not None and first > second
