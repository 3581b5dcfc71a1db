"""What statements leave to the garbage collector, which is nothing.

A cycle keeps rows, arguments and tracebacks until the collector comes, and makes it come often.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from live import Connect

import pgallop
from pgallop import ownership

Call = Callable[[pgallop.Connection], Awaitable[object]]

ROUNDS = 20

# To copy these takes several pieces.
MANY = [(n,) for n in range(12_000)]


async def in_a_block(conn: pgallop.Connection, *calls: Call) -> None:
    async with conn.transaction():
        for call in calls:
            await call(conn)


async def suppressed_in_a_block(conn: pgallop.Connection, *calls: Call) -> None:
    """The block goes on after each error, and ends by TransactionAborted."""
    async with conn.transaction():
        for call in calls:
            with contextlib.suppress(pgallop.PostgresError):
                await call(conn)


async def in_a_nested_block(conn: pgallop.Connection, call: Call) -> None:
    async with conn.transaction():
        await conn.execute("SELECT 1")
        await in_a_block(conn, call)


async def in_a_pipeline(conn: pgallop.Connection, *queries: str) -> None:
    async with conn.pipeline() as pipeline:
        for query in queries:
            pipeline.fetch(query)


async def a_cancelled_task(conn: pgallop.Connection, query: str) -> None:
    task = asyncio.create_task(conn.fetch(query))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def streamed(
    conn: pgallop.Connection, query: str, *args: object, until: int = 99, **options: Any
) -> None:
    """Read so many rows, the first time within a block of the stream."""
    async with conn.stream(query, *args, prefetch=1, **options) as rows:
        for _ in range(until):
            await anext(rows, None)
    async for _ in conn.stream(query, *args, prefetch=1, **options):
        until -= 1
        if not until:
            break


async def copied(conn: pgallop.Connection, *records: Any, **options: Any) -> None:
    """Copy records into a table; at `...` the source fails, at None it waits."""

    async def source() -> AsyncIterator[Any]:
        for record in records:
            if record is ...:
                raise pgallop.DataError("no more")
            if record is None:
                await asyncio.sleep(60)
            yield record

    await conn.execute("CREATE TEMP TABLE IF NOT EXISTS copied (n int PRIMARY KEY)")
    await conn.copy_records_to_table("copied", records=source(), **options)
    await conn.execute("TRUNCATE copied")


def divides(conn: pgallop.Connection) -> Awaitable[object]:
    return conn.fetch("SELECT 1 / 0")


def selects(conn: pgallop.Connection) -> Awaitable[object]:
    return conn.fetch("SELECT 1")


CALLS: dict[str, Call] = {
    "fetch": selects,
    "fetchval with an argument": lambda conn: conn.fetchval("SELECT $1::int", 1),
    "a script": lambda conn: conn.execute("SELECT 1; SELECT 2"),
    "a block": lambda conn: in_a_block(conn, selects),
    "a nested block": lambda conn: in_a_nested_block(conn, selects),
    "a pipeline": lambda conn: in_a_pipeline(conn, "SELECT 1", "SELECT 2"),
    "a failing fetch": divides,
    "a failing fetchrow": lambda conn: conn.fetchrow("SELECT 1 / 0"),
    "a failing fetchval": lambda conn: conn.fetchval("SELECT 1 / $1::int", 0),
    "a failing execute": lambda conn: conn.execute("SELECT 1 / $1::int", 0),
    "a failing script": lambda conn: conn.execute("SELECT 1 / 0"),
    "no syntax": lambda conn: conn.fetch("SELEC"),
    "a wrong argument": lambda conn: conn.fetch("SELECT $1::int", "x"),
    "too few arguments": lambda conn: conn.fetch("SELECT $1::int"),
    "a failing block": lambda conn: in_a_block(conn, divides),
    "a failing nested block": lambda conn: in_a_nested_block(conn, divides),
    "an aborted block": lambda conn: suppressed_in_a_block(conn, divides),
    "25P02": lambda conn: suppressed_in_a_block(conn, selects, divides, selects),
    "25P02 that leaves": lambda conn: in_a_block(
        conn, selects, lambda conn: _failing_then(conn, selects)
    ),
    "a broken block": lambda conn: suppressed_in_a_block(conn, divides, selects),
    "a failing pipeline": lambda conn: in_a_pipeline(conn, "SELECT 1", "SELECT 1 / 0"),
    "a pipeline without syntax": lambda conn: in_a_pipeline(conn, "SELECT 1", "SELEC"),
    "a failing pipeline in a block": lambda conn: in_a_block(
        conn, lambda conn: in_a_pipeline(conn, "SELECT 1 / 0", "SELECT 1")
    ),
    "a timeout": lambda conn: conn.fetch("SELECT pg_sleep(5)", timeout=0.001),
    "a timeout of a script": lambda conn: conn.execute("SELECT pg_sleep(5)", timeout=0.001),
    "no time at all": lambda conn: conn.fetch("SELECT 1", timeout=0),
    "a stream": lambda conn: streamed(conn, "SELECT generate_series(1, 5)"),
    "a stream that is left": lambda conn: streamed(conn, "SELECT generate_series(1, 5)", until=2),
    "a failing stream": lambda conn: streamed(conn, "SELECT 1 / (3 - generate_series(1, 5))"),
    "a stream out of time": lambda conn: streamed(conn, "SELECT pg_sleep(5)", timeout=0.001),
    "no time for a stream at all": lambda conn: streamed(conn, "SELECT 1", timeout=0),
    "a wrong argument of a stream": lambda conn: streamed(conn, "SELECT $1::int", "x"),
    "a stream in a block": lambda conn: in_a_block(
        conn, lambda conn: streamed(conn, "SELECT generate_series(1, 5)", until=2)
    ),
    "a failing stream in a block": lambda conn: in_a_block(
        conn, lambda conn: streamed(conn, "SELECT 1 / (3 - generate_series(1, 5))")
    ),
    "a stream in another one": lambda conn: streams_at_once(conn, "SELECT generate_series(1, 5)"),
    "copied": lambda conn: copied(conn, (1,), [2]),
    "copied by a source that fails": lambda conn: copied(conn, (1,), ...),
    "copied by one that fails late": lambda conn: copied(conn, *MANY, ...),
    "copied in vain": lambda conn: copied(conn, (1,), (1,)),
    "copied in vain by a source that goes on": lambda conn: copied(conn, *MANY, *MANY, None),
    "no value to copy": lambda conn: copied(conn, *MANY, ("x",)),
    "copied in a block in vain": lambda conn: suppressed_in_a_block(
        conn, lambda conn: copied(conn, (1,), (1,)), selects
    ),
    "no time to copy": lambda conn: copied(conn, (1,), None, timeout=0.001),
    "cancelled": lambda conn: a_cancelled_task(conn, "SELECT 1"),
    "cancelled while it runs": lambda conn: a_cancelled_task(conn, "SELECT pg_sleep(5)"),
}


async def streams_at_once(conn: pgallop.Connection, query: str) -> None:
    async with conn.stream(query, prefetch=1) as rows:
        await anext(rows)
        await streamed(conn, query)


async def _failing_then(conn: pgallop.Connection, call: Call) -> None:
    with contextlib.suppress(pgallop.PostgresError):
        await divides(conn)
    await call(conn)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let garbage lie until it is counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def repeat(conn: pgallop.Connection, call: Call, times: int) -> None:
    for _ in range(times):
        with contextlib.suppress(
            pgallop.PostgresError,
            pgallop.InterfaceError,
            TimeoutError,
            asyncio.CancelledError,
        ):
            await call(conn)
    await conn.execute("SELECT 'all before is answered'")
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", CALLS)
async def test_no_cycles(connect: Connect, no_collector: None, name: str) -> None:
    async with connect() as conn:
        await repeat(conn, CALLS[name], 2)
        gc.collect()
        await repeat(conn, CALLS[name], ROUNDS)
        assert gc.collect() == 0


def blocks_in_the_context() -> int:
    blocks = set()
    membership = ownership._context.get()
    while membership is not None:
        blocks.add(membership.block)
        membership = membership.outer
    return len(blocks)


def living(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def test_blocks_of_lost_connections(connect: Connect) -> None:
    """A task that outlives many connections keeps none of their blocks."""

    async def loses_a_connection() -> None:
        conn = await connect()
        with pytest.raises(pgallop.InterfaceError):
            async with conn.transaction():
                await conn.execute("SELECT 1")
                conn.terminate()
                await conn.execute("SELECT 1")

    before = living(ownership.Ownership), living(ownership.Block)
    for _ in range(5):
        await loses_a_connection()
    assert blocks_in_the_context() <= 1
    # The last one is let go by the next block of this context.
    owners, blocks = living(ownership.Ownership), living(ownership.Block)
    assert owners - before[0] <= 1
    assert blocks - before[1] <= 1


async def test_blocks_that_were_never_started(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(20):
            conn.transaction()
            conn.stream("SELECT 1")
            aiter(conn.stream("SELECT 1"))
        assert blocks_in_the_context() <= 1
        for _ in range(20):
            await streamed(conn, "SELECT generate_series(1, 5)", until=2)
        await conn.fetchval("SELECT 1")
        assert blocks_in_the_context() <= 1
        async with conn.transaction():
            assert blocks_in_the_context() == 1
