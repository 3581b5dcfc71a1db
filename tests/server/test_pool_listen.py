"""`Pool.listen`: it goes on when connections are lost, and says what may have been missed."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import pytest
from live import Monitor
from pools import at_rest, new_pool, until, whole

import pgallop
from pgallop import ConnectionDoesNotExistError, Gap, InterfaceError, Notification
from pgallop.cli.server import EmbeddedServer
from pgallop.pool import listening
from pgallop.pool.listening import PoolNotifications

LISTENERS = (
    "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE 'LISTEN%'"
)


async def next_of(events: PoolNotifications) -> Notification | Gap:
    async with asyncio.timeout(5):
        return await anext(events)


async def gap_of(events: PoolNotifications) -> Gap:
    event = await next_of(events)
    assert isinstance(event, Gap)
    return event


async def payloads(events: PoolNotifications, count: int) -> list[str]:
    found = [await next_of(events) for _ in range(count)]
    assert all(isinstance(each, Notification) for each in found)
    return [each.payload for each in found if isinstance(each, Notification)]


def notify(monitor: Monitor, *numbers: int) -> None:
    for each in numbers:
        monitor.ask("SELECT pg_notify('a', %s)", str(each))


def kill(monitor: Monitor) -> None:
    """End the sessions that listen, for which the server takes a moment."""
    for (pid,) in monitor.ask(LISTENERS):
        monitor.ask("SELECT pg_terminate_backend(%s, 5000)", pid)


async def test_through_losses(server: EmbeddedServer, monitor: Monitor) -> None:
    async with whole(new_pool(server)) as pool:
        async with pool.listen("a", "b") as events:
            assert await next_of(events) == Gap(None, 0.0)
            notify(monitor, 1, 2)
            assert await payloads(events, 2) == ["1", "2"]
            for i in range(3):
                notify(monitor, 3 * i)
                await until(lambda: events._stream is not None and events._stream._items)
                kill(monitor)
                notify(monitor, 3 * i + 1)
                # What had come by then, the gap, what comes behind it.
                assert await payloads(events, 1) == [str(3 * i)]
                gap = await gap_of(events)
                assert isinstance(gap.reason, ConnectionDoesNotExistError)
                assert 0 <= gap.seconds < 5
                notify(monitor, 3 * i + 2)
                assert await payloads(events, 1) == [str(3 * i + 2)]
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        await until(lambda: at_rest(pool))
        assert monitor.ask(LISTENERS) == []


async def test_nothing_is_missed_behind_a_gap(server: EmbeddedServer, monitor: Monitor) -> None:
    """Who looks at the table in each gap has seen all rows in the end."""
    monitor.ask("CREATE TABLE listen_jobs (id int)")
    seen: set[int] = set()
    total = 60

    async def work(pool: pgallop.Pool) -> None:
        async for event in pool.listen("a", size=3):
            match event:
                case Gap():
                    seen.update(id for (id,) in await pool.fetch("SELECT id FROM listen_jobs"))
                case Notification(payload=payload):
                    seen.add(int(payload))
            if len(seen) == total:
                break

    try:
        async with whole(new_pool(server, max_size=3)) as pool:
            task = asyncio.create_task(work(pool))
            for i in range(total):
                monitor.ask(
                    "WITH job AS (INSERT INTO listen_jobs VALUES (%s) RETURNING id)"
                    " SELECT pg_notify('a', id::text) FROM job",
                    i,
                )
                if i % 10 == 9:
                    kill(monitor)
                await asyncio.sleep(0.002)
            await asyncio.wait_for(task, 10)
    finally:
        monitor.ask("DROP TABLE listen_jobs")


async def test_the_server_is_away_for_a_while(
    server: EmbeddedServer,
    monitor: Monitor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(listening, "FIRST_PAUSE", 0.01)
    refusing = False

    async def connect(*args: Any, **options: Any) -> pgallop.Connection:
        if refusing:
            raise ConnectionRefusedError("the server is away")
        return await pgallop.connect(*args, **options)

    async with whole(new_pool(server, connect=connect)) as pool, pool.listen("a") as events:
        await gap_of(events)
        refusing = True
        kill(monitor)
        with caplog.at_level(logging.WARNING, "pgallop.pool"):
            coming = asyncio.create_task(gap_of(events))
            await until(lambda: "cannot listen again" in caplog.text)
            await until(lambda: caplog.text.count("cannot listen again") > 2)
        assert not coming.done()
        refusing = False
        assert isinstance((await coming).reason, ConnectionDoesNotExistError)
        notify(monitor, 1)
        assert await payloads(events, 1) == ["1"]


async def test_the_first_time_errors_are_the_caller_s(server: EmbeddedServer) -> None:
    pool = pgallop.create_pool(server.dsn, min_size=0, database="no_such_database")
    async with pool:
        with pytest.raises(pgallop.InvalidCatalogNameError):
            await anext(pool.listen("a"))
    with pytest.raises(InterfaceError, match="the pool is closed"):
        pool.listen("a")


async def test_without_a_block(server: EmbeddedServer, monitor: Monitor) -> None:
    """Left by `break`, it gives its connection back without a word."""
    async with whole(new_pool(server, max_size=1)) as pool:
        for _ in range(3):
            async for event in pool.listen("a"):
                assert event == Gap(None, 0.0)
                break
            gc.collect()
            await until(lambda: at_rest(pool))
            assert await pool.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0


async def test_who_is_cancelled_has_taken_nothing(server: EmbeddedServer, monitor: Monitor) -> None:
    """Before it listens, too: it begins anew then."""
    async with whole(new_pool(server, max_size=1)) as pool, pool.listen("a") as events:
        for turns in range(12):
            task = asyncio.create_task(gap_of(events))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        if events._stream is None:
            assert await next_of(events) == Gap(None, 0.0)
        for i in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(events)
            notify(monitor, i)
            assert await payloads(events, 1) == [str(i)]


@pytest.mark.parametrize("how", ["close", "terminate", "block"])
async def test_the_pool_is_closed(server: EmbeddedServer, monitor: Monitor, how: str) -> None:
    """What has come can be taken, then it ends; those who do not take do not hold up the pool."""
    pool = await new_pool(server)
    waiting, idle, unused = pool.listen("a"), pool.listen("a"), pool.listen("a")
    await gap_of(waiting)
    await gap_of(idle)
    task = asyncio.create_task(rest(waiting))
    notify(monitor, 1)
    await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        if how == "close":
            await pool.close()
        elif how == "terminate":
            pool.terminate()
        else:
            with pytest.raises(ZeroDivisionError):
                async with pool:
                    raise ZeroDivisionError
        assert await task == ["1"]
        assert await rest(idle) == ["1"]
        assert await rest(unused) == []


async def rest(events: PoolNotifications) -> list[str]:
    return [each.payload async for each in events if isinstance(each, Notification)]


async def test_closed_while_it_begins(server: EmbeddedServer) -> None:
    for turns in range(0, 30, 3):
        pool = await new_pool(server)
        task = asyncio.create_task(rest(pool.listen("a")))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(pool.close(), 5)
        assert await asyncio.wait_for(task, 5) == []


async def test_closed_when_it_has_just_got_its_connection(server: EmbeddedServer) -> None:
    """It was given one, and close() comes before its task is woken for that."""
    pool = await new_pool(server, max_size=1)
    held = await pool.acquire()
    task = asyncio.create_task(rest(pool.listen("a")))
    while not pool.get_stats().waiting:
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await pool.release(held)
        await pool.close()
        assert await task == []


async def test_connections_are_replaced(server: EmbeddedServer, monitor: Monitor) -> None:
    async with whole(new_pool(server)) as pool, pool.listen("a") as events:
        await gap_of(events)
        ((old,),) = monitor.ask(LISTENERS)
        await pool.drain(timeout=5)
        assert isinstance((await gap_of(events)).reason, InterfaceError)
        await until(lambda: (old,) not in monitor.ask(LISTENERS))
        notify(monitor, 1)
        assert await payloads(events, 1) == ["1"]


async def test_refused(server: EmbeddedServer) -> None:
    async with whole(new_pool(server)) as pool:
        with pytest.raises(InterfaceError, match="one or more channels"):
            pool.listen()
        with pytest.raises(InterfaceError, match="channel"):
            pool.listen("")
        with pytest.raises(InterfaceError, match="size must be an int"):
            pool.listen("a", size=0)
        async with pool.listen("a") as events:
            await gap_of(events)
            task = asyncio.create_task(next_of(events))
            await asyncio.sleep(0)
            with pytest.raises(InterfaceError, match="another task waits for notifications"):
                await anext(events)
            assert repr(events) == "<PoolNotifications a listening>"
            task.cancel()
            await asyncio.wait([task])
        assert repr(events) == "<PoolNotifications a stopped>"
        assert repr(pool.listen("b")) == "<PoolNotifications b not listening>"


async def test_no_connection_is_free(server: EmbeddedServer) -> None:
    pool = new_pool(server, max_size=1, acquire_timeout=0.05)
    async with whole(pool), pool.acquire():
        with pytest.raises(pgallop.PoolTimeoutError):
            await anext(pool.listen("a"))
