"""How often SQLAlchemy's connections go there and back, beside its dialect for asyncpg."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from long_line import DELAY
from proxy import DelayProxy
from sqlalchemy import Integer, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from pgallop.cli.server import EmbeddedServer

Act = Callable[[AsyncConnection], Awaitable[object]]

QUERY = select(literal(1, Integer) + literal(2, Integer))
ROWS = [{"n": n} for n in range(3000)]


async def one(conn: AsyncConnection) -> None:
    assert await conn.scalar(QUERY) == 3
    await conn.commit()


async def three(conn: AsyncConnection) -> None:
    for _ in range(3):
        assert await conn.scalar(QUERY) == 3
    await conn.commit()


async def nothing(conn: AsyncConnection) -> None:
    await conn.commit()


async def streamed(conn: AsyncConnection) -> None:
    async with conn.stream(QUERY) as rows:
        assert (await rows.all())[0] == (3,)
    await conn.rollback()


async def many(conn: AsyncConnection) -> None:
    await conn.execute(text("SELECT CAST(:n AS int)"), ROWS[:100])
    await conn.rollback()


@pytest.mark.parametrize(
    ("act", "ours", "theirs"),
    [(one, 2, 3), (three, 4, 5), (nothing, 0, 0), (streamed, 2, 4), (many, 2, 3)],
)
async def test_a_transaction(server: EmbeddedServer, act: Act, ours: int, theirs: int) -> None:
    """When its statements are known to the connection."""
    assert await trips(server, "pgallop", act) == ours
    assert await trips(server, "asyncpg", act) == theirs


async def trips(server: EmbeddedServer, driver: str, act: Act) -> int:
    async with DelayProxy(server.host, server.port, delay=DELAY) as proxy:
        engine = create_async_engine(url_of(proxy, driver))
        async with engine.connect() as conn:
            await act(conn)
            before = proxy.round_trips
            await act(conn)
            taken = proxy.round_trips - before
        await engine.dispose()
    return taken


async def test_another_connection(server: EmbeddedServer) -> None:
    """Until its first transaction has ended: one trip for the handshake, as without SQLAlchemy."""
    taken = {}
    for driver in ("pgallop", "asyncpg"):
        async with DelayProxy(server.host, server.port, delay=DELAY) as proxy:
            engine = create_async_engine(url_of(proxy, driver))
            async with engine.connect() as first:
                await one(first)
                before = proxy.round_trips
                async with engine.connect() as second:
                    await one(second)
                    taken[driver] = proxy.round_trips - before
            await engine.dispose()
    assert taken == {"pgallop": 3, "asyncpg": 5}


def url_of(proxy: DelayProxy, driver: str) -> str:
    without_tls: dict[str, Any] = {"pgallop": "sslmode=disable", "asyncpg": "ssl=disable"}
    address = f"{proxy.host}:{proxy.port}/postgres?{without_tls[driver]}"
    return f"postgresql+{driver}://postgres@{address}"
