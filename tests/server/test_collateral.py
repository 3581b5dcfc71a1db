"""What becomes of a request that a signal hits which was meant for its neighbour."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.transport import cancel

Error = pgallop.CollateralCancelError


@contextlib.asynccontextmanager
async def hit(
    conn: pgallop.Connection, admin: pgallop.Connection, query: str
) -> AsyncIterator[asyncio.Task[list[pgallop.Record]]]:
    """Run `query` in a cancel window; a signal hits it there, when it runs and the block ends."""
    head = asyncio.create_task(conn.execute("SELECT pg_sleep(0.1)"))
    await asyncio.sleep(0)
    task = asyncio.create_task(conn.fetch(query))
    await asyncio.sleep(0.02)
    # As if a CancelRequest were on its way: what was sent so far may be hit.
    conn._session.expose()
    await head
    conn._session.release()
    await asyncio.sleep(0.05)
    yield task
    await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")


async def test_a_preparation_is_made_again(connect: Connect, monitor: Monitor) -> None:
    """Nothing of its statement has run, and the statement runs once."""
    monitor.ask("DROP TABLE IF EXISTS prepared; CREATE TABLE prepared (n int)")
    query = "INSERT INTO prepared VALUES (7) RETURNING n, pg_advisory_lock(1)"  # not harmless
    async with connect() as conn, connect() as admin:
        async with admin.transaction():
            await admin.execute("LOCK TABLE prepared")  # it is analysed behind that
            async with hit(conn, admin, query) as task:
                pass
            await asyncio.sleep(0.05)
            assert not task.done()
        assert [row["n"] for row in await asyncio.wait_for(task, 5)] == [7]
    assert monitor.ask("SELECT n FROM prepared") == [(7,)]


async def test_a_preparation_in_a_transaction_is_not(connect: Connect, monitor: Monitor) -> None:
    """The transaction has failed with it."""
    monitor.ask("DROP TABLE IF EXISTS prepared; CREATE TABLE prepared (n int)")
    async with connect() as conn, connect() as admin:

        async def block() -> None:
            async with conn.transaction():
                await conn.execute("SELECT 1")
                async with hit(conn, admin, "SELECT n FROM prepared") as task:
                    pass
                await task

        async with admin.transaction():
            await admin.execute("LOCK TABLE prepared")
            with pytest.raises(Error):
                await asyncio.wait_for(block(), 5)
        assert await conn.fetchval("SELECT 7") == 7


@pytest.mark.parametrize("what", ["block", "close"])
async def test_the_proof_is_not_waited_for(connect: Connect, what: str) -> None:
    """Whatever keeps it from being asked: the statement was sent, and its error says so."""
    ends = asyncio.Event()

    async def block() -> None:
        async with conn.transaction():
            await ends.wait()

    query = "SELECT 7 FROM pg_sleep(0.2)"
    async with connect() as conn, connect() as admin:
        await conn.fetch(query)
        async with hit(conn, admin, query) as task:
            other = asyncio.create_task(block() if what == "block" else conn.close())
            await asyncio.sleep(0)
        with pytest.raises(Error) as caught:
            await asyncio.wait_for(task, 2)
        assert not caught.value.safe_to_retry
        ends.set()
        await other


async def test_hit_again_and_again(connect: Connect) -> None:
    """A statement that never ends in time is not run for ever, whoever may have ended it."""
    async with connect() as conn:
        await conn.execute("SET statement_timeout = '50ms'")
        conn._session.exposed = True
        with pytest.raises(Error):
            await asyncio.wait_for(conn.fetch("SELECT pg_sleep(1)"), 5)


async def test_the_doubt_ends(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal of a cancel connection that broke comes soon, or never."""
    monkeypatch.setattr(cancel, "EXPOSURE_SECONDS", 0.1)
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(server.dsn, host=proxy.host, port=proxy.port, ssl="disable")
        head = asyncio.create_task(conn.execute("SELECT pg_sleep(0.1)"))
        await asyncio.sleep(0.02)
        proxy.reset_new = True
        head.cancel()
        await asyncio.wait([head])
        await conn.execute("SET statement_timeout = '20ms'")
        assert conn._session.exposed
        await asyncio.sleep(0.15)
        assert not conn._session.exposed
        with pytest.raises(pgallop.QueryCanceledError) as caught:
            await conn.fetch("SELECT pg_sleep(1)")
        assert type(caught.value) is pgallop.QueryCanceledError
        await conn.close()
