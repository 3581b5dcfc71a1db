"""What Python has no value for: raised, clamped or given as text, in binary and in text form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from struct import pack
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from temporal_values import VALUES

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.choices import LIMITED, CodecChoices
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.textual import textual

CLAMP = builtin_registry(CodecChoices(tuple((name, "clamp") for name in LIMITED)))
TEXT = builtin_registry(CodecChoices(tuple((name, "text") for name in LIMITED)))

DAY = 86_400_000_000
FIRST_DAY, LAST_DAY = -2_451_545, 2_145_031_948
LAST_MOMENT = 9_223_371_331_199_999_999

# The text, what it is clamped to.
BEYOND: list[tuple[str, str, Any]] = [
    ("date", "10000-01-01", date.max),
    ("date", "5874897-12-31", date.max),
    ("date", "0001-12-31 BC", date.min),
    ("date", "4714-11-24 BC", date.min),
    ("time", "24:00:00", time.max),
    ("timetz", "24:00:00+00", time.max.replace(tzinfo=UTC)),
    ("timetz", "24:00:00-15:59:59", time.max.replace(tzinfo=timezone(-timedelta(0, 57599)))),
    ("timetz", "24:00:00+05:30", time.max.replace(tzinfo=timezone(timedelta(0, 19800)))),
    ("timestamp", "294276-12-31 23:59:59.999999", datetime.max),
    ("timestamp", "0001-12-31 23:59:59.99 BC", datetime.min),
    ("timestamp", "4714-11-24 00:00:00 BC", datetime.min),
    ("timestamptz", "10000-01-01 00:00:00+00", datetime.max.replace(tzinfo=UTC)),
    ("timestamptz", "0044-03-15 12:00:00+00 BC", datetime.min.replace(tzinfo=UTC)),
    ("interval", "1000000000 days", timedelta.max),
    ("interval", "-178956970 years -8 mons +2147483647 days -00:00:01", timedelta.min),
    ("interval", "178956970 years 7 mons -5 days", timedelta.max),
]


@pytest.fixture(scope="module")
def utc(dsn: str) -> Iterator[Oracle]:
    """A server whose text has no other time zone than ours."""
    with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield Oracle(connection)


def bytes_of(oracle: Oracle, name: str, text: str) -> bytes:
    (data,) = oracle.binary(OIDS[name], [text])
    assert data is not None
    return data


@pytest.mark.parametrize(("name", "text", "nearest"), BEYOND)
def test_clamped(utc: Oracle, name: str, text: str, nearest: Any) -> None:
    codec = CLAMP.get(OIDS[name])
    data = bytes_of(utc, name, text)
    for value in (codec.loads(data), textual(codec).loads(text.encode())):
        assert (type(value), repr(value)) == (type(nearest), repr(nearest))
    codec.dumps(nearest)
    with pytest.raises(Unencodable, match="expected datetime"):
        codec.dumps(text)


@pytest.mark.parametrize(("name", "text", "nearest"), BEYOND)
def test_as_text(utc: Oracle, name: str, text: str, nearest: Any) -> None:
    codec = TEXT.get(OIDS[name])
    data = bytes_of(utc, name, text)
    assert codec.loads(data) == text == textual(codec).loads(text.encode())
    assert codec.dumps(text) == data


@pytest.mark.parametrize(("name", "text", "nearest"), BEYOND)
def test_one_type_is_not_another(utc: Oracle, name: str, text: str, nearest: Any) -> None:
    others = builtin_registry(CodecChoices(tuple((n, "text") for n in LIMITED if n != name)))
    with pytest.raises(ValueError, match=f"the {name} .* is beyond Python's"):
        others.get(OIDS[name]).loads(bytes_of(utc, name, text))
    only = builtin_registry(CodecChoices(((name, "clamp"),)))
    assert only.get(OIDS[name]).loads(bytes_of(utc, name, text)) == nearest


@pytest.mark.parametrize("registry", [CLAMP, TEXT])
@pytest.mark.parametrize(("name", "value", "text"), VALUES)
def test_what_python_has_stays_as_it_is(registry: Any, name: str, value: Any, text: str) -> None:
    plain, chosen = builtin_registry().get(OIDS[name]), registry.get(OIDS[name])
    data = plain.dumps(value)
    assert chosen.dumps(value) == data
    assert repr(chosen.loads(data)) == repr(plain.loads(data))


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", LIMITED)
def test_anything_is_written_as_it_was_read(utc: Oracle, name: str, data: st.DataObject) -> None:
    """And what is text is the server's."""
    int32, int64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
    # Before PostgreSQL 15 an interval of more hours has no text form.
    clocks = st.integers(-(2**31) * 3_600_000_000 + 1, 2**31 * 3_600_000_000 - 1)
    moments = st.integers(FIRST_DAY * DAY, LAST_MOMENT)
    midnight = st.just(DAY) | st.integers(0, DAY)
    kinds: dict[str, st.SearchStrategy[bytes]] = {
        "date": st.builds(pack, st.just("!i"), st.integers(FIRST_DAY, LAST_DAY)),
        "time": st.builds(pack, st.just("!q"), midnight),
        "timetz": st.builds(pack, st.just("!qi"), midnight, st.integers(-57599, 57599)),
        "timestamp": st.builds(pack, st.just("!q"), moments),
        "timestamptz": st.builds(pack, st.just("!q"), moments),
        "interval": st.builds(
            pack, st.just("!qii"), clocks if utc.version < 15 else int64, int32, int32
        ),
    }
    codec = TEXT.get(OIDS[name])
    items = data.draw(st.lists(kinds[name], max_size=100))
    for item, text in zip(items, utc.text(codec.oid, items), strict=True):
        value = codec.loads(item)
        assert codec.dumps(value) == item
        assert not isinstance(value, str) or value == text
        assert isinstance(text, str)
        assert codec.dumps(text) == item


@given(st.integers(FIRST_DAY, LAST_DAY))
@example(FIRST_DAY)
@example(LAST_DAY)
@example(date.min.toordinal() - date(2000, 1, 1).toordinal() - 1)
@example(date.max.toordinal() - date(2000, 1, 1).toordinal() + 1)
def test_clamping_keeps_the_order(day: int) -> None:
    codec = CLAMP.get(OIDS["date"])
    near = [codec.loads(pack("!i", max(FIRST_DAY, min(LAST_DAY, day + i)))) for i in (-1, 0, 1)]
    assert near == sorted(near)
    assert all(type(value) is date for value in near)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("date", "2024-02-30", "is not a day of the calendar"),
        ("date", "5874898-01-01", "is not in the range of date"),
        ("date", "15.3.2024", "is not a date in ISO style"),
        ("date", "now", "is not a date in ISO style"),
        ("date", "\ud800", "surrogates not allowed"),
        ("date", "", "is not a date in ISO style"),
        ("time", "24:00:01", "is not a time of the day"),
        ("timetz", "24:00:00", "is not the text of a timetz"),
        ("timestamp", "2024-01-01 00:00:00+00", "is not a timestamp in ISO style"),
        ("timestamptz", "12024-01-01 00:00:00", "is not a timestamptz in ISO style"),
        ("interval", "P1D", "is not an interval in the style"),
        ("interval", "178956971 years", "is not in the range of interval"),
    ],
)
def test_other_texts_are_refused(name: str, text: str, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        TEXT.get(OIDS[name]).dumps(text)
    assert reason in caught.value.reason
    with pytest.raises(Unencodable, match=r"expected datetime.*, or str \(the text form\)"):
        TEXT.get(OIDS[name]).dumps(5)


@pytest.mark.parametrize(("name", "text", "nearest"), BEYOND)
def test_in_arrays(utc: Oracle, name: str, text: str, nearest: Any) -> None:
    array = f'{{"{text}",NULL}}'
    (data,) = utc.binary(ARRAYS[name], [array])
    assert data is not None
    codec: Codec = TEXT.get(ARRAYS[name])
    assert codec.loads(data) == [text, None] == textual(codec).loads(array.encode())
    assert codec.dumps([text, None]) == data
    assert CLAMP.get(ARRAYS[name]).loads(data) == [nearest, None]


def test_in_ranges(utc: Oracle) -> None:
    ranges = {"daterange": "[0044-03-15 BC,10000-01-01)", "tsrange": '["10000-01-01 00:00:00",)'}
    for name, text in ranges.items():
        codec = TEXT.get(OIDS[name])
        (data,) = utc.binary(codec.oid, [text])
        assert data is not None
        value = codec.loads(data)
        assert value.lower == text.split(",")[0].strip('["')
        assert codec.dumps(value) == data


def test_in_records(utc: Oracle) -> None:
    oid, data = utc.select("ROW('0044-03-15 BC'::date, '24:00'::time)")
    assert TEXT.get(oid).loads(data) == ("0044-03-15 BC", "24:00:00")
    assert CLAMP.get(oid).loads(data) == (date.min, time.max)
    with pytest.raises(ValueError, match="field 1: the date 0044-03-15 BC is beyond"):
        builtin_registry().get(oid).loads(data)
