"""Bugs that users of other drivers' pools reported, each told and kept from happening here.

The numbers go on from those in test_regressions.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from interruption import MOMENTS, Moment, interruptions
from pools import at_rest, new_pool, until
from tls_front import TlsFront

import pgallop
from pgallop.cli.server import EmbeddedServer

# 5


@pytest.mark.parametrize("verb", ["acquire", "fetchval"])
@pytest.mark.parametrize("how", ["cancel", "timeout", "wait_for"])
async def test_5_cancelled_in_the_tick_of_the_hand_over(
    server: EmbeddedServer, verb: str, how: str
) -> None:
    """A waiter is cancelled in the very tick in which it gets a connection.

    The connection was lost for ever (psycopg #1275, #1345, #1401), or the cancellation was, and the
    task went on with the connection (asyncio's own wait_for did that up to 3.11).
    """
    async with new_pool(server, max_size=1) as pool:
        for ticks in range(6):
            holder = await pool.acquire()
            if verb == "acquire":
                call: Any = pool.acquire().__aenter__()
            else:
                call = pool.fetchval("SELECT 1")
            if how == "wait_for":
                call = asyncio.wait_for(call, 60)
            elif how == "timeout":
                call = within(60, call)
            task = asyncio.create_task(call)
            await asyncio.sleep(0.01)
            await pool.release(holder)
            for _ in range(ticks):
                await asyncio.sleep(0)
            if not task.cancel():
                if verb == "acquire":
                    await pool.release(task.result())
            else:
                with contextlib.suppress(asyncio.CancelledError):
                    assert verb == "fetchval" or (await pool.release(await task)) is None
            await until(lambda: at_rest(pool))
            assert await pool.fetchval("SELECT 2", timeout=2) == 2
            assert (pool.get_size(), pool.get_idle_size()) in ((1, 0), (1, 1))


async def within(seconds: float, call: Any) -> Any:
    async with asyncio.timeout(seconds):
        return await call


# 6


@pytest.fixture(params=["plain", "tls"])
def options(server: EmbeddedServer, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """How to reach the server, without TLS and with it."""
    address = {"host": "127.0.0.1", "user": "postgres", "database": "postgres"}
    if request.param == "plain":
        yield {**address, "port": server.port, "ssl": "disable"}
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with TlsFront(server, context) as front:
        yield {**address, "port": front.port, "ssl": "require"}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_6_cancelled_at_each_await(options: dict[str, Any], moment: Moment) -> None:
    """acquire() and the making of a pool are cancelled wherever they wait.

    Sessions were left on the server that nobody knew of, and close() waited for ever (asyncpg #464,
    #467, #547). That none is left is checked behind each test of this folder.
    """

    async def make() -> None:
        pool = await pgallop.create_pool(min_size=2, max_size=2, **options)
        try:
            async with pool.acquire() as conn:
                await conn.fetchval("SELECT 1")
        finally:
            async with asyncio.timeout(5):
                await pool.close()

    async def use() -> None:
        async with (
            pgallop.create_pool(min_size=0, max_size=1, **options) as pool,
            pool.acquire() as conn,
        ):
            await conn.fetchval("SELECT 1")

    for work in (make, use):
        async for run in interruptions(work, moment, least=3):
            assert isinstance(run.error, asyncio.CancelledError)


async def test_6_out_of_time(options: dict[str, Any]) -> None:
    """The deadlines end in any moment of connecting, and of the statement."""
    async with pgallop.create_pool(min_size=0, max_size=2, **options) as pool:
        for milliseconds in range(0, 24, 2):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001 * milliseconds):
                    async with pool.acquire(timeout=0.0007 * milliseconds) as conn:
                        await conn.fetchval("SELECT pg_sleep(0.003)")
            await pool.expire_connections()
        async with asyncio.timeout(5):
            await until(lambda: at_rest(pool))
            assert await pool.fetchval("SELECT 1") == 1
            await pool.close()
