"""Columns of the types record and record[] on a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from live import Connect

import pgallop
from pgallop.limits import MAX_NESTING

# A record in a record in a record ..., so many in all.
TOWER = """
    CREATE FUNCTION pg_temp.tower(levels int) RETURNS record LANGUAGE plpgsql AS $$
    DECLARE
        r record := ROW(NULL::int);
    BEGIN
        FOR i IN 2..levels LOOP r := ROW(r); END LOOP;
        RETURN r;
    END $$
"""


async def test_values(connect: Connect) -> None:
    async with connect() as conn:
        row = await conn.fetchrow("SELECT ROW(1, 'a', NULL) AS one, ARRAY[ROW(2), ROW('b')] AS two")
        assert row is not None
        assert row["one"] == (1, "a", None)
        assert row["two"] == [(2,), ("b",)]
        query = "SELECT x FROM (SELECT i, ARRAY[i, i * i] FROM generate_series(1, $1) AS i) AS x"
        assert await conn.fetchval(query, 3) == (1, [1, 1])
        assert [row[0] for row in await conn.fetch(query, 3)] == [
            (1, [1, 1]),
            (2, [2, 4]),
            (3, [3, 9]),
        ]


async def test_what_a_function_returns(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute(
            "CREATE FUNCTION pg_temp.halves(n int, OUT half int, OUT word text) "
            "LANGUAGE sql AS $$ SELECT n / 2, 'half of ' || n $$"
        )
        assert await conn.fetchval("SELECT pg_temp.halves(8)") == (4, "half of 8")
        row = await conn.fetchrow("SELECT * FROM pg_temp.halves(8)")
        assert row is not None
        assert dict(row) == {"half": 4, "word": "half of 8"}


async def test_rows_of_a_table(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t AS SELECT 1 AS i, 'a' AS word")
        assert dict(await conn.fetchval("SELECT t FROM t")) == {"i": 1, "word": "a"}


OF_UNKNOWN_TYPES = [
    ("ROW(1, 'sad'::mood)", (1, "sad")),
    ("ROW(ROW(1, 2, '{sad}'::mood[]))", ((1, 2, ["sad"]),)),
    ("ARRAY[ROW(1), ROW('sad'::mood)]", [(1,), ("sad",)]),
]


@pytest.mark.parametrize(("query", "value"), OF_UNKNOWN_TYPES)
async def test_a_field_of_which_nothing_was_known(
    connect: Connect, query: str, value: object
) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'glad')")
        answers: Any = await asyncio.gather(
            conn.fetchval("SELECT ROW(1)"),
            conn.fetchval(f"SELECT {query} AS deep"),
            conn.fetchval("SELECT ROW(2)"),
        )
        assert answers == [(1,), value, (2,)]


OF_ANYARRAY = """
    SELECT ROW(1, most_common_vals) AS deep FROM pg_stats
    WHERE most_common_vals IS NOT NULL AND tablename = 'pg_type' LIMIT 1
"""


async def test_a_field_that_comes_as_text_only(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match="cast it there") as told:
            await conn.fetchval(OF_ANYARRAY)
        assert "field 2" in str(told.value)


@pytest.mark.parametrize("value", [(1, "a"), (), "(1,a)"])
async def test_an_argument_is_refused(connect: Connect, value: object) -> None:
    """asyncpg refuses it, too: UnsupportedClientFeatureError."""
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match=r"argument \$1 \(record\): .*does not take"):
            await conn.fetchval("SELECT row_to_json($1::record)", value)
        assert await conn.fetchval("SELECT row_to_json($1::record)", None) is None
        assert await conn.fetchval("SELECT ROW($1::int, $2::text)", 1, "a") == (1, "a")


async def test_depth(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute(TOWER)
        value: Any = await conn.fetchval("SELECT pg_temp.tower($1)", MAX_NESTING)
        for _ in range(MAX_NESTING - 1):
            (value,) = value
        assert value == (None,)
        with pytest.raises(pgallop.ProtocolError, match="nested deeper than 100 levels"):
            await conn.fetchval("SELECT pg_temp.tower($1)", MAX_NESTING + 1)
        assert conn.is_closed()


async def test_json_that_is_too_deep(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("SET max_stack_depth = '7MB'; SET client_min_messages = error")
        query = "SELECT (repeat('[', $1) || repeat(']', $1))::json AS deep"
        assert await conn.fetchval(query, 3) == [[[]]]
        with pytest.raises(pgallop.DataError, match=r"column 'deep' \(json\).*recursion"):
            await conn.fetchval(query, 20_000)
        assert await conn.fetchval(query, 2) == [[]]


def test_as_asyncpg(dsn: str, connect: Connect) -> None:
    queries = [
        "SELECT ROW()",
        "SELECT ROW(1, 'a', NULL, ROW(2.50, ROW(true)))",
        "SELECT ROW(ARRAY[1, NULL], ARRAY[ROW(1, 'x'), NULL])",
        "SELECT ARRAY[ROW(1), ROW('a', 2)], ARRAY(SELECT ROW(1) WHERE false)",
        "SELECT ROW(date '2024-02-29', timestamptz '2024-01-01 00:00+00', interval '1 day')",
        "SELECT ROW('\\x00ff'::bytea, uuid '00112233-4455-6677-8899-aabbccddeeff', 'n'::name)",
        "SELECT x FROM (VALUES (1, 'a'), (2, NULL)) AS x",
    ]

    async def ask() -> tuple[list[Any], list[Any]]:
        theirs = await asyncpg.connect(dsn)
        try:
            # It cannot read an array in a record unless it has met its type before.
            await theirs.fetch("SELECT ARRAY[1], ARRAY[ROW(1)]")
            expected = [list(map(tuple, await theirs.fetch(query))) for query in queries]
        finally:
            await theirs.close()
        async with connect() as conn:
            return expected, [list(map(tuple, await conn.fetch(query))) for query in queries]

    expected, ours = asyncio.run(ask())
    assert ours == expected
    assert repr(ours) == repr(expected)
