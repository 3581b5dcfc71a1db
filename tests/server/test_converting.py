"""Results of statements that were run before their types were known, all in binary."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop

SCHEMA = """
    DROP SCHEMA IF EXISTS converting CASCADE;
    CREATE SCHEMA converting;
    CREATE TYPE converting.mood AS ENUM ('sad', 'glad', 'a "b", c');
    CREATE TYPE converting.pair AS (a int, b text);
    CREATE TYPE converting.span AS RANGE (subtype = float8);
    CREATE TABLE converting.runs (n int);
    CREATE FUNCTION converting.note() RETURNS int LANGUAGE sql AS
        'INSERT INTO converting.runs VALUES (1) RETURNING n';
    CREATE FUNCTION converting.refused() RETURNS aclitem[] LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('converting.calls'); RETURN '{=r/postgres}'::aclitem[]; END $$;
    CREATE SEQUENCE converting.calls;
"""

# A value, and what it is: its text, where there is no codec of its own.
VALUES: dict[str, Any] = {
    "'pg_class'::regclass": "pg_class",
    "'int4'::regtype": "integer",
    "'glad'::converting.mood": "glad",
    "ARRAY['glad', 'a \"b\", c', NULL]::converting.mood[]": ["glad", 'a "b", c', None],
    "(1, 'x')::converting.pair": (1, "x"),
    "'[1,2)'::converting.span": pgallop.Range(1.0, 2.0),
    "'a & b'::tsquery": "'a' & 'b'",
    "''::tsvector": "",
    "NULL::regclass": None,
}


@pytest.fixture(autouse=True)
def schema(monitor: Monitor) -> None:
    monitor.ask(SCHEMA)


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_the_first_time_is_like_any_other(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for value, text in VALUES.items():
            query = f"SELECT 1 AS one, {value} AS two, 'three' AS three"
            for _ in range(3):
                row = await conn.fetchrow(query)
                assert row is not None
                assert dict(row) == {"one": 1, "two": text, "three": "three"}
        everything = f"SELECT {', '.join(VALUES)}"
        for _ in range(2):
            assert await conn.fetch(everything) == [tuple(VALUES.values())]


async def test_several_at_once(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT i::regtype FROM unnest(ARRAY[16, 23, 25, NULL]) AS i"
        expected = [("boolean",), ("integer",), ("text",), (None,)]
        assert await asyncio.gather(*[conn.fetch(query) for _ in range(10)]) == [expected] * 10
        assert await conn.fetch("SELECT 1::regtype WHERE false") == []
        assert (
            await conn.fetchval("SELECT i::regtype FROM generate_series(16, 17) AS i") == "boolean"
        )


async def test_it_runs_once(connect: Connect) -> None:
    """It has run when it turns out that its result cannot be read as it is."""
    async with connect() as conn:
        query = "SELECT converting.note(), 'glad'::converting.mood"
        assert await conn.fetchrow(query) == (1, "glad")
        inserted = await conn.fetch(
            "INSERT INTO converting.runs VALUES (2), (3) RETURNING n, n::regtype"
        )
        assert inserted == [(2, "2"), (3, "3")]
        assert await conn.fetchval("SELECT sum(n) FROM converting.runs") == 6


async def test_many_rows_do_not_hold_the_loop(connect: Connect) -> None:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    async with connect() as conn:
        watcher = asyncio.create_task(watch())
        rows = await conn.fetch(
            "SELECT i, i::regtype FROM generate_series(2000000000, 2000029999) AS i"
        )
        watcher.cancel()
        # There are no types of these OIDs.
        assert rows == [(i, str(i)) for i in range(2000000000, 2000030000)]
        assert longest < 0.5  # one after another they take seconds


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.01, 0.05])
async def test_cancelled_in_the_middle(connect: Connect, seconds: float) -> None:
    async with connect() as conn:
        call = conn.fetch("SELECT i::regtype FROM generate_series(2000000000, 2000040000) AS i")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, seconds)
        assert await conn.fetchval("SELECT 'glad'::converting.mood") == "glad"


async def test_without_a_binary_form(connect: Connect) -> None:
    """The server refuses in the middle; what is proven harmless runs again, asking for text."""
    async with connect() as conn:
        query = "SELECT relname, relacl FROM pg_class WHERE relname = 'pg_statistic'"
        (row,) = await conn.fetch(query)
        assert row["relacl"][0].startswith("postgres=arwd")
        assert await conn.fetchval("SELECT ARRAY['=r/postgres'::aclitem]") == ["=r/postgres"]
        # In a transaction nothing is tried.
        async with conn.transaction():
            assert await conn.fetchval("SELECT '=r/postgres'::aclitem") == "=r/postgres"


async def test_without_a_binary_form_and_not_harmless(connect: Connect) -> None:
    """It has had an effect that an error does not undo, so it is its caller's to run it again."""
    async with connect() as conn:
        with pytest.raises(pgallop.UndefinedFunctionError, match="no binary output function"):
            await conn.fetchval("SELECT converting.refused()")
        assert await conn.fetchval("SELECT last_value FROM converting.calls") == 1
        assert await conn.fetchval("SELECT converting.refused()") == ["=r/postgres"]
        assert await conn.fetchval("SELECT last_value FROM converting.calls") == 2


@pytest.fixture
async def test_described_first_it_needs_no_conversion(connect: Connect) -> None:
    async with connect(describe_first=True) as conn:
        assert await conn.fetchval("SELECT converting.refused()") == ["=r/postgres"]
        assert await conn.fetchval("SELECT last_value FROM converting.calls") == 1
