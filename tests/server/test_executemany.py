"""executemany() and fetchmany(): any number of rows, all of them or none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.session.execute_many import PIECE

INSERT = "INSERT INTO many VALUES ($1, $2)"

# So many rows of INSERT are several pieces.
MANY = 12 * PIECE // 100

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE many (a int PRIMARY KEY, b text)")
    yield
    monitor.ask("DROP TABLE many")


def rows(count: int, start: int = 0) -> list[tuple[int, str]]:
    return [(i, f"{i:040}") for i in range(start, start + count)]


def stored(monitor: Monitor) -> list[Any]:
    return monitor.ask("SELECT a, b FROM many ORDER BY a")


class Failing:
    """So many rows, and then an exception."""

    def __init__(self, count: int, error: BaseException) -> None:
        self._rows = iter(rows(count))
        self._error = error

    def __iter__(self) -> Failing:
        return self

    def __next__(self) -> object:
        try:
            return next(self._rows)
        except StopIteration:
            raise self._error from None


# --- what it does ---------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("count", [1, 2, MANY])
async def test_every_row(connect: Connect, monitor: Monitor, mode: str, count: int) -> None:
    async with connect(statement_mode=mode) as conn:
        await conn.executemany(INSERT, rows(count))
        await conn.executemany(INSERT, ((a, b) for a, b in rows(count, count)))
        await conn.executemany(INSERT, {n: [n, None] for n in range(-1, 0)}.values())
    assert stored(monitor) == [(-1, None), *rows(2 * count)]


@modes
async def test_the_rows_of_all(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        query = "SELECT $1::int + i AS n, $2::text AS t FROM generate_series(0, 1) AS i"
        for count in (1, MANY):
            answer = await conn.fetchmany(query, rows(count))
            assert answer == [(i + k, t) for i, t in rows(count) for k in (0, 1)]
            assert answer[0]["n"] == 0
        assert await conn.fetchmany("SELECT 7", [()] * 3) == [(7,)] * 3
        acl = "SELECT '{postgres=r/postgres}'::aclitem[] WHERE $1"  # which has no binary form
        answer = await conn.fetchmany(acl, [[False], [True]])
        assert answer == [await conn.fetchrow(acl, True)]


@modes
async def test_a_prepared_statement(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        insert = await conn.prepare(INSERT)
        await insert.executemany(rows(MANY))
        select = await conn.prepare("SELECT * FROM many WHERE a = $1")
        assert await select.fetchmany([(1,), (0,)]) == rows(2)[::-1]
        monitor.ask("ALTER TABLE many ADD c text")
        assert await select.fetchmany([(0,)]) == [(*rows(1)[0], None)]
    for call in (insert.executemany, select.fetchmany):
        with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
            await call([()])


@modes
async def test_none_at_all(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        none: tuple[Any, ...]
        for none in ([], (), iter(())):  # type: ignore[assignment]
            await conn.executemany("no such statement", none)
            assert await conn.fetchmany("no such statement", none) == []


async def test_what_is_refused(connect: Connect) -> None:
    async with connect() as conn:
        args: Any
        for args in (5, None):
            with pytest.raises(pgallop.InterfaceError, match="args: expected an iterable"):
                await conn.executemany(INSERT, args)
        with pytest.raises(pgallop.InterfaceError, match="has to be a str, not bytes"):
            await conn.executemany(b"SELECT 1", [()])  # type: ignore[arg-type]
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="COPY FROM STDIN"):
            await conn.executemany("COPY many FROM STDIN", [()])
        with pytest.raises(pgallop.InterfaceError, match="timeout: expected seconds"):
            await conn.executemany(INSERT, [], timeout="soon")  # type: ignore[arg-type]
        with pytest.raises(pgallop.UndefinedTableError):
            await conn.executemany("INSERT INTO nowhere VALUES ($1)", [(1,)])
        assert await conn.fetchval("SELECT 1") == 1
    with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
        await conn.executemany(INSERT, rows(1))
    async with connect(statement_mode="simple") as conn:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="executemany"):
            await conn.executemany(INSERT, rows(1))


async def test_large_rows_both_ways(connect: Connect) -> None:
    """A driver that sends without reading meanwhile stops here for ever: both buffers are full."""
    size = 300_000
    async with connect() as conn, asyncio.timeout(50):
        args = ((bytes([n]) * size,) for n in range(100))
        answer = await conn.fetchmany("SELECT $1::bytea", args)
        assert [row[0] for row in answer] == [bytes([n]) * size for n in range(100)]


async def test_neighbours(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:

        async def one(n: int) -> None:
            assert await conn.fetchval("SELECT $1::int", n) == n

        async def others() -> None:
            for n in range(50):
                await one(n)

        await asyncio.gather(
            others(),
            conn.executemany(INSERT, rows(MANY)),
            *[one(n) for n in range(20)],
            conn.executemany(INSERT, rows(MANY, MANY)),
            others(),
        )
    assert stored(monitor) == rows(2 * MANY)


# --- all of it or nothing -------------------------------------------------------------------------


@modes
async def test_a_row_that_the_server_refuses(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for place in (0, 3, MANY // 2, MANY - 1):
            args = rows(MANY)
            monitor.ask("DROP TABLE many; CREATE TABLE many (a int PRIMARY KEY, b text)")
            monitor.ask("ALTER TABLE many ADD CHECK (b < 'a')")
            args[place] = (place, "b")
            with pytest.raises(pgallop.CheckViolationError) as raised:
                await conn.executemany(INSERT, args)
            assert raised.value.__notes__ == [f"in the execution with args[{place}]"]
            assert stored(monitor) == []
            assert not conn.is_in_transaction()
        await conn.executemany(INSERT, rows(2))
    assert stored(monitor) == rows(2)


@modes
@pytest.mark.parametrize("place", [0, 3, MANY - 1])
async def test_a_row_that_cannot_be_encoded(
    connect: Connect, monitor: Monitor, mode: str, place: int
) -> None:
    args: list[Any] = list(rows(MANY))
    for offender, kind, words in (
        ((1, 2), pgallop.DataError, r"\]: invalid input for query argument \$2 \(text\): 2"),
        ((1,), pgallop.InterfaceError, r"\]: the query expects 2 arguments, 1 given"),
        ("ab", pgallop.InterfaceError, r"\]: expected a sequence of arguments"),
    ):
        args[place] = offender
        async with connect(statement_mode=mode) as conn:
            for each in (args, iter(args), iter(args)):
                with pytest.raises(kind, match=rf"^args\[{place}{words}"):
                    await conn.executemany(INSERT, each)
                assert await conn.fetchval("SELECT count(*) FROM many") == 0
                assert not conn.is_in_transaction()


@pytest.mark.parametrize("count", [0, 1, MANY])
@pytest.mark.parametrize("kind", [ZeroDivisionError, pgallop.DataError, RuntimeError])
async def test_an_iterable_that_fails(connect: Connect, count: int, kind: type[Exception]) -> None:
    async with connect() as conn:
        for _ in range(2):
            with pytest.raises(kind, match="whatever"):
                await conn.executemany(INSERT, Failing(count, kind("whatever")))  # type: ignore[arg-type]
            assert await conn.fetchval("SELECT count(*) FROM many") == 0
            assert not conn.is_in_transaction()


async def test_an_iterable_that_closes_the_connection(connect: Connect, monitor: Monitor) -> None:
    for count in (1, MANY):
        conn = await connect()

        def args(conn: pgallop.Connection, count: int) -> Iterator[Any]:
            yield from rows(count)
            conn.terminate()
            yield from rows(5, count)

        with pytest.raises((pgallop.InterfaceError, pgallop.ConnectionDoesNotExistError)):
            await conn.executemany(INSERT, args(conn, count))
        assert conn.is_closed()
    assert stored(monitor) == []


@modes
async def test_in_a_transaction(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        async with conn.transaction():
            await conn.executemany(INSERT, rows(MANY))
            assert len(await conn.fetchmany("SELECT $1::int", [(1,), (2,)])) == 2
            assert stored(monitor) == []
            # Nothing of it was sent: the transaction goes on.
            with pytest.raises(pgallop.DataError):
                await conn.executemany(INSERT, [(-1, ""), (-2, -2)])
        assert stored(monitor) == rows(MANY)
        bad: list[Any] = [*rows(MANY, MANY), (0, 0)]
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(pgallop.DataError) as refused:
                    await conn.executemany(INSERT, bad)
                with pytest.raises(pgallop.InFailedSQLTransactionError) as raised:
                    await conn.fetchval("SELECT 1")
                assert str(raised.value.__cause__) == str(refused.value)
        assert not conn.is_in_transaction()
    assert stored(monitor) == rows(MANY)


# --- interrupted ----------------------------------------------------------------------------------


@modes
@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_at_each_await(
    connect: Connect, monitor: Monitor, mode: str, moment: Moment
) -> None:
    start = 0
    async with connect(statement_mode=mode, statement_cache_size=0) as conn:

        async def work() -> None:
            await conn.executemany(INSERT, rows(MANY, start))

        async for run in interruptions(work, moment, least=5):
            assert isinstance(run.error, asyncio.CancelledError)
            count = await conn.fetchval("SELECT count(*) FROM many", timeout=5)
            assert count in (start, start + MANY)
            assert not conn.is_in_transaction()
            start = count
    assert stored(monitor) == rows(start + MANY)


@modes
async def test_out_of_time(connect: Connect, monitor: Monitor, mode: str) -> None:
    """The first row waits for a lock, and the server reads no more meanwhile."""
    async with connect(statement_mode=mode) as conn, connect() as other:
        read = 0

        def args() -> Iterator[tuple[int, str]]:
            nonlocal read
            for n in range(1_000_000):
                read += 1
                yield n, "x" * 1000

        async with other.transaction():
            await other.execute(INSERT, 0, "other")
            with pytest.raises(TimeoutError):
                await conn.executemany(INSERT, args(), timeout=0.5)
            # Kernels buffer some megabytes, too.
            assert 100 < read < 40_000
            assert await conn.fetchval("SELECT count(*) FROM many", timeout=5) == 0
        assert not conn.is_in_transaction()
    assert stored(monitor) == [(0, "other")]


async def test_the_server_goes(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    pid = conn.get_server_pid()

    def args() -> Iterator[tuple[int, str]]:
        for row in rows(1_000_000):
            if row[0] == MANY:
                monitor.ask("SELECT pg_terminate_backend(%s)", pid)
            yield row

    with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.InterfaceError)) as raised:
        await conn.executemany(INSERT, args())
    assert not isinstance(raised.value, pgallop.DataError)
    assert conn.is_closed()
    assert stored(monitor) == []


# --- what was known is not true any more ----------------------------------------------------------


@modes
async def test_columns_have_changed(connect: Connect, monitor: Monitor, mode: str) -> None:
    query = "SELECT * FROM many WHERE a = $1"
    async with connect(statement_mode=mode) as conn:
        await conn.executemany(INSERT, rows(2))
        assert await conn.fetchmany(query, [(1,)]) == rows(1, 1)
        for n, args in enumerate([[(0,), (1,)], iter([(0,), (1,)])]):
            monitor.ask(f"ALTER TABLE many ADD c{n} text DEFAULT 'new'")
            answer = await conn.fetchmany(query, args)
            assert answer == [(*row, *["new"] * (n + 1)) for row in rows(2)]
        # What was read by then cannot be read again: the caller may.
        monitor.ask("ALTER TABLE many DROP c0")
        args = ((n,) for n in range(MANY))
        if mode == "named":
            with pytest.raises(pgallop.FeatureNotSupportedError) as raised:
                await conn.fetchmany(query, args)
            assert raised.value.safe_to_retry or raised.value.hint is None
        assert len(await conn.fetchmany(query, [(n,) for n in range(MANY)])) == 2


@modes
@pytest.mark.parametrize("count", [0, MANY])
async def test_parameters_have_changed(
    connect: Connect, monitor: Monitor, mode: str, count: int
) -> None:
    """An argument that did not fit what was known, in the first piece or in a later one."""
    async with connect(statement_mode=mode) as conn:
        await conn.executemany(INSERT, [(-1, "")])
        monitor.ask("ALTER TABLE many ALTER a TYPE bigint")
        await conn.executemany(INSERT, [*rows(count), (2**40, "")])
    assert stored(monitor) == [(-1, ""), *rows(count), (2**40, "")]


# --- round trips ----------------------------------------------------------------------------------


async def test_round_trips(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port, delay=0.005) as proxy:
        there: dict[str, Any] = {"host": proxy.host, "port": proxy.port, "ssl": "disable"}
        there |= {"user": "postgres", "database": "postgres"}

        async def trips(call: Any) -> int:
            before = proxy.round_trips
            await call
            return proxy.round_trips - before

        knowledge = pgallop.Knowledge()
        for first in (2, 1):
            async with pgallop.connect(**there, knowledge=knowledge) as conn:
                query = "SELECT $1::int, $2::text"
                assert await trips(conn.executemany(query, rows(1000))) == first
                assert await trips(conn.executemany(query, rows(1000))) == 1
                assert await trips(conn.fetchmany(query, rows(1000))) == 1
                assert await trips(conn.executemany(query, [])) == 0
        options: dict[str, Any] = {"statement_mode": "unnamed", "knowledge": knowledge}
        async with pgallop.connect(**there, **options) as conn:
            assert await trips(conn.executemany(query, rows(1000))) == 1
