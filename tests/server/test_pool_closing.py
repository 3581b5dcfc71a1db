"""The end of a pool, and pools in the wrong place: another loop, thread or process, nobody's."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import warnings
from typing import Any

import pytest
from event_loops import LOOPS
from live import Monitor
from pools import at_rest, new_pool, until, whole

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.pool import closing as module

SLEEP = "SELECT pg_sleep(1.5)"  # which outlives its client


async def test_close_waits_for_those_who_have_one(server: EmbeddedServer) -> None:
    pool = await new_pool(server)
    conn = await pool.acquire()
    one_shot = asyncio.create_task(pool.fetchval("SELECT pg_sleep(0.1) IS NULL"))
    waiting = [asyncio.create_task(pool.fetchval("SELECT 1")) for _ in range(3)]
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(pool.close())
    for task in waiting:
        with pytest.raises(pgallop.InterfaceError, match="pool is closing"):
            await task
    with pytest.raises(pgallop.InterfaceError, match="pool is closing"):
        await pool.fetch("SELECT 1")
    assert await one_shot is False
    assert not closing.done()
    assert await conn.fetchval("SELECT 5") == 5
    await pool.release(conn)
    await asyncio.wait_for(closing, 5)
    assert pool.get_size() == 0


async def test_close_has_a_deadline_and_tells_who_is_to_blame(server: EmbeddedServer) -> None:
    pool = await new_pool(server, max_size=3, record_stacks=True)

    async def hold() -> None:
        async with pool.acquire() as conn:
            await conn.fetch(SLEEP)

    task = asyncio.create_task(hold(), name="the holder")
    one_shot = asyncio.create_task(pool.fetch(SLEEP))
    await asyncio.sleep(0.3)  # both run by now, but for less than a second
    start = time.monotonic()
    with pytest.raises(pgallop.PoolTimeoutError) as caught:
        await pool.close(timeout=0.1)
    assert time.monotonic() - start < 1
    text = str(caught.value)
    assert "task 'the holder' since 0." in text
    assert "acquired at " in text
    assert "async with pool.acquire() as conn" in text  # a line of its stack
    assert f"runs '{SLEEP}'" in text
    for each in (task, one_shot):
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await each
    assert pool.is_closing()
    await pool.close()


async def test_close_inside_of_acquire(server: EmbeddedServer) -> None:
    pool = await new_pool(server)
    async with pool.acquire() as conn:
        with pytest.raises(pgallop.InterfaceError, match="would wait for ever"):
            await pool.close()
        assert await conn.fetchval("SELECT 1") == 1
    # Who has awaited it may have given it to somebody else.
    conn = await pool.acquire()
    asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(pool.release(conn)))
    await pool.close()


async def test_the_log_tells_whom_close_waits_for(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMIND_SECONDS", 0.05)
    pool = await new_pool(server)
    conn = await pool.acquire()
    with caplog.at_level(logging.WARNING, "pgallop.pool"):
        closing = asyncio.create_task(pool.close())
        await until(lambda: caplog.records)
    assert "acquired at" in caplog.text
    await pool.release(conn)
    await closing


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_close_is_given_up(server: EmbeddedServer, how: str) -> None:
    pool = await new_pool(server)
    conn = await pool.acquire()
    closing = asyncio.create_task(pool.close())
    again = asyncio.create_task(pool.close())
    await asyncio.sleep(0.02)
    if how == "cancel":
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    else:
        pool.terminate()
        await closing
    await again
    assert conn.is_closed()
    await pool.release(conn)
    assert pool.is_closing()


async def test_an_error_in_the_block_is_the_one_to_see(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the wait for a connection that nobody will give back."""
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    with pytest.raises(LookupError, match="this one"):
        async with new_pool(server) as pool:
            conn = await pool.acquire()
            raise LookupError("this one")
    assert conn.is_closed()


async def test_terminate(server: EmbeddedServer) -> None:
    pool = await new_pool(server, max_size=2)
    running = [asyncio.create_task(pool.fetch(SLEEP)) for _ in range(4)]
    await asyncio.sleep(0.05)
    pool.terminate()
    for task in running[:2]:
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await task
    for task in running[2:]:
        with pytest.raises(pgallop.InterfaceError, match="pool is closed"):
            await task
    pool.terminate()
    await pool.close()


async def test_terminate_while_it_is_made(server: EmbeddedServer) -> None:
    pool = new_pool(server, min_size=2)
    making = asyncio.create_task(pool.__aenter__())
    await asyncio.sleep(0)
    with pytest.raises(pgallop.InterfaceError, match="initialized by another task"):
        await pool.fetch("SELECT 1")
    with pytest.raises(pgallop.InterfaceError, match="initialized by another task"):
        await pool
    pool.terminate()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await making


async def test_nobody_holds_it(server: EmbeddedServer, monitor: Monitor) -> None:
    """It is closed, with a warning: one, and none for each of its connections."""
    pool = await new_pool(server, min_size=2)
    before = monitor.sessions()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del pool
        gc.collect()
        await until(lambda: len(monitor.sessions()) <= len(before) - 2)
    assert [str(each.message)[:13] for each in caught] == ["unclosed pool"]


async def test_who_uses_it_holds_it(server: EmbeddedServer) -> None:
    """A connection, a call that waits."""
    conn = await (await new_pool(server)).acquire()
    gc.collect()
    assert await conn.fetchval("SELECT 1") == 1
    pool = conn._pool
    assert pool is not None
    await pool.release(conn)
    await pool.close()
    pool = await new_pool(server, max_size=1)
    calls = [asyncio.create_task(pool.fetchval("SELECT pg_sleep(0.02) IS NULL")) for _ in range(3)]
    del pool
    await asyncio.sleep(0)
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert await asyncio.gather(*calls) == [False] * 3
        calls.clear()
        gc.collect()
    assert [str(each.message)[:13] for each in caught] == ["unclosed pool"]


@pytest.mark.parametrize(
    "kind", ["asyncio", "uvloop"]
)  # else there are transports, which warn, too
def test_its_loop_is_closed(server: EmbeddedServer, kind: str) -> None:
    loop = LOOPS[kind]()
    pool: Any = loop.run_until_complete(new_pool(server, min_size=2).__aenter__())
    loop.close()
    with pytest.raises(pgallop.InterfaceError, match="another event loop"):
        asyncio.run(pool.fetch("SELECT 1"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del pool
        gc.collect()
    assert [str(each.message)[:13] for each in caught] == ["unclosed pool"]


async def test_another_thread(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        conn = await pool.acquire()

        async def elsewhere() -> None:
            for use in (
                pool.fetch("SELECT 1"),
                pool.acquire(),
                pool.execute("SELECT 1"),
                pool.release(conn),
                pool.close(),
                pool.drain(),
            ):
                with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                    await use
            for act in (pool.terminate, pool.resize):
                with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                    act()

        def without_a_loop() -> None:
            with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                pool.terminate()
            call: Any = pool.fetch("SELECT 1")
            with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                call.send(None)

        await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        await asyncio.to_thread(without_a_loop)
        await pool.release(conn)


async def test_nobody_holds_a_connection_in_another_thread(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        held = [await pool.acquire()]
        thread = threading.Thread(target=held.clear)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            thread.start()
            thread.join()
        assert "was never released" in str(caught[0].message)
        await until(lambda: at_rest(pool))


async def test_a_forked_child(server: EmbeddedServer) -> None:
    """It is told, and the parent's connections are none of its business."""
    async with whole(new_pool(server, max_size=2)) as pool:
        async with pool.acquire() as conn:
            assert await conn.fetchval("SELECT 1") == 1
            reader, writer = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of fork with threads
                pid = os.fork()
            if pid == 0:
                told = b"nothing"
                try:
                    asyncio.events._set_running_loop(None)
                    loop = asyncio.new_event_loop()
                    try:
                        loop.run_until_complete(pool.fetch("SELECT 1"))
                    except pgallop.InterfaceError as error:
                        told = str(error).encode()
                    del pool
                finally:
                    os.write(writer, told)
                    os._exit(0)
            os.close(writer)
            os.waitpid(pid, 0)
            with open(reader, "rb") as answer:
                assert b"the parent process's" in answer.read()
            assert await conn.fetchval("SELECT 2") == 2
        assert await pool.fetchval("SELECT 3") == 3


async def test_by_a_hook(server: EmbeddedServer) -> None:
    """It would wait for itself."""
    errors: list[pgallop.InterfaceError] = []

    async def hook(_: Any) -> None:
        with pytest.raises(pgallop.InterfaceError, match="by a hook") as caught:
            await pool.close()
        errors.append(caught.value)

    async with new_pool(server, max_size=1, init=hook, reset=hook) as pool:
        async with pool.acquire(timeout=5):
            pass
        assert len(errors) == 2
