"""`InfiniteDate` and `InfiniteDatetime`: dates beyond all others."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop.values import (
    DATE_INFINITY,
    INTERVAL_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMPTZ_INFINITY,
    InfiniteDate,
    InfiniteDatetime,
    InfiniteInterval,
    Interval,
)

TOKYO = ZoneInfo("Asia/Tokyo")
IN_TOKYO = TIMESTAMPTZ_INFINITY.astimezone(TOKYO)

# With the finite value that each of them equals.
PAIRS: list[tuple[Any, Any]] = [
    (DATE_INFINITY, date.max),
    (-DATE_INFINITY, date.min),
    (TIMESTAMP_INFINITY, datetime.max),
    (-TIMESTAMP_INFINITY, datetime.min),
    (TIMESTAMPTZ_INFINITY, datetime.max.replace(tzinfo=UTC)),
    (-TIMESTAMPTZ_INFINITY, datetime.min.replace(tzinfo=UTC)),
    (IN_TOKYO, datetime.max.replace(tzinfo=UTC)),
    (-IN_TOKYO, datetime.min.replace(tzinfo=UTC)),
]
NAMES = {name: getattr(pgallop, name) for name in ("InfiniteDate", "InfiniteDatetime")}


def test_where_they_are() -> None:
    assert pgallop.InfiniteDate is pgallop.types.InfiniteDate is InfiniteDate
    assert pgallop.TIMESTAMPTZ_INFINITY is TIMESTAMPTZ_INFINITY


@pytest.mark.parametrize(("infinite", "finite"), PAIRS)
def test_equal_to_the_ends_of_python(infinite: Any, finite: Any) -> None:
    assert infinite == finite
    assert finite == infinite
    assert (infinite != finite) is False
    assert hash(infinite) == hash(finite)
    assert infinite <= finite <= infinite
    assert not infinite < finite
    assert not finite < infinite
    assert infinite in {finite}
    assert isinstance(infinite, type(finite))
    assert infinite.positive is (finite.year == 9999)


@pytest.mark.parametrize("infinite", [infinite for infinite, _ in PAIRS])
def test_copied_and_printed(infinite: Any) -> None:
    names = {**NAMES, "datetime": __import__("datetime"), "zoneinfo": __import__("zoneinfo")}
    twins = [pickle.loads(pickle.dumps(infinite, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in (*twins, copy.copy(infinite), copy.deepcopy(infinite), eval(repr(infinite), names)):
        assert type(twin) is type(infinite)
        assert repr(twin) == repr(infinite)
    text = "infinity" if infinite.positive else "-infinity"
    for shown in (str(infinite), f"{infinite}", f"{infinite:%Y-%m-%d}", infinite.isoformat()):
        assert shown == text
    assert infinite.strftime("%Y") == infinite.ctime() == text
    assert not hasattr(infinite, "__dict__")


def test_made_from_text() -> None:
    assert repr(InfiniteDate()) == repr(DATE_INFINITY) == "InfiniteDate('infinity')"
    assert repr(InfiniteDatetime("-infinity", UTC)) == repr(-TIMESTAMPTZ_INFINITY)
    for kind in (InfiniteDate, InfiniteDatetime):
        for text in ("inf", "Infinity", ""):
            with pytest.raises(ValueError, match="expected 'infinity' or '-infinity'"):
                kind(text)


@given(st.dates(date(1, 1, 2), date(9999, 12, 30)))
def test_dates_lie_between(day: date) -> None:
    assert -DATE_INFINITY < day < DATE_INFINITY
    assert sorted([DATE_INFINITY, day, -DATE_INFINITY]) == [-DATE_INFINITY, day, DATE_INFINITY]
    assert day != DATE_INFINITY
    assert DATE_INFINITY > -DATE_INFINITY
    assert max(day, DATE_INFINITY) is DATE_INFINITY


zones = st.integers(-86399, 86399).map(lambda seconds: timezone(timedelta(seconds=seconds)))


@given(st.datetimes(timezones=zones))
def test_moments_lie_between_in_any_time_zone(moment: datetime) -> None:
    for end in (TIMESTAMPTZ_INFINITY, IN_TOKYO):
        assert -end <= moment <= end
        assert (moment < end) is not (moment == end)
        assert (end > moment) is not (moment == end)


def test_later_than_what_is_beyond_python_in_utc() -> None:
    west = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
    east = datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))
    assert west > datetime.max.replace(tzinfo=UTC)
    assert west < TIMESTAMPTZ_INFINITY
    assert operator.gt(TIMESTAMPTZ_INFINITY, west)
    assert east > -TIMESTAMPTZ_INFINITY
    assert operator.lt(-TIMESTAMPTZ_INFINITY, east)


def test_one_infinity_in_all_time_zones() -> None:
    assert IN_TOKYO == TIMESTAMPTZ_INFINITY
    assert hash(IN_TOKYO) == hash(TIMESTAMPTZ_INFINITY)
    assert IN_TOKYO.tzinfo is TOKYO
    assert IN_TOKYO.utcoffset() == timedelta(hours=9)
    assert not IN_TOKYO < TIMESTAMPTZ_INFINITY
    assert TIMESTAMP_INFINITY.astimezone(UTC) == TIMESTAMPTZ_INFINITY
    assert TIMESTAMPTZ_INFINITY.astimezone().tzinfo is not None


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DATE_INFINITY, datetime(2024, 1, 1)),
        (DATE_INFINITY, TIMESTAMP_INFINITY),
        (date(2024, 1, 1), TIMESTAMP_INFINITY),
        (TIMESTAMP_INFINITY, TIMESTAMPTZ_INFINITY),
        (TIMESTAMP_INFINITY, datetime(2024, 1, 1, tzinfo=UTC)),
        (TIMESTAMPTZ_INFINITY, datetime(2024, 1, 1)),
        (TIMESTAMPTZ_INFINITY, 5),
        (DATE_INFINITY, "infinity"),
        (DATE_INFINITY, timedelta(1)),
    ],
)
def test_not_comparable(compare: Callable[[Any, Any], bool], one: Any, other: Any) -> None:
    for left, right in ((one, other), (other, one)):
        assert left != right
        with pytest.raises(TypeError):
            compare(left, right)


def test_a_date_is_no_datetime() -> None:
    assert operator.ne(DATE_INFINITY, datetime(9999, 12, 31))
    assert operator.ne(datetime(9999, 12, 31), DATE_INFINITY)


@pytest.mark.parametrize("infinite", [infinite for infinite, _ in PAIRS])
def test_adding_changes_nothing(infinite: Any) -> None:
    for span in (timedelta(1), timedelta(-5), timedelta.max, timedelta.min, Interval(months=1)):
        assert infinite + span is infinite
        assert span + infinite is infinite
        assert infinite - span is infinite
    away = INTERVAL_INFINITY if infinite.positive else -INTERVAL_INFINITY
    assert infinite + away is infinite
    assert infinite - -away is infinite
    for call in (operator.sub, lambda a, b: a + -b):
        with pytest.raises(OverflowError, match="is not defined"):
            call(infinite, away)
    for other in (5, "x", None):
        with pytest.raises(TypeError):
            infinite + other
        with pytest.raises(TypeError):
            other - infinite


@pytest.mark.parametrize(
    ("infinite", "other"),
    [
        (DATE_INFINITY, date(2024, 1, 1)),
        (DATE_INFINITY, -DATE_INFINITY),
        (DATE_INFINITY, date.max),
        (TIMESTAMP_INFINITY, datetime(2024, 1, 1)),
        (TIMESTAMPTZ_INFINITY, datetime(2024, 1, 1, tzinfo=TOKYO)),
        (IN_TOKYO, -TIMESTAMPTZ_INFINITY),
    ],
)
def test_differences_are_infinite(infinite: Any, other: Any) -> None:
    assert type(infinite - other) is InfiniteInterval
    assert (infinite - other).positive is True
    assert (other - infinite).positive is False
    assert (-infinite - infinite).positive is False


@pytest.mark.parametrize(
    ("one", "other", "error"),
    [
        (DATE_INFINITY, DATE_INFINITY, OverflowError),
        (IN_TOKYO, TIMESTAMPTZ_INFINITY, OverflowError),
        (DATE_INFINITY, datetime(2024, 1, 1), TypeError),
        (TIMESTAMP_INFINITY, date(2024, 1, 1), TypeError),
        (TIMESTAMP_INFINITY, TIMESTAMPTZ_INFINITY, TypeError),
        (TIMESTAMP_INFINITY, datetime(2024, 1, 1, tzinfo=UTC), TypeError),
        (TIMESTAMPTZ_INFINITY, datetime(2024, 1, 1), TypeError),
    ],
)
def test_no_difference(one: Any, other: Any, error: type[Exception]) -> None:
    for left, right in ((one, other), (other, one)):
        with pytest.raises(error):
            left - right


def test_parts_of_a_datetime() -> None:
    assert type(TIMESTAMP_INFINITY.date()) is InfiniteDate
    assert (-TIMESTAMPTZ_INFINITY).date() == -DATE_INFINITY
    assert TIMESTAMPTZ_INFINITY.timestamp() == float("inf")
    assert (-TIMESTAMP_INFINITY).timestamp() == float("-inf")


def test_replacing() -> None:
    aware = TIMESTAMP_INFINITY.replace(tzinfo=UTC)
    assert repr(aware) == repr(TIMESTAMPTZ_INFINITY)
    assert repr(aware.replace(tzinfo=None)) == repr(TIMESTAMP_INFINITY)
    assert repr(IN_TOKYO.replace(hour=0, minute=0, second=0, microsecond=0)) == repr(IN_TOKYO)
    assert DATE_INFINITY.replace() is DATE_INFINITY
    for infinite in (DATE_INFINITY, TIMESTAMP_INFINITY):
        for field in ("year", "month", "day"):
            with pytest.raises(ValueError, match="has no year, month or day to be replaced"):
                infinite.replace(**{field: 1})
        with pytest.raises(ValueError, match="has no year"):
            infinite.replace(2024)
