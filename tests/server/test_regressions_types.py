"""Bugs that users of other drivers reported, kept from happening here: the types of results.

See `test_regressions.py`, whose numbers these are.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from live import Connect

import pgallop

# Statements, and what they return: types that are read in binary and in text, alone and together.
# What a codec does not read in the format in which it was asked for is another value at once.
RESULTS: dict[str, tuple[Any, ...]] = {
    "SELECT '{low,high}'::mood[]": (["low", "high"],),
    "SELECT 'low'::mood": ("low",),
    "SELECT 'pg_type'::regtype, 1::int8, 'high'::mood": ("pg_type", 1, "high"),
    "SELECT '1234'::text, 5::int4, DATE '2000-01-02'": ("1234", 5, date(2000, 1, 2)),
    "SELECT ROW(1, 'low')::mooded, ARRAY[1, 2]": ((1, "low"), [1, 2]),
}
MOODS = "SELECT 'low'::mood AS a"
NUMBERS = "SELECT 842084409::int4 AS a"  # in binary the text "2019"
LATER = ("SELECT $1::mood, $2::int4", ("low", 7), ("low", 7))

SCHEMA = """
    DROP SCHEMA IF EXISTS formats CASCADE;
    CREATE SCHEMA formats;
    CREATE TYPE formats.mood AS ENUM ('low', 'high');
    CREATE TYPE formats.mooded AS (n int4, mood formats.mood)
"""

MODES = ("named", "unnamed")


@asynccontextmanager
async def formats(connect: Connect, mode: str, **options: Any) -> AsyncIterator[pgallop.Connection]:
    """A connection whose search_path leads to the types."""
    async with connect() as administrator:
        await administrator.execute(SCHEMA)
        try:
            async with connect(
                statement_mode=mode, server_settings={"search_path": "formats"}, **options
            ) as conn:
                yield conn
        finally:
            await administrator.execute("DROP SCHEMA formats CASCADE")


async def gathered(conn: pgallop.Connection, queries: tuple[str, ...]) -> list[list[Any]]:
    return await asyncio.gather(*[conn.fetch(query) for query in queries])


async def pipelined(conn: pgallop.Connection, queries: tuple[str, ...]) -> list[list[Any]]:
    async with conn.pipeline() as pipeline:
        answers = [pipeline.fetch(query) for query in queries]
    return [answer.result() for answer in answers]


async def one_by_one(conn: pgallop.Connection, queries: tuple[str, ...]) -> list[list[Any]]:
    return [await conn.fetch(query) for query in queries]


async def in_a_transaction(conn: pgallop.Connection, queries: tuple[str, ...]) -> list[list[Any]]:
    async with conn.transaction():
        return await gathered(conn, queries)


WAYS = (gathered, pipelined, one_by_one, in_a_transaction)

Way = Callable[[pgallop.Connection, tuple[str, ...]], Awaitable[list[list[Any]]]]


@contextmanager
def retryable(allowed: bool) -> Iterator[None]:
    """Let an error pass that says that the transaction may be tried again, if `allowed`."""
    try:
        yield
    except (pgallop.InvalidCachedStatementError, pgallop.PipelineError) as error:
        if not (allowed and error.safe_to_retry):
            raise


# 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
async def test_10_every_order(connect: Connect, mode: str, way: Way) -> None:
    """Statements are asked for the formats of their own columns, whichever came before.

    In pgx a pipeline took the result formats of another statement from its cache; in asyncpg a
    custom codec of an enum was lost when an array of it was selected first (asyncpg #590).
    """
    async with formats(connect, mode) as conn:
        for queries in permutations(RESULTS, 3):
            await conn.execute("DEALLOCATE ALL")  # so that each is seen for the first time again
            for _ in range(2):
                expected = [[RESULTS[query]] for query in queries]
                assert await way(conn, queries) == expected, queries


@pytest.mark.parametrize("describe_first", [False, True])
async def test_10_guessed_presumed_described(connect: Connect, describe_first: bool) -> None:
    """However a connection came by a statement's types: by nothing, by others, from the server."""
    chance = random.Random(10)
    query, args, expected = LATER
    async with formats(connect, "named") as other:
        for _ in range(10):
            knowledge = pgallop.Knowledge()
            for mode in (*MODES, *MODES):
                async with connect(
                    statement_mode=mode,
                    knowledge=knowledge,
                    describe_first=describe_first,
                    server_settings={"search_path": "formats"},
                ) as conn:
                    queries = tuple(chance.choices(list(RESULTS), k=6))
                    *rows, last = await asyncio.gather(
                        *[conn.fetch(each) for each in queries], conn.fetch(query, *args)
                    )
                    assert rows == [[RESULTS[each]] for each in queries]
                    assert last == [expected]
        assert not other.is_in_transaction()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
async def test_10_a_type_that_changes(connect: Connect, mode: str, way: Way) -> None:
    """The formats are those of the columns that a view has now, not of those it had."""
    async with formats(connect, mode) as conn, connect() as other:
        for query, value in ((MOODS, "low"), (NUMBERS, 842084409), (MOODS, "low")):
            await other.execute(
                f"""SET search_path = formats; DROP VIEW IF EXISTS changing;
                    CREATE VIEW changing AS {query}, 'text' AS b"""
            )
            expected = [[(value, "text")]] * 2
            for _ in range(3):
                # In a transaction nothing is tried again in secret, and a pipeline may be one.
                with retryable(way in (in_a_transaction, pipelined)):
                    assert await way(conn, ("TABLE changing", "SELECT * FROM changing")) == expected
            assert await way(conn, ("TABLE changing", "SELECT * FROM changing")) == expected


@pytest.mark.parametrize("mode", MODES)
async def test_10_one_name_for_other_columns(connect: Connect, mode: str) -> None:
    """FETCH and EXECUTE return what their name stands for now; the server does not compare it."""
    async with formats(connect, mode) as conn:
        for query, value in [*RESULTS.items(), *reversed(RESULTS.items()), *RESULTS.items()]:
            async with conn.transaction():
                await conn.execute(f"DECLARE c SCROLL CURSOR FOR {query}")
                assert await conn.fetch("FETCH ALL FROM c") == [value]
                await conn.execute("MOVE BACKWARD ALL IN c")
                assert await conn.fetchrow("FETCH NEXT FROM c") == value
                await conn.execute("MOVE BACKWARD ALL IN c")
                (rows,) = await pipelined(conn, ("/* of c */ FETCH ALL FROM c",))
                assert rows == [value]
            await conn.execute(f"PREPARE s AS {query}")
            assert await gathered(conn, ("EXECUTE s", "EXECUTE s")) == [[value], [value]]
            await conn.execute("DEALLOCATE s")


async def test_10_several_executions_of_changing_columns(connect: Connect) -> None:
    """Each result is read as its own execution was described, when it is looked at, too."""
    async with formats(connect, "unnamed") as conn, connect() as other:
        await other.execute("SET search_path = formats")
        await other.execute(f"CREATE TABLE changed AS {NUMBERS}")
        for _ in range(2):
            assert await conn.fetchval("SELECT a FROM changed") == 842084409
        await other.execute("ALTER TABLE changed ALTER a TYPE mood USING 'low'::mood")
        calls = (
            conn.execute("SELECT pg_sleep(0.1)"),
            conn.fetchval("SELECT a FROM changed"),
            conn.execute("ALTER TABLE formats.changed ALTER a TYPE int4 USING 842084409"),
            conn.fetchval("SELECT a FROM changed"),
        )
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0.01)
        time.sleep(0.3)  # all answers are there when the first of them is looked at
        _, before, _, after = await asyncio.gather(*tasks)
        assert (before, after) == ("low", 842084409)
