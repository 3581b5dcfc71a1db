"""What the tests of the pool share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from live import Monitor

import pgallop
from pgallop.cli.server import EmbeddedServer


def new_pool(server: EmbeddedServer, min_size: int = 0, max_size: int = 2, **options: Any) -> Any:
    """A pool of the tests' server, small and lazy."""
    return pgallop.create_pool(server.tcp_dsn, min_size=min_size, max_size=max_size, **options)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something has come true; fails when the time is over."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def at_rest(pool: pgallop.Pool) -> bool:
    """Whether nobody has a connection, and none is on its way."""
    stats = pool.get_stats()
    return (stats.in_use, stats.returning, stats.opening, stats.waiting) == (0, 0, 0, 0)


@asynccontextmanager
async def whole(pool: pgallop.Pool, monitor: Monitor | None = None) -> AsyncIterator[pgallop.Pool]:
    """A pool that has to be whole at the end: all connections are there and can be had at once."""
    async with pool:
        try:
            yield pool
        except BaseException:
            pool.terminate()
            raise
        await until(lambda: at_rest(pool))
        connections = [await pool.acquire(timeout=5) for _ in range(pool.get_max_size())]
        for connection in connections:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT 1") == 1
        for connection in connections:
            await pool.release(connection)
        await until(lambda: at_rest(pool))
        assert pool.get_idle_size() == pool.get_size() == pool.get_max_size()
