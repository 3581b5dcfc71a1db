"""The arguments of a query that is copied: what it finds in them is what a statement would find."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live import Connect, Monitor
from long_line import line_to

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.errors import (
    DataError,
    InterfaceError,
    NotNullViolationError,
    UndefinedParameterError,
    UndefinedTableError,
    UnsupportedClientFeatureError,
)

UTC = datetime.UTC

# A type, and values of it.
VALUES: list[tuple[str, list[Any]]] = [
    ("bool", [True, False]),
    ("int2", [-32768, 0, 32767]),
    ("int4", [-(2**31), 2**31 - 1]),
    ("int8", [-(2**63), 2**63 - 1]),
    ("oid", [0, 2**32 - 1]),
    ("float4", [0.1, -0.0, 1e-45, 3.4e38, math.inf, -math.inf]),
    ("float8", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, math.nan, math.inf]),
    ("numeric", [decimal.Decimal("1.50"), decimal.Decimal("-1e-30"), decimal.Decimal("NaN")]),
    ("text", ["", "it's", "\\", "a\\'b", "$1", "E'", "\n", "ä€😀", "--", "/*", "')", "$$"]),
    ("varchar", ["a\\b'c"]),
    ("bpchar", ["a  ", "  "]),
    ("name", ["a'b"]),
    ('"char"', ["a", "\\"]),
    ("bytea", [b"", bytes(range(256))]),
    ("uuid", [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
    ("date", [datetime.date(2024, 2, 3), datetime.date(1, 1, 1)]),
    ("time", [datetime.time(1, 2, 3, 4)]),
    ("timestamp", [datetime.datetime(2024, 2, 3, 4, 5, 6, 7)]),
    ("timestamptz", [datetime.datetime(2024, 2, 3, 4, 5, 6, 7, UTC)]),
    ("interval", [datetime.timedelta(days=-3, seconds=5, microseconds=-7)]),
    ("jsonb", [{"a": [1, "it's \\"]}]),
    ("bit", [pgallop.BitString("101")]),
    ("varbit", [pgallop.BitString("10")]),
    ("int4range", [pgallop.Range(1, 5), pgallop.Range(empty=True)]),
    ("point", [pgallop.Point(0.1, -0.0)]),
    ("regclass", ["pg_class"]),
    ("int4[]", [[], [1, None, 3], [[1, 2], [3, 4]]]),
    ("text[]", [["a'b", "\\", '"', "NULL", None, "{}"]]),
    ("float8[]", [[0.1, 1 / 3, math.inf]]),
    ("timestamptz[]", [[datetime.datetime(2024, 7, 3, tzinfo=UTC)]]),
    ("argument_mood", ["it's"]),
    ("argument_kind", [("it's", 1.5, datetime.date(2024, 2, 3)), (None, None, None)]),
    ("argument_kind[]", [[("a\\", 1 / 3, None)]]),
    ("argument_small", [7]),
    ('"argument Odd"."ty""pe"', ["x"]),
]

# What the texts of values depend on, and what strings do.
SETTINGS: list[dict[str, str]] = [
    {},
    {"DateStyle": "SQL, DMY", "TimeZone": "Asia/Kolkata", "extra_float_digits": "-15"},
    {"DateStyle": "German, DMY", "IntervalStyle": "sql_standard", "bytea_output": "escape"},
    {"DateStyle": "Postgres, MDY", "IntervalStyle": "iso_8601", "extra_float_digits": "0"},
    {"standard_conforming_strings": "off", "backslash_quote": "off"},
]


@pytest.fixture(scope="module", autouse=True)
def types(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TYPE argument_mood AS ENUM ('sad', 'it''s')")
    monitor.ask("CREATE TYPE argument_kind AS (a text, b float8, c date)")
    monitor.ask("CREATE DOMAIN argument_small AS int NOT NULL CHECK (VALUE < 10)")
    monitor.ask('CREATE SCHEMA "argument Odd"')
    monitor.ask("""CREATE TYPE "argument Odd"."ty""pe" AS ENUM ('x')""")
    yield
    monitor.ask('DROP SCHEMA "argument Odd" CASCADE')
    monitor.ask("DROP DOMAIN argument_small; DROP TYPE argument_kind; DROP TYPE argument_mood")


@pytest.mark.parametrize("chosen", SETTINGS, ids=lambda each: " ".join(each.values()))
async def test_values_of_every_kind(connect: Connect, chosen: dict[str, str]) -> None:
    """All of them in one query, compared with itself by the server, whatever is set."""
    casts = [(kind, value) for kind, values in VALUES for value in values]
    arguments = [value for _, value in casts]
    types = ", ".join([f"${i}::{kind}" for i, (kind, _) in enumerate(casts, 1)])
    async with connect(server_settings=chosen) as conn:
        query = f"SELECT {types}"
        sent = await conn.fetchrow(query, *arguments)
        async with conn.copy_rows_from_query(
            query.replace("::regclass", "::regclass::text AS regclass"), *arguments
        ) as rows:
            copied = [row async for row in rows]
        assert repr(copied) == repr([sent])
        async with conn.transaction():
            blocks: list[bytes] = []
            await conn.copy_from_query(query, *arguments, output=blocks.append)
            for name, value in chosen.items():  # nothing of how it was done is left
                assert await conn.fetchval("SELECT current_setting($1)", name) == value


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_null_and_how_often(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        blocks: list[bytes] = []
        for _ in range(3):
            query = "SELECT $2::text, $1::int + $1, $2 IS NULL, '$3' -- $4"
            await conn.copy_from_query(query, 5, None, output=blocks.append)
        assert blocks == [b"\\N\t10\tt\t$3\n"] * 3


async def test_parameters_where_they_may_stand(connect: Connect, monitor: Monitor) -> None:
    monitor.ask("CREATE TABLE arguments (a int NOT NULL, b text)")
    try:
        async with connect() as conn:
            blocks: list[bytes] = []
            for query, args, expected in [
                ("SELECT 1 LIMIT $1 OFFSET $2", (1, 0), b"1\n"),
                ("SELECT 1 ORDER BY $1::text", ("a",), b"1\n"),
                ("SELECT 1 FETCH FIRST $1 ROWS ONLY", (1,), b"1\n"),
                ("SELECT-$1::int", (5,), b"-5\n"),
                (
                    "SELECT ($1::int[])[2], ($2::int4range)*$2",
                    ([1, 2], pgallop.Range(1, 3)),
                    b"2\t[1,3)\n",
                ),
                ("SELECT a FROM unnest($1::int[]) AS a WHERE a=ANY($1)", ([7],), b"7\n"),
                ("SELECT $1 || $2", ("a", "b"), b"ab\n"),
                ("SELECT CASE WHEN $1 THEN $2 ELSE $3 END", (True, "x", "y"), b"x\n"),
                ("VALUES ($1::text),($2)", ("a", "b"), b"a\nb\n"),
                ("SELECT substring($1 FROM $2::int FOR $3::int)", ("abcd", 2, 2), b"bc\n"),
                ("INSERT INTO arguments VALUES ($1, $2) RETURNING b", (1, "it's"), b"it's\n"),
                ("WITH x AS (SELECT $1::int AS a) SELECT a/*$1*/FROM x", (1,), b"1\n"),
                ('SELECT $1::int AS "$1", $tag$ $1 $tag$', (1,), b"1\t $1 \n"),
                ("SELECT 'it''s $1', E'\\'$1', $1::int", (1,), b"it's $1\t'$1\t1\n"),
            ]:
                blocks.clear()
                await conn.copy_from_query(query, *args, output=blocks.append)
                assert b"".join(blocks) == expected, query
    finally:
        monitor.ask("DROP TABLE arguments")


async def test_what_does_not_fit(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        bad: list[tuple[str, tuple[Any, ...], Any, str]] = [
            ("SELECT $1::int", ("x",), DataError, r"invalid input for query argument \$1 \(int4\)"),
            ("SELECT $1::int", (2**40,), DataError, r"query argument \$1 \(int4\)"),
            (
                "SELECT $1::int",
                (),
                (InterfaceError, UndefinedParameterError),
                "argument, 0|no parameter",
            ),
            ("SELECT $1::int", (1, 2), InterfaceError, "expects 1 argument, 2 given"),
            ("SELECT 1", (1,), InterfaceError, "expects 0 arguments, 1 given"),
            ("SELECT $1::text", ("\0",), DataError, "has a NUL"),
            ("SELECT $1::text", ("\ud800",), DataError, "lone surrogate"),
            ("SELECT $1::argument_mood", ("mad",), DataError, "mad"),
            ("SELECT $1::argument_small", (10,), pgallop.CheckViolationError, "check"),
            ("SELECT $1::argument_small", (None,), NotNullViolationError, "null"),
            ("SELECT * FROM nothing WHERE a = $1", (1,), UndefinedTableError, "nothing"),
            ("SELECT $1", tuple(range(70_000)), InterfaceError, "70000 arguments"),
        ]
        for query, args, kind, words in bad:
            with pytest.raises(kind, match=words):
                await conn.copy_from_query(query, *args, output=print)
            with pytest.raises(kind, match=words):
                await anext(aiter(conn.copy_rows_from_query(query, *args)))
            assert await conn.fetchval("SELECT 42") == 42
    async with connect(statement_mode="simple") as conn:
        with pytest.raises(UnsupportedClientFeatureError, match="statement_mode='simple'"):
            await conn.copy_from_query("SELECT $1", 1, output=print)
        with pytest.raises(UnsupportedClientFeatureError, match="statement_mode='simple'"):
            await anext(aiter(conn.copy_rows_from_query("SELECT 1")))


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_a_table_that_has_changed(connect: Connect, monitor: Monitor, mode: str) -> None:
    """What was known of the query is out of date: nobody hears of it."""
    monitor.ask("CREATE TABLE changing (a int, b int)")
    query = "SELECT * FROM changing WHERE a = $1"
    try:
        async with connect(statement_mode=mode) as conn:
            monitor.ask("INSERT INTO changing VALUES (1, 2)")
            blocks: list[bytes] = []
            assert await conn.copy_from_query(query, 1, output=blocks.append) == "COPY 1"
            monitor.ask("ALTER TABLE changing ALTER a TYPE text, ALTER b TYPE text")
            assert await conn.copy_from_query(query, "1", output=blocks.append) == "COPY 1"
            monitor.ask("ALTER TABLE changing ALTER a TYPE uuid USING gen_random_uuid()")
            copied = conn.copy_rows_from_query(query, uuid.UUID(int=0))
            assert [row async for row in copied] == []
            monitor.ask(
                "ALTER TABLE changing ALTER a TYPE int USING 1, ALTER b TYPE float8 USING 2"
            )
            assert [tuple(row) async for row in conn.copy_rows_from_query(query, 1)] == [(1, 2.0)]
            monitor.ask("ALTER TABLE changing ALTER b TYPE int, ADD c text DEFAULT 'c'")
            assert [tuple(row) async for row in conn.copy_rows_from_query(query, 1)] == [
                (1, 2, "c")
            ]
    finally:
        monitor.ask("DROP TABLE changing")


async def test_round_trips(server: EmbeddedServer) -> None:
    """One when the query is known and its arguments are simple."""
    query, special = "SELECT $1::int, $2::text", "SELECT $1::numeric"
    async with line_to(server) as line, line.pgallop() as conn:

        async def copy(query: str, *args: Any) -> None:
            await conn.copy_from_query(query, *args, output=lambda data: None)

        async def rows(query: str, *args: Any) -> None:
            async for _ in conn.copy_rows_from_query(query, *args):
                pass

        assert await line.trips(copy("SELECT 1")) == 1
        assert await line.trips(copy(query, 1, "a")) == 2
        assert await line.trips(copy(query, 2, "b")) == 1
        assert await line.trips(copy(special, 1)) == 3
        assert await line.trips(copy(special, 2)) == 2
        assert await line.trips(rows("SELECT 2")) == 2
        assert await line.trips(rows("SELECT 2")) == 1
        assert await line.trips(rows(query, 1, "a")) == 1
        assert await line.trips(conn.copy_from_table("pg_type", output=lambda data: None)) == 1


PIECES = st.sampled_from(
    ["'", "\\", '"', "$1", "$", "E", "\n", "--", "/*", "*/", ")", ";", "ä", "a"]
)


def test_no_text_becomes_sql(server: EmbeddedServer) -> None:
    """Whatever is in the arguments, it comes back as it was."""
    import asyncio

    loop = asyncio.new_event_loop()
    conns = [loop.run_until_complete(_connected(server, strings)) for strings in ("on", "off")]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=5))
    def check(text: str, other: str) -> None:
        other = other.replace("\0", "").encode("utf-8", "ignore").decode()
        for conn in conns:
            copied = loop.run_until_complete(_copied(conn, text, other))
            assert copied == [(text, [text, other], (text, other))]

    try:
        check()
    finally:
        for conn in conns:
            loop.run_until_complete(conn.close())
        loop.close()


async def _connected(server: EmbeddedServer, strings: str) -> pgallop.Connection:
    chosen = {"standard_conforming_strings": strings}
    return await pgallop.connect(server.tcp_dsn, server_settings=chosen)


async def _copied(conn: pgallop.Connection, text: str, other: str) -> list[tuple[Any, ...]]:
    query = "SELECT $1::text, $2::text[], ROW($1::text, $3::text)"
    return [
        tuple(row) async for row in conn.copy_rows_from_query(query, text, [text, other], other)
    ]
