"""`Interval`: three numbers, and a timedelta all the same."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop.values import INTERVAL_INFINITY, InfiniteInterval, Interval

numbers = st.integers(-(10**6), 10**6)
intervals = st.builds(Interval.from_parts, numbers, numbers, st.integers(-(10**15), 10**15))

ONE = Interval(years=1, months=2, weeks=1, days=-3, hours=4, minutes=5, seconds=6, microseconds=7)
ANY: Any = ONE
CLOCK = ((4 * 60 + 5) * 60 + 6) * 1_000_000 + 7


def test_where_it_is() -> None:
    assert pgallop.Interval is pgallop.types.Interval is Interval
    assert pgallop.INTERVAL_INFINITY is INTERVAL_INFINITY


def test_parts() -> None:
    assert ONE.parts == (14, 4, CLOCK)
    assert (ONE.months, ONE.calendar_days, ONE.clock_microseconds) == ONE.parts
    assert Interval().parts == (0, 0, 0)
    assert Interval(hours=24) != Interval(days=2)
    assert Interval(hours=24) == Interval(days=1)
    assert Interval(hours=24).parts != Interval(days=1).parts


def test_it_is_a_timedelta_of_30_days_a_month_and_365_a_year() -> None:
    assert timedelta(365 + 60 + 4, 4 * 3600 + 5 * 60 + 6, 7) == ONE
    assert (ONE.days, ONE.seconds, ONE.microseconds) == (429, 14706, 7)
    assert Interval(months=-13) == timedelta(-395)
    assert Interval(months=1) < timedelta(31)
    assert bool(Interval(months=1, days=-30)) is False
    assert datetime(2024, 1, 31) + Interval(months=1) == datetime(2024, 3, 1)


@given(intervals)
def test_equal_means_equal_hashes(interval: Interval) -> None:
    plain = timedelta(interval.days, interval.seconds, interval.microseconds)
    assert interval == plain
    assert hash(interval) == hash(plain)
    assert interval.total_seconds() == plain.total_seconds()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_copies(protocol: int) -> None:
    for twin in (copy.copy(ONE), copy.deepcopy(ONE), pickle.loads(pickle.dumps(ONE, protocol))):
        assert type(twin) is Interval
        assert twin.parts == ONE.parts


@given(intervals)
def test_repr_says_all(interval: Interval) -> None:
    twin = eval(repr(interval), {"Interval": Interval})
    assert type(twin) is Interval
    assert twin.parts == interval.parts


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(), "00:00:00"),
        (Interval(months=1), "1 mon"),
        (Interval(months=-14, days=1), "-1 years -2 mons +1 day"),
        (Interval(days=1, microseconds=-1), "1 day -00:00:00.000001"),
        (Interval(months=-1, hours=1), "-1 mons +01:00:00"),
        (Interval(months=-1, days=1, hours=1), "-1 mons +1 day 01:00:00"),
        (Interval(hours=-100, microseconds=-500_000), "-100:00:00.5"),
    ],
)
def test_str_is_the_text_of_the_server(interval: Interval, text: str) -> None:
    assert str(interval) == f"{interval}" == text


@given(intervals, st.timedeltas(timedelta(-(10**6)), timedelta(10**6)), st.integers(-5, 5))
def test_sums_and_products_keep_the_parts(
    interval: Interval, delta: timedelta, factor: int
) -> None:
    plain = timedelta(interval.days, interval.seconds, interval.microseconds)
    for result in (interval + interval, 2 * interval, interval * 2):
        assert type(result) is Interval
        assert result.parts == tuple(2 * part for part in interval.parts)
    assert (interval * factor).parts == tuple(factor * part for part in interval.parts)
    assert (-interval).parts == tuple(-part for part in interval.parts)
    assert (+interval).parts == interval.parts
    assert (interval - interval).parts == (0, 0, 0)
    for mixed, months in ((interval + delta, 1), (interval - delta, 1), (delta - interval, -1)):
        assert type(mixed) is Interval
        assert mixed.months == months * interval.months
    assert interval + delta == delta + interval == plain + delta
    assert interval - delta == plain - delta
    assert delta - interval == delta - plain


def test_other_arithmetic_is_that_of_timedelta() -> None:
    for result in (ONE * 0.5, ONE / 2, ONE // 3, abs(Interval(months=-1)), ONE % timedelta(1)):
        assert type(result) is timedelta
    assert Interval(months=1) / timedelta(15) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: ANY + 1,
        lambda: 1 + ANY,
        lambda: ANY - "1",
        lambda: 1 - ANY,
        lambda: ANY * "2",
        lambda: ANY < 5,
        lambda: Interval(5),  # type: ignore[call-arg]
        lambda: Interval(months=1.5),  # type: ignore[arg-type]
        lambda: Interval(seconds="1"),  # type: ignore[arg-type]
        lambda: Interval(fortnights=1),  # type: ignore[call-arg]
    ],
)
def test_type_errors(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Interval(months=2**31),
        lambda: Interval(months=-(2**31) - 1),
        lambda: Interval(days=2**31),
        lambda: Interval(microseconds=2**63),
        lambda: Interval(microseconds=-(2**63) - 1),
        lambda: Interval(days=10**9),
        lambda: Interval(years=10**7),
        lambda: Interval(microseconds=2**62) * 2,
        lambda: Interval(days=999_999_999) + Interval(months=1),
    ],
)
def test_too_much(call: Callable[[], Any]) -> None:
    with pytest.raises(OverflowError):
        call()


def test_it_cannot_be_changed() -> None:
    for name in ("parts", "months", "days", "anything"):
        with pytest.raises(AttributeError):
            setattr(ONE, name, (1, 2, 3))
        with pytest.raises(AttributeError):
            delattr(ONE, name)
    assert not hasattr(ONE, "__dict__")


def test_a_subclass_keeps_its_class() -> None:
    class Span(Interval):
        """One of the user's."""

    assert type(Span(months=1)) is Span
    assert type(copy.copy(Span(months=1))) is Span
    assert repr(Span(months=1)) == "Span(months=1)"


# --- infinity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [INTERVAL_INFINITY, -INTERVAL_INFINITY])
def test_infinite_ones_are_copied_and_printed(value: InfiniteInterval) -> None:
    twins = [pickle.loads(pickle.dumps(value, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in (*twins, copy.copy(value), copy.deepcopy(value), eval(repr(value))):
        assert type(twin) is InfiniteInterval
        assert twin == value
        assert twin.positive is value.positive
        assert twin.parts == value.parts
    assert str(value) == f"{value}" == ("infinity" if value.positive else "-infinity")


def test_infinite_ones_equal_the_ends_of_timedelta() -> None:
    assert timedelta.max == INTERVAL_INFINITY
    assert hash(timedelta.max) == hash(INTERVAL_INFINITY)
    assert timedelta.min == -INTERVAL_INFINITY
    assert -INTERVAL_INFINITY < timedelta(0) < INTERVAL_INFINITY
    assert INTERVAL_INFINITY.total_seconds() == float("inf")
    with pytest.raises(ValueError, match="'infinity' or '-infinity'"):
        InfiniteInterval("inf")


@pytest.mark.parametrize(
    ("result", "positive"),
    [
        (INTERVAL_INFINITY + timedelta(-5), True),
        (timedelta.min + INTERVAL_INFINITY, True),
        (INTERVAL_INFINITY + INTERVAL_INFINITY, True),
        (INTERVAL_INFINITY + Interval(months=1), True),
        (Interval(months=1) + INTERVAL_INFINITY, True),
        (Interval(months=1) - INTERVAL_INFINITY, False),
        (INTERVAL_INFINITY - timedelta(5), True),
        (INTERVAL_INFINITY - -INTERVAL_INFINITY, True),
        (timedelta(5) - INTERVAL_INFINITY, False),
        (INTERVAL_INFINITY * -2, False),
        (0.5 * -INTERVAL_INFINITY, False),
        (INTERVAL_INFINITY / -2, False),
        (INTERVAL_INFINITY // 2, True),
        (abs(-INTERVAL_INFINITY), True),
        (+(-INTERVAL_INFINITY), False),
    ],
)
def test_what_stays_infinite(result: Any, positive: bool) -> None:
    assert type(result) is InfiniteInterval
    assert result.positive is positive


def test_quotients() -> None:
    assert INTERVAL_INFINITY / timedelta(-1) == float("-inf")
    assert timedelta(1) / INTERVAL_INFINITY == 0
    with pytest.raises(ZeroDivisionError):
        INTERVAL_INFINITY / timedelta(0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: INTERVAL_INFINITY - INTERVAL_INFINITY,
        lambda: INTERVAL_INFINITY + -INTERVAL_INFINITY,
        lambda: INTERVAL_INFINITY * 0,
        lambda: INTERVAL_INFINITY * float("nan"),
        lambda: INTERVAL_INFINITY / 0,
        lambda: INTERVAL_INFINITY / INTERVAL_INFINITY,
        lambda: INTERVAL_INFINITY // timedelta(1),
        lambda: INTERVAL_INFINITY % timedelta(1),
        lambda: divmod(INTERVAL_INFINITY, timedelta(1)),
        lambda: timedelta(1) // INTERVAL_INFINITY,
        lambda: timedelta(1) % INTERVAL_INFINITY,
        lambda: divmod(timedelta(1), INTERVAL_INFINITY),
        lambda: datetime(2024, 1, 1, tzinfo=UTC) + INTERVAL_INFINITY,
    ],
)
def test_what_is_not_defined(call: Callable[[], Any]) -> None:
    with pytest.raises(OverflowError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: INTERVAL_INFINITY + 1,  # type: ignore[operator]
        lambda: 1 - INTERVAL_INFINITY,  # type: ignore[operator]
        lambda: INTERVAL_INFINITY * "x",
        lambda: INTERVAL_INFINITY / "x",
        lambda: INTERVAL_INFINITY // "x",
        lambda: INTERVAL_INFINITY % 5,
        lambda: 5 % INTERVAL_INFINITY,
        lambda: 5 / INTERVAL_INFINITY,
    ],
)
def test_type_errors_of_infinite_ones(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        call()
