"""Transactions that several tasks share, as in asyncpg, and what stays apart all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pgallop.asyncpg
from pgallop.asyncpg import Connection

COUNT = "SELECT count(*)::int FROM t"


@asynccontextmanager
async def with_table(dsn: str) -> AsyncIterator[Connection]:
    async with pgallop.asyncpg.connect(dsn) as conn:
        assert isinstance(conn, Connection)
        await conn.execute("CREATE TEMP TABLE t (a int)")
        yield conn


async def test_another_tasks_statement_is_undone_with_the_transaction(dsn: str) -> None:
    async with with_table(dsn) as conn:
        begun, asked = asyncio.Event(), asyncio.Event()

        async def other() -> None:
            await begun.wait()
            await conn.execute("INSERT INTO t VALUES (2)")
            asked.set()

        task = asyncio.create_task(other())
        transaction = conn.transaction()
        await transaction.start()
        begun.set()
        await asked.wait()
        assert await conn.fetchval(COUNT) == 1
        await transaction.rollback()
        await task
        assert await conn.fetchval(COUNT) == 0


async def test_another_tasks_transaction_is_a_savepoint(dsn: str) -> None:
    async with with_table(dsn) as conn:
        begun, done = asyncio.Event(), asyncio.Event()

        async def other() -> None:
            await begun.wait()
            inner = conn.transaction()
            await inner.start()
            await conn.execute("INSERT INTO t VALUES (2)")
            await inner.rollback()
            done.set()

        task = asyncio.create_task(other())
        async with conn.transaction():
            await conn.execute("INSERT INTO t VALUES (1)")
            begun.set()
            await done.wait()
        await task
        assert await conn.fetch("SELECT a FROM t") == [(1,)]


async def test_tasks_of_a_transaction_take_turns_with_theirs(dsn: str) -> None:
    """asyncpg raises "another operation is in progress" here."""
    async with with_table(dsn) as conn:

        async def insert(a: int) -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES ($1)", a)
                await asyncio.sleep(0)
                await conn.execute("INSERT INTO t VALUES ($1)", a)

        async with conn.transaction():
            await asyncio.gather(*[insert(a) for a in range(5)])
        assert await conn.fetchval(COUNT) == 10


async def test_another_task_waits_for_the_end_of_a_stream(dsn: str) -> None:
    """It has a transaction that nobody sees, and that nobody means to take part in."""
    async with with_table(dsn) as conn:
        opened = asyncio.Event()

        async def other() -> None:
            await opened.wait()
            await conn.execute("INSERT INTO t VALUES (1)")

        task = asyncio.create_task(other())
        async with conn.stream("SELECT generate_series(1, 5)", prefetch=2) as rows:
            async for row in rows:
                assert row[0] >= 1
                opened.set()
                await asyncio.sleep(0)
                if row[0] == 3:
                    assert not task.done()
                    break
        await task
        assert await conn.fetchval(COUNT) == 1
