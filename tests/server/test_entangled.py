"""Tasks that share a connection and end each other's transactions, or leave at the worst moment."""

from __future__ import annotations

import asyncio
import contextvars
import time

import pytest
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop import ownership
from pgallop.cli.server import EmbeddedServer


@pytest.fixture
def table(monitor: Monitor) -> str:
    monitor.ask("DROP TABLE IF EXISTS entangled")
    monitor.ask("CREATE TABLE entangled (n int)")
    return "entangled"


def stored(monitor: Monitor, table: str) -> list[int]:
    return [n for (n,) in monitor.ask(f"SELECT n FROM {table} ORDER BY n")]


async def test_a_nested_block_that_is_ended_with_the_outer_one(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    """Its statements must not run by themselves, and the outer error is the one to see."""
    async with connect() as conn:
        inside, ended = asyncio.Event(), asyncio.Event()
        outcomes: list[BaseException] = []
        prepared = f"INSERT INTO {table} VALUES ($1)"
        await conn.execute(prepared, 0)

        async def child() -> None:
            try:
                async with conn.transaction():
                    await conn.execute(f"INSERT INTO {table} VALUES (1)")
                    inside.set()
                    await ended.wait()
                    for call in (conn.execute, conn.fetch):
                        with pytest.raises(pgallop.InterfaceError, match="was ended before"):
                            await call(f"INSERT INTO {table} VALUES (2)")
                    for _ in range(2):  # prepared or not
                        with pytest.raises(pgallop.InterfaceError, match="was ended before"):
                            await conn.fetch(prepared, 2)
                    raise LookupError
            except LookupError as error:
                outcomes.append(error)
            # Behind its own end it is free again.
            await conn.execute(f"INSERT INTO {table} VALUES (3)")

        tasks: list[asyncio.Task[None]] = []
        with pytest.raises(ValueError, match="the sibling"):
            async with conn.transaction():
                tasks.append(asyncio.create_task(child()))
                await inside.wait()
                raise ValueError("the sibling fails")
        ended.set()
        await tasks[0]
        assert len(outcomes) == 1
        assert stored(monitor, table) == [0, 3]


async def test_a_nested_block_that_begins_while_the_outer_one_ends(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as conn:
        await conn.execute("SELECT 1")
        tasks: list[asyncio.Task[None]] = []

        async def child() -> None:
            async with conn.transaction():
                await conn.execute(f"INSERT INTO {table} VALUES (1)")

        with pytest.raises(
            pgallop.InterfaceError, match="was still open, so both were rolled back"
        ):
            async with conn.transaction():
                await conn.execute("SELECT 1")
                tasks.append(asyncio.create_task(child()))
                await asyncio.sleep(0)  # its SAVEPOINT is on the way
        with pytest.raises(pgallop.InterfaceError, match="was ended before"):
            await tasks[0]
        async with conn.transaction():
            await conn.execute(f"INSERT INTO {table} VALUES (2)")
        assert stored(monitor, table) == [2]


@pytest.mark.parametrize("closing", [True, False])
async def test_behind_an_abandoned_begin(
    server: EmbeddedServer, monitor: Monitor, table: str, closing: bool
) -> None:
    """What came into it is not told that it succeeded, close() or not."""
    async with DelayProxy(server.host, server.port, delay=0.01) as proxy:
        conn = await pgallop.connect(server.dsn, host=proxy.host, port=proxy.port, ssl="disable")
        begin = asyncio.create_task(conn.execute("BEGIN"))
        await asyncio.sleep(0)
        behind = asyncio.create_task(conn.execute(f"INSERT INTO {table} VALUES (1)"))
        await asyncio.sleep(0.001)
        begin.cancel()
        await asyncio.sleep(0)
        if closing:
            await conn.close(timeout=5)
        with pytest.raises(pgallop.TransactionAborted, match="another task's statement"):
            await behind
        await conn.close(timeout=5)
    assert stored(monitor, table) == []


async def test_a_pipeline_behind_an_abandoned_begin(
    server: EmbeddedServer, monitor: Monitor, table: str
) -> None:
    async with DelayProxy(server.host, server.port, delay=0.01) as proxy:
        conn = await pgallop.connect(server.dsn, host=proxy.host, port=proxy.port, ssl="disable")
        insert = f"INSERT INTO {table} VALUES ($1)"
        await conn.execute(insert, 0)
        begin = asyncio.create_task(conn.execute("BEGIN"))
        await asyncio.sleep(0)

        async def run() -> list[pgallop.Outcome]:
            pipeline = conn.pipeline()
            with pytest.raises(pgallop.PipelineError):
                async with pipeline:
                    pipeline.execute(insert, 1)
                    pipeline.execute(insert, 2)
            for statement in pipeline.statements:
                with pytest.raises(pgallop.PostgresError):
                    statement.result()
            return [statement.outcome for statement in pipeline.statements]

        behind = asyncio.create_task(run())
        await asyncio.sleep(0.001)
        begin.cancel()
        assert await behind == [pgallop.Outcome.ROLLED_BACK] * 2
        await conn.close(timeout=5)
    assert stored(monitor, table) == [0]


async def test_begin_is_abandoned_in_the_moment_of_its_answer(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as conn:

        async def begin() -> None:
            async with asyncio.timeout(0.02):
                await conn.execute("BEGIN")

        task = asyncio.create_task(begin())
        await asyncio.sleep(0)
        time.sleep(0.05)  # the answer and the end of the timeout come in one turn
        with pytest.raises(TimeoutError):
            await task
        await conn.execute("SELECT 1")
        await conn.execute(f"INSERT INTO {table} VALUES (1)")
        assert stored(monitor, table) == [1]
        assert not conn.is_in_transaction()


async def test_strict_waits_for_answers(server: EmbeddedServer) -> None:
    """What is missing is the server's word, and no other task's end."""
    async with DelayProxy(server.host, server.port, delay=0.03) as proxy:
        conn = await pgallop.connect(
            server.dsn, host=proxy.host, port=proxy.port, ssl="disable", strict=True
        )
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(TimeoutError):
                    await conn.execute("SELECT pg_sleep(5)", timeout=0.02)
                with pytest.raises(pgallop.InFailedSQLTransactionError):
                    await conn.execute("SELECT 1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), conn.transaction():
                await conn.execute("SELECT pg_sleep(5)")
        assert await conn.fetchval("SELECT 7") == 7
        await conn.close()


async def test_blocks_without_statements_starve_nobody(connect: Connect) -> None:
    async with connect() as conn:
        await conn.fetch("SELECT 7")
        blocks = 0

        async def worker() -> None:
            nonlocal blocks
            while True:
                async with conn.transaction():
                    blocks += 1
                    await asyncio.sleep(0.001)

        working = asyncio.create_task(worker())
        await asyncio.sleep(0.01)
        before = blocks
        other = asyncio.create_task(
            conn.fetchval("SELECT 7", timeout=5), context=contextvars.Context()
        )
        assert await other == 7
        assert blocks <= before + 20  # it was thousands
        working.cancel()
        await asyncio.wait([working])


async def test_those_who_wait_in_a_block_go_in_order(connect: Connect) -> None:
    async with connect() as conn:
        await conn.fetch("SELECT $1::int4", 0)
        for _ in range(3):
            order: list[int] = []

            async def one(n: int, order: list[int] = order) -> None:
                order.append(await conn.fetchval("SELECT $1::int4", n))

            # A cancellation holds what is sent, so that the block's first statement is dropped.
            gone = asyncio.create_task(
                conn.execute("SELECT pg_sleep(9)"), context=contextvars.Context()
            )
            await asyncio.sleep(0.02)
            gone.cancel()
            await asyncio.sleep(0)
            async with conn.transaction():
                first = asyncio.create_task(conn.execute("SELECT 0"))
                others = [asyncio.create_task(one(n)) for n in range(8)]
                await asyncio.sleep(0)
                first.cancel()
                await asyncio.gather(*others)
            assert order == list(range(8))


async def test_the_context_does_not_grow(connect: Connect) -> None:
    """Hand over hand on two connections, there is always one block open."""
    async with connect() as a, connect() as b:
        previous = a.transaction()
        await previous.start()
        for n in range(100):
            current = (b, a)[n % 2].transaction()
            await current.start()
            await previous.commit()
            previous = current
        membership = ownership._context.get()
        depth = 0
        while membership is not None:
            depth += 1
            membership = membership.outer
        assert depth < 10
        await previous.commit()


async def test_an_error_before_a_very_short_timeout(connect: Connect) -> None:
    """uvloop keeps no time for a timer that is due at once."""
    async with connect() as conn:
        query = "SELECT 1 / $1::int4"
        await conn.fetch(query, 1)
        for _ in range(50):
            with pytest.raises((pgallop.DivisionByZeroError, TimeoutError)) as caught:
                await conn.fetch(query, 0, timeout=0.0004)
            assert type(caught.value) in (pgallop.DivisionByZeroError, TimeoutError)
