"""PgBouncer in transaction mode, with fewer sessions than clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from live import Monitor
from poolers.pgbouncer import PgBouncer
from poolers.sessions import SESSIONS, left_in_sessions

import pgallop

pytestmark = pytest.mark.pooler("transaction")


@asynccontextmanager
async def clients(pgbouncer: PgBouncer, count: int) -> AsyncIterator[list[pgallop.Connection]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                pgallop.connect(pgbouncer.dsn, statement_mode="unnamed")
            )
            for _ in range(count)
        ]


async def test_thousands_of_statements(small: PgBouncer) -> None:
    """12 connections, 60 tasks, few sessions: each gets its own answers, and nothing is left."""
    backends = set()

    async def work(conn: pgallop.Connection, number: int) -> None:
        for n in range(number, number + 50):
            text = f"SELECT pg_backend_pid(), $1::int8 + {n % 7}, $2::text, $3::int4[], {n % 3}"
            row = await conn.fetchrow(text, n, f"text {n}", [n, n + 1])
            assert row is not None
            assert tuple(row[1:]) == (n + n % 7, f"text {n}", [n, n + 1], n % 3)
            backends.add(row[0])

    async with clients(small, 12) as conns, asyncio.TaskGroup() as group:
        for number, conn in enumerate(conns):
            for task in range(5):
                group.create_task(work(conn, 1000 * number + 100 * task))
    assert len(backends) == SESSIONS
    assert left_in_sessions(small)["statements"] == 0


async def test_large_statements_of_tasks(small: PgBouncer) -> None:
    """Each takes many receptions, and answers come in the midst of the next one.

    PgBouncer 1.18 gives the session away at such an answer, with half a statement in it.
    """

    async def work(conn: pgallop.Connection, number: int) -> None:
        for n in range(number, number + 5):
            data = n.to_bytes(4, "big") * 50_000
            assert await conn.fetchval("SELECT $1::bytea", data) == data

    async with clients(small, 4) as conns, asyncio.TaskGroup() as group:
        for number, conn in enumerate(conns):
            for task in range(10):
                group.create_task(work(conn, 1000 * number + 10 * task))


async def test_one_text_with_other_types(small: PgBouncer, monitor: Monitor) -> None:
    """What a session has been told of a text binds nobody behind another one."""
    monitor.ask("DROP TABLE IF EXISTS pooled_types; CREATE TABLE pooled_types (n int)")
    async with clients(small, 2) as (one, other):
        query = "INSERT INTO pooled_types VALUES ($1) RETURNING n"
        assert await one.fetchval(query, 1) == 1
        assert await other.fetchval(query, 2) == 2
        monitor.ask("ALTER TABLE pooled_types ALTER n TYPE text")
        for conn in (one, other) * 3:
            try:
                assert await conn.fetchval(query, "three") == "three"
            except pgallop.DataError:
                pytest.fail("the statement's types were never asked for again")


async def test_blocks_are_kept_apart(small: PgBouncer, monitor: Monitor) -> None:
    """Each transaction has one session to itself, and the next one another."""
    monitor.ask("DROP TABLE IF EXISTS pooled_blocks; CREATE TABLE pooled_blocks (who int, n int)")
    insert = "INSERT INTO pooled_blocks VALUES ($1, $2) RETURNING pg_backend_pid()"

    async def work(conn: pgallop.Connection, who: int) -> None:
        for n in range(10):
            try:
                async with conn.transaction():
                    backends = {await conn.fetchval(insert, who, n)}
                    backends.add(await conn.fetchval(insert, who, n))
                    async with conn.transaction():
                        backends.add(await conn.fetchval(insert, who, n))
                    assert len(backends) == 1
                    if n % 2:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    async with clients(small, 8) as conns, asyncio.TaskGroup() as group:
        for who, conn in enumerate(conns):
            group.create_task(work(conn, who))
    rows = monitor.ask("SELECT who, n, count(*) FROM pooled_blocks GROUP BY 1, 2 ORDER BY 1, 2")
    assert rows == [(who, n, 3) for who in range(8) for n in range(0, 10, 2)]


async def test_a_pipeline_is_one_transaction(small: PgBouncer) -> None:
    async with clients(small, 4) as conns:
        for conn in conns * 5:
            async with conn.pipeline() as pipeline:
                pids = [pipeline.fetchval("SELECT pg_backend_pid(), $1::int", n) for n in range(9)]
            assert len({pid.result() for pid in pids}) == 1


async def test_a_timeout_cancels(small: PgBouncer, monitor: Monitor) -> None:
    """PgBouncer passes the request on; the session and its next user know nothing of it."""
    sleep = "SELECT pg_sleep(30), 'cancelled by its client'"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = %s AND state = 'active'"
    async with clients(small, 2) as (one, other):
        for _ in range(5):
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                await one.fetchval(sleep, timeout=0.1)
            answers = await asyncio.gather(
                *[conn.fetchval("SELECT $1::int", n) for n, conn in enumerate((one, other) * 10)]
            )
            assert answers == list(range(20))
            assert time.monotonic() - start < 3
            assert monitor.ask(running, sleep) == [(0,)]


async def test_cancelled_neighbours_on_other_connections(small: PgBouncer) -> None:
    """One connection's cancellations hit no statement of another, whoever has the session next."""
    over = False

    async def give_up(conn: pgallop.Connection) -> None:
        while not over:
            with pytest.raises(TimeoutError):
                await conn.fetchval("SELECT pg_sleep(30)", timeout=0.01)

    async def go_on(conn: pgallop.Connection) -> None:
        for n in range(150):
            assert await conn.fetchval("SELECT $1::int, pg_sleep(0.001)", n) == n

    async with clients(small, 5) as conns, asyncio.TaskGroup() as group:
        impatient = [group.create_task(give_up(conn)) for conn in conns[:2]]
        await asyncio.gather(*[go_on(conn) for conn in conns[2:]])
        over = True
        await asyncio.wait(impatient)


async def test_a_state_that_a_session_keeps_does_not_follow(small: PgBouncer) -> None:
    """What the page on poolers says does not work, so that it says the truth."""
    async with clients(small, 1) as (conn,):
        await conn.execute("SET search_path = pg_catalog, elsewhere")
        paths = {await conn.fetchval("SHOW search_path") for _ in range(2 * SESSIONS)}
        assert len(paths) == 2
        await conn.execute("SET search_path = DEFAULT")
        # It is only good for the transaction.
        async with conn.transaction():
            await conn.execute("SET LOCAL search_path = elsewhere")
            assert await conn.fetchval("SHOW search_path") == "elsewhere"
    async with clients(small, 1) as (conn,):
        for _ in range(SESSIONS):
            await conn.execute("RESET search_path")
