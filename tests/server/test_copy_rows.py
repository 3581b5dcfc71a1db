"""The rows of a query by COPY: they are what `fetch` returns, into whatever they are made."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_type

import pytest
from live import Connect, Monitor

import pgallop
from pgallop.errors import ConnectionBusyError, DataError, InterfaceError
from pgallop.rows.record import Record

SERIES = "SELECT i AS n, 'x' || i AS name FROM generate_series(1, $1::int) AS i"

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@dataclass
class Numbered:
    n: int
    name: str | None


class Pair(NamedTuple):
    n: int
    name: str


@dataclass
class Checked:
    """Runs code of its own."""

    n: int
    name: str

    def __post_init__(self) -> None:
        if self.n == 7:
            raise ValueError("seven")


async def all_of(rows: Any) -> list[Any]:
    return [row async for row in rows]


@modes
async def test_every_row(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for count in (0, 1, 2, 5000, 20_000):
            expected = [(i, f"x{i}") for i in range(1, count + 1)]
            copied = conn.copy_rows_from_query(SERIES, count)
            assert await all_of(copied) == expected
            async with copied as rows:  # run anew
                assert await all_of(rows) == expected
                assert await all_of(rows) == []
            batches = [batch async for batch in copied.batches()]
            assert all(batches)
            assert max(map(len, batches), default=0) <= 4096
            assert [row for batch in batches for row in batch] == expected
        assert await conn.fetchval("SELECT 42") == 42


async def test_both_ways_by_turns(connect: Connect) -> None:
    async with connect() as conn, conn.copy_rows_from_query(SERIES, 10_000) as rows:
        assert (await anext(rows))["n"] == 1
        batches = rows.batches()
        assert (await anext(batches))[0]["n"] == 2
        first = await anext(rows)
        rest = [row["n"] async for batch in batches for row in batch]
        assert rest[0] == first["n"] + 1
        assert rest[-1] == 10_000


async def test_what_they_are(connect: Connect) -> None:
    async with connect() as conn:
        async for row in conn.copy_rows_from_query(SERIES, 1):
            assert_type(row, Record)
            assert (row["n"], row["name"], repr(row)) == (1, "x1", "<Record n=1 name='x1'>")
        async for batch in conn.copy_rows_from_query(SERIES, 1).batches():
            assert_type(batch, list[Record])
            assert [tuple(row) for row in batch] == [(1, "x1")]
        async for numbered in conn.copy_rows_from_query(SERIES, 1, into=Numbered):
            assert_type(numbered, Numbered)
            assert numbered == Numbered(1, "x1")


@pytest.mark.parametrize("into", [Numbered, Pair, Checked, dict, tuple, list])
async def test_into(connect: Connect, into: Any) -> None:
    async with connect() as conn:
        for count in (0, 6):
            expected = await conn.fetch(SERIES, count, into=into)
            assert await all_of(conn.copy_rows_from_query(SERIES, count, into=into)) == expected


async def test_into_what_does_not_fit(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        with pytest.raises(InterfaceError):
            conn.copy_rows_from_query("SELECT 1", into=5)  # type: ignore[call-overload]
        bad: list[tuple[str, Any, str]] = [
            ("SELECT 1 AS n", Numbered, "field 'name' of .*Numbered has no default"),
            ("SELECT 'a' AS n, 'b' AS name", Numbered, "column 'n' [(]text[)] does not fit"),
            (
                "SELECT nullif(i, 6000) AS n, 'x' AS name FROM generate_series(1, 10000) AS i",
                Numbered,
                r"rows\[5999\]: column 'n'.*expected int, got NULL",
            ),
        ]
        for query, into, words in bad:
            with pytest.raises(DataError, match=words):
                await all_of(conn.copy_rows_from_query(query, into=into))
            assert await conn.fetchval("SELECT 42", timeout=5) == 42
        with pytest.raises(ValueError, match="seven") as caught:
            await all_of(conn.copy_rows_from_query(SERIES, 10, into=Checked))
        assert caught.value.__notes__ == ["in rows[6] of the result, into Checked"]
        assert await conn.fetchval("SELECT 42", timeout=5) == 42
        assert monitor.state(conn.get_server_pid()) == "idle"


@pytest.fixture
def types(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TYPE copied_mood AS ENUM ('sad')")
    monitor.ask("CREATE TYPE copied_kind AS (mood copied_mood, n int)")
    yield
    monitor.ask("DROP TYPE copied_kind; DROP TYPE copied_mood")


@modes
async def test_types_of_the_user(
    connect: Connect, monitor: Monitor, types: None, mode: str
) -> None:
    query = "SELECT 'sad'::copied_mood AS a, ARRAY[ROW('sad', 1)::copied_kind] AS b"
    async with connect(statement_mode=mode) as conn:
        for _ in range(2):
            (row,) = await all_of(conn.copy_rows_from_query(query))
            assert tuple(row) == ("sad", [("sad", 1)])
        # The first one learns of it; what has run is not run again.
        monitor.ask("ALTER TYPE copied_kind ADD ATTRIBUTE c text")
        query = query.replace("1)", "1, 'c')")
        with pytest.raises(DataError, match="its type is not what was known of it"):
            await all_of(conn.copy_rows_from_query(query))
        (row,) = await all_of(conn.copy_rows_from_query(query))
        assert tuple(row) == ("sad", [("sad", 1, "c")])


async def test_types_that_are_read_from_their_text(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(DataError, match=r"column 'c' .regclass. is read from its text"):
            await all_of(conn.copy_rows_from_query("SELECT 1 AS n, 'pg_class'::regclass AS c"))
        assert await conn.fetchval("SELECT 42", timeout=5) == 42
        (row,) = await all_of(conn.copy_rows_from_query("SELECT 'pg_class'::regclass::text AS c"))
        assert row["c"] == "pg_class"


async def test_values_that_python_does_not_have(connect: Connect) -> None:
    query = "SELECT CASE i WHEN 5000 THEN '0044-03-15 BC'::date END AS d FROM"
    async with connect() as conn:
        with pytest.raises(DataError, match=r"column 'd' [(]date[)] cannot be read"):
            await all_of(conn.copy_rows_from_query(f"{query} generate_series(1, 90000) AS i"))
        assert await conn.fetchval("SELECT 42", timeout=5) == 42


async def test_in_transactions(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.execute("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT 1 AS n")
            assert await all_of(conn.copy_rows_from_query("SELECT n FROM mine")) == [(1,)]
            async with conn.copy_rows_from_query("SELECT n FROM mine") as rows:
                async for _ in rows:
                    with pytest.raises(InterfaceError, match=r"COPY begun at .* is under way"):
                        await conn.execute("DROP TABLE mine")
            await conn.execute("DROP TABLE mine")
        async with conn.transaction():  # BEGIN travels with it
            assert await all_of(conn.copy_rows_from_query("SELECT 1")) == [(1,)]
            assert conn.is_in_transaction()


async def test_two_tasks(connect: Connect) -> None:
    async with connect() as conn:
        rows = aiter(conn.copy_rows_from_query("SELECT pg_sleep(0.1)::text"))
        first = asyncio.ensure_future(anext(rows))
        await asyncio.sleep(0.02)
        with pytest.raises(ConnectionBusyError, match="another task is reading these rows"):
            await anext(rows)
        assert await first == ("",)


async def test_another_task_reads_on(connect: Connect) -> None:
    """Who reads is in the COPY, whoever has begun it."""
    async with connect() as conn:
        rows = aiter(conn.copy_rows_from_query(SERIES, 10_000))
        assert (await anext(rows))["n"] == 1

        async def read_on() -> int:
            count = 0
            while True:
                try:
                    await anext(rows)
                except StopAsyncIteration:
                    return count
                count += 1
                if count == 5000:
                    with pytest.raises(InterfaceError, match="is under way"):
                        await conn.fetchval("SELECT 1")

        context = contextvars.Context()
        task = asyncio.get_running_loop().create_task(read_on(), context=context)
        assert await task == 9999
        assert await conn.fetchval("SELECT 42") == 42


async def test_wait_for(connect: Connect) -> None:
    """Which is another task, before Python 3.12."""
    async with connect() as conn:
        rows = aiter(conn.copy_rows_from_query(SERIES, 2))
        assert await asyncio.wait_for(anext(rows), 5) == (1, "x1")
        with pytest.raises(InterfaceError, match="is under way"):
            await conn.fetchval("SELECT 1", timeout=5)
        assert await asyncio.wait_for(anext(rows), 5) == (2, "x2")
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(rows), 5)
        assert await conn.fetchval("SELECT 42") == 42


async def test_misuse(connect: Connect) -> None:
    async with connect() as conn:
        for query in (5, None, b"SELECT 1"):
            with pytest.raises(InterfaceError, match="the query has to be a str"):
                conn.copy_rows_from_query(query)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="timeout"):
            conn.copy_rows_from_query("SELECT 1", timeout="soon")  # type: ignore[call-overload]
        copied = conn.copy_rows_from_query("SELECT 1")
        async with copied:
            with pytest.raises(InterfaceError, match="twice"):
                await copied.__aenter__()
        with pytest.raises(pgallop.DivisionByZeroError):
            await all_of(conn.copy_rows_from_query("SELECT 1/0"))
        rows = aiter(conn.copy_rows_from_query("SELECT 1/(3-i) FROM generate_series(1, 9) AS i"))
        with pytest.raises(pgallop.DivisionByZeroError):
            await all_of(rows)
        with pytest.raises(InterfaceError, match="there was a DivisionByZeroError in it"):
            await anext(rows)
        assert await conn.fetchval("SELECT 42") == 42
    with pytest.raises(InterfaceError, match="connection is closed"):
        await all_of(copied)
