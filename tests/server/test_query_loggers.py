"""Query loggers: what they hear of, next to asyncpg; what they raise and when they are slow."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest
from ears import complaints
from live import Connect
from pools import new_pool, whole

import pgallop
from pgallop import InterfaceError, LoggedQuery
from pgallop.cli.server import EmbeddedServer

ONE = "SELECT $1::int AS n"


async def heard(log: list[LoggedQuery]) -> list[tuple[str, Any]]:
    """What was said of which queries and arguments, after a moment."""
    await asyncio.sleep(0.001)
    said = [(each.query, each.args) for each in log]
    log.clear()
    return said


async def test_every_kind_of_statement(connect: Connect) -> None:
    log: list[LoggedQuery] = []
    conn: pgallop.Connection
    async with connect() as conn:
        await conn.fetch("SELECT 0")
        statement = await conn.prepare(ONE)
        conn.add_query_logger(log.append)
        for _ in range(2):  # at first, and when it is prepared
            await conn.fetch(ONE, 1)
            await conn.fetchrow(ONE, 2)
            await conn.fetchval(ONE, 3)
            await conn.execute(ONE, 4)
            await conn.execute("SELECT 1; SELECT 2")
            await conn.fetch(ONE, 5, into=tuple)
            expected: list[Any] = [(ONE, (i,)) for i in (1, 2, 3, 4)]
            expected += [("SELECT 1; SELECT 2", ()), (ONE, (5,))]
            assert await heard(log) == expected
        await conn.executemany(ONE, [(1,), (2,)])
        assert await conn.fetchmany(ONE, ((1,), (2,))) == [(1,), (2,)]
        await conn.executemany(ONE, [])
        assert await heard(log) == [(ONE, [(1,), (2,)]), (ONE, ((1,), (2,))), (ONE, [])]
        await statement.fetch(1)
        await statement.fetchval(2)
        await statement.executemany([(3,)])
        assert await heard(log) == [(ONE, (1,)), (ONE, (2,)), (ONE, [(3,)])]
        conn.remove_query_logger(log.append)
        conn.remove_query_logger(log.append)
        await conn.fetch(ONE, 1)
        await conn.execute("SELECT 1")
        assert await heard(log) == []


async def test_transactions_cursors_pipelines(connect: Connect) -> None:
    log: list[LoggedQuery] = []
    numbers = "SELECT generate_series(1, 3)"
    conn: pgallop.Connection
    async with connect() as conn:
        with conn.query_logger(log.append):
            async with conn.transaction():
                await conn.fetchval("SELECT 1")
                async with conn.transaction():
                    await conn.fetchval("SELECT 2")
                cursor = await conn.cursor(numbers)
                assert len(await cursor.fetch(2)) == 2
            said = [query.partition(" pgallop")[0] for query, _ in await heard(log)]
            assert said == [
                "BEGIN",
                "SELECT 1",
                "SAVEPOINT",
                "SELECT 2",
                "RELEASE SAVEPOINT",
                numbers,
                numbers,
                "COMMIT",
            ]
            assert len([row async for row in conn.stream(numbers, prefetch=2)]) == 3
            assert [query for query, _ in await heard(log)] == ["BEGIN", numbers, "COMMIT", numbers]
            async with conn.pipeline() as pipeline:
                pipeline.execute("SELECT 1")
                pipeline.fetch(ONE, 2)
            assert await heard(log) == [("SELECT 1", ()), (ONE, (2,))]
            await conn.add_listener("a", print)
            await conn.reset()
            listen, reset = [query for query, _ in await heard(log)]
            assert listen == 'LISTEN "a"'
            assert reset.startswith(conn.get_reset_query())
        await conn.fetchval("SELECT 1")
        assert await heard(log) == []


async def test_the_record(connect: Connect, dsn: str) -> None:
    log: list[LoggedQuery] = []
    conn: pgallop.Connection
    async with connect(command_timeout=7) as conn:
        with conn.query_logger(log.append):
            await conn.fetch("SELECT pg_sleep($1)", 0.02)
            await conn.fetch(ONE, 1, timeout=3)
            with pytest.raises(pgallop.DivisionByZeroError) as caught:
                await conn.fetchval("SELECT 1 / $1::int", 0)
            with pytest.raises(pgallop.DataError):
                await conn.fetch(ONE, "x")
            with pytest.raises(TimeoutError):
                await conn.execute("SELECT pg_sleep(5)", timeout=0.01)
            await asyncio.sleep(0.001)
        slow, timed, failed, unfit, late = log
        assert (slow.query, slow.args, slow.timeout) == ("SELECT pg_sleep($1)", (0.02,), 7)
        assert 0.02 <= slow.elapsed < 2
        assert slow.exception is None
        assert timed.timeout == 3
        assert 0 < timed.elapsed < 2
        assert failed.exception is caught.value
        assert isinstance(unfit.exception, pgallop.DataError)
        assert isinstance(late.exception, TimeoutError)
        assert 0.008 <= late.elapsed < 2
        assert slow.conn_addr == (conn._link.host.host, conn._link.host.port)
        assert (slow.conn_params.user, slow.conn_params.database) == ("postgres", "postgres")
        assert hasattr(slow.conn_params, "password")
        assert " password=" not in repr(slow)


async def test_through_a_unix_socket(unix_dsn: str) -> None:
    log: list[LoggedQuery] = []
    async with pgallop.connect(unix_dsn) as conn:
        with conn.query_logger(log.append):
            await conn.fetch("SELECT 1")
            await asyncio.sleep(0.001)
        assert str(log[0].conn_addr).endswith(f"/.s.PGSQL.{conn._link.host.port}")


async def test_coroutines_and_errors(connect: Connect) -> None:
    log: list[LoggedQuery] = []

    async def coroutine(record: LoggedQuery) -> None:
        await asyncio.sleep(0)
        log.append(record)

    def failing(record: LoggedQuery) -> None:
        raise ZeroDivisionError

    async def failing_later(record: LoggedQuery) -> None:
        raise ZeroDivisionError

    conn: pgallop.Connection
    async with connect() as conn:
        for callback in (failing, coroutine, failing_later):
            conn.add_query_logger(callback)
            conn.add_query_logger(callback)
        with complaints() as seen:
            assert await conn.fetchval("SELECT 1") == 1
            await asyncio.sleep(0.01)
        assert [record.query for record in log] == ["SELECT 1"]
        assert [each["message"] for each in seen] == ["Exception in a query logger"] * 2


async def test_cancelled(connect: Connect) -> None:
    log: list[LoggedQuery] = []
    conn: pgallop.Connection
    async with connect() as conn:
        with conn.query_logger(log.append):
            task = asyncio.create_task(conn.fetch("SELECT pg_sleep(5)"))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await conn.fetchval("SELECT 1") == 1
            await asyncio.sleep(0.001)
        assert isinstance(log[0].exception, asyncio.CancelledError)
        assert log[1].exception is None


async def test_the_connection_is_lost(connect: Connect) -> None:
    log: list[LoggedQuery] = []
    conn: pgallop.Connection
    async with connect() as conn:
        conn.add_query_logger(log.append)
        with pytest.raises(pgallop.PostgresError):
            await conn.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
        await asyncio.sleep(0.001)
        assert isinstance(log[0].exception, pgallop.PostgresError)
        with pytest.raises(InterfaceError, match="connection is closed"):
            conn.add_query_logger(print)
        conn.remove_query_logger(log.append)


async def test_refused(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect() as conn:
        with pytest.raises(InterfaceError, match="expected a function or a coroutine function"):
            conn.add_query_logger(3)  # type: ignore[arg-type]
        wrong: Any = 3
        with pytest.raises(InterfaceError, match="expected a function"), conn.query_logger(wrong):
            pass
        with pytest.raises(ZeroDivisionError), conn.query_logger(print):
            raise ZeroDivisionError
        assert conn._dispatch.query_log is None


async def test_of_many_tasks(connect: Connect) -> None:
    """They share the connection as ever."""
    log: list[LoggedQuery] = []
    conn: pgallop.Connection
    async with connect() as conn:
        with conn.query_logger(log.append):
            answers = await asyncio.gather(*[conn.fetchval(ONE, i) for i in range(50)])
            assert answers == list(range(50))
            assert sorted(args for _, args in await heard(log)) == [(i,) for i in range(50)]


async def test_in_a_pool(server: EmbeddedServer) -> None:
    """What `init` adds stays, and hears of statements on the pool itself."""
    log: list[LoggedQuery] = []

    async def init(conn: pgallop.Connection) -> None:
        conn.add_query_logger(log.append)

    async with whole(new_pool(server, max_size=1, init=init)) as pool:
        assert await pool.fetchval(ONE, 1) == 1
        async with pool.acquire() as conn:
            assert await conn.fetchval(ONE, 2) == 2
            await heard(log)
            with conn.query_logger(print):  # another one, for a while
                pass
        assert await pool.fetch(ONE, 3) == [(3,)]
        assert (ONE, (3,)) in await heard(log)
        conn = await pool.acquire()
        with pytest.raises(InterfaceError, match="released"), conn.query_logger(print):
            await pool.release(conn)
            await conn.fetchval("SELECT 1")


async def test_as_asyncpg(dsn: str) -> None:
    async def story(module: Any) -> list[Any]:
        log: list[Any] = []
        conn = await module.connect(dsn, command_timeout=5)
        with conn.query_logger(log.append):
            await conn.fetch(ONE, 1)
            await conn.fetchrow(ONE, 1, timeout=2)
            await conn.execute(ONE, 1)
            await conn.execute("SELECT 1")
            await conn.executemany(ONE, [(1,), (2,)])
            await conn.fetchmany(ONE, [(1,), (2,)])
            for query in ("SELECT 1 / $1::int", "SELECT nothing"):
                with contextlib.suppress(module.PostgresError):
                    await conn.fetch(query, *([0] if "$1" in query else []))
            await asyncio.sleep(0.01)
        await conn.close()
        return [
            (
                *(each.query, each.args, type(each.exception).__name__, each.conn_addr),
                *(each.conn_params.user, each.conn_params.database, each._fields),
            )
            for each in log
        ]

    assert await story(pgallop) == await story(asyncpg)
