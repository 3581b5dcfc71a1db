"""BEGIN travels with the first statement of its block, and so does its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from live import Connect, Monitor

import pgallop

Call = Callable[[pgallop.Connection], Awaitable[object]]

# Each way to be the first statement of a block, and what its transaction is in afterwards.
FIRST: dict[str, Call] = {
    "fetch, to be prepared": lambda conn: conn.fetch("SELECT 1 AS first"),
    "fetch, prepared": lambda conn: conn.fetch("SELECT 1 AS warm"),
    "with an argument": lambda conn: conn.fetchval("SELECT $1::int4 AS warm", 7),
    "execute": lambda conn: conn.execute("SELECT 1"),
    "a script": lambda conn: conn.execute("SELECT 1; SELECT 2"),
    "a savepoint": lambda conn: _savepoint(conn),
    "a pipeline": lambda conn: _pipeline(conn),
}


async def _savepoint(conn: pgallop.Connection) -> None:
    async with conn.transaction():
        await conn.execute("SELECT 1")


async def _pipeline(conn: pgallop.Connection) -> None:
    async with conn.pipeline() as pipeline:
        pipeline.fetch("SELECT 1 AS warm")
        pipeline.execute("SELECT 1 AS warm")


async def warm(conn: pgallop.Connection) -> None:
    await conn.fetch("SELECT 1 AS warm")
    await conn.fetchval("SELECT $1::int4 AS warm", 7)


@pytest.fixture
def table(monitor: Monitor) -> str:
    monitor.ask("DROP TABLE IF EXISTS begin_entries")
    monitor.ask("CREATE TABLE begin_entries (n int)")
    return "begin_entries"


@pytest.mark.parametrize("first", FIRST)
async def test_the_first_statement_begins(connect: Connect, first: str) -> None:
    async with connect() as conn:
        await warm(conn)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            await FIRST[first](conn)
            assert await conn.fetchval("SHOW transaction_isolation") == "repeatable read"
            assert await conn.fetchval("SHOW transaction_read_only") == "on"
            began = await conn.fetchval("SELECT now()")
            assert await conn.fetchval("SELECT now()") == began
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SHOW transaction_isolation") == "read committed"


@pytest.mark.parametrize(
    "call",
    [
        lambda conn: conn.fetch("SELECT 1/0"),
        lambda conn: conn.execute("SELECT 1/0"),
        lambda conn: conn.fetch("SELEC"),
        lambda conn: conn.execute("SELECT 1; SELEC"),
        lambda conn: conn.fetchval("SELECT $1::int4 / 0 AS warm", 1),
    ],
)
async def test_a_first_statement_that_fails(connect: Connect, call: Call) -> None:
    """The transaction has failed, whether the server knows of it or not."""
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted) as aborted:
            async with conn.transaction():
                with pytest.raises(pgallop.PostgresError) as first:
                    await call(conn)
                for again in (conn.fetch, conn.execute):
                    with pytest.raises(pgallop.InFailedSQLTransactionError) as behind:
                        await again("SELECT 1 AS warm")
                    assert behind.value.__cause__ is first.value
        assert aborted.value.__cause__ is first.value
        with pytest.raises(pgallop.PostgresError):
            async with conn.transaction():
                await call(conn)
        assert await conn.fetchval("SELECT 1") == 1
        assert not conn.is_in_transaction()


async def test_the_caret_of_a_first_script(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.PostgresSyntaxError) as caught:
            async with conn.transaction():
                await conn.execute("SELECT 1,, 2")
        assert caught.value.position == "10"
        assert "LINE 1: SELECT 1,, 2\n                 ^" in str(caught.value)


async def test_the_tag_is_the_statements(connect: Connect) -> None:
    """That of BEGIN is nobody's, whether there is another one or not."""
    async with connect() as conn:
        for script in ("", "-- nothing", ";"):
            async with conn.transaction():
                assert await conn.execute(script) == ""
                assert conn.is_in_transaction()
        async with conn.transaction():
            assert await conn.execute("SELECT 1; SELECT 2 WHERE false") == "SELECT 0"


async def test_an_argument_that_does_not_fit(connect: Connect, monitor: Monitor) -> None:
    """Nothing was sent, so the block is as fresh as before."""
    async with connect() as conn:
        await warm(conn)
        async with conn.transaction():
            with pytest.raises(pgallop.DataError):
                await conn.fetchval("SELECT $1::int4 AS warm", "seven")
            assert await conn.fetchval("SELECT $1::int4 AS warm", 7) == 7
            assert monitor.state(conn.get_server_pid()) == "idle in transaction"


async def test_children_wait_for_the_first(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        insert = f"INSERT INTO {table} VALUES ($1)"
        with pytest.raises(RuntimeError):
            async with conn.transaction():
                await asyncio.gather(*[conn.execute(insert, n) for n in range(20)])
                raise RuntimeError
        assert monitor.ask(f"SELECT count(*) FROM {table}") == [(0,)]
        async with conn.transaction():
            await asyncio.gather(*[conn.execute(insert, n) for n in range(20)])
        assert monitor.ask(f"SELECT count(*) FROM {table}") == [(20,)]


async def test_children_of_a_first_that_fails(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    """None of them may run outside of the transaction it was meant for."""
    async with connect() as conn:
        insert = f"INSERT INTO {table} VALUES ($1)"
        await conn.execute(insert, -1)
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                first, *others = await asyncio.gather(
                    conn.execute("SELEC"),
                    *[conn.execute(insert, n) for n in range(20)],
                    return_exceptions=True,
                )
                assert isinstance(first, pgallop.PostgresSyntaxError)
                for other in others:
                    assert isinstance(other, pgallop.InFailedSQLTransactionError)
                    assert other.__cause__ is first
        assert monitor.ask(f"SELECT n FROM {table}") == [(-1,)]


@pytest.mark.parametrize("delay", [0, 0.001, 0.05])
async def test_a_first_statement_that_is_abandoned(
    connect: Connect, monitor: Monitor, table: str, delay: float
) -> None:
    # Only the last delay may see it end.
    insert = f"INSERT INTO {table} SELECT 1 FROM pg_sleep({0.02 if delay == 0.05 else 5})"
    async with connect() as conn:
        for _ in range(10):

            async def block() -> None:
                async with conn.transaction():
                    await conn.execute(insert)

            task = asyncio.create_task(block())
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or delay == 0.05
            # Whoever comes next is in no hidden transaction.
            assert await conn.fetchval("SELECT 1") == 1
            assert not conn.is_in_transaction()
            assert monitor.state(conn.get_server_pid()) == "idle"
        assert delay == 0.05 or monitor.ask(f"SELECT count(*) FROM {table}") == [(0,)]


async def test_a_first_statement_that_times_out_and_a_commit(
    connect: Connect, monitor: Monitor
) -> None:
    """It was cancelled, so the transaction has failed, and COMMIT must not pretend otherwise."""
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted) as aborted:
            async with conn.transaction():
                with pytest.raises(TimeoutError):
                    await conn.execute("SELECT pg_sleep(10)", timeout=0.05)
        assert isinstance(aborted.value.__cause__, pgallop.QueryCanceledError)
        assert monitor.state(conn.get_server_pid()) == "idle"


async def test_a_block_without_statements_on_a_closed_connection(connect: Connect) -> None:
    conn = await connect()
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        async with conn.transaction():
            conn.terminate()
