"""Cursors: rows a number at a time, inside a transaction."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor
from proxy import DelayProxy
from scripted_server import WELCOME, ScriptedServer, close, expect, send, stall
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    INT4,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    command_complete,
    data_row,
    int4,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.cursor import Cursor

SERIES = "SELECT generate_series(1, $1::int) AS n"
NUMBERS = "SELECT n FROM numbers WHERE n <= $1 ORDER BY n"
PORTALS = "SELECT count(*) FROM pg_cursors WHERE name LIKE 'pgallop_portal%'"

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture
def numbers(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE numbers AS SELECT generate_series(1, 1000) AS n")
    yield
    monitor.ask("DROP TABLE numbers")


async def all_of(cursor: Any) -> list[int]:
    return [row["n"] async for row in cursor]


# --- what they do ---------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("prefetch", [1, 2, 49, 50, 51, 99, 100, 101, 2**31 - 2])
async def test_every_row(connect: Connect, mode: str, prefetch: int) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        for count in (0, 1, 50, 51, 100, 101):
            cursor = conn.cursor(SERIES, count, prefetch=prefetch)
            assert await all_of(cursor) == list(range(1, count + 1))
            assert await all_of(cursor) == list(range(1, count + 1))  # a new one
        assert await conn.fetchval(PORTALS) == 0


@modes
async def test_a_number_at_a_time(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        cursor = await conn.cursor(SERIES, 10)
        assert await cursor.fetch(2) == [(1,), (2,)]
        assert await cursor.fetchrow() == (3,)
        assert await cursor.forward(3) == 3
        assert await cursor.fetch(1) == [(7,)]
        assert "exhausted" not in repr(cursor)
        assert await cursor.fetch(100) == [(8,), (9,), (10,)]
        assert "exhausted" in repr(cursor)
        assert await cursor.fetch(100) == []
        assert await cursor.fetchrow() is None
        assert await cursor.forward(5) == 0
        cursor = await conn.cursor(SERIES, 10)
        assert await cursor.forward(100) == 10
        assert await cursor.fetch(1) == []
        assert await conn.fetchval(PORTALS) == 0


@modes
async def test_a_prepared_statement(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        statement = await conn.prepare(SERIES)
        async with conn.transaction():
            assert await all_of(statement.cursor(70)) == list(range(1, 71))
            cursor = await statement.cursor(5)
            del statement
            gc.collect()
            await conn.fetchval("SELECT $1::text", "prepared in front of it, with what is closed")
            assert await cursor.fetch(9) == [(n,) for n in range(1, 6)]
            statement = await conn.prepare("SELECT 1")
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        statement.cursor()


async def test_as_asyncpg(connect: Connect, dsn: str) -> None:
    """The same calls give the same answers, and the same classes of errors."""

    async def say(call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await call()
        except Exception as error:
            return type(error).__name__

    async def answers(conn: Any) -> list[Any]:
        said: list[Any] = []

        async def iterate(*args: Any, **options: Any) -> list[Any]:
            return [tuple(row) async for row in conn.cursor(*args, **options)]

        async def make(*args: Any, **options: Any) -> Any:
            return await conn.cursor(*args, **options)

        async def both(prefetch: int | None) -> None:
            said.append(await say(lambda: iterate(SERIES, 3, prefetch=prefetch)))
            answer = await say(lambda: make("SELECT 1", prefetch=prefetch))
            said.append(answer if isinstance(answer, str) else type(answer).__name__)

        for prefetch in (None, 0, -1, 2):
            await both(prefetch)
        async with conn.transaction():
            for prefetch in (0, -1, 2):
                await both(prefetch)
            said.append(await iterate(SERIES, 120))
            cursor = await make(SERIES, 7)
            for n in (0, -1, 3, 2, 9):
                said.append(await say(lambda n=n: cursor.fetch(n)))  # type: ignore[misc]
                said.append(await say(lambda n=n: cursor.forward(n)))  # type: ignore[misc]
            said.append(await say(cursor.fetchrow))
            said.append(await iterate("CREATE TEMP TABLE t (n int)"))
            said.append(await iterate("INSERT INTO t SELECT generate_series(1, 3) RETURNING n"))
            said.append(await iterate("INSERT INTO t VALUES (4)"))
            said.append(await iterate("SELECT * FROM t"))
            kept = await make(SERIES, 7)
        said.append(await say(lambda: kept.fetch(1)))
        async with conn.transaction():
            said.append(await say(lambda: make("SELECT no_such_column")))
            said.append(await say(lambda: make("SELECT 1")))
            said.append(await say(lambda: iterate("SELECT 1")))
            await conn.execute("ROLLBACK; BEGIN")
        return [[tuple(row) for row in each] if isinstance(each, list) else each for each in said]

    theirs = await asyncpg.connect(dsn, ssl=False)
    try:
        expected = await answers(theirs)
    finally:
        await theirs.close()
    async with connect() as conn:
        assert await answers(conn) == expected


async def test_arguments(connect: Connect) -> None:
    async with connect() as conn, conn.transaction():
        prefetch: Any
        for prefetch in (0, -1, 1.5, True, "9", 2**31):
            with pytest.raises(pgallop.InterfaceError, match="prefetch argument must be"):
                conn.cursor("SELECT 1", prefetch=prefetch)
        with pytest.raises(pgallop.InterfaceError, match="only be specified for iterable"):
            await conn.cursor("SELECT 1", prefetch=5)
        with pytest.raises(pgallop.InterfaceError, match="has to be a str"):
            conn.cursor(b"SELECT 1")  # type: ignore[call-overload]
        with pytest.raises(pgallop.InterfaceError, match="expects 1 argument, 0 given"):
            await conn.cursor(SERIES)
        with pytest.raises(pgallop.DataError, match=r"argument \$1 \(int4\)"):
            await conn.cursor(SERIES, "many")
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="COPY"):
            await conn.cursor("COPY pg_class TO STDOUT")
        cursor = await conn.cursor(SERIES, 3)
        n: Any
        for n in (0, -1, 1.5, None, 2**31):
            with pytest.raises(pgallop.InterfaceError, match="n must be"):
                await cursor.fetch(n)
            with pytest.raises(pgallop.InterfaceError, match="n must be"):
                await cursor.forward(n)
        assert await cursor.fetch(9) == [(1,), (2,), (3,)]
    async with connect(statement_mode="simple") as conn, conn.transaction():
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="cursors"):
            await conn.cursor("SELECT 1")


async def test_without_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.NoActiveSQLTransactionError, match="outside of a transaction"):
            await conn.cursor("SELECT 1")
        with pytest.raises(pgallop.NoActiveSQLTransactionError, match="outside of a transaction"):
            await all_of(conn.cursor("SELECT 1"))
        await conn.execute("BEGIN")
        cursor = await conn.cursor(SERIES, 10)
        assert await cursor.fetch(1) == [(1,)]
        await conn.execute("COMMIT")
        with pytest.raises(pgallop.NoActiveSQLTransactionError, match="has ended"):
            await cursor.fetch(1)
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        await cursor.fetch(1)


@modes
async def test_its_portal_is_closed(connect: Connect, numbers: None, mode: str) -> None:
    """An open one would keep its table from being changed, which is answered by an error."""
    async with connect(statement_mode=mode) as conn:
        alter = "ALTER TABLE numbers ADD m int; ALTER TABLE numbers DROP m"
        async with conn.transaction():
            assert len(await all_of(conn.cursor(NUMBERS, 500))) == 500
            await conn.execute(alter)
            async for row in conn.cursor(NUMBERS, 500):
                if row["n"] == 3:
                    break
            await asyncio.sleep(0)
            await conn.execute(alter)
            cursor = await conn.cursor(NUMBERS, 500)
            del cursor
            await asyncio.sleep(0)
            await conn.execute(alter)
            assert await conn.fetchval(PORTALS) == 0
            cursor = await conn.cursor(NUMBERS, 500)
            with pytest.raises(pgallop.ObjectInUseError):
                async with conn.transaction():
                    await conn.execute(alter)
            assert await cursor.fetch(1) == [(1,)]


@modes
async def test_many_at_once(connect: Connect, numbers: None, mode: str) -> None:
    async with connect(statement_mode=mode, statement_cache_size=1) as conn, conn.transaction():
        cursors = [await conn.cursor(f"{NUMBERS} -- {k}", 20) for k in range(5)]
        same = [await conn.cursor(NUMBERS, 20) for _ in range(5)]
        for n in range(1, 21):
            assert [await each.fetchrow() for each in cursors + same] == [(n,)] * 10
            assert await conn.fetchval(f"SELECT {n}") == n
        assert await asyncio.gather(*[each.fetch(5) for each in cursors + same]) == [[]] * 10


@modes
async def test_the_server_forgets_the_statement(connect: Connect, numbers: None, mode: str) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        cursor = await conn.cursor(NUMBERS, 20)
        assert await cursor.fetch(1) == [(1,)]
        await conn.execute("DEALLOCATE ALL")
        assert await cursor.fetch(1) == [(2,)]


@modes
async def test_the_text_means_something_else(connect: Connect, monitor: Monitor, mode: str) -> None:
    """Its rows are read as the columns it was opened with."""
    monitor.ask("CREATE SCHEMA other")
    monitor.ask("CREATE TABLE other.things AS SELECT 'text'::text AS n, 2 AS m")
    monitor.ask("CREATE TABLE things AS SELECT generate_series(1, 9) AS n")
    try:
        async with connect(statement_mode=mode) as conn, conn.transaction():
            cursor = await conn.cursor("SELECT * FROM things")
            assert await cursor.fetch(1) == [(1,)]
            await conn.execute("SET LOCAL search_path = other")
            assert await conn.fetch("SELECT * FROM  things") == [("text", 2)]
            if mode == "unnamed":
                assert await conn.fetch("SELECT * FROM things") == [("text", 2)]
            assert await cursor.fetch(2) == [(2,), (3,)]
    finally:
        monitor.ask("DROP SCHEMA other CASCADE")
        monitor.ask("DROP TABLE things")


async def test_a_type_without_a_binary_form(connect: Connect) -> None:
    query = "SELECT 'postgres=r/postgres'::aclitem AS a FROM generate_series(1, 5)"
    async with connect() as conn:
        expected = await conn.fetch(query)
        async with conn.transaction():
            assert [row async for row in conn.cursor(query, prefetch=2)] == expected


# --- the transaction ------------------------------------------------------------------------------


@modes
async def test_savepoints(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        outer = await conn.cursor(SERIES, 10)
        async with conn.transaction():
            inner = await conn.cursor(SERIES, 10)
            assert await outer.fetch(1) == await inner.fetch(1) == [(1,)]
        # The savepoint was released, and its cursor belongs to the transaction.
        assert await outer.fetch(1) == await inner.fetch(1) == [(2,)]
        undone = conn.transaction()
        await undone.start()
        gone = await conn.cursor(SERIES, 10)
        await undone.rollback()
        try_it = conn.transaction()
        await try_it.start()
        with pytest.raises(pgallop.InvalidCursorNameError):
            await gone.fetch(1)
        await try_it.rollback()
        assert await outer.fetch(1) == [(3,)]


async def test_the_transaction_has_ended(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.transaction():
            cursor = await conn.cursor(SERIES, 100)
            iterator = conn.cursor(SERIES, 100, prefetch=5).__aiter__()
            assert await anext(iterator) == (1,)
            done = await conn.cursor(SERIES, 1)
            assert await done.fetch(9) == [(1,)]
        for _ in range(2):
            for call in (
                lambda: cursor.fetch(1),
                lambda: cursor.forward(1),
                cursor.fetchrow,
                lambda: done.fetch(1),
                done.fetchrow,
            ):
                with pytest.raises(pgallop.NoActiveSQLTransactionError, match="has ended"):
                    await call()
            with pytest.raises(pgallop.NoActiveSQLTransactionError, match="has ended"):
                while True:
                    await anext(iterator)
            await conn.execute("BEGIN")  # another one
        await conn.execute("ROLLBACK")


async def test_a_failed_transaction(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                cursor = await conn.cursor(SERIES, 100)
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.fetch("SELECT 1/0")
                with pytest.raises(pgallop.InFailedSQLTransactionError) as raised:
                    await cursor.fetch(1)
                assert isinstance(raised.value.__cause__, pgallop.DivisionByZeroError)
                with pytest.raises(pgallop.InFailedSQLTransactionError):
                    await conn.cursor(SERIES, 1)
        query = "SELECT 1 / (3 - generate_series(1, 5)) AS n"
        with pytest.raises(pgallop.DivisionByZeroError):
            async with conn.transaction():
                await all_of(conn.cursor(query, prefetch=1))
        assert await conn.fetchval("SELECT 1") == 1


async def test_another_task(connect: Connect) -> None:
    async with connect() as conn:
        made: asyncio.Future[Cursor[Any]] = asyncio.get_running_loop().create_future()
        used = asyncio.Event()

        async def other() -> None:
            cursor = await made
            with pytest.raises(
                pgallop.ConnectionBusyError, match="the cursor belongs to the trans"
            ):
                await cursor.fetch(1)
            with pytest.raises(pgallop.NoActiveSQLTransactionError):
                await conn.cursor(SERIES, 1)
            used.set()

        task = asyncio.create_task(other())
        async with conn.transaction():
            cursor = await conn.cursor(SERIES, 100)
            made.set_result(cursor)
            await used.wait()
            # A task that was started inside of it takes part.
            assert await asyncio.create_task(cursor.fetch(1)) == [(1,)]
            calls = cursor.fetch(1), cursor.fetch(1)
            answers: Any = await asyncio.gather(*calls, return_exceptions=True)
            assert answers[0] == [(2,)]
            assert isinstance(answers[1], pgallop.InterfaceError)
            assert await cursor.fetch(1) == [(3,)]
        await task


async def test_reset(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="the transaction is closed"):
            async with conn.transaction():
                cursor = await conn.cursor(SERIES, 100)
                await conn.reset()
                with pytest.raises(pgallop.NoActiveSQLTransactionError, match="has ended"):
                    await cursor.fetch(1)


# --- interrupted ----------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_at_each_await(connect: Connect, mode: str, moment: Moment) -> None:
    """What was read is never followed by anything but the next row."""
    async with connect(statement_mode=mode, statement_cache_size=0) as conn:
        seen: list[int] = []

        async def work() -> None:
            seen.clear()
            async with conn.transaction():
                cursor = await conn.cursor(SERIES, 20)
                seen.extend([n for (n,) in await cursor.fetch(5)])
                await cursor.forward(2)
                seen.extend([n for (n,) in await cursor.fetch(50)])
                assert await all_of(conn.cursor(SERIES, 12, prefetch=5)) == list(range(1, 13))

        async for run in interruptions(work, moment, least=5):
            assert isinstance(run.error, asyncio.CancelledError)
            assert seen in ([], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, *range(8, 21)])
            assert await conn.fetchval("SELECT 1", timeout=5) == 1
            assert await conn.fetchval(PORTALS, timeout=5) == 0
            assert not conn.is_in_transaction()


@modes
async def test_out_of_time(connect: Connect, mode: str) -> None:
    slow = "SELECT n, pg_sleep(CASE n WHEN 4 THEN 60 ELSE 0 END) FROM generate_series(1, 9) AS n"
    async with connect(statement_mode=mode) as conn:
        with pytest.raises(TimeoutError):
            async with conn.transaction():
                cursor = await conn.cursor(slow)
                assert [n for n, _ in await cursor.fetch(2)] == [1, 2]
                with pytest.raises(TimeoutError):
                    await cursor.fetch(2, timeout=0.1)
                with pytest.raises(
                    pgallop.InterfaceError, match="was a TimeoutError in the middle"
                ):
                    await cursor.fetch(2)
                raise TimeoutError
        choices: list[dict[str, Any]] = [{"timeout": 0.1}, {}]
        for options in choices:
            with pytest.raises(TimeoutError):
                async with conn.transaction(), asyncio.timeout(5 if options else 0.1):
                    await all_of(conn.cursor(slow, prefetch=9, **options))
        assert await conn.fetchval("SELECT 1", timeout=5) == 1
    async with connect(command_timeout=0.1, statement_mode=mode) as conn:
        with pytest.raises(TimeoutError):
            async with conn.transaction():
                await all_of(conn.cursor(slow))


async def test_a_value_that_python_cannot_hold(connect: Connect) -> None:
    """The cursor has gone on without the caller."""
    query = "SELECT date '9999-12-31' + generate_series(0, 5) AS n"
    async with connect() as conn, conn.transaction():
        cursor = await conn.cursor(query)
        assert len(await cursor.fetch(1)) == 1
        with pytest.raises(pgallop.DataError):
            await cursor.fetch(2)
        with pytest.raises(pgallop.InterfaceError, match="place of the cursor"):
            await cursor.fetch(2)
        assert await conn.fetchval("SELECT 1") == 1


async def test_the_server_goes(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    transaction = conn.transaction()
    await transaction.start()
    cursor = await conn.cursor(SERIES, 100)
    iterator = conn.cursor(SERIES, 100, prefetch=2).__aiter__()
    await anext(iterator)
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
    with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.InterfaceError)):
        await cursor.fetch(1)
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        await cursor.fetch(1)
    assert conn.is_closed()
    del cursor, iterator
    gc.collect()


async def test_strict(connect: Connect) -> None:
    async with connect(strict=True) as conn, conn.transaction():
        assert await all_of(conn.cursor(SERIES, 3, prefetch=1)) == [1, 2, 3]
        cursor = await conn.cursor(SERIES, 3)
        assert await cursor.forward(1) == 1
        calls = cursor.fetch(9), cursor.fetch(9)
        answers: Any = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[0] == [(2,), (3,)]
        assert isinstance(answers[1], pgallop.ConnectionBusyError)


# --- servers that lie -----------------------------------------------------------------------------


BEGUN = (PARSE_COMPLETE, BIND_COMPLETE, command_complete("BEGIN"))
DESCRIBED = (PARSE_COMPLETE, parameter_description(), row_description(("n", INT4)))
PREPARED = (
    *WELCOME,
    expect("Parse sql='BEGIN'", "Bind", "Execute", "Parse sql='SELECT n'", "Describe", "Sync"),
    send(*BEGUN, *DESCRIBED, ready_for_query("T")),
)
OPENING = expect("Bind portal='pgallop_portal_", "Execute max_rows=3", "Sync")
ROW = data_row(int4(1))


@pytest.mark.parametrize(
    "messages",
    [
        (ROW, ROW, ROW, ROW),  # more than were asked for
        (ROW, PORTAL_SUSPENDED),  # fewer
        (PORTAL_SUSPENDED,),
        (data_row(int4(1), int4(2)), ROW, ROW, PORTAL_SUSPENDED),
        (ready_for_query("T"),),
        (CLOSE_COMPLETE,),
    ],
)
async def test_rows_of_a_server_that_lies(messages: tuple[bytes, ...]) -> None:
    script = [*PREPARED, OPENING, send(BIND_COMPLETE, *messages), stall()]
    with ScriptedServer(script) as server:
        conn = await pgallop.connect(f"postgresql://a@127.0.0.1:{server.port}/a?sslmode=disable")
        with pytest.raises(pgallop.ProtocolError):
            async with conn.transaction():
                await all_of(conn.cursor("SELECT n", prefetch=2))
        assert conn.is_closed()


@pytest.mark.parametrize("tag", ["MOVE", "MOVE x", "MOVE 6", "MOVE -1", "SELECT 5", ""])
async def test_a_move_of_a_server_that_lies(tag: str) -> None:
    script = [
        *PREPARED,
        expect("Bind portal='pgallop_portal_", "Sync"),
        send(BIND_COMPLETE, ready_for_query("T")),
        expect("Query sql='MOVE FORWARD 5 pgallop_portal_"),
        send(command_complete(tag), ready_for_query("T")),
        stall(),
    ]
    with ScriptedServer(script) as server:
        conn = await pgallop.connect(f"postgresql://a@127.0.0.1:{server.port}/a?sslmode=disable")
        with pytest.raises(pgallop.ProtocolError, match="answered MOVE by"):
            async with conn.transaction():
                cursor = await conn.cursor("SELECT n")
                await cursor.forward(5)
        assert conn.is_closed()


@pytest.mark.parametrize("place", range(5))
async def test_the_connection_ends_in_the_middle(place: int) -> None:
    messages = (BIND_COMPLETE, ROW, ROW, ROW, PORTAL_SUSPENDED)[:place]
    with ScriptedServer([*PREPARED, OPENING, send(*messages), close()]) as server:
        conn = await pgallop.connect(f"postgresql://a@127.0.0.1:{server.port}/a?sslmode=disable")
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            async with conn.transaction():
                await all_of(conn.cursor("SELECT n", prefetch=2))


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_round_trips(server: EmbeddedServer, mode: Any) -> None:
    async with (
        DelayProxy(server.host, server.port, delay=0.005) as proxy,
        pgallop.connect(
            host=proxy.host,
            port=proxy.port,
            user="postgres",
            database="postgres",
            ssl="disable",
            statement_mode=mode,
        ) as conn,
    ):
        for expected in (4, 3):
            before = proxy.round_trips
            async with conn.transaction():
                assert len(await all_of(conn.cursor(SERIES, 100, prefetch=50))) == 100
            assert proxy.round_trips - before == expected
        before = proxy.round_trips
        async with conn.transaction():
            assert len(await all_of(conn.cursor(SERIES, 100, prefetch=50))) == 100
            assert await conn.fetchval("SELECT 1 FROM generate_series(1, 1)") == 1
        assert proxy.round_trips - before <= 5
