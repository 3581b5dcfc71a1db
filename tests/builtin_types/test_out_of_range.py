"""Dates, times and intervals that Python does not have: what `connect(out_of_range=...)` says."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pytest
from builtin_types.array_cases import array_text
from builtin_types.drivers import WIDTH, Drivers
from builtin_types.test_round_trip import hold, some_values
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop import Range


def two(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda number: f"{number:02}")


def days(last_year: int) -> st.SearchStrategy[tuple[str, str]]:
    """Days before year 1 and after 9999, and their era. The first of all is in 4714 BC."""
    early = st.tuples(st.integers(1, 4713) | st.just(4713), st.just(" BC"))
    late = st.tuples(
        st.sampled_from([10000, last_year]) | st.integers(10000, last_year), st.just("")
    )
    return st.builds(
        lambda year, month, day: (f"{year[0]:04}-{month}-{day}", year[1]),
        early | late,
        two(1, 12),
        two(1, 28),
    )


clocks = st.builds(
    lambda clock, microseconds: f"{clock}.{microseconds:06}".rstrip("0").rstrip("."),
    st.sampled_from(["00:00:00", "23:59:59", "12:34:56"]),
    st.sampled_from([0, 1, 999999]) | st.integers(0, 999999),
)

# Longer than a timedelta of 999,999,999 days, and shorter than minus that.
months = st.integers(32_900_000, 2**31 - 1)
parts = st.tuples(st.sampled_from([1, -1]), months, st.integers(0, 2**31 - 1), clocks)


def moments(last_year: int, offset: str = "") -> st.SearchStrategy[str]:
    return st.builds(
        lambda day, clock: f"{day[0]} {clock}{offset}{day[1]}", days(last_year), clocks
    )


BEYOND: dict[str, st.SearchStrategy[str]] = {
    "date": days(5874897).map("".join),
    "time": st.just("24:00:00"),
    "timetz": st.sampled_from(["24:00:00+00", "24:00:00-15:59:59", "24:00:00+05:30"]),
    "timestamp": moments(294275),
    "timestamptz": moments(294275, "+00"),
    "interval": parts.map(lambda p: f"{p[0] * p[1]} mons {p[0] * p[2]} days {p[3]}"),
}

OFFSET = timezone(timedelta(hours=5, minutes=30))

# A text form, and the value of Python nearest to it.
NEAREST: list[tuple[str, str, Any]] = [
    ("date", "0001-12-31 BC", date.min),
    ("date", "10000-01-01", date.max),
    ("time", "24:00:00", time.max),
    ("timetz", "24:00:00+05:30", time.max.replace(tzinfo=OFFSET)),
    ("timestamp", "0044-03-15 12:00:00 BC", datetime.min),
    ("timestamp", "10000-01-01 00:00:00", datetime.max),
    ("timestamptz", "0044-03-15 12:00:00+00 BC", datetime.min.replace(tzinfo=UTC)),
    ("timestamptz", "10000-01-01 00:00:00+00", datetime.max.replace(tzinfo=UTC)),
    ("interval", "2147483647 days", timedelta.max),
    ("interval", "-178000000 years", timedelta.min),
]


@pytest.mark.parametrize("name", BEYOND)
@given(data=st.data())
@some_values
def test_as_text(drivers: Drivers, name: str, data: st.DataObject) -> None:
    """As the server prints it, and the same value when it is sent back."""
    texts = data.draw(st.lists(BEYOND[name], min_size=16, max_size=WIDTH))
    read, kept = drivers.parse(name, texts, drivers.as_text)
    hold("read as text", texts, read, kept)
    _, sent = drivers.send(name, read, drivers.as_text)
    hold("sent back as text", texts, sent, kept)

    array = array_text([*texts, None])
    read, kept = drivers.parse(f"{name}[]", [array], drivers.as_text)
    _, sent = drivers.send(f"{name}[]", read, drivers.as_text)
    hold("sent back in an array", [array], sent, kept)


@pytest.mark.parametrize(("name", "text", "value"), NEAREST)
def test_clamped(drivers: Drivers, name: str, text: str, value: Any) -> None:
    read, _ = drivers.parse(name, [text], drivers.clamped)
    hold("clamped", [text], read, [value])


@pytest.mark.parametrize(("name", "text", "value"), NEAREST)
def test_refused(drivers: Drivers, name: str, text: str, value: Any) -> None:
    with pytest.raises(pgallop.DataError, match=rf"{name}.* is beyond Python's"):
        drivers.parse(name, [text])
    assert drivers.ask(drivers.ours, "SELECT 1") == [1]


def test_the_bound_that_the_server_makes(drivers: Drivers) -> None:
    """Of dates it writes `[first, behind)`, and behind Python's last one there is none."""
    last = Range(date.max, date.max, upper_inc=True)
    with pytest.raises(pgallop.DataError, match=r"daterange.*upper bound: the date 10000-01-01"):
        drivers.send("daterange", [last])
    read, _ = drivers.send("daterange", [last], drivers.as_text)
    hold("read as text", [last], read, [Range(date.max, "10000-01-01")])
    _, sent = drivers.send("daterange", read, drivers.as_text)
    assert sent == ["[9999-12-31,10000-01-01)"]
