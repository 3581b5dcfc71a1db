"""A pool of connections through a PgBouncer, which has a pool of sessions itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from live import Monitor
from poolers import route
from poolers.pgbouncer import PgBouncer
from poolers.sessions import SESSIONS, left_in_sessions
from pools import at_rest, until, whole

import pgallop

# Settings that PgBouncer knows, and passes on by SET.
ASKED = {"TimeZone": "Europe/Paris", "application_name": "ada's shop", "DateStyle": "German, DMY"}
SHOWN = " || ', ' || ".join(f"current_setting('{name}')" for name in [*ASKED, "client_encoding"])


def new_pool(dsn: str, max_size: int = 1, **options: Any) -> Any:
    mode = "unnamed" if route.chosen() == "transaction" else "named"
    return pgallop.create_pool(
        dsn, min_size=0, max_size=max_size, statement_mode=mode, timeout=10, **options
    )


async def use_and_reset(pool: pgallop.Pool) -> None:
    """Do what a reset is needed behind, and wait for that."""
    before = pool.get_stats()
    async with pool.acquire() as conn:
        await conn.execute("SET LOCAL work_mem = '77kB'")
    await until(lambda: at_rest(pool))
    now = pool.get_stats()
    assert now.resets == before.resets + 1
    assert sum(now.closed.values()) == sum(before.closed.values()), now.closed


@pytest.mark.pooler("session", "transaction", "pgpool")
async def test_settings_survive_a_reset(dsn: str) -> None:
    """RESET ALL goes back to the settings of the pooler's session, which has begun without them."""
    async with whole(new_pool(dsn, server_settings=ASKED)) as pool:
        shown = await pool.fetchval(f"SELECT {SHOWN}")
        assert shown == "Europe/Paris, ada's shop, German, DMY, UTF8"
        for _ in range(3):
            await use_and_reset(pool)
            assert await pool.fetchval(f"SELECT {SHOWN}") == shown
            async with pool.acquire() as conn:
                reported = conn.get_settings()
                assert {name: reported[name] for name in ASKED} == ASKED


@pytest.fixture
def latin(monitor: Monitor) -> Iterator[str]:
    """A database whose own encoding is another one than ours."""
    monitor.ask("DROP DATABASE IF EXISTS latin WITH (FORCE)")
    monitor.ask(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    yield "latin"
    monitor.ask("DROP DATABASE latin WITH (FORCE)")


@pytest.mark.pooler("session", "transaction", "pgpool")
async def test_the_encoding_survives_a_reset(dsn: str, latin: str) -> None:
    """It would be the database's, and each reset would end the connection."""
    async with whole(new_pool(dsn, database=latin)) as pool:
        for _ in range(3):
            assert await pool.fetchval("SELECT $1 || 'é'", "h") == "hé"
            assert await pool.fetchval("SELECT length('é')") == 1
            await use_and_reset(pool)


@pytest.mark.pooler("transaction")
async def test_more_connections_than_sessions(small: PgBouncer) -> None:
    """Each gets its own answers, transactions are whole, and nothing is left in any session."""

    async def work(pool: pgallop.Pool, number: int) -> None:
        for n in range(number, number + 10):
            assert await pool.fetchval("SELECT $1::int8 + 1", n) == n + 1
            async with pool.acquire() as conn, conn.transaction():
                pid = await conn.fetchval("SELECT pg_backend_pid()")
                await conn.execute("SELECT pg_advisory_xact_lock($1)", n)
                await conn.execute("SET LOCAL work_mem = '77kB'")
                assert await conn.fetchval("SELECT pg_backend_pid()") == pid
            assert await pool.fetchval("SHOW work_mem") == "4MB"

    async with whole(new_pool(small.dsn, 8)) as pool, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(work(pool, 100 * number))
    left = left_in_sessions(small)
    assert (left["statements"], left["locks"]) == (0, 0)
    assert len(small.ask("SHOW SERVERS")) == SESSIONS


@pytest.mark.pooler("session", "transaction")
async def test_what_is_proven_needs_no_reset(dsn: str) -> None:
    """The question is one statement, so whichever session answers it knows all of it."""
    async with whole(new_pool(dsn)) as pool:
        async with asyncio.timeout(10):
            resets = -1
            while resets != (resets := pool.get_stats().resets):
                for _ in range(5):
                    await pool.fetchval("SELECT count(*) FROM pg_class WHERE oid = $1", 1)
                    await until(lambda: at_rest(pool))
                await asyncio.sleep(0.05)
        assert resets > 0


@pytest.mark.pooler("transaction")
async def test_a_pool_that_leaves_resetting_to_the_pooler(small: PgBouncer) -> None:
    """As the page on poolers shows it: nothing is sent behind a use, but for a rollback."""

    async def keep(conn: pgallop.Connection) -> None:
        """There is nothing to reset in a session that others have already."""

    async with whole(new_pool(small.dsn, reset=keep)) as pool:
        async with pool.acquire() as conn:
            await conn.execute("BEGIN")
            await conn.execute("SET LOCAL work_mem = '77kB'")
        queries = pool.get_stats().queries
        assert await pool.fetchval("SHOW work_mem") == "4MB"
        stats = pool.get_stats()
        assert stats.queries == queries + 1
        assert (stats.resets, sum(stats.closed.values())) == (0, 0)
