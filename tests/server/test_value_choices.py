"""connect(out_of_range=..., json=...), dates that are infinite, intervals that are exact."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from live import Connect

import pgallop
from pgallop import DATE_INFINITY, TIMESTAMP_INFINITY, TIMESTAMPTZ_INFINITY, Interval, Range

# Everywhere a value can stand: alone, in an array, a range, a record.
BEYOND = """
    SELECT date '0044-03-15 BC' AS ides, ARRAY[date '10000-01-01', NULL] AS days,
        daterange('0044-03-15 BC', NULL) AS since, ROW(date '0044-03-15 BC') AS record,
        time '24:00' AS midnight, timestamptz '12000-01-01 00:00+00' AS far,
        interval '1000000000 days' AS long
"""


def shown(row: pgallop.Record | None) -> list[str]:
    assert row is not None
    return [repr(value) for value in row.values()]


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_text(connect: Connect, mode: Any) -> None:
    async with connect(out_of_range="text", statement_mode=mode) as conn:
        row = await conn.fetchrow(BEYOND)
        assert row is not None
        record = ("0044-03-15 BC",)
        assert list(row.values()) == [
            *("0044-03-15 BC", ["10000-01-01", None], Range("0044-03-15 BC", None), record),
            *("24:00:00", "12000-01-01 00:00:00+00", "1000000000 days"),
        ]


async def test_text_is_sent_back(connect: Connect) -> None:
    async with connect(out_of_range={"date": "text", "timetz": "text"}) as conn:
        query = "SELECT $1::date = date '0044-03-15 BC', $2::date[], $3::daterange"
        span = Range("0044-03-15 BC", date(2024, 1, 1))
        row = await conn.fetchrow(query, "0044-03-15 BC", ["10000-01-01", date(1, 1, 1)], span)
        assert row is not None
        assert list(row.values()) == [True, ["10000-01-01", date(1, 1, 1)], span]
        assert await conn.fetchval("SELECT $1::timetz::text", "24:00:00-03:30") == "24:00:00-03:30"
        with pytest.raises(pgallop.DataError, match=r"\$1\[1\] \(date\): '1.1.1': as a text form"):
            await conn.fetchval("SELECT $1::date[]", ["2024-01-01", "1.1.1"])
        with pytest.raises(pgallop.DataError, match=r"\$1 \(time\): '24:00:00': expected datetime"):
            await conn.fetchval("SELECT $1::time", "24:00:00")


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_clamp(connect: Connect, mode: Any) -> None:
    async with connect(out_of_range="clamp", statement_mode=mode) as conn:
        row = await conn.fetchrow(BEYOND)
        assert row is not None
        record = (date.min,) if mode == "named" else ("0044-03-15 BC",)
        assert list(row.values()) == [
            *(date.min, [date.max, None], Range(date.min, None), record),
            *(time.max, datetime.max.replace(tzinfo=UTC), timedelta.max),
        ]
        assert type(row["ides"]) is date
        # Infinity is in range.
        assert repr(await conn.fetchval("SELECT date 'infinity'")) == repr(DATE_INFINITY)


@pytest.mark.parametrize("mode", ["named", "simple"])
@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("date '0044-03-15 BC'", ""),
        ("ARRAY[date '0044-03-15 BC']", ""),
        ("daterange('0044-03-15 BC', NULL)", "lower bound: "),
        ("time '24:00'", ""),
        ("interval '-1000000000 days'", ""),
    ],
)
async def test_raise_is_the_default_and_says_what_to_do(
    connect: Connect, mode: Any, column: str, place: str
) -> None:
    async with connect(statement_mode=mode) as conn:
        with pytest.raises(pgallop.DataError) as caught:
            await conn.fetch(f"SELECT 1, {column} AS due")
        words = str(caught.value)
        assert "column 'due'" in words
        assert place in words
        assert "is beyond Python's" in words
        assert 'connect with out_of_range={"' in words
        assert await conn.fetchval("SELECT 1") == 1


async def test_other_types_keep_the_default(connect: Connect) -> None:
    async with connect(out_of_range={"time": "clamp"}) as conn:
        assert await conn.fetchval("SELECT time '24:00'") == time.max
        with pytest.raises(pgallop.DataError, match="beyond Python's years"):
            await conn.fetchval("SELECT date '0044-03-15 BC'")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"out_of_range": "ignore"}, "out_of_range: expected"),
        ({"out_of_range": {"datum": "text"}}, "out_of_range: expected the names of types"),
        ({"json": "ujson"}, "json: expected"),
    ],
)
async def test_bad_choices(connect: Connect, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(pgallop.errors.ClientConfigurationError, match=words):
        await connect(**arguments)


async def test_connections_do_not_share_choices(connect: Connect) -> None:
    knowledge = pgallop.Knowledge()
    query = "SELECT time '24:00', '{\"a\": 0.1}'::jsonb"
    exact = (json.dumps, partial(json.loads, parse_float=Decimal))
    async with (
        connect(knowledge=knowledge, out_of_range="clamp", json=exact) as one,
        connect(knowledge=knowledge, out_of_range="text") as other,
    ):
        for _ in range(2):
            assert list(await one.fetchrow(query) or ()) == [time.max, {"a": Decimal("0.1")}]
            assert list(await other.fetchrow(query) or ()) == ["24:00:00", {"a": 0.1}]


# --- infinity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_infinity_is_read(connect: Connect, mode: Any) -> None:
    async with connect(statement_mode=mode) as conn:
        row = await conn.fetchrow(
            "SELECT 'infinity'::date, '-infinity'::timestamp, 'infinity'::timestamptz,"
            " ARRAY['-infinity'::date], tstzrange('-infinity', 'infinity')"
        )
        assert shown(row) == [
            *(repr(DATE_INFINITY), repr(-TIMESTAMP_INFINITY), repr(TIMESTAMPTZ_INFINITY)),
            *(repr([-DATE_INFINITY]), repr(Range(-TIMESTAMPTZ_INFINITY, TIMESTAMPTZ_INFINITY))),
        ]
        assert row is not None
        assert row[0] is DATE_INFINITY
        assert datetime.now(UTC) < row[2]
        assert datetime.now(UTC) in row[4]


async def test_infinity_is_written_and_the_last_day_is_a_day(connect: Connect) -> None:
    async with connect() as conn:
        for value, text in (
            (DATE_INFINITY, "infinity"),
            (-DATE_INFINITY, "-infinity"),
            (date.max, "9999-12-31"),
            (date.min, "0001-01-01"),
        ):
            assert await conn.fetchval("SELECT $1::date::text", value) == text
        assert await conn.fetchval("SELECT $1::date[]::text", [DATE_INFINITY]) == "{infinity}"
        last = datetime.max.replace(tzinfo=UTC)
        assert await conn.fetchval("SELECT $1::timestamptz < 'infinity'", last)
        assert await conn.fetchval("SELECT $1::timestamptz = 'infinity'", TIMESTAMPTZ_INFINITY)


# --- intervals ------------------------------------------------------------------------------------


async def test_intervals_are_what_they_were(connect: Connect) -> None:
    async with connect() as conn:
        for text in ("1 mon", "1 day -01:00:00", "-1 years -2 mons +3 days 04:05:06.000007"):
            value = await conn.fetchval(f"SELECT interval '{text}'")
            assert type(value) is Interval
            assert await conn.fetchval("SELECT $1::interval::text", value) == text == str(value)
        month = Interval(months=1)
        assert await conn.fetchval("SELECT date '2024-01-31' + $1::interval", month) == datetime(
            2024, 2, 29
        )
        assert await conn.fetchval("SELECT ARRAY[$1::interval, '1 day']", month) == [
            month,
            timedelta(1),
        ]


async def test_an_hour_is_an_hour_where_clocks_are_changed(connect: Connect) -> None:
    """asyncpg sends minus an hour as minus a day and 23 hours: noon minus that is noon there."""
    async with connect(server_settings={"TimeZone": "Europe/Berlin"}) as conn:
        noon = datetime(2024, 3, 31, 10, tzinfo=UTC)
        hour = timedelta(hours=1)
        for span in (hour, -hour):
            moved = await conn.fetchrow(
                "SELECT $1::timestamptz + $2::interval, $1 - $2::interval", noon, span
            )
            assert moved is not None
            assert list(moved.values()) == [noon + span, noon - span]


# --- JSON -----------------------------------------------------------------------------------------

LIBRARIES: list[Any] = ["stdlib", "orjson", "msgspec", (json.dumps, json.loads)]
DOCUMENT = {"name": "Grüße", "list": [1, 2.5, None, True], "nested": {"": {}}}


@pytest.mark.parametrize("functions", LIBRARIES, ids=["stdlib", "orjson", "msgspec", "pair"])
async def test_json(connect: Connect, functions: Any) -> None:
    async with connect(json=functions) as conn:
        query = "SELECT $1::json, $2::jsonb, $3::jsonb[], ROW($2::jsonb)"
        row = await conn.fetchrow(query, DOCUMENT, DOCUMENT, [DOCUMENT, None, []])
        assert row is not None
        assert list(row.values()) == [DOCUMENT, DOCUMENT, [DOCUMENT, None, []], (DOCUMENT,)]
    async with connect(json=functions, statement_mode="simple") as conn:
        row = await conn.fetchrow("SELECT '[1, \"ü\"]'::json, ARRAY['{\"a\": 1}'::jsonb, NULL]")
        assert row is not None
        assert list(row.values()) == [[1, "ü"], [{"a": 1}, None]]


class Failure(Exception):
    pass


def fail(value: object) -> Any:
    raise Failure("no such luck")


def chain(error: BaseException) -> list[type[BaseException]]:
    kinds = []
    cause: BaseException | None = error
    while cause is not None:
        kinds.append(type(cause))
        cause = cause.__cause__
    return kinds


async def test_errors_of_the_functions_name_the_place(connect: Connect) -> None:
    async with connect(json=(fail, fail)) as conn:
        with pytest.raises(pgallop.DataError, match=r"\$2 \(jsonb\): .* no such luck") as caught:
            await conn.fetchval("SELECT $1::int4, $2::jsonb", 1, {"a": 1})
        assert chain(caught.value)[-1] is Failure
        with pytest.raises(pgallop.DataError, match=r"\$1\[1\] \(json\): .* no such luck"):
            await conn.fetchval("SELECT $1::json[]", [None, 5])
        with pytest.raises(pgallop.DataError, match=r"column 'doc' \(json\).*no such luck") as got:
            await conn.fetchval("SELECT 1, '[1]'::json AS doc")
        assert chain(got.value)[-1] is Failure
        assert await conn.fetchval("SELECT 1") == 1
