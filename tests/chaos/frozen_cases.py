"""The calls that line 5 makes on a frozen server, and what each of them needs beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pgallop

Timed = Callable[[], Awaitable[Any]]

SLEEP = "SELECT $1::int FROM pg_sleep($2)"
SLEEP_SECONDS = 30


async def fetch(conn: pgallop.Connection, seconds: float) -> Timed:
    await conn.fetch(SLEEP, 1, 0)
    return lambda: conn.fetch(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)


async def fetchrow(conn: pgallop.Connection, seconds: float) -> Timed:
    await conn.fetch(SLEEP, 1, 0)
    return lambda: conn.fetchrow(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)


async def fetchval_by_command_timeout(conn: pgallop.Connection, seconds: float) -> Timed:
    await conn.fetch(SLEEP, 1, 0)
    return lambda: conn.fetchval(SLEEP, 1, SLEEP_SECONDS)


async def unprepared(conn: pgallop.Connection, seconds: float) -> Timed:
    return lambda: conn.fetch(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)


async def execute(conn: pgallop.Connection, seconds: float) -> Timed:
    await conn.fetch(SLEEP, 1, 0)
    return lambda: conn.execute(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)


async def script(conn: pgallop.Connection, seconds: float) -> Timed:
    return lambda: conn.execute(f"SELECT 1; SELECT pg_sleep({SLEEP_SECONDS})", timeout=seconds)


async def large_argument(conn: pgallop.Connection, seconds: float) -> Timed:
    """More than the kernel takes from us while nobody reads."""
    query = "SELECT length($1::bytea), pg_sleep($2)"
    await conn.fetch(query, b"", 0)
    return lambda: conn.fetch(query, bytes(8_000_000), SLEEP_SECONDS, timeout=seconds)


async def by_asyncio(conn: pgallop.Connection, seconds: float) -> Timed:
    return lambda: asyncio.wait_for(conn.fetch(SLEEP, 1, SLEEP_SECONDS, timeout=60), seconds)


async def block_begun(conn: pgallop.Connection, seconds: float) -> Timed:
    """A statement in a transaction that is open; then its rollback has as much time again."""
    transaction = conn.transaction()
    await transaction.start()
    await conn.fetch(SLEEP, 1, 0)

    async def go_on() -> None:
        try:
            await conn.fetch(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)
        except TimeoutError:
            await transaction.rollback()

    return go_on


async def block(conn: pgallop.Connection, seconds: float) -> Timed:
    """BEGIN, a statement and ROLLBACK."""

    async def begin() -> None:
        async with conn.transaction():
            await conn.fetch(SLEEP, 1, SLEEP_SECONDS, timeout=seconds)

    return begin


async def commit(conn: pgallop.Connection, seconds: float) -> Timed:
    transaction = conn.transaction()
    await transaction.start()
    await conn.fetchval("SELECT 1")
    return transaction.commit


async def rollback(conn: pgallop.Connection, seconds: float) -> Timed:
    transaction = conn.transaction()
    await transaction.start()
    await conn.fetchval("SELECT 1")
    return transaction.rollback


Case = Callable[[pgallop.Connection, float], Awaitable[Timed]]

# They take half a minute on a server that works.
LONG: tuple[Case, ...] = (
    fetch,
    fetchrow,
    fetchval_by_command_timeout,
    unprepared,
    execute,
    script,
    large_argument,
    by_asyncio,
    block_begun,
    block,
)

# They wait twice, as long as they may each time.
TWICE: tuple[Case, ...] = (block_begun, block)

# They take no time on a server that works.
SHORT: tuple[Case, ...] = (commit, rollback)
