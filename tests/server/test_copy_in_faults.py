"""COPY into a table that does not get to its end: nothing is stored, the connection goes on."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bounds import measures
from chaos.blocks import Memory
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor

import pgallop
from pgallop.session.copy_in import PIECE

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])
all_modes = pytest.mark.parametrize("mode", ["named", "unnamed", "simple"])

# So many rows are several pieces.
MANY = 3 * PIECE // 60

Row = tuple[int, str]


class MineError(Exception):
    """What a source raises."""


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE copied (a int8 PRIMARY KEY, b text)")
    yield
    monitor.ask("DROP TABLE copied")


def rows(count: int, start: int = 0) -> list[Row]:
    return [(i, f"{i:050}") for i in range(start, start + count)]


def line(row: Row) -> bytes:
    return b"%d\t%s\n" % (row[0], row[1].encode())


def stored(monitor: Monitor) -> list[Any]:
    # As a float8, whatever it is by now: the monitor's driver keeps plans.
    return monitor.ask("SELECT a::float8, b FROM copied ORDER BY a")


async def assert_goes_on(conn: pgallop.Connection, count: int = 0) -> None:
    """The connection is of use, outside of any transaction."""
    assert await conn.fetchval("SELECT count(*) FROM copied", timeout=5) == count
    assert not conn.is_in_transaction()


class Endless:
    """Rows, or lines of text, without an end; counted, and whether they were closed.

    `on_begun`: called when the first of them is read.
    """

    def __init__(self, conn_rows: bool = True, pause: int = 1000) -> None:
        self.as_rows = conn_rows
        self.pause = pause
        self.read = 0
        self.closed = False
        self.on_begun: Callable[[], object] | None = None

    def one(self) -> Any:
        if not self.read and self.on_begun is not None:
            self.on_begun()
        self.read += 1
        row = (self.read, f"{self.read:050}")
        return row if self.as_rows else line(row)

    def plain(self) -> Iterator[Any]:
        try:
            while True:
                yield self.one()
        finally:
            self.closed = True

    async def waiting(self) -> AsyncIterator[Any]:
        try:
            while True:
                if self.read % self.pause == 0:
                    await asyncio.sleep(0.001)
                yield self.one()
        finally:
            await asyncio.sleep(0)
            self.closed = True

    async def stuck(self, count: int) -> AsyncIterator[Any]:
        """So many, and then nothing comes any more."""
        try:
            while self.read < count:
                yield self.one()
            await asyncio.sleep(600)
        finally:
            self.closed = True


# --- the source fails -----------------------------------------------------------------------------


@all_modes
@pytest.mark.parametrize("count", [0, 1, MANY])
@pytest.mark.parametrize("size", [10, 20_000])
async def test_a_source_that_raises(
    connect: Connect, monitor: Monitor, mode: str, count: int, size: int
) -> None:
    """A CopyFail of more than 10,000 bytes would end the connection."""

    def plain() -> Iterator[bytes]:
        yield from map(line, rows(count))
        raise MineError("w" * size)

    async def waiting() -> AsyncIterator[bytes]:
        for each in plain():
            yield each

    async with connect(statement_mode=mode) as conn:
        for source in (plain(), waiting()):
            with pytest.raises(MineError, match="w" * 10):
                await conn.copy_to_table("copied", source=source)
            await assert_goes_on(conn)
        assert await conn.copy_to_table("copied", source=b"1\tx\n") == "COPY 1"
    assert stored(monitor) == [(1, "x")]


@modes
@pytest.mark.parametrize("count", [0, 1, MANY])
async def test_records_that_raise(
    connect: Connect, monitor: Monitor, mode: str, count: int
) -> None:
    def plain() -> Iterator[Any]:
        yield from rows(count)
        raise MineError("w" * 20_000)

    async def waiting() -> AsyncIterator[Any]:
        for each in plain():
            yield each

    class Odd:
        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[Any]:
            raise MineError

    async with connect(statement_mode=mode) as conn:
        for records in (plain(), waiting(), [*rows(count), Odd()]):
            with pytest.raises(MineError):
                await conn.copy_records_to_table("copied", records=records)  # type: ignore[arg-type]
            await assert_goes_on(conn)
        await conn.copy_records_to_table("copied", records=rows(2))
    assert stored(monitor) == rows(2)


@modes
@pytest.mark.parametrize("place", [0, 3, MANY - 1])
async def test_a_record_that_cannot_be_encoded(
    connect: Connect, monitor: Monitor, mode: str, place: int
) -> None:
    async with connect(statement_mode=mode) as conn:
        for offender, kind, words in (
            ((1, 2), pgallop.DataError, r'\], column "b" \(text\): 2: expected str, got int'),
            ((1,), pgallop.InterfaceError, r"\]: 1 value, and there are 2 columns: a, b"),
            (7, pgallop.InterfaceError, r"\]: expected a sequence of values, got 7"),
        ):
            records: list[Any] = list(rows(MANY))
            records[place] = offender
            for each in (records, iter(records)):
                with pytest.raises(kind, match=rf"records\[{place}{words}"):
                    await conn.copy_records_to_table("copied", records=each)
                await assert_goes_on(conn)


@modes
async def test_what_the_log_says(connect: Connect, monitor: Monitor, mode: str) -> None:
    """The transaction has failed by what the source has raised, and the server by our word."""

    def failing() -> Iterator[Row]:
        yield from rows(MANY)
        raise MineError("mine")

    async with connect(statement_mode=mode) as conn:
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(MineError):
                    await conn.copy_records_to_table("copied", records=failing())
                with pytest.raises(pgallop.InFailedSQLTransactionError) as raised:
                    await conn.fetchval("SELECT 1")
                cause = raised.value.__cause__
                assert str(cause) == "the source of a COPY has raised MineError: mine"
        await assert_goes_on(conn)
        async with conn.transaction():
            # Nothing of it was sent: the transaction goes on.
            with pytest.raises(pgallop.DataError):
                await conn.copy_records_to_table("copied", records=[("x", "y")])
            await conn.copy_records_to_table("copied", records=rows(1))
    assert stored(monitor) == rows(1)


@modes
@pytest.mark.parametrize(
    "error",
    [
        pgallop.FeatureNotSupportedError("cached plan must not change result type"),
        pgallop.InvalidSQLStatementNameError("which is another connection's"),
        pgallop.OutdatedSchemaCacheError("of another table"),
        pgallop.errors.CollateralCancelError("of another statement"),
        pgallop.DataError("of another argument"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_source_whose_error_is_one_of_ours(
    connect: Connect, monitor: Monitor, mode: str, error: Exception
) -> None:
    """It has ended by that: what was read by then must not be stored as if it were all."""
    async with connect(statement_mode=mode) as conn:
        for count in (1, MANY):

            async def failing(count: int = count) -> AsyncIterator[Row]:
                for row in rows(count):
                    yield row
                raise error

            with pytest.raises(type(error)) as raised:
                await conn.copy_records_to_table("copied", records=failing())
            assert raised.value is error
            await assert_goes_on(conn)


# --- the server refuses ---------------------------------------------------------------------------


@all_modes
async def test_who_is_refused_reads_no_more(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for table, first in (("nowhere", b""), ("copied", b"x\ty\n")):
            source = Endless(conn_rows=False)

            def plain(first: bytes = first, source: Endless = source) -> Iterator[bytes]:
                yield first
                yield from source.plain()

            with pytest.raises(pgallop.PostgresError):
                await conn.copy_to_table(table, source=plain())
            assert source.closed
            # Some megabytes are in the buffers by then.
            assert source.read < 1_000_000
            other = Endless(conn_rows=False)
            with pytest.raises(pgallop.PostgresError):
                await conn.copy_to_table(table, source=other.waiting(), columns=["c"])
            assert other.closed
            assert other.read < 1_000_000
            await assert_goes_on(conn)
    assert stored(monitor) == []


@modes
async def test_who_waits_is_interrupted(connect: Connect, monitor: Monitor, mode: str) -> None:
    """The source has nothing to give when the server refuses."""
    monitor.ask("INSERT INTO copied VALUES (7, 'there')")
    async with connect(statement_mode=mode) as conn, asyncio.timeout(20):
        source = Endless()
        with pytest.raises(pgallop.UniqueViolationError):
            await conn.copy_records_to_table("copied", records=source.stuck(MANY))
        assert source.closed
        await assert_goes_on(conn, 1)


async def test_a_source_that_does_not_let_itself_be_interrupted(
    connect: Connect, monitor: Monitor
) -> None:
    interrupted = 0

    async def stubborn(waiting: asyncio.Event) -> AsyncIterator[Row]:
        nonlocal interrupted
        for row in rows(MANY):
            yield row
        waiting.set()
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                interrupted += 1
            for row in rows(MANY):
                yield row

    async with connect() as conn, connect() as other, asyncio.timeout(20):
        waiting = asyncio.Event()
        async with other.transaction():
            await other.execute("INSERT INTO copied VALUES (7, 'there')")
            copy = asyncio.create_task(
                conn.copy_records_to_table("copied", records=stubborn(waiting))
            )
            await waiting.wait()
        with pytest.raises(pgallop.UniqueViolationError):
            await copy
        await assert_goes_on(conn, 1)
    assert interrupted == 1


async def test_a_deferred_constraint(connect: Connect, monitor: Monitor) -> None:
    """The error comes with the Sync, behind the server's `COPY 1`."""
    monitor.ask("CREATE TABLE later (a int8 REFERENCES copied DEFERRABLE INITIALLY DEFERRED)")
    try:
        async with connect() as conn:
            with pytest.raises(pgallop.ForeignKeyViolationError):
                await conn.copy_records_to_table("later", records=[(1,)])
            await assert_goes_on(conn)
    finally:
        monitor.ask("DROP TABLE later")


async def test_many_notices_meanwhile(connect: Connect, monitor: Monitor) -> None:
    """The server does not read when nobody reads what it says."""
    monitor.ask(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE NOTICE ''%'', repeat(''x'', 2000); RETURN NEW; END';"
        "CREATE TRIGGER shouting BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION shout()"
    )
    try:
        async with connect() as conn, asyncio.timeout(40):
            heard = 0

            def listen(connection: object, notice: object) -> None:
                nonlocal heard
                heard += 1

            conn.add_log_listener(listen)
            records = ((n, "y" * 2000) for n in range(5000))
            assert await conn.copy_records_to_table("copied", records=records) == "COPY 5000"
            assert heard > 4500
    finally:
        monitor.ask("DROP TRIGGER shouting ON copied; DROP FUNCTION shout")


# --- interrupted ----------------------------------------------------------------------------------


async def waiting(items: list[Any]) -> AsyncIterator[Any]:
    for n, item in enumerate(items):
        if n % 1000 == 0:
            await asyncio.sleep(0)
        yield item


async def copy(conn: pgallop.Connection, kind: str, more: list[Row], path: Path) -> None:
    """Copy these rows from a source of some kind; `path`: where a file may be."""
    if "records" in kind:
        records: Any = waiting(more) if "waiting" in kind else more
        await conn.copy_records_to_table("copied", records=records)
        return
    source: Any = b"".join(map(line, more))
    if "waiting" in kind:
        source = waiting([line(row) for row in more])
    elif kind == "file":
        path.write_bytes(source)
        source = path
    await conn.copy_to_table("copied", source=source)


async def cancelled_at_each_await(
    conn: pgallop.Connection, kind: str, moment: Moment, path: Path
) -> int:
    """Cancel a COPY at each of its awaits; how many rows were stored in the end."""
    start = 0

    async def work() -> None:
        await copy(conn, kind, rows(MANY, start), path)

    async for run in interruptions(work, moment, least=3):
        assert isinstance(run.error, asyncio.CancelledError)
        count = await conn.fetchval("SELECT count(*) FROM copied", timeout=5)
        assert count in (start, start + MANY)
        assert not conn.is_in_transaction()
        start = count
    return start + MANY


@modes
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["records", "waiting records", "bytes", "waiting bytes", "file"])
async def test_cancelled_at_each_await(
    connect: Connect, monitor: Monitor, tmp_path: Path, mode: str, moment: Moment, kind: str
) -> None:
    async with connect(statement_mode=mode, statement_cache_size=0) as conn:
        count = await cancelled_at_each_await(conn, kind, moment, tmp_path / "rows.txt")
    assert stored(monitor) == rows(count)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["bytes", "waiting bytes", "file"])
async def test_cancelled_in_the_simple_protocol(
    connect: Connect, monitor: Monitor, tmp_path: Path, moment: Moment, kind: str
) -> None:
    async with connect(statement_mode="simple") as conn:
        count = await cancelled_at_each_await(conn, kind, moment, tmp_path / "rows.txt")
    assert stored(monitor) == rows(count)


@modes
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_in_a_transaction(
    connect: Connect, monitor: Monitor, mode: str, moment: Moment
) -> None:
    stored_by_then = 0
    async with connect(statement_mode=mode) as conn:

        async def work() -> None:
            async with conn.transaction():
                await conn.copy_records_to_table("copied", records=rows(MANY, stored_by_then))

        async for _ in interruptions(work, moment, least=5):
            count = await conn.fetchval("SELECT count(*) FROM copied", timeout=5)
            assert count in (stored_by_then, stored_by_then + MANY)
            assert not conn.is_in_transaction()
            stored_by_then = count


@modes
async def test_out_of_time(connect: Connect, monitor: Monitor, mode: str) -> None:
    """The first row waits for a lock, and the server reads no more meanwhile."""
    async with connect(statement_mode=mode) as conn, connect() as other:
        for make in (Endless.plain, Endless.waiting):
            source = Endless()
            async with other.transaction():
                await other.execute("INSERT INTO copied VALUES (1, 'other')")
                start = time.monotonic()
                with pytest.raises(TimeoutError, match=r"within 0\.2 seconds"):
                    records: Any = make(source)
                    await conn.copy_records_to_table("copied", records=records, timeout=0.2)
                assert time.monotonic() - start < 2
                assert source.closed
                assert 100 < source.read < 500_000
                await assert_goes_on(conn)
                await other.execute("DELETE FROM copied")


@all_modes
@pytest.mark.parametrize("count", [0, MANY])
async def test_a_source_that_does_not_go_on(
    connect: Connect, monitor: Monitor, mode: str, count: int
) -> None:
    async with connect(statement_mode=mode, command_timeout=0.3) as conn:
        source = Endless(conn_rows=False)
        with pytest.raises(TimeoutError, match=r"within 0\.3 seconds"):
            await conn.copy_to_table("copied", source=source.stuck(count))
        assert source.closed
        await assert_goes_on(conn)


async def test_a_source_that_is_out_of_time_itself(connect: Connect, monitor: Monitor) -> None:
    async def impatient() -> AsyncIterator[Row]:
        for row in rows(MANY):
            yield row
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)

    async with connect() as conn:
        for timeout in (None, 30):
            with pytest.raises(TimeoutError) as raised:
                await conn.copy_records_to_table("copied", records=impatient(), timeout=timeout)
            assert str(raised.value) == ""
            await assert_goes_on(conn)


async def test_a_pipe_that_nobody_writes_to(connect: Connect, tmp_path: Path) -> None:
    """Its reader is stuck in the kernel, and the caller is not."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    try:
        async with connect() as conn:
            with pytest.raises(TimeoutError):
                await conn.copy_to_table("copied", source=path, timeout=0.2)
            await assert_goes_on(conn)
    finally:
        os.write(writer, b"x" * 1000)
        os.close(writer)
        await asyncio.get_running_loop().shutdown_default_executor()


@modes
@pytest.mark.parametrize("how", ["terminated", "by us"])
async def test_the_connection_goes(connect: Connect, monitor: Monitor, mode: str, how: str) -> None:
    for make in (Endless.plain, Endless.waiting):
        conn = await connect(statement_mode=mode)
        source = Endless()

        def leave(conn: pgallop.Connection = conn) -> None:
            if how == "by us":
                conn.terminate()
            else:
                monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())

        def leave_soon(leave: Callable[[], None] = leave) -> None:
            asyncio.get_running_loop().call_later(0.05, leave)

        source.on_begun = leave_soon
        with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.PostgresError)):
            await conn.copy_records_to_table("copied", records=make(source))
        assert source.closed
        assert conn.is_closed()
    assert stored(monitor) == []


# --- the connection is used meanwhile -------------------------------------------------------------


async def check_neighbours(conn: pgallop.Connection, monitor: Monitor) -> None:
    async def one(n: int) -> None:
        assert await conn.fetchval(f"SELECT {n}") == n

    async def others() -> None:
        for n in range(50):
            await one(n)

    await asyncio.gather(
        others(),
        conn.copy_to_table("copied", source=map(line, rows(MANY))),
        *[one(n) for n in range(20)],
        conn.copy_to_table("copied", source=b"".join(map(line, rows(MANY, MANY)))),
        others(),
    )
    assert stored(monitor) == rows(2 * MANY)


@modes
async def test_neighbours(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        await check_neighbours(conn, monitor)


async def test_neighbours_in_the_simple_protocol(connect: Connect, monitor: Monitor) -> None:
    async with connect(statement_mode="simple") as conn:
        await check_neighbours(conn, monitor)


@modes
async def test_neighbours_of_one_that_fails(connect: Connect, monitor: Monitor, mode: str) -> None:
    def failing() -> Iterator[Row]:
        yield from rows(MANY)
        raise MineError

    async with connect(statement_mode=mode) as conn:
        calls: list[Awaitable[Any]] = []
        for n in range(5):
            calls.append(conn.fetchval("SELECT $1::int", n))
            calls.append(conn.copy_records_to_table("copied", records=failing()))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[::2] == list(range(5))
        assert [type(answer) for answer in answers[1::2]] == [MineError] * 5
        await assert_goes_on(conn)


@modes
async def test_another_task_has_a_transaction(
    connect: Connect, monitor: Monitor, mode: str
) -> None:
    """Also one that was begun while the first piece was read."""
    async with connect(statement_mode=mode) as conn:
        begun, copying, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def transaction() -> None:
            await copying.wait()
            async with conn.transaction():
                await conn.execute("INSERT INTO copied VALUES (-1, 'rolled back')")
                begun.set()
                await asyncio.sleep(0.05)
                assert not done.is_set()
                raise MineError

        async def records() -> AsyncIterator[Row]:
            copying.set()
            await begun.wait()
            for row in rows(2):
                yield row

        other = asyncio.create_task(transaction())
        await conn.copy_records_to_table("copied", records=records())
        done.set()
        with pytest.raises(MineError):
            await other
    assert stored(monitor) == rows(2)


async def nested_copy(conn: pgallop.Connection) -> None:
    await conn.copy_to_table("copied", source=b"")


async def transaction(conn: pgallop.Connection) -> None:
    async with conn.transaction():
        await conn.execute("SELECT 1")


async def streamed(conn: pgallop.Connection) -> None:
    async for _ in conn.stream("SELECT 1"):
        pass


@pytest.mark.parametrize(
    "call",
    [
        lambda conn: conn.fetchval("SELECT 1"),
        lambda conn: conn.execute("SELECT 1"),
        lambda conn: conn.executemany("SELECT $1::int", [(1,)]),
        lambda conn: conn.prepare("SELECT 1"),
        lambda conn: conn.close(),
        lambda conn: conn.reset(),
        lambda conn: asyncio.create_task(conn.fetchval("SELECT 1")),
        nested_copy,
        transaction,
        streamed,
    ],
)
@pytest.mark.parametrize("count", [0, MANY])
@pytest.mark.parametrize("in_a_block", [False, True])
async def test_what_the_source_calls_itself(
    connect: Connect,
    monitor: Monitor,
    call: Callable[[pgallop.Connection], Awaitable[Any]],
    count: int,
    in_a_block: bool,
) -> None:
    """It would wait for the COPY, and the COPY for it."""
    async with connect() as conn, asyncio.timeout(20):

        async def records() -> AsyncIterator[Row]:
            for row in rows(count):
                yield row
            await call(conn)

        for _ in range(2):
            with contextlib.suppress(pgallop.TransactionAborted):
                async with conn.transaction() if in_a_block else contextlib.nullcontext():
                    with pytest.raises(
                        pgallop.InterfaceError, match="is under way, and would wait"
                    ):
                        await conn.copy_records_to_table("copied", records=records())
        await assert_goes_on(conn)
        await call(conn)


async def test_a_task_of_the_source_that_outlives_it(connect: Connect) -> None:
    async with connect() as conn:
        tasks: list[asyncio.Task[Any]] = []

        async def late() -> Any:
            await asyncio.sleep(0.05)
            return await conn.fetchval("SELECT 7")

        async def records() -> AsyncIterator[Row]:
            tasks.append(asyncio.create_task(late()))
            yield (1, "x")

        await conn.copy_records_to_table("copied", records=records())
        assert await tasks[0] == 7


async def test_the_source_has_the_context_of_its_caller(connect: Connect) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    seen: list[object] = []

    async def records() -> AsyncIterator[Row]:
        seen.extend([variable.get(), asyncio.current_task()])
        yield (1, "x")

    async with connect() as conn:
        variable.set(7)
        await conn.copy_records_to_table("copied", records=records())
    assert seen == [7, asyncio.current_task()]


async def test_a_strict_connection(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        copy = asyncio.create_task(conn.copy_to_table("copied", source=Endless(False).stuck(1)))
        await asyncio.sleep(0.05)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            await conn.fetchval("SELECT 1")
        copy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copy
        await assert_goes_on(conn)


# --- memory ---------------------------------------------------------------------------------------


@measures
async def test_any_length_takes_little_memory(connect: Connect, monitor: Monitor) -> None:
    """200 MB, of which only some hundred kilobytes are here at a time."""
    text = "x" * 20_000
    chunk = line((0, text))
    async with connect() as conn:
        await conn.execute(
            "CREATE FUNCTION pg_temp.dropped() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END'; CREATE TEMP TABLE sink (a int8, b text);"
            "CREATE TRIGGER dropped BEFORE INSERT ON sink FOR EACH ROW"
            " EXECUTE FUNCTION pg_temp.dropped()"
        )
        await conn.copy_records_to_table("sink", records=[(1, text)] * 100)
        memory = Memory()
        records = ((n, text) for n in range(5000))
        await conn.copy_records_to_table("sink", records=records)
        await conn.copy_to_table("sink", source=(chunk for _ in range(5000)))
        assert memory.peak() - memory.before < 10
