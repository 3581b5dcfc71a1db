"""Dates and times for tests: values with PostgreSQL's text, odd time zones and classes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from pgallop.values.infinities import InfiniteDate, InfiniteDatetime

SIZES = {"date": 4, "time": 8, "timetz": 12, "timestamp": 8, "timestamptz": 8, "interval": 16}
NAMES = list(SIZES)

LAST = datetime.max
FIRST = datetime.min
MICROSECOND = timedelta(microseconds=1)

INDIA = timezone(timedelta(hours=5, minutes=30))
AMSTERDAM_1930 = timezone(timedelta(minutes=19, seconds=32))
WEST = timezone(-timedelta(hours=15, minutes=59, seconds=59))
ODD = timezone(timedelta(hours=1, microseconds=7))

# What asyncpg cannot read back: its UTC offsets have no seconds.
LOST = (AMSTERDAM_1930, WEST)


class Summer(tzinfo):
    """An hour ahead of UTC, two from April to September; none of it without a date."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta(hours=2 if 4 <= when.month <= 9 else 1)

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str:
        return "summer"


class Floating(tzinfo):
    """A time zone that does not say."""

    def utcoffset(self, when: datetime | None) -> None:
        return None

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> None:
        return None


class Later(datetime):
    """A datetime whose own fields are out of date, as those of pandas.Timestamp can be."""

    @property
    def year(self) -> int:
        return 2525


class Same(datetime):
    """A subclass that changes nothing."""


class Finer(datetime):
    """As pandas.Timestamp: with nanoseconds."""

    nanosecond = 1


class Missing(datetime):
    """As pandas.NaT: a datetime that is none."""

    @property
    def year(self) -> Any:
        return float("nan")


class LongTime(timedelta):
    """A timedelta whose own fields are out of date."""

    @property
    def days(self) -> int:
        return 100


class FinerSpan(timedelta):
    """As pandas.Timedelta."""

    nanoseconds = 1


VALUES: list[tuple[str, Any, str]] = [
    ("date", date(2000, 1, 1), "2000-01-01"),
    ("date", date(1999, 12, 31), "1999-12-31"),
    ("date", date(2024, 2, 29), "2024-02-29"),
    ("date", date(1900, 3, 1), "1900-03-01"),
    ("date", date(4, 2, 29), "0004-02-29"),
    ("date", date.min, "0001-01-01"),
    ("date", date.max, "9999-12-31"),
    ("date", InfiniteDate("-infinity"), "-infinity"),
    ("date", InfiniteDate("infinity"), "infinity"),
    ("time", time(0), "00:00:00"),
    ("time", time(0, 0, 0, 1), "00:00:00.000001"),
    ("time", time(12, 34, 56, 789000), "12:34:56.789"),
    ("time", time(23, 59, 59, 999999), "23:59:59.999999"),
    ("timetz", time(1, 2, 3, 4, UTC), "01:02:03.000004+00"),
    ("timetz", time(23, 59, 59, 999999, INDIA), "23:59:59.999999+05:30"),
    ("timetz", time(0, tzinfo=AMSTERDAM_1930), "00:00:00+00:19:32"),
    ("timetz", time(10, tzinfo=WEST), "10:00:00-15:59:59"),
    ("timestamp", datetime(2000, 1, 1), "2000-01-01 00:00:00"),
    ("timestamp", datetime(2000, 1, 1) - MICROSECOND, "1999-12-31 23:59:59.999999"),
    ("timestamp", datetime(1970, 1, 1), "1970-01-01 00:00:00"),
    ("timestamp", datetime(2024, 2, 29, 12, 34, 56, 789000), "2024-02-29 12:34:56.789"),
    ("timestamp", FIRST, "0001-01-01 00:00:00"),
    ("timestamp", LAST, "9999-12-31 23:59:59.999999"),
    ("timestamp", InfiniteDatetime("-infinity"), "-infinity"),
    ("timestamp", InfiniteDatetime("infinity"), "infinity"),
    ("timestamptz", datetime(2000, 1, 1, tzinfo=UTC), "2000-01-01 00:00:00+00"),
    ("timestamptz", datetime(1883, 11, 18, 1, 2, 3, 4, UTC), "1883-11-18 01:02:03.000004+00"),
    ("timestamptz", FIRST.replace(tzinfo=UTC), "0001-01-01 00:00:00+00"),
    ("timestamptz", LAST.replace(tzinfo=UTC), "9999-12-31 23:59:59.999999+00"),
    ("timestamptz", InfiniteDatetime("-infinity", UTC), "-infinity"),
    ("timestamptz", InfiniteDatetime("infinity", UTC), "infinity"),
    ("interval", timedelta(0), "00:00:00"),
    ("interval", timedelta(1), "1 day"),
    ("interval", timedelta(-1), "-1 days"),
    ("interval", timedelta(-1, 86399, 999999), "-00:00:00.000001"),
    ("interval", timedelta(-3, 86399), "-2 days -00:00:01"),
    ("interval", timedelta(400, 3661, 5), "400 days 01:01:01.000005"),
    ("interval", timedelta.max, "999999999 days 23:59:59.999999"),
    ("interval", timedelta.min, "-999999999 days"),
]
