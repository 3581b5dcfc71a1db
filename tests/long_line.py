"""A long line to the server, what drivers are asked to do over it, and the round trips it takes."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

DELAY = 0.005  # seconds, each way

# What both drivers are asked to do, on a connection of theirs.
Act = Callable[[Any], Awaitable[object]]

REFUSALS = (pgallop.PostgresError, asyncpg.PostgresError)


class Line:
    """A long line to the server, and what goes over it."""

    def __init__(self, proxy: DelayProxy, database: str) -> None:
        self._proxy = proxy
        self._address: dict[str, Any] = {
            "host": proxy.host,
            "port": proxy.port,
            "user": "postgres",
            "database": database,
        }

    @asynccontextmanager
    async def pgallop(self, **options: Any) -> AsyncIterator[pgallop.Connection]:
        async with pgallop.connect(**self._address, ssl="disable", **options) as conn:
            yield conn

    @asynccontextmanager
    async def asyncpg(self, **options: Any) -> AsyncIterator[Any]:
        conn = await asyncpg.connect(**self._address, ssl=False, **options)
        try:
            yield conn
        finally:
            await conn.close()

    async def trips(self, *calls: Awaitable[object]) -> int:
        """The round trips until all of the calls are answered, which were made at once."""
        start, before = time.perf_counter(), self._proxy.round_trips
        await asyncio.gather(*calls)
        trips = self._proxy.round_trips - before
        # Not fewer than the time tells: what is on the way cannot be hurried.
        assert time.perf_counter() - start >= 0.9 * trips * 2 * DELAY
        return trips


@asynccontextmanager
async def line_to(server: EmbeddedServer, database: str = "postgres") -> AsyncIterator[Line]:
    async with DelayProxy(server.host, server.port, delay=DELAY) as proxy:
        yield Line(proxy, database)


def call(query: str, *args: object) -> Act:
    return lambda conn: conn.fetchval(query, *args)


def script(text: str) -> Act:
    return lambda conn: conn.execute(text)


def at_once(*acts: Act) -> Act:
    async def act(conn: Any) -> None:
        await asyncio.gather(*[act(conn) for act in acts])

    return act


def transaction(*acts: Act) -> Act:
    async def act(conn: Any) -> None:
        async with conn.transaction():
            for each in acts:
                await each(conn)

    return act


def pipeline(*acts: Callable[[pgallop.Pipeline], object]) -> Act:
    async def act(conn: Any) -> None:
        async with conn.pipeline() as pipeline:
            for each in acts:
                each(pipeline)

    return act


def stream(query: str, *args: object, until: int | None = None, **options: Any) -> Act:
    """Read a stream to its end, or until so many rows have come."""

    async def act(conn: pgallop.Connection) -> None:
        async with conn.stream(query, *args, **options) as rows:
            count = 0
            while count != until and await anext(rows, None) is not None:
                count += 1

    return act


def copy_bytes(table: str, data: bytes) -> Act:
    return lambda conn: conn.copy_to_table(table, source=io.BytesIO(data))


def copy_records(table: str, records: list[tuple[object, ...]]) -> Act:
    return lambda conn: conn.copy_records_to_table(table, records=records)


def prepare(query: str) -> Act:
    return lambda conn: conn.prepare(query)


def prepared(query: str, *args: object) -> Act:
    """Prepare a statement and run it twice."""

    async def act(conn: Any) -> None:
        statement = await conn.prepare(query)
        assert await statement.fetchval(*args) == await statement.fetchval(*args)

    return act


def refused(query: str, *args: object) -> Act:
    async def act(conn: Any) -> None:
        with pytest.raises(REFUSALS):
            await conn.fetchval(query, *args)

    return act


def wrong(query: str, *args: object) -> Act:
    async def act(conn: Any) -> None:
        with pytest.raises((pgallop.DataError, asyncpg.DataError)):
            await conn.fetchval(query, *args)

    return act


@dataclass(frozen=True)
class Path:
    """A way to run something, with the round trips that it takes.

    Args:
        act: what is counted.
        promised: the round trips.
        asyncpg: those of asyncpg; None if it cannot do that.
        before: what was done before, on the same connection.
        elsewhere: SQL that another session runs then.
        unnamed: the round trips with `statement_mode="unnamed"`, if they are others.
        options: of the connection.
    """

    what: str
    act: Act
    promised: int
    asyncpg: int | None
    before: tuple[Act, ...] = ()
    elsewhere: str = ""
    unnamed: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
