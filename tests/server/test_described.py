"""A result with its columns, as adapters ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from live import Connect, Monitor

import pgallop
from pgallop.connection import inside
from pgallop.described import Column, Described, fetch_described
from pgallop.many import run_many


@pytest.fixture
def mood(monitor: Monitor) -> Iterator[int]:
    """The OID of an enum that no connection has seen."""
    monitor.ask("CREATE TYPE described_mood AS ENUM ('sad')")
    yield monitor.ask("SELECT 'described_mood'::regtype::oid")[0][0]
    monitor.ask("DROP TYPE described_mood")


async def of(conn: pgallop.Connection, query: str, *args: object) -> Described:
    return await fetch_described(inside(conn).dispatch, query, args)


async def test_rows_columns_and_tag(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(2):  # the first time, and when it is known
            rows, columns, command = await of(conn, "SELECT $1::int4 AS n, 'x' AS n", 7)
            assert (rows, command) == ([(7, "x")], b"SELECT 1")
            assert columns == (Column("n", 23), Column("n", 25))
            assert type(rows[0]) is tuple


async def test_without_rows(connect: Connect) -> None:
    async with connect() as conn:
        assert await of(conn, "SELECT 1 AS n WHERE false") == ([], (Column("n", 23),), b"SELECT 0")
        assert await of(conn, "SELECT WHERE true") == ([()], (), b"SELECT 1")
        assert await of(conn, "SET LOCAL work_mem = '1MB'") == ([], None, b"SET")
        assert await of(conn, "") == ([], None, b"")


@pytest.mark.parametrize("rows", [1, 3, 2500])
async def test_values_whose_types_were_not_known(connect: Connect, mood: int, rows: int) -> None:
    """They come as bytes, and are read when the catalogue was asked."""
    values = "'sad'::described_mood AS m, 'pg_class'::regclass AS c, n"
    query = f"SELECT {values} FROM generate_series(1, {rows}) n"
    async with connect() as conn:
        for _ in range(2):
            found = await of(conn, query)
            assert found.columns == (Column("m", mood), Column("c", 2205), Column("n", 23))
            assert found.rows == [("sad", "pg_class", n) for n in range(1, rows + 1)]


async def test_columns_that_vary(connect: Connect) -> None:
    async with connect() as conn, conn.transaction():
        for name in ("one", "two"):
            await conn.execute(f"DECLARE c CURSOR FOR SELECT 1 AS {name}")
            assert (await of(conn, "FETCH c")).columns == (Column(name, 23),)
            await conn.execute("CLOSE c")


async def test_by_the_simple_protocol(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn:
        assert await of(conn, "SELECT 1 AS n") == ([(1,)], (Column("n", 23),), b"SELECT 1")
        assert await of(conn, "SET work_mem = '1MB'") == ([], None, b"SET")


async def test_what_goes_wrong(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DivisionByZeroError):
            await of(conn, "SELECT 1/0")
        with pytest.raises(pgallop.DataError, match=r"\$1"):
            await of(conn, "SELECT $1::int4", "x")
        with pytest.raises(TimeoutError):
            await fetch_described(inside(conn).dispatch, "SELECT pg_sleep(9)", (), 0.05)
        task = asyncio.create_task(of(conn, "SELECT pg_sleep(9)"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await of(conn, "SELECT 1")).rows == [(1,)]


async def test_a_table_that_changes(connect: Connect) -> None:
    async with connect() as conn, connect() as other:
        await other.execute("CREATE TABLE described_table AS SELECT 1 AS a")
        try:
            assert (await of(conn, "SELECT * FROM described_table")).columns == (Column("a", 23),)
            await other.execute("ALTER TABLE described_table ADD b text DEFAULT 'x'")
            rows, columns, _ = await of(conn, "SELECT * FROM described_table")
            assert (rows, columns) == ([(1, "x")], (Column("a", 23), Column("b", 25)))
        finally:
            await other.execute("DROP TABLE described_table")


async def test_how_many_rows_many_executions_were_about(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMPORARY TABLE t AS SELECT generate_series(1, 9) AS n")
        dispatch = inside(conn).dispatch
        change = "UPDATE t SET n = n WHERE n <= $1"
        counted = await run_many(dispatch, change, [(3,), (0,), (9,)], None, keeps=False)
        assert counted == ([], 12)
        assert await run_many(dispatch, change, [], None, keeps=False) == ([], 0)
        rows = ((0,) for _ in range(20_000))
        insert = "INSERT INTO t VALUES ($1)"
        assert await run_many(dispatch, insert, rows, None, keeps=False) == ([], 20_000)
