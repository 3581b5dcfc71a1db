"""Streams that are interrupted, forgotten, out of time: nothing is left of them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from bounds import measures
from chaos.blocks import Memory
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor

import pgallop

SERIES = "SELECT generate_series(1, $1::int) AS n"
INSERT = "INSERT INTO streamed SELECT generate_series(1, $1::int) RETURNING n"
SLOW = "SELECT n, pg_sleep(CASE n WHEN 4 THEN 60 ELSE 0 END) FROM generate_series(1, 9) AS n"
IN_TRANSACTIONS = "SELECT pid, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
PORTALS = "SELECT count(*) FROM pg_cursors WHERE name LIKE 'pgallop_portal%'"

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


class MineError(Exception):
    """What the body of a loop raises."""


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE streamed (n int)")
    yield
    monitor.ask("DROP TABLE streamed")


async def all_of(rows: Any) -> list[int]:
    return [row["n"] async for row in rows]


async def assert_nothing_is_left(conn: pgallop.Connection, monitor: Monitor) -> None:
    """The connection goes on, outside of a transaction, and the server agrees."""
    assert await conn.fetchval(PORTALS, timeout=5) == 0
    assert not conn.is_in_transaction()
    deadline = time.monotonic() + 5
    while left := monitor.ask(IN_TRANSACTIONS):
        assert time.monotonic() < deadline, f"a transaction is left open: {left}"
        await asyncio.sleep(0.01)


# --- the body -------------------------------------------------------------------------------------


@modes
async def test_left_by_an_exception(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        with pytest.raises(MineError):
            async with conn.stream(INSERT, 1000) as rows:
                async for _ in rows:
                    raise MineError
        assert not conn.is_in_transaction()
        with pytest.raises(MineError):
            async for _ in conn.stream(INSERT, 1000):
                raise MineError
        assert monitor.ask("SELECT * FROM streamed") == []
        await assert_nothing_is_left(conn, monitor)


async def test_cancelled_in_the_body(connect: Connect, monitor: Monitor) -> None:
    async def entered() -> None:
        async with conn.stream(INSERT, 1000) as rows:
            async for _ in rows:
                reading.set()
                await asyncio.sleep(60)

    async def plain() -> None:
        async for _ in conn.stream(INSERT, 1000):
            reading.set()
            await asyncio.sleep(60)

    async with connect() as conn:
        for read in entered, plain:
            reading = asyncio.Event()
            task = asyncio.create_task(read())
            await reading.wait()
            waiting = asyncio.create_task(conn.fetchval("SELECT 1"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await waiting == 1
            assert monitor.ask("SELECT * FROM streamed") == []
            await assert_nothing_is_left(conn, monitor)


@modes
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_at_each_await(
    connect: Connect, monitor: Monitor, mode: str, moment: Moment
) -> None:
    """What was stored is all of it or nothing, and all of it if the last row was seen."""
    async with connect(statement_mode=mode, statement_cache_size=0) as conn:
        seen: list[int] = []

        async def work() -> None:
            seen.clear()
            monitor.ask("TRUNCATE streamed")
            async with conn.stream(INSERT, 5, prefetch=2) as rows:
                async for (n,) in rows:
                    seen.append(n)
            async with conn.stream(SERIES, 50, prefetch=2) as rows:
                await anext(rows)

        async for run in interruptions(work, moment, least=6):
            assert isinstance(run.error, asyncio.CancelledError)
            await assert_nothing_is_left(conn, monitor)
            stored = [n for (n,) in monitor.ask("SELECT n FROM streamed ORDER BY n")]
            assert stored in ([], [1, 2, 3, 4, 5])
            assert seen == list(range(1, len(seen) + 1))
            assert stored or 5 not in seen


# --- the server -----------------------------------------------------------------------------------


@modes
async def test_an_error_in_the_middle(connect: Connect, monitor: Monitor, mode: str) -> None:
    query = "SELECT 1 / (500 - n) AS q, n FROM generate_series(1, 1000) AS n"
    async with connect(statement_mode=mode) as conn:
        for prefetch in (1, 50, 499, 500, 1000):
            seen = 0
            rows = aiter(conn.stream(query, prefetch=prefetch))
            with pytest.raises(pgallop.DivisionByZeroError):
                async for row in rows:
                    seen = row["n"]
            assert 500 - prefetch - 1 <= seen < 500 or seen == 0
            with pytest.raises(pgallop.InterfaceError, match="was a DivisionByZeroError in it"):
                await anext(rows)
            await assert_nothing_is_left(conn, monitor)


@modes
async def test_out_of_time(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for prefetch in (1, 9):  # in the middle, and while it begins
            rows = aiter(conn.stream(SLOW, prefetch=prefetch, timeout=0.1))
            start = time.monotonic()
            with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
                async for _ in rows:
                    pass
            assert time.monotonic() - start < 2
            with pytest.raises(pgallop.InterfaceError, match="there was a TimeoutError in it"):
                await anext(rows)
            await assert_nothing_is_left(conn, monitor)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), conn.stream(SLOW, prefetch=1) as some:
                async for _ in some:
                    pass
        await assert_nothing_is_left(conn, monitor)
        # Each time that rows are fetched has it anew.
        slowly = "SELECT n, pg_sleep(0.03) FROM generate_series(1, 20) AS n"
        assert len(await all_of(conn.stream(slowly, prefetch=2, timeout=0.4))) == 20
    async with connect(command_timeout=0.1, statement_mode=mode) as conn:
        with pytest.raises(TimeoutError):
            await all_of(conn.stream(SLOW))
        await assert_nothing_is_left(conn, monitor)


async def test_the_bodys_time_is_not_the_statements(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("SET statement_timeout = '200ms'")
        async for (n,) in conn.stream(SERIES, 9, prefetch=2):
            await asyncio.sleep(0.25 if n in (1, 5) else 0)


async def test_a_value_that_python_cannot_hold(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        query = "SELECT date '9999-12-31' + generate_series(0, 5) AS n"
        with pytest.raises(pgallop.DataError):
            await all_of(conn.stream(query, prefetch=2))
        await assert_nothing_is_left(conn, monitor)


async def test_code_of_the_program_that_fails(connect: Connect, monitor: Monitor) -> None:
    """All of it is rolled back, although the server had come to the end."""

    def make(n: int) -> int:
        if n == 3:
            raise MineError
        return n

    async with connect() as conn:
        for prefetch in (1, 50):
            with pytest.raises(MineError):
                async for _ in conn.stream(INSERT, 5, prefetch=prefetch, into=make):
                    pass
            await assert_nothing_is_left(conn, monitor)
            assert monitor.ask("SELECT * FROM streamed") == []


# --- the connection -------------------------------------------------------------------------------


async def lose(conn: pgallop.Connection, monitor: Monitor) -> None:
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())


async def end(conn: pgallop.Connection, monitor: Monitor) -> None:
    await conn.close()


async def terminate(conn: pgallop.Connection, monitor: Monitor) -> None:
    conn.terminate()


@pytest.mark.parametrize("go", [lose, end, terminate])
async def test_the_connection_goes(
    connect: Connect,
    monitor: Monitor,
    go: Callable[[pgallop.Connection, Monitor], Awaitable[None]],
) -> None:
    conn = await connect()
    async with conn.stream(INSERT, 100, prefetch=2) as rows:
        await anext(rows)
        waiting = asyncio.create_task(conn.stream(SERIES, 1).__aiter__().__anext__())
        await go(conn, monitor)
        with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.InterfaceError)):
            await all_of(rows)
        with pytest.raises(pgallop.InterfaceError):
            await anext(rows)
        with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.InterfaceError)):
            await waiting
    assert conn.is_closed()
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        await all_of(conn.stream(SERIES, 1))
    assert monitor.ask("SELECT * FROM streamed") == []


@pytest.mark.parametrize("reads_on", [True, False])
@pytest.mark.parametrize("who", ["its reader", "another task"])
async def test_reset(connect: Connect, monitor: Monitor, who: str, reads_on: bool) -> None:
    async with connect() as conn:
        async with conn.stream(INSERT, 100, prefetch=2) as rows:
            await anext(rows)
            if who == "its reader":
                await conn.reset()
                assert await conn.fetchval("SELECT 1") == 1
            else:
                await asyncio.create_task(conn.reset(), context=contextvars.Context())
                with pytest.raises(pgallop.InterfaceError, match="was ended before this statem"):
                    await conn.fetchval("SELECT 1")
            if reads_on:
                with pytest.raises(pgallop.InterfaceError, match="cannot go on: the transaction"):
                    await all_of(rows)
                assert await conn.fetchval("SELECT 1") == 1
        await assert_nothing_is_left(conn, monitor)
        assert monitor.ask("SELECT * FROM streamed") == []


# --- forgotten ------------------------------------------------------------------------------------


@modes
async def test_forgotten(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        rows = aiter(conn.stream(INSERT, 100, prefetch=2))
        await anext(rows)
        waiting = asyncio.create_task(conn.fetchval("SELECT 1"))
        del rows
        assert await waiting == 1
        await assert_nothing_is_left(conn, monitor)
        assert monitor.ask("SELECT * FROM streamed") == []


async def test_collected_in_another_thread(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        cycle: list[Any] = [aiter(conn.stream(INSERT, 100, prefetch=2))]
        await anext(cycle[0])
        cycle.append(cycle)
        del cycle
        waiting = asyncio.create_task(conn.fetchval("SELECT 1"))
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()
        assert await waiting == 1
        await assert_nothing_is_left(conn, monitor)
        assert monitor.ask("SELECT * FROM streamed") == []


async def test_collected_when_its_loop_is_closed(dsn: str) -> None:
    """There is nobody who could roll back, and nothing to be rolled back any more."""

    async def leave() -> Any:
        conn = await pgallop.connect(dsn)
        rows = aiter(conn.stream(SERIES, 100, prefetch=2))
        await anext(rows)
        conn.terminate()
        return rows

    def run() -> None:
        kept.append(asyncio.run(leave()))

    kept: list[Any] = []
    await asyncio.to_thread(run)
    kept.clear()
    gc.collect()


async def test_a_generator_around_it(connect: Connect, monitor: Monitor) -> None:
    async def entered() -> AsyncGenerator[pgallop.Record, None]:
        async with conn.stream(INSERT, 100, prefetch=2) as rows:
            async for row in rows:
                yield row

    async def plain() -> AsyncGenerator[pgallop.Record, None]:
        async for row in conn.stream(INSERT, 100, prefetch=2):
            yield row

    async with connect() as conn:
        for generator in entered, plain:
            rows = generator()
            assert await anext(rows) == (1,)
            await rows.aclose()
            await assert_nothing_is_left(conn, monitor)
            async for _ in generator():
                break
            await asyncio.sleep(0.01)  # the loop closes it in a task
            await assert_nothing_is_left(conn, monitor)


@pytest.mark.parametrize("first", [True, False])
async def test_a_coroutine_that_is_closed(connect: Connect, monitor: Monitor, first: bool) -> None:
    """It must not wait any more."""
    async with connect() as conn:
        rows = aiter(conn.stream(SLOW, prefetch=1))
        if not first:
            await anext(rows)
        step = anext(rows)
        step.send(None)
        step.close()
        await assert_nothing_is_left(conn, monitor)
        with pytest.raises(pgallop.InterfaceError, match="there was a GeneratorExit in it"):
            await anext(rows)


@pytest.mark.parametrize("prefetch", [1, 9])
async def test_closed_by_another_task(connect: Connect, monitor: Monitor, prefetch: int) -> None:
    """While rows are on their way, or their statement is."""
    async with connect() as conn:
        for pause in (0, 0.05):
            rows = aiter(conn.stream(SLOW.replace("60", "0.1"), prefetch=prefetch))
            reading = asyncio.create_task(all_of(rows))
            await asyncio.sleep(pause)
            await rows.aclose()
            await rows.aclose()
            with pytest.raises(pgallop.InterfaceError, match="it was closed"):
                await reading
            await assert_nothing_is_left(conn, monitor)


async def test_closed_while_it_waits(connect: Connect, monitor: Monitor) -> None:
    """For its turn: then nothing of it is sent."""
    monitor.ask("CREATE SEQUENCE stream_numbers")
    try:
        async with connect() as conn:
            rows = aiter(conn.stream("SELECT nextval('stream_numbers') AS n"))
            begun, ends = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                async with conn.transaction():
                    begun.set()
                    await ends.wait()

            holding = asyncio.create_task(hold())
            await begun.wait()
            reading = asyncio.create_task(all_of(rows))
            await asyncio.sleep(0.01)
            await rows.aclose()
            ends.set()
            with pytest.raises(pgallop.InterfaceError, match="it was closed"):
                await reading
            await holding
            assert monitor.ask("SELECT is_called FROM stream_numbers") == [(False,)]
            await assert_nothing_is_left(conn, monitor)
    finally:
        monitor.ask("DROP SEQUENCE stream_numbers")


async def test_closed_and_cancelled_before_it_was_sent(connect: Connect, monitor: Monitor) -> None:
    async with connect(statement_mode="unnamed") as conn:
        await all_of(conn.stream(INSERT, 0))
        before = asyncio.create_task(conn.fetch("SELECT pg_sleep(0.1)"))
        await asyncio.sleep(0)
        rows = aiter(conn.stream(INSERT, 1))
        reading = asyncio.create_task(all_of(rows))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(rows.aclose())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await closing
        await before
        assert monitor.ask("SELECT * FROM streamed") == []
        await assert_nothing_is_left(conn, monitor)


async def test_one_that_is_kept_keeps_no_statement(connect: Connect) -> None:
    """The server may be told to forget it, although its iterator is still there."""
    async with connect(statement_cache_size=1) as conn:
        rows = aiter(conn.stream(SERIES, 3))
        assert await all_of(rows) == [1, 2, 3]
        await conn.fetch("SELECT 1")
        await conn.fetch("SELECT 2")
        left = await conn.fetch(
            "SELECT name FROM pg_prepared_statements WHERE statement = $1", SERIES
        )
        assert left == []
        assert await all_of(rows) == []


# --- memory ---------------------------------------------------------------------------------------


@measures
async def test_a_million_rows(connect: Connect) -> None:
    async with connect() as conn:
        await all_of(conn.stream(SERIES, 20_000, prefetch=10_000))
        memory = Memory()
        total = 0
        async for (n,) in conn.stream(SERIES, 1_000_000, prefetch=10_000):
            total += n
        assert total == 500_000_500_000
        assert memory.peak() - memory.before < 10
