"""Who waits for a connection, or has one, and goes: nothing is lost and nobody is passed over."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from interruption import MOMENTS, Interrupted, Moment, interruptions
from live import Monitor
from pools import at_rest, new_pool, until, whole

import pgallop
from pgallop.cli.server import EmbeddedServer

SLEEP = "SELECT pg_sleep(30)"

Use = Callable[[pgallop.Pool], Any]


async def acquire_and_release(pool: pgallop.Pool) -> None:
    async with pool.acquire() as conn:
        await conn.fetchval("SELECT 1")


async def transaction(pool: pgallop.Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL work_mem = '77kB'; SELECT pg_advisory_lock(5)")
        await conn.fetchval("SELECT $1::int", 1)


USES: dict[str, Use] = {
    "fetch": lambda pool: pool.fetch("SELECT $1::int", 1),
    "fetchval": lambda pool: pool.fetchval("SELECT 1"),
    "execute": lambda pool: pool.execute("SELECT 1; SET work_mem = '77kB'"),
    "execute, BEGIN": lambda pool: pool.execute("BEGIN"),
    "fetch, BEGIN": lambda pool: pool.fetch("BEGIN"),
    "fetch, an error": lambda pool: expecting(pool.fetch("SELECT 1/0")),
    "fetchmany": lambda pool: pool.fetchmany("SELECT $1::int", [(1,), (2,)]),
    "acquire": acquire_and_release,
    "transaction": transaction,
}


async def expecting(call: Any) -> None:
    with contextlib.suppress(pgallop.DivisionByZeroError):
        await call


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("queued", [False, True], ids=["idle", "queued"])
async def test_cancelled_at_each_await(
    server: EmbeddedServer, monitor: Monitor, use: str, moment: Moment, queued: bool
) -> None:
    """On a connection that is there, or behind somebody who gives his back in the meantime."""
    async with whole(new_pool(server, min_size=1, max_size=1)) as pool:

        async def call() -> None:
            if not queued:
                await USES[use](pool)
                return
            holder = await pool.acquire()
            asyncio.get_running_loop().call_later(
                0.001, lambda: asyncio.ensure_future(pool.release(holder))
            )
            try:
                await USES[use](pool)
            finally:
                await asyncio.sleep(0.003)

        async for run in interruptions(call, moment):
            assert isinstance(run.error, (asyncio.CancelledError, type(None)))
            await until(lambda: at_rest(pool))
            assert await pool.fetchval("SHOW work_mem", timeout=5) != "77kB"
            assert not monitor.ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
        assert pool.get_size() == 1


@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_while_it_is_made(server: EmbeddedServer, moment: Moment) -> None:
    """No session is left (which every test here is checked for), nor a task."""

    async def make() -> None:
        async with new_pool(server, min_size=3, max_size=3) as pool:
            await pool.fetchval("SELECT 1")

    async for run in interruptions(make, moment, least=3):
        assert isinstance(run.error, asyncio.CancelledError)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_while_it_connects(server: EmbeddedServer, moment: Moment) -> None:
    """The connection is opened all the same, for the next one."""

    async def first_use() -> None:
        async with new_pool(server, max_size=1) as pool:
            run = Interrupted(pool.fetchval("SELECT 1"), 1, moment)
            await run.run()
            assert isinstance(run.error, asyncio.CancelledError)
            await until(lambda: pool.get_idle_size() == 1)
            assert await pool.fetchval("SELECT 1") == 1
            assert pool.get_stats().opened == 1

    await first_use()


async def test_cancelled_in_the_tick_of_the_hand_over(server: EmbeddedServer) -> None:
    """Each way round: released and then cancelled, cancelled and then released."""
    async with whole(new_pool(server, max_size=1)) as pool:
        for order in range(2):
            for use in ("acquire", "fetch", "fetchmany"):
                holder = await pool.acquire()
                first = asyncio.create_task(USES[use](pool))
                second = asyncio.create_task(pool.fetchval("SELECT 2"))
                await asyncio.sleep(0)
                if order:
                    first.cancel()
                await pool.release(holder)
                first.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await first
                assert await asyncio.wait_for(second, 5) == 2


async def test_a_statement_that_was_given_up_keeps_nobody_waiting(
    server: EmbeddedServer, monitor: Monitor
) -> None:
    """Its connection comes back when it is over; until then others are used, or opened."""
    async with whole(new_pool(server, max_size=2)) as pool:
        for give_up in ("timeout", "cancel"):
            start = time.monotonic()
            slow = asyncio.create_task(pool.fetch(SLEEP, timeout=0.1))
            await asyncio.sleep(0.02)
            if give_up == "cancel":
                slow.cancel()
            with pytest.raises((TimeoutError, asyncio.CancelledError)):
                await slow
            assert await pool.fetchval("SELECT 1", timeout=1) == 1
            assert time.monotonic() - start < 1
            await until(lambda: at_rest(pool))
        assert pool.get_stats().closed == {}
    assert not monitor.ask("SELECT 1 FROM pg_stat_activity WHERE query = %s", SLEEP)


async def test_released_while_it_works(server: EmbeddedServer) -> None:
    """A statement under way is answered to whoever waits for it; then the connection is free."""
    async with whole(new_pool(server, max_size=2)) as pool:
        conn = await pool.acquire()
        slow = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.2) IS NULL"))
        waits = asyncio.create_task(conn.fetchval("SELECT 5"))
        given_up = asyncio.create_task(conn.fetch(SLEEP))
        await asyncio.sleep(0.02)
        given_up.cancel()
        await pool.release(conn)
        start = time.monotonic()
        assert await pool.fetchval("SELECT 1") == 1
        assert time.monotonic() - start < 0.15
        assert await slow is False
        assert await waits == 5
        with pytest.raises(asyncio.CancelledError):
            await given_up


async def test_released_while_it_closes(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        conn = await pool.acquire()
        slow = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.1) IS NULL"))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(conn.close())
        await asyncio.sleep(0.01)
        await pool.release(conn)
        assert await pool.fetchval("SELECT 1") == 1
        assert await slow is False
        with contextlib.suppress(pgallop.InterfaceError):
            await closing


async def test_deadlines(server: EmbeddedServer) -> None:
    """`timeout` is for all of it; without one the pool's patience holds for the waiting."""
    async with whole(new_pool(server, max_size=1, acquire_timeout=0.1)) as pool:
        async with pool.acquire():
            for call, seconds in (
                (pool.fetch("SELECT 1"), 0.1),
                (pool.fetchval("SELECT 1", timeout=0.05), 0.05),
                (pool.execute("SELECT 1"), 0.1),
                (pool.fetchmany("SELECT $1::int", [(1,)]), 0.1),
                (acquire_and_release(pool), 0.1),
                (pool.acquire(timeout=0.2).__aenter__(), 0.2),
            ):
                start = time.monotonic()
                with pytest.raises(pgallop.PoolTimeoutError, match="became free within") as caught:
                    await call
                assert isinstance(caught.value, TimeoutError)
                assert caught.value.safe_to_retry
                assert "of at most 1 connections 1 are open, 0 of them idle" in str(caught.value)
                assert seconds - 0.02 < time.monotonic() - start < seconds + 0.5
        with pytest.raises(TimeoutError, match="no answer within"):
            await pool.fetch(SLEEP, timeout=0.05)
        await until(lambda: at_rest(pool))
        assert pool.get_stats().timed_out == 6
        with pytest.raises(pgallop.ClientConfigurationError):
            await pool.acquire(timeout=cast(Any, "soon"))


@pytest.mark.parametrize("timeout", [float("nan"), "soon"])
async def test_what_is_no_timeout(server: EmbeddedServer, timeout: Any) -> None:
    """Nobody waits until it, and it does not keep others from their deadlines."""
    async with whole(new_pool(server, max_size=1)) as pool, pool.acquire():
        for call in (pool.fetchval, pool.execute):
            with pytest.raises(pgallop.ClientConfigurationError, match="timeout: expected sec"):
                await asyncio.wait_for(call("SELECT 1", timeout=timeout), 1)
        assert pool.get_stats().waiting == 0
        with pytest.raises(pgallop.PoolTimeoutError):
            await asyncio.wait_for(pool.fetchval("SELECT 1", timeout=0.01), 1)


async def test_what_is_left_of_a_timeout(server: EmbeddedServer) -> None:
    """Half of it was spent in the queue."""
    async with whole(new_pool(server, max_size=1)) as pool:
        holder = await pool.acquire()
        start = time.monotonic()
        slow = asyncio.create_task(pool.fetch(SLEEP, timeout=0.3))
        await asyncio.sleep(0.15)
        await pool.release(holder)
        with pytest.raises(TimeoutError):
            await slow
        assert 0.28 < time.monotonic() - start < 0.8


async def test_so_many_may_wait(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1, max_waiting=2)) as pool:
        async with pool.acquire():
            waiting = [asyncio.create_task(pool.fetchval("SELECT 1")) for _ in range(2)]
            await asyncio.sleep(0)
            for call in (pool.fetch("SELECT 1"), pool.acquire(), pool.execute("SELECT 1")):
                with pytest.raises(pgallop.PoolFullError, match="2 callers wait"):
                    await call
        assert await asyncio.gather(*waiting) == [1, 1]
        assert pool.get_stats().refused == 3


async def test_who_waits_is_served_in_turn(server: EmbeddedServer) -> None:
    """All kinds of use, some of which go: the others are served in the order of their coming."""
    async with whole(new_pool(server, max_size=2)) as pool:
        order: list[int] = []

        async def use(i: int) -> None:
            if i % 3 == 0:
                async with pool.acquire() as conn:
                    order.append(i)
                    await conn.fetchval("SELECT 1")
            else:
                # In the order in which the server runs them: each has its number in a sequence.
                await pool.fetchval("SELECT $1::int", i)

        holders = [await pool.acquire() for _ in range(2)]
        tasks = [asyncio.create_task(use(i)) for i in range(60)]
        await asyncio.sleep(0)
        gone = {i for i in range(60) if i % 7 == 0}
        for i in gone:
            tasks[i].cancel()
        for holder in holders:
            await pool.release(holder)
        await asyncio.wait(tasks)
        assert order == [i for i in range(0, 60, 3) if i not in gone]
        assert all(tasks[i].cancelled() == (i in gone) for i in range(60))


async def test_a_crowd(server: EmbeddedServer) -> None:
    """Random uses, cancellations, timeouts and errors: the pool is whole behind them."""
    chance = random.Random(8)
    async with whole(new_pool(server, min_size=2, max_size=4)) as pool:

        async def live(i: int) -> None:
            with contextlib.suppress(TimeoutError, pgallop.DivisionByZeroError):
                async with asyncio.timeout(chance.choice([0.0, 0.001, 0.01, 5])):
                    await chance.choice(list(USES.values()))(pool)

        tasks = [asyncio.create_task(live(i)) for i in range(400)]
        while not all(task.done() for task in tasks):
            chance.choice(tasks).cancel()
            await asyncio.sleep(chance.random() * 0.003)
        for task in tasks:
            assert task.cancelled() or task.exception() is None
        await until(lambda: at_rest(pool))
        assert pool.get_stats().closed == {}


async def test_a_leak(server: EmbeddedServer) -> None:
    """A connection that nobody holds any more goes back to the pool, clean."""
    async with whole(new_pool(server, max_size=1)) as pool:
        conn = await pool.acquire()
        await conn.execute("SET work_mem = '77kB'")
        with pytest.warns(ResourceWarning, match=r"acquired at .*test_pool_cancelled.*released"):
            del conn
        assert await pool.fetchval("SHOW work_mem") != "77kB"
