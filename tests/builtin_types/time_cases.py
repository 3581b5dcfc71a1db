"""Dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from builtin_types.case import Case
from hypothesis import strategies as st

from pgallop.values.infinities import InfiniteDate, InfiniteDatetime, InfiniteInterval
from pgallop.values.intervals import Interval

MICROSECOND = timedelta(microseconds=1)
HOUR = 3_600_000_000
DAY = 24 * HOUR

# PostgreSQL's offsets are whole seconds, less than 16 hours of them.
OFFSETS = [-57599, -3600, -1, 0, 1, 19800, 20732, 57599]
offsets = st.sampled_from(OFFSETS) | st.integers(-57599, 57599)
zones = offsets.map(lambda seconds: timezone(timedelta(seconds=seconds)))
NEW_YORK = ZoneInfo("America/New_York")

SIGNS = ["infinity", "-infinity"]

DATES = [date.min, date(1, 1, 2), date(4, 2, 29), date(1900, 3, 1), date(1999, 12, 31)]
DATES += [date(2000, 1, 1), date(2024, 2, 29), date(9999, 12, 30), date.max]
DATES += map(InfiniteDate, SIGNS)
TIMES = [time(0), time(0, 0, 0, 1), time(12, 34, 56, 789000), time(23, 59, 59, 999999)]
FINITE = [datetime.min, datetime(2000, 1, 1), datetime(2000, 1, 1) - MICROSECOND]
FINITE += [datetime(1970, 1, 1), datetime(2024, 2, 29, 12, 34, 56, 789000), datetime.max]
MOMENTS = [*FINITE, *map(InfiniteDatetime, SIGNS)]
AWARE = [
    *(moment.replace(tzinfo=UTC) for moment in MOMENTS),
    datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK),
    datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK, fold=1),
    datetime(2024, 3, 10, 2, 30, tzinfo=NEW_YORK),  # in the gap
    datetime(1880, 1, 1, tzinfo=NEW_YORK),  # -04:56:02
    datetime(1, 1, 1, 16, tzinfo=timezone(timedelta(hours=15, minutes=59, seconds=59))),
    datetime(9999, 12, 31, 8, tzinfo=timezone(timedelta(hours=-15))),
]
away_from_the_ends = (datetime.min + timedelta(days=2), datetime.max - timedelta(days=2))

SPANS = [timedelta(0), timedelta(1), timedelta(-1), MICROSECOND, -MICROSECOND, timedelta(29, 86399)]
SPANS += [timedelta(400, 3661, 5), timedelta(-1, 86399, 999999), timedelta.max, timedelta.min]
PARTS = [(1, 0, 0), (-1, 0, 0), (12, -30, 0), (0, 1, -1), (0, -1, 1), (0, 0, DAY), (0, 0, -DAY)]
PARTS += [(13, 2, 3 * HOUR + 7), (-13, -2, -25 * HOUR), (0, 0, 2**62), (10**7, -(10**8), -(2**62))]
INTERVALS = [*SPANS, *(Interval.from_parts(*parts) for parts in PARTS)]
intervals = st.builds(
    Interval.from_parts,
    st.sampled_from([0, 1, -1]) | st.integers(-(10**7), 10**7),
    st.sampled_from([0, 1, -1]) | st.integers(-(10**8), 10**8),
    st.sampled_from([0, 1, -1]) | st.integers(-DAY, DAY) | st.integers(-(2**62), 2**62),
)


def without_fold(value: Any) -> Any:
    """Which of two equal times of the clock it is says the UTC offset."""
    return value.replace(fold=0)


def in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(fold=0)


def in_parts(value: timedelta) -> tuple[int, int, int]:
    """Months, days and microseconds; of what counts up from its days, the last two of one sign."""
    if isinstance(value, Interval):
        return value.parts
    total = (86400 * value.days + value.seconds) * 1_000_000 + value.microseconds
    days, rest = divmod(abs(total), DAY)
    return (0, days, rest) if total >= 0 else (0, -days, -rest)


def interval_kept(value: timedelta) -> timedelta:
    """A timedelta where that says the same."""
    months, days, microseconds = in_parts(value)
    if isinstance(value, InfiniteInterval) or months or abs(microseconds) >= DAY:
        return value
    if days and microseconds and (days > 0) != (microseconds > 0):
        return value
    return timedelta(days, 0, microseconds)


def interval_literal(value: timedelta) -> str:
    if isinstance(value, InfiniteInterval):
        return "infinity" if value > timedelta(0) else "-infinity"
    months, days, microseconds = in_parts(value)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    sign = "-" if microseconds < 0 else ""
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"
    return f"{months} mons {days} days {sign}{clock}"


CASES = [
    Case("date", DATES, st.dates(), str),
    Case("time", TIMES, st.times(), str, without_fold),
    Case(
        "timetz",
        [clock.replace(tzinfo=timezone(timedelta(seconds=s))) for clock in TIMES for s in OFFSETS],
        st.times(timezones=zones),
        str,
        without_fold,
    ),
    Case("timestamp", MOMENTS, st.datetimes(), str, without_fold),
    Case(
        "timestamptz",
        AWARE,
        st.datetimes(*away_from_the_ends, timezones=zones | st.just(NEW_YORK)),
        str,
        in_utc,
    ),
    Case(
        "interval",
        INTERVALS,
        st.timedeltas() | intervals,
        interval_literal,
        interval_kept,
        later={17: list(map(InfiniteInterval, SIGNS))},
    ),
]
