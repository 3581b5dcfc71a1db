"""date, time, timetz, timestamp, timestamptz, interval."""

from __future__ import annotations

import re
import time as clock
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from struct import pack
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import asyncpg_peer
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle
from temporal_values import (
    FIRST,
    INDIA,
    LAST,
    LOST,
    MICROSECOND,
    NAMES,
    ODD,
    SIZES,
    VALUES,
    WEST,
    Finer,
    Floating,
    Later,
    LongTime,
    Missing,
    Same,
    Summer,
)

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.values.infinities import (
    DATE_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMPTZ_INFINITY,
    InfiniteDay,
)

NEW_YORK = ZoneInfo("America/New_York")

# As asyncpg has it: the last and the first ones of Python stand for infinity.
AS_ASYNCPG = builtin_registry(CodecChoices(max_is_infinity=True))


def codec_of(name: str) -> Codec:
    return builtin_registry().get(OIDS[name])


def alike(left: Any, right: Any) -> bool:
    """Equal, of the same class and with the same UTC offset."""
    if type(left) is not type(right) or left != right:
        return False
    return not isinstance(left, (datetime, time)) or left.utcoffset() == right.utcoffset()


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is New York's, spelled out so that no time zone database is needed."""
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


@pytest.mark.parametrize("name", NAMES)
def test_the_codec(registry: Registry, name: str) -> None:
    codec = registry.get(OIDS[name])
    assert (codec.name, codec.format, codec.atomic) == (name, 1, True)


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("date", date(2000, 1, 2), pack("!i", 1)),
        ("date", date(1999, 12, 31), pack("!i", -1)),
        ("date", date.max, pack("!i", 2921939)),
        ("date", DATE_INFINITY, pack("!i", 2**31 - 1)),
        ("date", -DATE_INFINITY, pack("!i", -(2**31))),
        ("time", time(1, 0, 0, 5), pack("!q", 3_600_000_005)),
        ("timetz", time(0, 0, 1, tzinfo=INDIA), pack("!qi", 1_000_000, -19800)),
        ("timestamp", datetime(2000, 1, 2), pack("!q", 86_400_000_000)),
        ("timestamp", LAST, pack("!q", 2921940 * 86_400_000_000 - 1)),
        ("timestamp", TIMESTAMP_INFINITY, pack("!q", 2**63 - 1)),
        ("timestamp", -TIMESTAMP_INFINITY, pack("!q", -(2**63))),
        ("timestamptz", TIMESTAMPTZ_INFINITY, pack("!q", 2**63 - 1)),
        ("timestamptz", -TIMESTAMPTZ_INFINITY, pack("!q", -(2**63))),
        ("timestamptz", datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC), pack("!q", 1_000_000)),
        ("interval", timedelta(3, 2, 1), pack("!qii", 2_000_001, 3, 0)),
    ],
)
def test_bytes(name: str, value: object, data: bytes) -> None:
    assert codec_of(name).dumps(value) == data
    assert alike(codec_of(name).loads(data), value)


@pytest.mark.parametrize("name", NAMES)
def test_the_server_writes_and_reads_the_same(name: str, oracle: Oracle) -> None:
    codec = codec_of(name)
    values = [value for kind, value, _ in VALUES if kind == name]
    texts = [text for kind, _, text in VALUES if kind == name]
    data = [codec.dumps(value) for value in values]
    assert oracle.text(codec.oid, data) == texts
    assert oracle.binary(codec.oid, texts) == data
    for item, value in zip(data, values, strict=True):
        assert alike(codec.loads(item), value)


def test_every_turn_of_months_and_years() -> None:
    codec = codec_of("date")
    epoch = date(2000, 1, 1).toordinal()
    ordinals = {*range(1, 800), *range(date.max.toordinal() - 800, date.max.toordinal() + 1)}
    ordinals.update(range(1, date.max.toordinal(), 97))
    for year in range(1, 10000):
        march = date(year, 3, 1).toordinal()
        ordinals.update((march - 2, march - 1, march, date(year, 1, 1).toordinal()))
        ordinals.add(date(year, 12, 31).toordinal())
    for ordinal in ordinals:
        day = date.fromordinal(ordinal)
        data = pack("!i", ordinal - epoch)
        assert codec.dumps(day) == data
        assert codec.loads(data) == day


def offsets(limit: timedelta) -> st.SearchStrategy[timezone]:
    seconds = int(limit.total_seconds()) - 1
    whole = st.integers(-seconds, seconds).map(lambda s: timezone(timedelta(seconds=s)))
    return st.one_of(st.just(UTC), whole)


@settings(deadline=None)
@given(st.lists(st.dates(), max_size=100), st.lists(st.times(), max_size=100))
def test_any_date_and_time(oracle: Oracle, dates: list[date], times: list[time]) -> None:
    for name, values in (("date", dates), ("time", times)):
        codec = codec_of(name)
        data = [codec.dumps(value) for value in values]
        assert data == oracle.binary(codec.oid, [value.isoformat() for value in values])
        loaded = [codec.loads(item) for item in data]
        assert loaded == values
        assert all(map(alike, loaded, values))


@settings(deadline=None)
@given(st.lists(st.times(timezones=offsets(timedelta(hours=16))), max_size=100))
def test_any_timetz(oracle: Oracle, values: list[time]) -> None:
    codec = codec_of("timetz")
    data = [codec.dumps(value) for value in values]
    assert data == oracle.binary(codec.oid, [value.isoformat() for value in values])
    assert all(alike(codec.loads(item), v) for item, v in zip(data, values, strict=True))


@settings(deadline=None)
@given(st.lists(st.datetimes(), max_size=100))
def test_any_timestamp(oracle: Oracle, values: list[datetime]) -> None:
    codec = codec_of("timestamp")
    data = [codec.dumps(value) for value in values]
    assert data == oracle.binary(codec.oid, [str(value) for value in values])
    assert all(alike(codec.loads(item), v) for item, v in zip(data, values, strict=True))


@settings(deadline=None)
@given(st.lists(st.tuples(st.datetimes(), offsets(timedelta(hours=16))), max_size=100))
def test_any_timestamptz(oracle: Oracle, pairs: list[tuple[datetime, timezone]]) -> None:
    codec = codec_of("timestamptz")
    values = [moment.replace(tzinfo=zone) for moment, zone in pairs]
    data = [codec.dumps(value) for value in values]
    assert data == oracle.binary(codec.oid, [str(value) for value in values])
    for item, value in zip(data, values, strict=True):
        if date(1, 1, 3) < value.date() < date(9999, 12, 29):
            loaded = codec.loads(item)
            assert loaded == value
            assert type(loaded) is datetime
            assert loaded.tzinfo is UTC


YEARS = "beyond Python's years 1 to 9999"


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("date", "10000-01-01", YEARS),
        ("date", "5874897-12-31", YEARS),
        ("date", "0001-12-31 BC", YEARS),
        ("date", "0044-03-15 BC", YEARS),
        ("date", "4714-11-24 BC", YEARS),
        ("timestamp", "10000-01-01 00:00:00", YEARS),
        ("timestamp", "294276-12-31 23:59:59.999999", YEARS),
        ("timestamp", "0001-12-31 23:59:59.999999 BC", YEARS),
        ("timestamptz", "12000-01-01 00:00:00+00", YEARS),
        ("timestamptz", "4714-11-24 00:00:00+00 BC", YEARS),
        ("time", "24:00:00", "beyond Python's 23:59:59.999999"),
        ("timetz", "24:00:00+02", "beyond Python's 23:59:59.999999"),
        ("interval", "1000000000 days", "beyond Python's timedelta of 999999999 days"),
        ("interval", "-178956970 years -8 mons", "beyond Python's timedelta of 999999999 days"),
    ],
)
def test_what_python_does_not_have(oracle: Oracle, name: str, text: str, limit: str) -> None:
    codec = codec_of(name)
    (data,) = oracle.binary(codec.oid, [text])
    assert data is not None
    with pytest.raises(ValueError, match="cast it to text in SQL") as caught:
        codec.loads(data)
    assert not isinstance(caught.value, ProtocolError)
    assert f"the {name} {text} is {limit}" in str(caught.value)
    assert f'or connect with out_of_range={{"{name}": "text"}}' in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(st.integers(-2451545, 2145031948), max_size=50),
    st.lists(st.integers(-211813488000000000, 9223371331199999999), max_size=50),
)
def test_any_day_and_moment_of_the_server(
    oracle: Oracle, days: list[int], moments: list[int]
) -> None:
    """Read, or named in the error as the server prints it."""
    cases = [("date", [pack("!i", day) for day in days])]
    cases += [(n, [pack("!q", m) for m in moments]) for n in ("timestamp", "timestamptz")]
    for name, data in cases:
        codec = codec_of(name)
        for item, text in zip(data, oracle.text(codec.oid, data), strict=True):
            assert text is not None
            if text[4] == "-" and text[-1] != "C" and text[:4] != "0000":
                kind: type[date] = date if name == "date" else datetime
                assert alike(codec.loads(item), kind.fromisoformat(text))
            else:
                with pytest.raises(ValueError, match=re.escape(f"the {name} {text} is beyond")):
                    codec.loads(item)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("date", datetime(2020, 5, 6, 23, 59, tzinfo=UTC), "2020-05-06"),
        ("date", Later(2020, 5, 6), "2525-05-06"),
        ("time", datetime(2020, 5, 6, 1, 2, 3, 4), "01:02:03.000004"),
        ("time", time(1, 2, tzinfo=INDIA), "01:02:00"),
        ("timetz", datetime(2020, 5, 6, 1, tzinfo=INDIA), "01:00:00+05:30"),
        ("timetz", datetime(2020, 5, 6, 1, tzinfo=Summer()), "01:00:00+02"),
        ("timestamp", date(2020, 5, 6), "2020-05-06 00:00:00"),
        ("date", TIMESTAMP_INFINITY, "infinity"),
        ("date", -TIMESTAMPTZ_INFINITY, "-infinity"),
        ("timestamp", date.min, "0001-01-01 00:00:00"),
        ("timestamp", date.max, "9999-12-31 00:00:00"),
        ("timestamp", -DATE_INFINITY, "-infinity"),
        ("timestamp", TIMESTAMP_INFINITY.replace(tzinfo=Floating()), "infinity"),
        ("timestamp", datetime(2020, 5, 6, tzinfo=Floating()), "2020-05-06 00:00:00"),
        ("timestamp", Later(2020, 5, 6, 7, 8, 9, 10), "2525-05-06 07:08:09.00001"),
        ("timestamptz", Later(2020, 5, 6, 7, tzinfo=INDIA), "2525-05-06 01:30:00+00"),
        ("timestamptz", datetime(2020, 5, 6, 5, 30, tzinfo=INDIA), "2020-05-06 00:00:00+00"),
        ("timetz", datetime(2024, 7, 1, 1, tzinfo=NEW_YORK), "01:00:00-04"),
        ("timestamptz", datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK), "2024-11-03 05:30:00+00"),
        (
            *("timestamptz", datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK, fold=1)),
            "2024-11-03 06:30:00+00",
        ),
        # In the gap, where both offsets say what clocks never showed.
        ("timestamptz", datetime(2024, 3, 10, 2, 30, tzinfo=NEW_YORK), "2024-03-10 07:30:00+00"),
        (
            *("timestamptz", datetime(2024, 3, 10, 2, 30, tzinfo=NEW_YORK, fold=1)),
            "2024-03-10 06:30:00+00",
        ),
        ("timestamptz", datetime(1880, 1, 1, tzinfo=NEW_YORK), "1880-01-01 04:56:02+00"),
        ("timestamptz", datetime(2020, 5, 6, tzinfo=Summer()), "2020-05-05 22:00:00+00"),
        ("timestamptz", datetime(2020, 1, 6, tzinfo=Summer()), "2020-01-05 23:00:00+00"),
        ("timestamptz", datetime(2020, 5, 6, 1, tzinfo=ODD), "2020-05-05 23:59:59.999993+00"),
        ("timestamptz", FIRST.replace(tzinfo=INDIA), "0001-12-31 18:30:00+00 BC"),
        ("timestamptz", LAST.replace(tzinfo=WEST), "10000-01-01 15:59:58.999999+00"),
        ("timestamptz", DATE_INFINITY, "infinity"),
        ("timestamptz", -TIMESTAMP_INFINITY, "-infinity"),
        ("timestamptz", TIMESTAMPTZ_INFINITY.astimezone(INDIA), "infinity"),
        ("interval", LongTime(1, 2), "100 days 00:00:02"),
    ],
)
def test_takes_relatives(oracle: Oracle, name: str, value: object, text: str) -> None:
    codec = codec_of(name)
    assert oracle.text(codec.oid, [codec.dumps(value)]) == [text]


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2020, 1, 1, 5), "2020-01-01 10:00:00+00"),
        (datetime(2020, 7, 1, 5, microsecond=1), "2020-07-01 09:00:00.000001+00"),
        (datetime(2020, 3, 8, 2, 30), "2020-03-08 07:30:00+00"),
        (datetime(2020, 3, 8, 2, 30, fold=1), "2020-03-08 06:30:00+00"),
        (LAST, "10000-01-01 04:59:59.999999+00"),
        (datetime(2020, 11, 1, 1, 30), "2020-11-01 05:30:00+00"),
        (datetime(2020, 11, 1, 1, 30, fold=1), "2020-11-01 06:30:00+00"),
        (Same(2020, 11, 1, 1, 30, 1, 2, fold=1), "2020-11-01 06:30:01.000002+00"),
        (datetime(2020, 7, 1, 5, tzinfo=Floating()), "2020-07-01 09:00:00+00"),
        (Later(2020, 7, 1, 5), "2525-07-01 09:00:00+00"),
        (date(2020, 1, 1), "2020-01-01 05:00:00+00"),
        (date(2020, 7, 1), "2020-07-01 04:00:00+00"),
    ],
)
def test_local_time(oracle: Oracle, value: object, text: str) -> None:
    codec = codec_of("timestamptz")
    assert oracle.text(codec.oid, [codec.dumps(value)]) == [text]


@pytest.mark.usefixtures("new_york")
def test_local_time_that_is_not_known() -> None:
    with pytest.raises(Unencodable) as caught:
        codec_of("timestamptz").dumps(FIRST + MICROSECOND)
    assert caught.value.reason.startswith("it has no UTC offset, and the local one is not known")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("timestamp", datetime(2020, 1, 1, tzinfo=UTC), "has a UTC offset"),
        ("timestamp", datetime(2020, 1, 1, tzinfo=Summer()), "has a UTC offset"),
        ("timestamp", Later(2020, 1, 1, tzinfo=INDIA), "has a UTC offset"),
        ("timestamp", TIMESTAMPTZ_INFINITY, "has a UTC offset"),
        ("time", TIMESTAMP_INFINITY, "infinity has no time of day"),
        ("timetz", -TIMESTAMPTZ_INFINITY, "infinity has no time of day"),
        ("time", Finer(2024, 1, 1), "has nanoseconds"),
        ("timestamp", Finer(2024, 1, 1), "has nanoseconds"),
        ("timestamptz", Finer(2024, 1, 1, tzinfo=UTC), "has nanoseconds"),
        ("timetz", time(1), "it has no UTC offset"),
        ("timetz", datetime(2020, 1, 1), "it has no UTC offset"),
        ("timetz", time(1, tzinfo=Summer()), "no UTC offset without a date"),
        ("timetz", time(1, tzinfo=ODD), "not whole seconds"),
        ("timetz", time(1, tzinfo=timezone(timedelta(hours=16))), "not less than 16 hours"),
        ("timetz", time(1, tzinfo=timezone(-timedelta(hours=16))), "not less than 16 hours"),
        ("date", Missing(2020, 1, 1), "not a date"),
        ("timestamp", Missing(2020, 1, 1), "not a date and time"),
        ("timestamptz", Missing(2020, 1, 1), "not a date and time"),
    ],
)
def test_refuses_values(name: str, value: object, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec_of(name).dumps(value)
    assert reason in caught.value.reason
    assert caught.value.value is value


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("timestamp", datetime(2020, 1, 1, tzinfo=UTC), "value.replace(tzinfo=None)"),
        ("timetz", time(1), "value.replace(tzinfo=...)"),
        ("timetz", time(1, tzinfo=Summer()), "datetime.timezone"),
        ("date", Missing(2020, 1, 1), "None"),
        ("timestamptz", "2020-01-01", "$n::text::timestamptz"),
    ],
)
def test_hints(name: str, value: object, hint: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec_of(name).dumps(value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("date", [time(1), timedelta(1)]),
        ("time", [date(2020, 1, 1), timedelta(1)]),
        ("timetz", [date(2020, 1, 1), timedelta(1)]),
        ("timestamp", [time(1), timedelta(1)]),
        ("timestamptz", [time(1), timedelta(1)]),
        ("interval", [time(1), date(2020, 1, 1), datetime(2020, 1, 1)]),
    ],
)
def test_refuses_other_types(name: str, others: list[object]) -> None:
    others += ["2020-01-01", b"", 5, 1.5, (1,), object(), numpy.datetime64("2020-01-01")]
    for value in others:
        with pytest.raises(Unencodable) as caught:
            codec_of(name).dumps(value)
        assert caught.value.reason.startswith("expected datetime.")
        assert caught.value.reason.endswith(f"got {type(value).__name__}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extra", [-4, -1, 1])
def test_wrong_sizes(name: str, extra: int) -> None:
    with pytest.raises(ProtocolError):
        codec_of(name).loads(bytes(SIZES[name] + extra))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("time", pack("!q", -1)),
        ("time", pack("!q", 86_400_000_001)),
        ("time", pack("!q", 2**63 - 1)),
        ("time", pack("!q", -(2**63))),
        ("timetz", pack("!qi", -1, 0)),
        ("timetz", pack("!qi", 86_400_000_001, 3600)),
        ("timetz", pack("!qi", 0, 57600)),
        ("timetz", pack("!qi", 0, -57600)),
        ("timetz", pack("!qi", 0, -(2**31))),
    ],
)
def test_hostile_bytes(name: str, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec_of(name).loads(data)


@given(st.binary(max_size=20), st.binary(min_size=16, max_size=16))
def test_any_bytes(data: bytes, exact: bytes) -> None:
    types: dict[str, type] = {"date": date, "time": time, "timetz": time}
    types |= {"timestamp": datetime, "timestamptz": datetime, "interval": timedelta}
    for name, kind in types.items():
        for item in (data, exact[: SIZES[name]]):
            try:
                value = codec_of(name).loads(item)
            except (ProtocolError, ValueError):
                continue
            assert isinstance(value, kind)


@pytest.mark.parametrize("name", NAMES)
def test_asyncpg_reads_equal_values(oracle: Oracle, dsn: str, name: str) -> None:
    codec = AS_ASYNCPG.get(OIDS[name])
    # asyncpg drops the seconds of UTC offsets.
    texts = [t for kind, _, t in VALUES if kind == name and t.count(":") - t.count(".") < 4]
    data = oracle.binary(codec.oid, texts)
    theirs = asyncpg_peer.selected(dsn, name, texts)
    assert len(theirs) >= 2
    for item, expected in zip(data, theirs, strict=True):
        assert item is not None
        assert alike(codec.loads(item), expected)


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize("name", NAMES)
def test_asyncpg_takes_the_same_arguments(dsn: str, name: str) -> None:
    codec = AS_ASYNCPG.get(OIDS[name])
    # Not among them: where asyncpg fails and the value is clear (for timetz a datetime with a zone
    # of changing offsets, for timestamptz one that is in another year than 1 to 9999 in UTC), where
    # it loses something (seconds and less of UTC offsets in timetz), and where it takes today's
    # offset from UTC for a date of another season.
    values: list[Any] = [v for _, v, _ in VALUES if getattr(v, "tzinfo", None) not in LOST]
    values = [value for value in values if not isinstance(value, InfiniteDay)]
    if name in ("timestamp", "timestamptz"):
        values += [FIRST, LAST]  # infinite
    values += [datetime(2020, 7, 1, 5), datetime(2020, 11, 1, 1, 30, fold=1)]
    values += [datetime(2020, 7, 1, 5, tzinfo=INDIA), datetime(2020, 7, 1, tzinfo=Floating())]
    values += [time(5, tzinfo=INDIA), time(5, tzinfo=Summer()), LongTime(5)]
    values += ["2020-01-01", "x", b"x", 5, 1.5, (), object()]
    if name == "timestamptz":
        values = [v for v in values if type(v) is not date]
        values = [v for v in values if v != LAST - MICROSECOND]
    for value, theirs in zip(values, asyncpg_peer.echoes(dsn, name, values), strict=True):
        try:
            data = codec.dumps(value)
        except Unencodable:
            assert isinstance(theirs, asyncpg.DataError), value
        else:
            assert alike(codec.loads(data), theirs), value
