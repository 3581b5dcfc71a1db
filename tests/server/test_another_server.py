"""Another server at the same address: what was known of the types of the first one is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop
from pgallop.codecs.introspection import DOMAIN, TypeInfo
from pgallop.resolving import ConnectionTypes

BYTEA = 17


@pytest.mark.timeout(30)
async def test_types_of_another_server(connect: Connect, monitor: Monitor) -> None:
    """What was an OID of bytes there is an array's here, and was read as its bytes."""
    knowledge: Any = pgallop.Knowledge()
    async with connect() as administrator:
        await administrator.execute("CREATE TYPE elsewhere AS (a int)")
        oid = await administrator.fetchval("SELECT 'elsewhere[]'::regtype::oid")
        query = "SELECT ARRAY[ROW(66)::elsewhere]"
        try:
            async with connect(knowledge=knowledge) as first:
                (types,) = knowledge._types.values()
                types.learn([oid], [TypeInfo(oid, "public", "digest", DOMAIN, BYTEA)])
                assert isinstance(await first.fetchval(query), bytes)
                lost = asyncio.Event()
                first.add_termination_listener(lambda _: lost.set())
                async with connect(knowledge=knowledge) as other:
                    monitor.ask(f"SELECT pg_terminate_backend({first.get_server_pid()})")
                    await lost.wait()
                    assert await other.fetchval(query) == [(66,)]
                async with connect(knowledge=knowledge) as second:
                    assert await second.fetchval(query) == [(66,)]
        finally:
            await administrator.execute("DROP TYPE elsewhere")


async def test_a_connection_that_is_closed_here_says_nothing(connect: Connect) -> None:
    knowledge: Any = pgallop.Knowledge()
    async with connect(knowledge=knowledge) as conn:
        await conn.execute("CREATE TEMP TABLE kept (a int)")
        assert await conn.fetchval("SELECT ROW(1)::kept") == (1,)
        (types,) = knowledge._types.values()
        known = len(types)
        assert known
        async with connect(knowledge=knowledge) as other:
            other.terminate()
        assert len(types) == known
    assert len(types) == known


async def test_many_connections_are_lost_at_once(
    connect: Connect, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are told once, and not by each of them."""
    renewed: list[Any] = []
    renew = ConnectionTypes.renew

    def counted(types: ConnectionTypes) -> None:
        renewed.append(types)
        renew(types)

    monkeypatch.setattr(ConnectionTypes, "renew", counted)
    knowledge: Any = pgallop.Knowledge()
    async with contextlib.AsyncExitStack() as stack:
        conns = [await stack.enter_async_context(connect(knowledge=knowledge)) for _ in range(8)]
        await conns[0].execute("CREATE TEMP TABLE kept (a int)")
        assert await conns[0].fetchval("SELECT ROW(1)::kept") == (1,)
        lost = asyncio.Semaphore(0)
        for conn in conns:
            conn.add_termination_listener(lambda _: lost.release())
        renewed.clear()
        for conn in conns:
            monitor.ask(f"SELECT pg_terminate_backend({conn.get_server_pid()})")
        for _ in conns:
            await lost.acquire()
        assert len(renewed) == len(conns)
