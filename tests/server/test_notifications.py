"""`Connection.notifications`: notifications for `async for`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from ears import channels, forgotten, until_listening
from live import Connect, Monitor
from pools import new_pool, whole

import pgallop
from pgallop import ConnectionDoesNotExistError, InterfaceError, Notification, inbox
from pgallop.cli.server import EmbeddedServer
from pgallop.notifications import NotificationStream


def notify(monitor: Monitor, payloads: Iterator[int] | range, channel: str = "a") -> None:
    for each in payloads:
        monitor.ask("SELECT pg_notify(%s, %s)", channel, str(each))


async def taken(stream: NotificationStream, count: int) -> list[str]:
    async with asyncio.timeout(5):
        return [(await anext(stream)).payload for _ in range(count)]


async def nothing(stream: NotificationStream) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await anext(stream)


async def test_in_order(connect: Connect, monitor: Monitor) -> None:
    ((pid,),) = monitor.ask("SELECT pg_backend_pid()")
    conn: pgallop.Connection
    async with connect() as conn:
        async with conn.notifications("a", 'B "c"', "a") as stream:
            assert await channels(conn) == {"a", 'B "c"'}
            notify(monitor, range(3))
            notify(monitor, range(3, 4), 'B "c"')
            notify(monitor, range(4, 5))
            found: list[Notification] = []
            async with asyncio.timeout(5):
                async for each in stream:
                    found.append(each)
                    if len(found) == 5:
                        break
            names = ["a", "a", "a", 'B "c"', "a"]
            expected = [(pid, name, str(i)) for i, name in enumerate(names)]
            assert found == expected
            await nothing(stream)
            assert await conn.fetchval("SELECT 1") == 1
        assert await channels(conn) == set()
        assert forgotten(conn)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_who_is_cancelled_has_taken_nothing(connect: Connect, monitor: Monitor) -> None:
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a") as stream:
        for i in range(20):
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            notify(monitor, range(i, i + 1))
            while not stream._items:
                await asyncio.sleep(0)
            waiting.cancel()  # in the moment in which it is there
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await taken(stream, 1) == [str(i)]


async def test_many_takers(connect: Connect, monitor: Monitor) -> None:
    """Each notification is somebody's, and nobody waits in vain at the end."""
    found: list[str] = []

    async def take() -> None:
        async for _, _, payload in stream:
            found.append(payload)

    conn: pgallop.Connection
    async with connect() as conn:
        async with conn.notifications("a") as stream:
            takers = [asyncio.create_task(take()) for _ in range(5)]
            await asyncio.sleep(0)
            notify(monitor, range(20))
            while len(found) < 20:
                await asyncio.sleep(0.002)
        await asyncio.wait_for(asyncio.gather(*takers), 5)
        assert sorted(found, key=int) == [str(i) for i in range(20)]


async def test_several_streams(connect: Connect, monitor: Monitor) -> None:
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a") as one:
        async with conn.notifications("a", "b") as other:
            notify(monitor, range(2))
            assert await taken(one, 2) == await taken(other, 2) == ["0", "1"]
        assert await channels(conn) == {"a"}
        notify(monitor, range(2, 3))
        assert await taken(one, 1) == ["2"]


async def test_a_full_buffer_holds_the_others(
    connect: Connect, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, the server has to wait, and statements get on while there is room."""
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 10)
    heard: list[str] = []
    conn: pgallop.Connection
    async with connect() as conn:
        await conn.add_listener("a", lambda conn, pid, channel, payload: heard.append(payload))
        async with conn.notifications("a", size=5) as stream:
            notify(monitor, range(12))
            assert await conn.fetchval("SELECT 1") == 1
            assert len(stream._items) == len(heard) == 5
            notify(monitor, range(12, 40))
            async with asyncio.timeout(5):
                while not conn._session.paused:
                    await asyncio.sleep(0.002)
            late = asyncio.create_task(conn.fetchval("SELECT 2"))
            await asyncio.sleep(0.05)
            assert not late.done()
            assert len(stream._items) == len(heard) == 5
            assert await taken(stream, 40) == [str(i) for i in range(40)]
            assert await late == 2
            assert heard == [str(i) for i in range(40)]


async def test_left_while_it_is_full(connect: Connect, monitor: Monitor) -> None:
    heard: list[str] = []
    conn: pgallop.Connection
    async with connect() as conn:
        await conn.add_listener("a", lambda conn, pid, channel, payload: heard.append(payload))
        async with conn.notifications("a", size=1):
            notify(monitor, range(5))
            await asyncio.sleep(0.02)
            assert heard == ["0"]
        await asyncio.sleep(0.02)
        assert heard == ["0", "1", "2", "3", "4"]


async def test_all_wait_for_each_other(
    connect: Connect, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes waits for an answer that waits behind what he does not take."""
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 10)
    monkeypatch.setattr(inbox, "STALL_SECONDS", 0.05)
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a", size=5) as stream:
        notify(monitor, range(50))
        await asyncio.sleep(0.2)
        assert not conn.is_closed()  # nobody but the server waits
        message = "is full, nobody has taken anything"
        with pytest.raises(ConnectionDoesNotExistError, match=message):
            await conn.fetchval("SELECT 1")
        found = 0
        with pytest.raises(InterfaceError, match=message):
            async for _ in stream:
                found += 1
        assert 15 <= found <= 50  # what had come, and nothing twice


async def test_a_slow_taker_is_no_standstill(
    connect: Connect, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 4)
    monkeypatch.setattr(inbox, "STALL_SECONDS", 0.1)
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a", size=2) as stream:
        notify(monitor, range(20))
        late = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.1)"))
        for i in range(20):
            await asyncio.sleep(0.02)
            assert await taken(stream, 1) == [str(i)]
        await late


@pytest.mark.parametrize("how", ["killed", "terminated", "closed"])
async def test_the_connection_ends(connect: Connect, monitor: Monitor, how: str) -> None:
    """What has come can be taken; then it says why there is no more, as often as it is asked."""
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a", size=2) as stream:
        notify(monitor, range(5))
        while not stream._holds:
            await asyncio.sleep(0.002)
        await conn.fetchval("SELECT 1")  # all of them are here
        if how == "killed":
            monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
            while not conn.is_closed():
                await asyncio.sleep(0.002)
            message = "connection was lost: "
            kind: Any = ConnectionDoesNotExistError
        else:
            if how == "closed":
                await conn.close()
            else:
                conn.terminate()
            kind, message = InterfaceError, "no more notifications: it was closed by"
        assert await taken(stream, 5) == ["0", "1", "2", "3", "4"]
        for _ in range(2):
            with pytest.raises(kind, match=message) as caught:
                await anext(stream)
        assert caught.value.__cause__ is conn._session.broken


async def test_lost_while_somebody_waits(connect: Connect, monitor: Monitor) -> None:
    conn: pgallop.Connection
    async with connect() as conn, conn.notifications("a") as stream:
        waiting = [asyncio.create_task(taken(stream, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
        for each in waiting:
            with pytest.raises(ConnectionDoesNotExistError, match="connection was lost"):
                await each


async def test_reset(connect: Connect, monitor: Monitor) -> None:
    conn: pgallop.Connection
    async with connect() as conn:
        async with conn.notifications("a") as stream:
            notify(monitor, range(1))
            await conn.fetchval("SELECT 1")
            await conn.reset()
            assert await taken(stream, 1) == ["0"]
            with pytest.raises(InterfaceError, match="the session was reset"):
                await anext(stream)
            assert await channels(conn) == set()
        async with conn.notifications("a") as stream:
            notify(monitor, range(1))
            assert await taken(stream, 1) == ["0"]


async def test_given_back_to_a_pool(server: EmbeddedServer, monitor: Monitor) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire() as conn:
            stream = await conn.notifications("a").__aenter__()
        with pytest.raises(InterfaceError, match="given back to its pool"):
            await anext(stream)
        async with pool.acquire() as conn:
            assert await channels(conn) == set()
            async with conn.notifications("a") as stream:
                notify(monitor, range(1))
                assert await taken(stream, 1) == ["0"]


async def test_in_a_transaction(connect: Connect, monitor: Monitor) -> None:
    """It listens when the transaction is over, however that ends."""
    conn: pgallop.Connection
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        async with conn.notifications("a") as stream:
            notify(monitor, range(1))
            await nothing(stream)
            await transaction.rollback()
            assert await channels(conn) == {"a"}
            notify(monitor, range(1, 2))
            assert await taken(stream, 1) == ["1"]
        assert await channels(conn) == set()


async def test_it_cannot_begin(connect: Connect, monitor: Monitor) -> None:
    """What has begun by then is ended."""
    conn: pgallop.Connection
    async with connect() as conn:
        async with conn.transaction():
            with pytest.raises(pgallop.DivisionByZeroError):
                await conn.fetchval("SELECT 1 / 0")
            with pytest.raises(pgallop.InFailedSQLTransactionError):
                await conn.notifications("a", "b").__aenter__()
            await conn.execute("ROLLBACK")
        assert forgotten(conn)
        task = asyncio.create_task(enter(conn, "a", "b"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_listening(conn, set())
        assert forgotten(conn)
        assert not conn._streams.streams
    with pytest.raises(InterfaceError, match="connection is closed"):
        await conn.notifications("a").__aenter__()


async def enter(conn: pgallop.Connection, *names: str) -> None:
    async with conn.notifications(*names):
        await asyncio.Event().wait()


async def test_refused(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect() as conn:
        with pytest.raises(InterfaceError, match="one or more channels"):
            conn.notifications()
        for name in ("", "x" * 64, "\0", 3):
            with pytest.raises(InterfaceError, match="channel"):
                conn.notifications("a", name)  # type: ignore[arg-type]
        for size in (0, -1, 1.5, None, True):
            with pytest.raises(InterfaceError, match="size must be an int of at least 1"):
                conn.notifications("a", size=size)  # type: ignore[arg-type]
        stream = conn.notifications("a")
        with pytest.raises(InterfaceError, match="nobody listens yet"):
            aiter(stream)
        with pytest.raises(InterfaceError, match="nobody listens yet"):
            await anext(stream)
        async with stream:
            with pytest.raises(InterfaceError, match="twice"):
                await stream.__aenter__()
        assert repr(stream) == "<NotificationStream a not open pending=0>"


async def test_nothing_is_left(connect: Connect, monitor: Monitor) -> None:
    """One that was never entered leaves nothing, and one that was left neither."""
    conn: pgallop.Connection
    async with connect() as conn:
        conn.notifications("a")
        for _ in range(3):
            async with conn.notifications("a"):
                notify(monitor, range(3))
        await conn.fetchval("SELECT 1")
        gc.collect()
        assert not [each for each in gc.get_objects() if isinstance(each, NotificationStream)]
