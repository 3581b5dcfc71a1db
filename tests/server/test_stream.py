"""Streams: the rows of one statement a number at a time, without a transaction of the caller's."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_type

import msgspec
import psycopg
import pytest
from live import Connect, Monitor

import pgallop
from pgallop import ownership
from pgallop.rows.record import Record

SERIES = "SELECT generate_series(1, $1::int) AS n"
INSERT = "INSERT INTO streamed SELECT generate_series(1, $1::int) RETURNING n"
COUNT = "SELECT count(*) FROM streamed"
REFUSED = "the stream begun at .*[.]py:[0-9]+ is open"

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE streamed (n int)")
    yield
    monitor.ask("DROP TABLE streamed")


async def all_of(rows: Any) -> list[int]:
    return [row["n"] async for row in rows]


def alone(coroutine: Any) -> asyncio.Task[Any]:
    """A task that has no part in what this one has begun."""
    return asyncio.create_task(coroutine, context=contextvars.Context())


# --- what it gives --------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("prefetch", [None, 1, 2, 49, 50, 51, 100, 101, 2**31 - 2])
async def test_every_row(connect: Connect, mode: str, prefetch: int | None) -> None:
    async with connect(statement_mode=mode) as conn:
        for count in (0, 1, 50, 51, 100, 101):
            stream = conn.stream(SERIES, count, prefetch=prefetch)
            assert await all_of(stream) == list(range(1, count + 1))
            assert not conn.is_in_transaction()
            async with stream as rows:  # run anew
                assert await all_of(rows) == list(range(1, count + 1))
                assert not conn.is_in_transaction()
                assert await all_of(rows) == []
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_row_and_then_the_others(connect: Connect) -> None:
    async with connect() as conn, conn.stream(SERIES, 5, prefetch=2) as rows:
        assert await anext(rows) == (1,)
        assert await all_of(rows) == [2, 3, 4, 5]
        with pytest.raises(StopAsyncIteration):
            await anext(rows)
        assert await conn.fetchval("SELECT 1") == 1


async def test_entered_twice(connect: Connect) -> None:
    async with connect() as conn:
        stream = conn.stream(SERIES, 5, prefetch=2)
        async with stream as rows:
            assert await anext(rows) == (1,)
            with pytest.raises(pgallop.InterfaceError, match="twice at the same time"):
                await stream.__aenter__()
            assert await anext(rows) == (2,)
        async with stream as again:
            assert await anext(again) == (1,)
        with pytest.raises(pgallop.InterfaceError, match="before its last row was read: it was cl"):
            await anext(rows)


@modes
async def test_a_prepared_statement(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        statement = await conn.prepare(SERIES)
        assert await all_of(statement.stream(70)) == list(range(1, 71))
        async with statement.stream(70, prefetch=9) as rows:
            assert await anext(rows) == (1,)
            del statement
            assert await all_of(rows) == list(range(2, 71))
        statement = await conn.prepare("SELECT 1 AS n")
        assert await all_of(statement.stream()) == [1]
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        statement.stream()


@dataclass
class Number:
    n: int


class Pair(NamedTuple):
    n: int


class Struct(msgspec.Struct):
    n: int


def doubled(n: int) -> int:
    return 2 * n


@modes
async def test_made_into(connect: Connect, mode: str) -> None:
    conn: pgallop.Connection
    async with connect(statement_mode=mode) as conn:
        async for row in conn.stream(SERIES, 3):
            assert_type(row, Record)
        numbers = [assert_type(each, Number) async for each in conn.stream(SERIES, 3, into=Number)]
        assert numbers == [Number(1), Number(2), Number(3)]
        async with conn.stream(SERIES, 3, prefetch=1, into=doubled) as rows:
            assert assert_type(await anext(rows), int) == 2
            assert [each async for each in rows] == [4, 6]
        targets: list[Any] = [Pair, Struct, dict, tuple, list, Record]
        for into in targets:
            made = [each async for each in conn.stream(SERIES, 60, into=into)]
            assert made == await conn.fetch(SERIES, 60, into=into)
        with pytest.raises(pgallop.DataError, match="column 'm' has no field in Number"):
            await all_of(conn.stream("SELECT 1 AS m", into=Number))
        with pytest.raises(pgallop.InterfaceError, match="rows cannot be made into 5"):
            conn.stream(SERIES, 3, into=5)  # type: ignore[call-overload]
        assert await conn.fetchval("SELECT 1") == 1


async def test_made_of_a_prepared_statement(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect() as conn:
        statement = await conn.prepare(SERIES)
        async for row in statement.stream(1):
            assert_type(row, Record)
        async for pair in statement.stream(2, into=Pair):
            assert_type(pair, Pair)


async def test_arguments(connect: Connect) -> None:
    async with connect() as conn:
        prefetch: Any
        for prefetch in (0, -1, 1.5, True, "9", 2**31):
            with pytest.raises(pgallop.InterfaceError, match="prefetch argument must be"):
                conn.stream("SELECT 1", prefetch=prefetch)
        with pytest.raises(pgallop.InterfaceError, match="has to be a str"):
            conn.stream(b"SELECT 1")  # type: ignore[call-overload]
        for _ in range(2):
            with pytest.raises(pgallop.InterfaceError, match="expects 1 argument, 0 given"):
                await all_of(conn.stream(SERIES))
            with pytest.raises(pgallop.DataError, match=r"argument \$1 \(int4\)"):
                await all_of(conn.stream(SERIES, "many"))
            with pytest.raises(pgallop.UndefinedColumnError):
                await all_of(conn.stream("SELECT no_such_column"))
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="COPY"):
            await all_of(conn.stream("COPY pg_class TO STDOUT"))
        with pytest.raises(pgallop.ActiveSQLTransactionError, match="VACUUM"):
            await all_of(conn.stream("VACUUM"))
        with pytest.raises(pgallop.ClientConfigurationError, match="timeout"):
            conn.stream(SERIES, 1, timeout="soon")  # type: ignore[call-overload]
        assert await all_of(conn.stream("SET application_name = 'streams'")) == []
        assert await all_of(conn.stream("")) == []
        assert not conn.is_in_transaction()
    async with connect(statement_mode="simple") as conn:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="streams need the ext"):
            await all_of(conn.stream("SELECT 1 AS n"))
        assert await conn.fetchval("SELECT 1") == 1


# --- its transaction ------------------------------------------------------------------------------


@modes
async def test_what_it_changes_is_there_with_the_last_row(
    connect: Connect, monitor: Monitor, table: None, mode: str
) -> None:
    async with connect(statement_mode=mode) as conn:
        async for row in conn.stream(INSERT, 3):  # fewer than are fetched at once
            assert monitor.ask(COUNT) == [(3,)]
            assert await conn.fetchval("SELECT $1::int", row["n"]) == row["n"]
        for count, committed_at in ((6, 5), (7, 7), (8, 7)):  # 3, 2, 2, ... of them come
            monitor.ask("TRUNCATE streamed")
            async for (n,) in conn.stream(INSERT, count, prefetch=2):
                assert monitor.ask(COUNT) == [(count if n >= committed_at else 0,)]
                assert conn.is_in_transaction() == (n < committed_at)


@modes
async def test_what_is_left_early_is_rolled_back(
    connect: Connect, monitor: Monitor, table: None, mode: str
) -> None:
    async with connect(statement_mode=mode) as conn:
        async with conn.stream(INSERT, 1000) as rows:
            async for _ in rows:
                assert conn.is_in_transaction()
                break
        assert not conn.is_in_transaction()
        async for _ in conn.stream(INSERT, 1000):
            break
        assert await conn.fetchval(COUNT) == 0
        assert not conn.is_in_transaction()
        async for _ in conn.stream(INSERT, 1):
            break  # at the last row, so it is not early
        assert await conn.fetchval(COUNT) == 1


async def test_functions_run_as_far_as_rows_are_fetched(
    connect: Connect, monitor: Monitor, table: None
) -> None:
    monitor.ask(
        "CREATE FUNCTION note(n int) RETURNS int LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO streamed VALUES (n); RAISE NOTICE ''noted''; RETURN n; END'"
    )
    try:
        async with connect() as conn:
            noted: list[Any] = []
            conn.add_log_listener(lambda conn, message: noted.append(message))
            query = "SELECT note(n) AS n FROM generate_series(1, 9) AS n"
            async with conn.stream(query, prefetch=2) as rows:
                assert await anext(rows) == (1,)
            await asyncio.sleep(0.01)
            assert len(noted) == 3
            assert await conn.fetchval(COUNT) == 0
            assert await all_of(conn.stream(query, prefetch=2)) == list(range(1, 10))
            assert monitor.ask(COUNT) == [(9,)]
    finally:
        monitor.ask("DROP FUNCTION note")


async def test_an_error_of_the_commit(connect: Connect, monitor: Monitor) -> None:
    """It comes before the last row, as it does in `fetch` before all of them."""
    monitor.ask("CREATE TABLE singles (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        async with connect() as conn:
            seen: list[int] = []
            query = "INSERT INTO singles SELECT n / 2 FROM generate_series(1, 5) AS n RETURNING n"
            with pytest.raises(pgallop.UniqueViolationError):
                async for (n,) in conn.stream(query, prefetch=2):
                    seen.append(n)
            assert seen == [0, 1, 1, 2]
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT count(*) FROM singles") == 0
    finally:
        monitor.ask("DROP TABLE singles")


async def test_never_iterated(connect: Connect, monitor: Monitor, table: None) -> None:
    async with connect() as conn:
        conn.stream(INSERT, 3)
        async with conn.stream(INSERT, 3):
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT 1") == 1
        rows = aiter(conn.stream(INSERT, 3))
        await rows.aclose()
        with pytest.raises(pgallop.InterfaceError, match="it was closed"):
            await anext(rows)
        assert monitor.ask(COUNT) == [(0,)]


@modes
async def test_in_a_transaction_of_the_caller(
    connect: Connect, monitor: Monitor, table: None, mode: str
) -> None:
    """It is a cursor: other statements, and other streams, may come in between."""
    async with connect(statement_mode=mode) as conn:
        assert await all_of(conn.stream(INSERT, 70)) == list(range(1, 71))
        monitor.ask("TRUNCATE streamed")
        with pytest.raises(ZeroDivisionError):
            async with conn.transaction():
                assert await all_of(conn.stream(INSERT, 70)) == list(range(1, 71))
                async for (n,) in conn.stream(SERIES, 70):
                    assert await conn.fetchval("SELECT $1::int", n) == n
                one, other = aiter(conn.stream(SERIES, 9, prefetch=1)), conn.stream(SERIES, 9)
                async with other as rows:
                    assert await anext(one) == await anext(rows) == (1,)
                    async with conn.transaction():
                        assert await anext(one) == await anext(rows) == (2,)
                with pytest.raises(pgallop.InterfaceError, match="it was closed"):
                    await anext(rows)
                assert await anext(one) == (3,)
                del one
                assert await conn.fetchval(COUNT) == 70
                raise ZeroDivisionError
        assert monitor.ask(COUNT) == [(0,)]
        await conn.execute("BEGIN")
        assert await all_of(conn.stream(INSERT, 70)) == list(range(1, 71))
        await conn.execute("ROLLBACK")
        assert monitor.ask(COUNT) == [(0,)]


async def test_in_a_failed_transaction(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.fetch("SELECT 1/0")
                with pytest.raises(pgallop.InFailedSQLTransactionError) as caught:
                    await all_of(conn.stream(SERIES, 3))
                assert isinstance(caught.value.__cause__, pgallop.DivisionByZeroError)
        assert await all_of(conn.stream(SERIES, 3)) == [1, 2, 3]


# --- whose turn it is -----------------------------------------------------------------------------


@asynccontextmanager
async def open_stream(conn: pgallop.Connection) -> AsyncIterator[Any]:
    async with conn.stream(SERIES, 9, prefetch=2) as rows:
        assert await anext(rows) == (1,)
        yield rows
        assert await all_of(rows) == list(range(2, 10))


async def enter(block: Any) -> None:
    async with block:
        pass


async def run_pipeline(conn: pgallop.Connection) -> None:
    async with conn.pipeline() as pipeline:
        pipeline.fetch("SELECT 1")


CALLS: dict[str, Callable[[pgallop.Connection], Awaitable[Any]]] = {
    "fetch": lambda conn: conn.fetch("SELECT 1"),
    "fetchrow": lambda conn: conn.fetchrow("SELECT $1::int", 1),
    "fetchval": lambda conn: conn.fetchval("SELECT 'new'"),
    "execute": lambda conn: conn.execute("SELECT 1"),
    "execute with arguments": lambda conn: conn.execute("SELECT $1::int", 1),
    "executemany": lambda conn: conn.executemany("SELECT $1::int", [(1,)]),
    "fetchmany": lambda conn: conn.fetchmany("SELECT $1::int", [(1,)]),
    "prepare": lambda conn: conn.prepare("SELECT 1"),
    "cursor": lambda conn: all_of(conn.cursor("SELECT 1 AS n")),
    "stream": lambda conn: all_of(conn.stream("SELECT 1 AS n")),
    "transaction": lambda conn: enter(conn.transaction()),
    "pipeline": run_pipeline,
    "add_listener": lambda conn: conn.add_listener("streams", print),
}


@modes
async def test_what_comes_in_between_is_refused(connect: Connect, mode: str) -> None:
    """It would have joined the stream's transaction unseen; and waiting for it would not end."""
    async with connect(statement_mode=mode) as conn:
        await conn.fetch("SELECT 1")
        async with open_stream(conn):
            for call in CALLS.values():
                with pytest.raises(pgallop.InterfaceError, match=REFUSED) as caught:
                    await call(conn)
                assert caught.value.safe_to_retry
                assert "in one transaction()" in str(caught.value.hint)
                with pytest.raises(pgallop.InterfaceError, match=REFUSED):
                    await asyncio.create_task(call(conn))  # type: ignore[arg-type]
        for call in CALLS.values():
            if call is not CALLS["cursor"]:
                await call(conn)


@modes
async def test_other_tasks_wait(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        calls = [call for name, call in CALLS.items() if name != "cursor"]
        async with open_stream(conn):
            tasks = [alone(call(conn)) for call in calls]
            await asyncio.sleep(0.02)
            assert not any(task.done() for task in tasks)
        await asyncio.gather(*tasks)


async def test_streams_of_many_tasks(connect: Connect, monitor: Monitor, table: None) -> None:
    order: list[int] = []

    async def one(k: int) -> None:
        async with conn.stream(INSERT, 5, prefetch=1) as rows:
            async for (n,) in rows:
                if n < 5:  # before the last one it is committed
                    order.append(k)
                await asyncio.sleep(0)
                if k % 3 == n == 1:
                    break

    async with connect() as conn:
        await asyncio.gather(*[one(k) for k in range(12)])
    assert order == [k for k in range(12) for _ in range(1 if k % 3 == 1 else 4)]
    assert monitor.ask(COUNT) == [(5 * 8,)]


async def test_the_wait_is_bounded(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "DEFAULT_PATIENCE", 0.05)
    async with connect() as conn, open_stream(conn):
        for call in CALLS["fetch"], CALLS["stream"]:
            with pytest.raises(pgallop.ConnectionBusyError, match="the stream of task"):
                await alone(call(conn))


@pytest.mark.parametrize("kind", [None, "wait_for"])
async def test_read_by_several_tasks(
    connect: Connect, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes in between is refused in each of them, and in the one that has made it."""
    monkeypatch.setattr(ownership, "DEFAULT_PATIENCE", 0.5)

    async def read() -> int:
        step = anext(rows)
        (n,) = await (step if kind is None else asyncio.wait_for(step, 5))
        with pytest.raises(pgallop.InterfaceError, match=REFUSED):
            await conn.fetch("SELECT 1")
        return int(n)

    async with connect() as conn, conn.stream(SERIES, 9, prefetch=1) as rows:
        assert await read() == 1
        if kind is None:
            assert [await alone(read()) for _ in range(3)] == [2, 3, 4]
        else:
            assert [await read() for _ in range(3)] == [2, 3, 4]
        assert await read() == 5
        calls = anext(rows), anext(rows)
        answers: Any = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[0] == (6,)
        assert isinstance(answers[1], pgallop.ConnectionBusyError)
        assert await all_of(rows) == [7, 8, 9]


async def test_strict(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        assert await all_of(conn.stream(SERIES, 3, prefetch=1)) == [1, 2, 3]
        async with open_stream(conn):
            with pytest.raises(pgallop.ConnectionBusyError, match="the stream of task"):
                await alone(conn.fetch("SELECT 1"))
            with pytest.raises(pgallop.InterfaceError, match=REFUSED):
                await conn.fetch("SELECT 1")
        assert await conn.fetchval("SELECT 1") == 1


# --- types and tables that change -----------------------------------------------------------------


@modes
@pytest.mark.parametrize("streamed_before", [True, False])
async def test_its_table_was_altered(
    connect: Connect, monitor: Monitor, table: None, mode: str, streamed_before: bool
) -> None:
    """It is run again, unseen, as `fetch` is: nothing has run yet."""
    query = "SELECT * FROM streamed WHERE n <= $1"
    async with connect(statement_mode=mode) as conn:
        await conn.fetchval(INSERT, 3)
        assert len([row async for row in conn.stream(query, 9)]) == 3
        monitor.ask("ALTER TABLE streamed ADD m int DEFAULT 7")
        if not streamed_before:
            await conn.fetch("SELECT 1")
        assert [tuple(row) async for row in conn.stream(query, 9)] == [(1, 7), (2, 7), (3, 7)]
        monitor.ask("ALTER TABLE streamed ALTER n TYPE text")
        with pytest.raises((pgallop.DataError, pgallop.UndefinedFunctionError)):
            await all_of(conn.stream(query, 9))
        assert [row["n"] async for row in conn.stream(query, "9")] == ["1", "2", "3"]
        assert not conn.is_in_transaction()


async def test_its_table_cannot_be_altered(connect: Connect, monitor: Monitor, table: None) -> None:
    async with connect() as conn:
        await conn.fetchval(INSERT, 3)
        monitor.ask("SET lock_timeout = '50ms'")
        async with conn.stream("SELECT n FROM streamed", prefetch=1) as rows:
            await anext(rows)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                monitor.ask("ALTER TABLE streamed ADD m int")
        monitor.ask("ALTER TABLE streamed ADD m int; RESET lock_timeout")


@modes
async def test_types_that_are_asked_about(connect: Connect, monitor: Monitor, mode: str) -> None:
    """Before it begins, and in the middle of it, in its transaction."""
    monitor.ask("CREATE TYPE stream_mood AS ENUM ('sad'); CREATE TYPE stream_pair AS (a int)")
    try:
        async with connect(statement_mode=mode) as conn:
            pair = "SELECT ROW(n)::stream_pair AS n FROM generate_series(1, 5) AS n"
            assert [row["n"]["a"] async for row in conn.stream(pair, prefetch=2)] == [1, 2, 3, 4, 5]
            monitor.ask("ALTER TYPE stream_pair ADD ATTRIBUTE b text")
            longer = "SELECT ROW(n, 'b')::stream_pair AS n FROM generate_series(1, 5) AS n"
            pairs = [tuple(row["n"]) async for row in conn.stream(longer, prefetch=2)]
            assert pairs == [(n, "b") for n in range(1, 6)]
            # Of the fields of a record only the rows tell.
            mood = "SELECT ROW(n, 'sad'::stream_mood) AS n FROM generate_series(1, 5) AS n"
            moods = [row["n"] async for row in conn.stream(mood, prefetch=2)]
            assert moods == [(n, "sad") for n in range(1, 6)]
            assert not conn.is_in_transaction()
            amount = "SELECT n::money AS n FROM generate_series(1, 5) AS n"
            assert await all_of(conn.stream(amount, prefetch=2)) == [1, 2, 3, 4, 5]
    finally:
        monitor.ask("DROP TYPE stream_mood; DROP TYPE stream_pair")
