"""How often a pool goes there and back, on all its connections together; beside asyncpg's.

A reset that is still under way when its user has gone on is nobody's wait, and is not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from long_line import DELAY
from pools import at_rest, until
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.traceless import Traceless

Act = Callable[[Any], Awaitable[object]]

ONE = "SELECT 1"


async def fetchval(pool: Any) -> None:
    assert await pool.fetchval(ONE) == 1


async def acquire(pool: Any) -> None:
    async with pool.acquire() as conn:
        assert await conn.fetchval(ONE) == 1


async def twice(pool: Any) -> None:
    await fetchval(pool)
    await fetchval(pool)


async def at_once(pool: Any) -> None:
    await asyncio.gather(*[fetchval(pool) for _ in range(20)])


async def transaction(pool: Any) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await conn.fetchval(ONE)


async def nothing(pool: Any) -> None:
    async with pool.acquire():
        pass


# What it takes where the session has to be reset, where it is proven that it need not, in asyncpg.
TRIPS: dict[str, tuple[Act, int, int, int]] = {
    "a one-shot": (fetchval, 1, 1, 2),
    "acquire, one statement, release": (acquire, 1, 1, 2),
    # The second one has the other connection, and does not wait for the reset of the first.
    "two one-shots": (twice, 3, 2, 4),
    "twenty at once on two connections": (at_once, 38, 20, 40),
    "a transaction of one statement": (transaction, 2, 2, 4),
    "acquire and release": (nothing, 0, 0, 1),
}


@asynccontextmanager
async def far_pool(
    server: EmbeddedServer, create_pool: Callable[..., Any], **options: Any
) -> AsyncIterator[tuple[DelayProxy, Any]]:
    """A pool of two connections at the end of a long line, each of which has run the statement."""
    async with DelayProxy(server.host, server.port, delay=DELAY) as proxy:
        address = {"host": proxy.host, "port": proxy.port, "user": "postgres"}
        async with create_pool(**address, min_size=2, max_size=2, **options) as pool:
            async with pool.acquire() as one, pool.acquire() as other:
                await one.fetchval(ONE)
                await other.fetchval(ONE)
            yield proxy, pool


@pytest.mark.parametrize("path", TRIPS)
@pytest.mark.parametrize("proven", [False, True])
async def test_trips(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, path: str, proven: bool
) -> None:
    act, with_reset, without, _ = TRIPS[path]
    monkeypatch.setattr(Traceless, "is_proven", lambda *_: proven)
    async with far_pool(server, pgallop.create_pool, ssl="disable") as (proxy, pool):
        await until(lambda: at_rest(pool))
        before = proxy.round_trips
        await act(pool)
        trips = proxy.round_trips - before
        if proven:
            assert trips == without
        else:
            # The last answer to a reset and that to a statement on the other connection come in
            # the same moment.
            assert abs(trips - with_reset) <= (with_reset > 2)


@pytest.mark.once
@pytest.mark.parametrize("path", TRIPS)
async def test_asyncpg(server: EmbeddedServer, path: str) -> None:
    act, _, _, theirs = TRIPS[path]
    async with far_pool(server, asyncpg.create_pool, ssl=False) as (proxy, pool):
        before = proxy.round_trips
        await act(pool)
        assert proxy.round_trips - before == theirs
