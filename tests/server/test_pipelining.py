"""Any number of statements at once on one connection: each gets its own answer."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from live import Connect
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

DELAY = 0.05  # each way


async def statement(conn: pgallop.Connection, nonce: int) -> None:
    """One of several kinds of statement, checked against what was asked."""
    kind = nonce % 8
    if kind == 0:
        assert await conn.fetchval("SELECT $1::int", nonce) == nonce
    elif kind == 1:
        rows = await conn.fetch("SELECT $1::int + i FROM generate_series(0, 2) AS i", nonce)
        assert rows == [(nonce,), (nonce + 1,), (nonce + 2,)]
    elif kind == 2:
        assert await conn.fetchrow(f"SELECT {nonce} AS a, $1::text AS b", "b") == (nonce, "b")
    elif kind == 3:
        count = nonce % 50
        query = "SELECT generate_series(1, $1::int)"
        assert await conn.execute(query, count) == f"SELECT {count}"
    elif kind == 4:
        count = nonce % 50
        assert await conn.execute(f"SELECT 1; SELECT {nonce} LIMIT {count % 2}") in (
            "SELECT 0",
            "SELECT 1",
        )
    elif kind == 5:
        with pytest.raises(pgallop.UndefinedTableError, match=f"nothing_{nonce}"):
            await conn.fetch(f"SELECT * FROM nothing_{nonce}")
    elif kind == 6:
        with pytest.raises(pgallop.InvalidTextRepresentationError, match=f"number {nonce}"):
            await conn.fetch("SELECT $1::text::int", f"number {nonce}")
    else:
        with pytest.raises(pgallop.DataError, match=r"\$1"):
            await conn.fetch("SELECT $1::int", f"number {nonce}")


async def test_a_thousand_mixed_statements(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(2):
            await asyncio.gather(*[statement(conn, nonce) for nonce in range(1000)])


async def test_many_tasks_with_a_life_of_their_own(connect: Connect) -> None:
    async def live(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            await statement(conn, chance.randrange(10_000))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)

    async with connect(statement_cache_size=20) as conn:
        await asyncio.gather(*[live(seed) for seed in range(50)])


async def test_order(connect: Connect) -> None:
    """Statements run in the order of their calls, and are answered in it."""
    answered: list[int] = []

    async def insert(i: int) -> None:
        await conn.execute("INSERT INTO t (n) VALUES ($1)", i)
        answered.append(i)

    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (id serial, n int)")
        await conn.execute("INSERT INTO t (n) VALUES ($1)", -1)
        await asyncio.gather(*[insert(i) for i in range(500)])
        assert answered == list(range(500))
        rows = await conn.fetch("SELECT n FROM t ORDER BY id")
        assert [n for (n,) in rows] == list(range(-1, 500))


async def test_one_failure_among_neighbours(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int PRIMARY KEY)")
        insert = "INSERT INTO t VALUES ($1)"
        await conn.execute(insert, 0)
        numbers = [*range(1, 100), 50, *range(100, 200)]
        results = await asyncio.gather(
            *[conn.execute(insert, i) for i in numbers], return_exceptions=True
        )
        failed = [result for result in results if isinstance(result, BaseException)]
        assert len(failed) == 1
        assert isinstance(failed[0], pgallop.UniqueViolationError)
        assert "(50)" in (failed[0].detail or "")
        assert await conn.fetchval("SELECT count(*) FROM t") == 200


async def test_the_same_new_statement_many_times(connect: Connect) -> None:
    async with connect() as conn:
        results = await asyncio.gather(*[conn.fetchval("SELECT $1::int", i) for i in range(100)])
        assert results == list(range(100))
        count = await conn.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int'"
        )
        assert count == 1


async def test_the_same_failing_statement_many_times(connect: Connect) -> None:
    async with connect() as conn:
        calls = [conn.fetch("SELECT * FROM nothing WHERE i = $1", i) for i in range(20)]
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, pgallop.UndefinedTableError)
        assert await conn.fetchval("SELECT 1") == 1


async def test_errors_are_not_shared(connect: Connect) -> None:
    """Each caller gets an exception of its own: tracebacks and notes are added to it."""
    async with connect() as conn:
        calls = [conn.fetch("SELECT * FROM nothing") for _ in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert len({id(error) for error in errors}) == 10


async def test_large_statements_both_ways(connect: Connect) -> None:
    """A driver that sends without reading meanwhile stops here for ever: both buffers are full."""
    size = 1_000_000

    async def echo(i: int) -> None:
        data = i.to_bytes(2, "big") * (size // 2)
        assert await conn.fetchval("SELECT $1::bytea", data) == data

    async with connect() as conn, asyncio.timeout(50):
        await asyncio.gather(*[echo(i) for i in range(100)])


async def test_large_statements_both_ways_through_a_unix_socket(unix_dsn: str) -> None:
    data = bytes(1_000_000)
    async with pgallop.connect(unix_dsn) as conn, asyncio.timeout(50):
        answers = await asyncio.gather(
            *[conn.fetchval("SELECT $1::bytea", data) for _ in range(20)]
        )
        assert all(answer == data for answer in answers)


# Round trips


def through(proxy: DelayProxy, **options: Any) -> Any:
    return pgallop.connect(
        host=proxy.host,
        port=proxy.port,
        user="postgres",
        database="postgres",
        ssl="disable",
        **options,
    )


async def test_two_queries_take_the_time_of_one(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port, delay=DELAY) as proxy, through(proxy) as conn:
        await conn.fetchval("SELECT $1::int", 0)
        await conn.fetchval("SELECT $1::text", "")
        start = time.perf_counter()
        answers = await asyncio.gather(
            conn.fetchval("SELECT $1::int", 7), conn.fetchval("SELECT $1::text", "seven")
        )
        elapsed = time.perf_counter() - start
        assert list(answers) == [7, "seven"]
        assert 2 * DELAY <= elapsed < 3.8 * DELAY
