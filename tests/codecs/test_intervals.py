"""interval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from struct import pack
from typing import Any

import asyncpg_peer
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from temporal_values import MICROSECOND, FinerSpan, LongTime

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.errors import ProtocolError
from pgallop.values.infinities import INTERVAL_INFINITY
from pgallop.values.intervals import Interval

HOUR = 3_600_000_000
DAY = 24 * HOUR

int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return builtin_registry().get(OIDS["interval"])


def same(one: Any, other: Any) -> bool:
    """Equal, of the same class and with the same parts."""
    return type(one) is type(other) and repr(one) == repr(other)


@settings(deadline=None)
@given(st.lists(st.timedeltas(), max_size=100))
def test_any_timedelta(oracle: Oracle, codec: Codec, values: list[timedelta]) -> None:
    data = [codec.dumps(value) for value in values]
    texts = []
    for value in values:
        size = abs(value) if value > timedelta.min else timedelta(-value.days)
        sign = "-" if value < timedelta(0) else ""
        parts = ((size.days, "days"), (size.seconds, "seconds"), (size.microseconds, "us"))
        texts.append(" ".join(f"{sign}{number} {unit}" for number, unit in parts))
    assert data == oracle.binary(codec.oid, texts)
    assert all(same(codec.loads(item), v) for item, v in zip(data, values, strict=True))


@given(int64, int32, int32)
@example(-(2**63), 0, -(2**31))
@example(-(2**63), 2**31 - 1, 2**31 - 1)
@example(2**63 - 1, -(2**31), -(2**31))
@example(-(2**63), 0, 0)
@example(DAY, 0, 0)
@example(-DAY, 0, 0)
@example(DAY - 1, 0, 0)
@example(1 - DAY, -1, 0)
@example(-1, 1, 0)
@example(1, -1, 0)
@example(0, 0, 1)
def test_any_interval_is_written_as_it_was_read(
    codec: Codec, microseconds: int, days: int, months: int
) -> None:
    sign = -1 if months < 0 else 1
    total = days + sign * (abs(months) // 12 * 365 + abs(months) % 12 * 30)
    data = pack("!qii", microseconds, days, months)
    try:
        value = timedelta(days=total, microseconds=microseconds)
    except OverflowError:
        with pytest.raises(ValueError, match="beyond Python's timedelta"):
            codec.loads(data)
        return
    loaded = codec.loads(data)
    assert loaded == value
    assert hash(loaded) == hash(value)
    assert codec.dumps(loaded) == data
    if type(loaded) is Interval:
        assert loaded.parts == (months, days, microseconds)
        assert codec.dumps(value) != data
    else:
        assert type(loaded) is timedelta


@pytest.mark.parametrize(
    ("text", "value", "plain"),
    [
        (
            "1 year 2 mons 3 days 04:05:06.7",
            Interval(years=1, months=2, days=3, hours=4, minutes=5, microseconds=6_700_000),
            timedelta(365 + 60 + 3, 14706, 700000),
        ),
        ("-1 years -1 mons", Interval(years=-1, months=-1), timedelta(-395)),
        ("11 mons -330 days", Interval(months=11, days=-330), timedelta(0)),
        (
            "1 mon -1 days -00:00:00.000001",
            Interval(months=1, days=-1, microseconds=-1),
            timedelta(29) - MICROSECOND,
        ),
        ("100000000:00:00", Interval(hours=100_000_000), timedelta(hours=100_000_000)),
        ("24:00:00", Interval(hours=24), timedelta(1)),
        ("1 day -01:00:00", Interval(days=1, hours=-1), timedelta(0, 82800)),
        ("-1 days -23:59:59", timedelta(-2, 1), timedelta(-2, 1)),
        ("-00:00:00.000001", -MICROSECOND, -MICROSECOND),
        ("30 days", timedelta(30), timedelta(30)),
    ],
)
def test_what_the_server_keeps_apart(
    oracle: Oracle, codec: Codec, dsn: str, text: str, value: timedelta, plain: timedelta
) -> None:
    (data,) = oracle.binary(codec.oid, [text])
    assert data is not None
    loaded = codec.loads(data)
    assert same(loaded, value)
    assert loaded == plain
    assert oracle.text(codec.oid, [codec.dumps(value)]) == [text]
    assert asyncpg_peer.selected(dsn, "interval", [text]) == [plain]


def test_infinity(oracle: Oracle, codec: Codec) -> None:
    data = [codec.dumps(value) for value in (INTERVAL_INFINITY, -INTERVAL_INFINITY)]
    assert data == [pack("!qii", 2**63 - 1, 2**31 - 1, 2**31 - 1), pack("!qii", *LEAST)]
    assert same(codec.loads(data[0]), INTERVAL_INFINITY)
    assert same(codec.loads(data[1]), -INTERVAL_INFINITY)
    if oracle.version >= 17:
        assert oracle.text(codec.oid, data) == ["infinity", "-infinity"]


LEAST = (-(2**63), -(2**31), -(2**31))


@pytest.fixture
def berlin(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        yield connection


@pytest.mark.parametrize("span", [timedelta(hours=-1), -MICROSECOND, timedelta(-1, -3600)])
def test_hours_stay_hours_where_clocks_are_changed(
    berlin: psycopg.Connection, codec: Codec, span: timedelta
) -> None:
    """On that day noon is 11 hours from midnight; minus an hour must not be minus a day and 23."""
    noon = "timestamptz '2024-03-31 12:00'"
    result = berlin.pgconn.exec_params(
        f"SELECT {noon} + $1 - {noon}, extract(epoch FROM {noon} + $1 - {noon})".encode(),
        [codec.dumps(span)],
        [codec.oid],
        [1],
    )
    value = result.get_value(0, 1)
    assert value is not None
    # A whole day among it is one of the calendar, and that one has 23 hours.
    days = -1 if span.total_seconds() <= -86400 else 0
    assert float(value) == span.total_seconds() - 3600 * days


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LongTime(1, 2), "100 days 00:00:02"),
        (Interval(months=-1, days=1), "-1 mons +1 day"),
        (Interval(days=400), "400 days"),
        (Interval(), "00:00:00"),
    ],
)
def test_takes_relatives(oracle: Oracle, codec: Codec, value: timedelta, text: str) -> None:
    assert oracle.text(codec.oid, [codec.dumps(value)]) == [text]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (FinerSpan(1), "has nanoseconds"),
        ("1 day", "expected datetime.timedelta or Interval, got str"),
        (5, "expected datetime.timedelta or Interval, got int"),
        (datetime(2024, 1, 1), "expected datetime.timedelta or Interval, got datetime"),
    ],
)
def test_refuses(codec: Codec, value: object, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    assert reason in caught.value.reason


@pytest.mark.parametrize("size", [*range(16), 17, 32])
def test_wrong_sizes(codec: Codec, size: int) -> None:
    with pytest.raises(ProtocolError):
        codec.loads(bytes(size))
