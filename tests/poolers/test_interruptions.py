"""PgBouncer is paused, reconnects, restarts, loses its server: what its clients notice of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from poolers.pgbouncer import PgBouncer
from poolers.sessions import SESSIONS

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

pytestmark = pytest.mark.pooler("transaction")


@pytest.fixture(scope="module")
def pgbouncer(bin_dir: Path | None) -> Iterator[PgBouncer]:
    """In transaction mode, in front of a server of its own."""
    settings = {"default_pool_size": SESSIONS, "server_fast_close": 1}
    with (
        EmbeddedServer(bin_dir, listen=True, auth="trust") as server,
        PgBouncer(server, "transaction", settings) as pgbouncer,
    ):
        yield pgbouncer


def connect(pgbouncer: PgBouncer, drain_timeout: float = 5.0) -> ConnectCall:
    return pgallop.connect(
        pgbouncer.dsn, statement_mode="unnamed", timeout=10, drain_timeout=drain_timeout
    )


async def test_a_pause_makes_wait(pgbouncer: PgBouncer) -> None:
    async with connect(pgbouncer) as conn:
        assert await conn.fetchval("SELECT $1::int", 0) == 0
        pgbouncer.ask("PAUSE")
        waiting = [asyncio.create_task(conn.fetchval("SELECT $1::int", n)) for n in range(10)]
        block = asyncio.create_task(count_in_a_block(pgbouncer))
        _, still = await asyncio.wait(waiting, timeout=0.3)
        assert len(still) == 10
        pgbouncer.ask("RESUME")
        assert await asyncio.gather(*waiting) == list(range(10))
        assert await block == 3


async def count_in_a_block(pgbouncer: PgBouncer) -> int:
    async with connect(pgbouncer) as conn, conn.transaction():
        await conn.execute("SELECT 1")
        return int(await conn.fetchval("SELECT $1::int + 1", 2))


async def test_a_timeout_in_a_pause(pgbouncer: PgBouncer) -> None:
    """PgBouncer cannot cancel what it has not begun: it is given up, with the connection."""
    async with connect(pgbouncer, drain_timeout=0.3) as conn:
        pgbouncer.ask("PAUSE")
        try:
            with pytest.raises(TimeoutError):
                await conn.fetchval("SELECT 1", timeout=0.1)
            assert not conn.is_closed()
            with pytest.raises(pgallop.ConnectionDoesNotExistError, match="did not end within"):
                await conn.fetchval("SELECT 2", timeout=5)
        finally:
            pgbouncer.ask("RESUME")


async def test_a_timeout_in_a_pause_that_ends_in_time(pgbouncer: PgBouncer) -> None:
    async with connect(pgbouncer) as conn:
        pgbouncer.ask("PAUSE")
        try:
            with pytest.raises(TimeoutError):
                await conn.fetchval("SELECT 1", timeout=0.1)
        finally:
            pgbouncer.ask("RESUME")
        assert await conn.fetchval("SELECT $1::int", 2, timeout=5) == 2


async def test_reconnecting_is_not_noticed(pgbouncer: PgBouncer) -> None:
    """Every session is replaced when its transaction is over."""
    over = False
    backends = set()

    async def work(conn: pgallop.Connection) -> None:
        n = 0
        while not over:
            n += 1
            async with conn.transaction():
                pid = await conn.fetchval("SELECT pg_backend_pid()")
                assert await conn.fetchrow("SELECT $1::int, pg_backend_pid()", n) == (n, pid)
            backends.add(pid)

    async with connect(pgbouncer) as one, connect(pgbouncer) as other:
        workers = [asyncio.create_task(work(conn)) for conn in (one, other)]
        for _ in range(5):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(pgbouncer.ask, "RECONNECT")
            await asyncio.to_thread(pgbouncer.ask, "RELOAD")
        over = True
        await asyncio.gather(*workers)
    assert len(backends) >= 5


async def test_a_restart_loses_connections(pgbouncer: PgBouncer) -> None:
    """Whoever waits hears of it at once, and connecting again is all that is needed."""
    lost: list[object] = []
    async with connect(pgbouncer) as busy, connect(pgbouncer) as idle:
        idle.add_termination_listener(lost.append)
        waiting = asyncio.create_task(busy.fetchval("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(pgbouncer.restart)
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await asyncio.wait_for(waiting, 5)
        assert busy.is_closed()
        assert lost == [idle]
        with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
            await idle.fetchval("SELECT 1")
    async with connect(pgbouncer) as conn:
        assert await conn.fetchval("SELECT $1::int", 1) == 1


async def test_a_restart_of_the_server(pgbouncer: PgBouncer) -> None:
    """Only who had a session loses the connection; it is told what the server said last."""
    async with connect(pgbouncer) as busy, connect(pgbouncer) as idle:
        waiting = asyncio.create_task(busy.fetchval("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(pgbouncer.server.restart)
        with pytest.raises(pgallop.PostgresConnectionError):
            await asyncio.wait_for(waiting, 5)
        assert busy.is_closed()
        assert not idle.is_closed()
        assert await idle.fetchval("SELECT $1::int", 1, timeout=10) == 1
