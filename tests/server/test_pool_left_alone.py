"""What is called on a connection and not awaited when it is given back: it never runs elsewhere."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest
from live import Monitor
from pools import new_pool, until, whole

import pgallop
from pgallop.cli.server import EmbeddedServer

RELEASED = "released back to the pool before"


def elsewhere(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that is in no transaction of this one."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())


async def left_with(pool: pgallop.Pool, work: Any) -> tuple[asyncio.Task[Any], asyncio.Task[str]]:
    """Release a connection while `work` waits for a transaction on it, and who gets it next."""

    async def next_user() -> str:
        async with pool.acquire() as conn:
            await asyncio.sleep(0.02)
            name: str = await conn.fetchval("SHOW application_name", timeout=1)
            assert not conn.is_in_transaction()
            return name

    conn = await pool.acquire()
    transaction = conn.transaction()
    await transaction.start()
    await conn.fetchval("SELECT 1")
    left = elsewhere(work(conn))
    await asyncio.sleep(0.01)
    following = asyncio.create_task(next_user())
    await asyncio.sleep(0)
    await pool.release(conn)
    return left, following


async def test_a_statement(server: EmbeddedServer) -> None:
    """It had waited for its turn, and is refused: the session is the next one's."""
    async with whole(new_pool(server, max_size=1)) as pool:
        left, following = await left_with(
            pool, lambda conn: conn.execute("SET application_name = 'the last one'")
        )
        assert await following == ""
        with pytest.raises(pgallop.InterfaceError, match=RELEASED) as caught:
            await left
        assert caught.value.safe_to_retry


async def test_a_transaction(server: EmbeddedServer) -> None:
    """Nobody has to wait for its end."""

    async def begin(conn: Any) -> None:
        transaction = conn.transaction()
        await transaction.start()
        await asyncio.sleep(0.2)
        with pytest.raises(pgallop.InterfaceError, match="transaction is closed"):
            await transaction.commit()

    async with whole(new_pool(server, max_size=1)) as pool:
        left, following = await left_with(pool, begin)
        assert await following == ""
        await left


async def test_what_is_being_prepared(server: EmbeddedServer) -> None:
    """As behind a gather() of which another one has failed."""
    async with whole(new_pool(server, max_size=1)) as pool:
        conn = await pool.acquire()
        left = asyncio.create_task(conn.fetchval("SELECT set_config($1, 'x', false)", "my.name"))
        await asyncio.sleep(0)
        await pool.release(conn)
        assert not await pool.fetchval("SELECT current_setting('my.name', true)")
        with pytest.raises(pgallop.InterfaceError, match=RELEASED):
            await left
        await until(lambda: pool.get_idle_size() == 1)


async def test_what_would_be_run_again(server: EmbeddedServer, monitor: Monitor) -> None:
    """It was prepared for another table, which its caller hears of when nothing is his any more."""
    monitor.ask("CREATE TABLE run_again (id int)")
    try:
        async with whole(new_pool(server, max_size=1)) as pool:
            async with pool.acquire() as conn:
                assert await conn.fetch("SELECT * FROM run_again") == []
                assert await conn.fetch("SELECT * FROM run_again") == []
                await conn.execute("SET work_mem = '5MB'")
                monitor.ask("ALTER TABLE run_again ADD name text")
                left = asyncio.create_task(conn.fetch("SELECT * FROM run_again"))
                await asyncio.sleep(0)
            with pytest.raises(pgallop.FeatureNotSupportedError, match="cached plan"):
                await left
            assert await pool.fetch("SELECT * FROM run_again") == []
    finally:
        monitor.ask("DROP TABLE run_again")


async def test_a_stream_that_is_left(server: EmbeddedServer) -> None:
    """Its rollback is not on the way yet when the reset is; the connection is worth keeping."""
    async with whole(new_pool(server, max_size=1)) as pool:
        for _ in range(3):
            async with pool.acquire() as conn:
                async for _row in conn.stream("SELECT generate_series(1, 100)", prefetch=5):
                    break
        assert await pool.fetchval("SELECT 1") == 1
        assert pool.get_stats().opened == 1


async def test_a_transaction_nobody_had_heard_of(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire() as conn:
            left = asyncio.create_task(conn.execute("BEGIN"))
            await asyncio.sleep(0)
        async with pool.acquire() as conn:
            assert not conn.is_in_transaction()
        await left
        assert pool.get_stats().opened == 1
