"""close(), terminate() and the loss of a connection: who waits is told, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
import weakref
from collections.abc import Iterator

import pytest
import scripts
from event_loops import open_sockets
from fake_server import Client, FakeServer
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

LOST = pgallop.ConnectionDoesNotExistError


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop this backend of the tests' server for the time of the block, after which it ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


async def check_closed(conn: pgallop.Connection, match: str = "closed") -> None:
    """Nothing works any more, everything says so, and closing again does nothing."""
    assert conn.is_closed()
    for verb in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
        with pytest.raises(pgallop.InterfaceError, match=match):
            await verb("SELECT 1")
        with pytest.raises(pgallop.InterfaceError, match=match):
            await verb("SELECT $1::int", 1)
    with pytest.raises(pgallop.InterfaceError, match=match):
        await conn.transaction().start()
    with pytest.raises(pgallop.InterfaceError, match=match):
        async with conn.transaction():
            pytest.fail("the block must not be entered")
    await conn.close()
    await conn.close(timeout=1)
    conn.terminate()
    assert "closed" in repr(conn)


async def test_close(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    await conn.fetchval("SELECT 1")
    await conn.close()
    await check_closed(conn, "close")
    await monitor.until(conn.get_server_pid(), [None])


async def test_terminate(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    await conn.fetchval("SELECT 1")
    conn.terminate()
    await check_closed(conn, "terminate")
    await monitor.until(conn.get_server_pid(), [None])


@pytest.mark.parametrize("how", ["close", "terminate"])
async def test_what_the_server_hears(how: str) -> None:
    heard: list[bytes] = []

    async def listens(client: Client) -> None:
        await client.startup()
        client.send(
            scripts.authentication(scripts.AUTHENTICATION_OK),
            scripts.backend_key_data(1, b"1234"),
            scripts.ready_for_query(),
        )
        heard.append(await client.the_end())

    async with FakeServer(listens) as server:
        conn = await pgallop.connect(host=server.host, port=server.port, user="ada", ssl="disable")
        if how == "close":
            await conn.close()
        else:
            conn.terminate()
        async with asyncio.timeout(2):
            while not heard:
                await asyncio.sleep(0.001)
    assert heard == [scripts.message("X") if how == "close" else b""]


async def test_close_waits_for_what_is_under_way(connect: Connect) -> None:
    conn = await connect()
    await conn.fetchval("SELECT $1::int", 0)
    calls = [conn.fetchval("SELECT $1::int", n) for n in range(50)]
    tasks = [asyncio.create_task(call) for call in calls]
    slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0)
    start = time.monotonic()
    await conn.close()
    assert time.monotonic() - start > 0.15
    assert await asyncio.gather(*tasks, slow) == [*range(50), "SELECT 1"]
    await check_closed(conn)


async def test_close_waits_for_statements_that_are_abandoned(
    connect: Connect, monitor: Monitor
) -> None:
    conn = await connect()
    task = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
    await monitor.until(conn.get_server_pid(), ["active"])
    task.cancel()
    await asyncio.wait([task])
    start = time.monotonic()
    await conn.close(timeout=3)
    assert time.monotonic() - start < 1
    await monitor.until(conn.get_server_pid(), [None], seconds=1)


async def test_close_with_statements_not_yet_sent(connect: Connect, monitor: Monitor) -> None:
    """Those that wait behind a COPY, or for a cancellation, are under way too."""
    conn = await connect()
    await conn.execute("CREATE TEMP TABLE t (i int)")
    copy = asyncio.create_task(conn.execute("COPY t FROM STDIN"))
    behind = asyncio.create_task(conn.execute("SELECT 1"))
    await asyncio.sleep(0)
    await conn.close(timeout=5)
    assert await behind == "SELECT 1"
    with pytest.raises(pgallop.UnsupportedClientFeatureError):
        await copy

    conn = await connect()
    slow = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
    await monitor.until(conn.get_server_pid(), ["active"])
    slow.cancel()
    await asyncio.sleep(0)
    behind = asyncio.create_task(conn.execute("SELECT 1"))
    await asyncio.sleep(0)
    await conn.close(timeout=5)
    assert await behind == "SELECT 1"
    await asyncio.wait([slow])


async def test_close_in_time(connect: Connect) -> None:
    conn = await connect()
    with frozen(conn.get_server_pid()):
        pending = asyncio.create_task(conn.fetchval("SELECT 1"))
        await asyncio.sleep(0)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.close(timeout=0.3)
        assert 0.25 < time.monotonic() - start < 0.8
        with pytest.raises(LOST):
            await pending
        await check_closed(conn)


async def test_close_of_an_idle_connection_to_a_frozen_server(connect: Connect) -> None:
    conn = await connect()
    with frozen(conn.get_server_pid()):
        start = time.monotonic()
        await conn.close(timeout=10)
        assert time.monotonic() - start < 2


async def test_close_while_the_cancel_connection_hangs(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", ssl="disable", drain_timeout=60
        )
        proxy.freeze()
        with pytest.raises(TimeoutError):
            await conn.fetch("SELECT 1", timeout=0.05)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.close(timeout=0.3)
        assert 0.25 < time.monotonic() - start < 0.8
        assert conn.is_closed()


async def test_close_is_cancelled(connect: Connect) -> None:
    conn = await connect()
    with frozen(conn.get_server_pid()):
        pending = asyncio.create_task(conn.fetchval("SELECT 1"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(conn.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(LOST):
            await pending
        await check_closed(conn)


async def test_two_closes_at_once(connect: Connect) -> None:
    conn = await connect()
    slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0)
    await asyncio.gather(conn.close(), conn.close(), conn.close(timeout=5))
    assert await slow == "SELECT 1"
    await check_closed(conn)


async def test_nothing_new_while_it_closes(connect: Connect) -> None:
    conn = await connect()
    slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(conn.close())
    await asyncio.sleep(0.01)
    assert conn.is_closed()
    with pytest.raises(pgallop.InterfaceError, match="close"):
        await conn.fetch("SELECT 1")
    await asyncio.gather(closing, slow)


async def test_terminate_with_statements_under_way(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    tasks = [asyncio.create_task(conn.fetch("SELECT pg_sleep(0.5)")) for _ in range(5)]
    await monitor.until(conn.get_server_pid(), ["active"])
    tasks.append(asyncio.create_task(conn.fetch("SELECT 1")))
    await asyncio.sleep(0)
    conn.terminate()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, LOST), result
        assert "terminate" in str(result)
    await check_closed(conn)


async def test_terminate_while_it_closes(connect: Connect) -> None:
    conn = await connect()
    with frozen(conn.get_server_pid()):
        pending = asyncio.create_task(conn.fetchval("SELECT 1"))
        closing = asyncio.create_task(conn.close())
        await asyncio.sleep(0.05)
        conn.terminate()
        async with asyncio.timeout(1):
            await closing
            with pytest.raises(LOST):
                await pending
        await check_closed(conn)


async def test_close_inside_a_transaction(connect: Connect, monitor: Monitor) -> None:
    """The server rolls back; the block's own end has nothing left to do."""
    monitor.ask("DROP TABLE IF EXISTS entries; CREATE TABLE entries (n int)")
    conn = await connect()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        async with conn.transaction():
            await conn.execute("INSERT INTO entries VALUES (1)")
            await conn.close()
    with pytest.raises(LookupError):
        async with connect() as other, other.transaction():
            await other.execute("INSERT INTO entries VALUES (1)")
            other.terminate()
            raise LookupError
    await check_closed(conn)
    assert monitor.ask("SELECT count(*) FROM entries") == [(0,)]


@pytest.mark.parametrize("how", ["close", "terminate", "the server"])
async def test_those_who_wait_for_a_transaction_are_told(
    connect: Connect, monitor: Monitor, how: str
) -> None:
    """At once, and not when their patience ends."""
    conn = await connect()

    async def hold() -> None:
        async with conn.transaction():
            await conn.execute("SELECT 1")
            await asyncio.Event().wait()

    async def block() -> None:
        async with conn.transaction():
            pytest.fail("the block must not be entered")

    holder = asyncio.create_task(hold())
    await monitor.until(conn.get_server_pid(), ["idle in transaction"])
    calls = [conn.fetch("SELECT 1"), conn.execute("SELECT 1"), block(), conn.fetchval("SELECT 2")]
    waiting = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0.02)
    if how == "close":
        await conn.close(timeout=1)
    elif how == "terminate":
        conn.terminate()
    else:
        monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
    async with asyncio.timeout(2):
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, (pgallop.InterfaceError, LOST)), result
            assert "closed" in str(result)
            assert result.safe_to_retry
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    await check_closed(conn)


async def test_lost_inside_a_block(connect: Connect, monitor: Monitor) -> None:
    """The body's error is the one to see, and not the failing ROLLBACK's."""
    conn = await connect()
    with pytest.raises(pgallop.ConnectionDoesNotExistError, match="administrator"):
        async with conn.transaction(), conn.transaction():
            await asyncio.gather(
                conn.execute("SELECT pg_sleep(30)"),
                asyncio.to_thread(
                    monitor.ask, "SELECT pg_terminate_backend(%s)", conn.get_server_pid()
                ),
            )
    await check_closed(conn)
    conn = await connect()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        async with conn.transaction():
            monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
            async with asyncio.timeout(2):
                while not conn.is_closed():
                    await asyncio.sleep(0.005)
    assert conn.is_closed()


async def test_commit_whose_answer_is_lost(server: EmbeddedServer) -> None:
    """Nobody knows whether it is stored, and so it is not safe to retry."""
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", ssl="disable"
        )
        tx = conn.transaction()
        await tx.start()
        await conn.execute("SELECT 1")
        proxy.close_after(0)
        with pytest.raises(LOST) as caught:
            await tx.commit()
        assert not caught.value.safe_to_retry
        assert conn.is_closed()


async def test_cut_under_load(server: EmbeddedServer) -> None:
    """Each of the many who wait gets an error, once; and the next connection works."""
    async with DelayProxy(server.host, server.port) as proxy:
        for nbytes in (0, 1, 100, 5_000, 100_000):
            conn = await pgallop.connect(
                host=proxy.host, port=proxy.port, user="postgres", ssl="disable"
            )
            await conn.fetchval("SELECT repeat('x', $1::int)", 1)
            calls = [conn.fetchval("SELECT repeat('x', $1::int)", 1000) for _ in range(200)]
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(0)
            proxy.close_after(nbytes)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            lost = [result for result in results if isinstance(result, LOST)]
            assert len(lost) >= 200 - nbytes // 1000 - 1
            assert all(len(r) == 1000 for r in results if not isinstance(r, LOST))  # type: ignore[arg-type]
            assert len({id(error) for error in lost}) == len(lost)
            assert conn.is_closed()


async def test_reset_by_the_network(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port) as proxy:
        for busy in (True, False):
            conn = await pgallop.connect(
                host=proxy.host, port=proxy.port, user="postgres", ssl="disable"
            )
            task = asyncio.create_task(conn.fetch("SELECT pg_sleep(0.3)" if busy else "SELECT 1"))
            await asyncio.sleep(0.1)
            proxy.cut()
            if busy:
                with pytest.raises(LOST):
                    await task
            else:
                await task
            async with asyncio.timeout(2):
                while not conn.is_closed():
                    await asyncio.sleep(0.005)


async def test_many_connections_leave_nothing(connect: Connect) -> None:
    sockets = open_sockets()
    for _ in range(20):
        connections = await asyncio.gather(*[connect() for _ in range(5)])
        await asyncio.gather(*[conn.fetchval("SELECT 1") for conn in connections])
        for n, conn in enumerate(connections):
            if n % 2:
                conn.terminate()
            else:
                await conn.close()
    del conn, connections
    gc.collect()
    async with asyncio.timeout(2):
        while open_sockets() - sockets:
            await asyncio.sleep(0.005)


async def test_a_closed_connection_is_no_garbage_problem(connect: Connect) -> None:
    """It goes with its last reference; nothing keeps it in a cycle until the collector comes."""
    gc.collect()
    gc.disable()
    try:
        conn = await connect()
        await conn.fetchval("SELECT $1::int", 1)
        async with conn.transaction():
            await conn.execute("SELECT 1")
        await conn.close()
        await asyncio.sleep(0.01)
        gone = weakref.ref(conn)
        del conn
        await asyncio.sleep(0.01)
        assert gone() is None
    finally:
        gc.enable()
