"""Types that are altered, dropped and made again while they are in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop
from pgallop import Knowledge

SCHEMA = """
    DROP SCHEMA IF EXISTS life CASCADE;
    CREATE SCHEMA life;
    CREATE TYPE life.mood AS ENUM ('sad', 'glad');
    CREATE TYPE life.pair AS (a int4, b text);
    CREATE TYPE life.outer AS (one life.pair, many life.pair[]);
    CREATE TABLE life.kept (n int4, pair life.pair);
    INSERT INTO life.kept VALUES (1, NULL), (2, (1, 'x'));
"""

MODES = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture(autouse=True)
def schema(monitor: Monitor) -> Iterator[None]:
    monitor.ask(SCHEMA)
    yield
    monitor.ask("DROP SCHEMA life CASCADE")


QUERIES: dict[str, Callable[[Any], Any]] = {
    "SELECT ROW(1, 'x')::life.pair AS p": lambda value: value,
    "SELECT ARRAY[ROW(1, 'x')::life.pair]": lambda value: value[0],
    "SELECT ROW(ROW(1, 'x'), NULL)::life.outer": lambda value: value["one"],
    "SELECT ROW(ROW(1, 'x')::life.pair)": lambda value: value[0],
}


@MODES
async def test_altered_by_another_session(connect: Connect, monitor: Monitor, mode: str) -> None:
    """Each value tells what it is made of, so none is read as what it is not."""
    async with connect(statement_mode=mode) as conn:
        table = "SELECT n, pair FROM life.kept ORDER BY n"
        assert await conn.fetch(table) == [(1, None), (2, (1, "x"))]
        for query, part in QUERIES.items():
            assert part(await conn.fetchval(query)) == (1, "x")
        monitor.ask("ALTER TYPE life.pair ADD ATTRIBUTE c int4 CASCADE")
        assert await conn.fetch(table) == [(1, None), (2, (1, "x", None))]
        for query, part in QUERIES.items():
            query = query.replace("'x')", "'x', 3)")
            assert dict(part(await conn.fetchval(query))) == {"a": 1, "b": "x", "c": 3}
        # With another type of an attribute PostgreSQL 18 crashes here: its plan has the old row.
        monitor.ask("ALTER TYPE life.pair DROP ATTRIBUTE c CASCADE")
        assert await conn.fetch(table) == [(1, None), (2, (1, "x"))]


@MODES
async def test_arguments_after_that(connect: Connect, monitor: Monitor, mode: str) -> None:
    query = "SELECT $1::life.pair"
    async with connect(statement_mode=mode) as conn:
        assert await conn.fetchval(query, (1, "x")) == (1, "x")
        monitor.ask("ALTER TYPE life.pair ADD ATTRIBUTE c int4 CASCADE")
        # Refused by what was known, and by the server.
        assert await conn.fetchval(query, (1, "x", 3)) == (1, "x", 3)
        monitor.ask("DROP TABLE life.kept")
        monitor.ask("ALTER TYPE life.pair ALTER ATTRIBUTE a TYPE int8 CASCADE")
        assert await conn.fetchval(query, (1, "x", 3)) == (1, "x", 3)
        monitor.ask("ALTER TYPE life.pair RENAME ATTRIBUTE b TO d CASCADE")
        value = {"a": 1, "d": "x", "c": 3}
        assert dict(await conn.fetchval(query, value)) == value
        monitor.ask("ALTER TYPE life.pair DROP ATTRIBUTE c CASCADE")
        with pytest.raises(pgallop.DataError, match="has 3 items, and pair has 2 fields: a, d"):
            await conn.fetchval(query, (1, "x", 3))


@MODES
async def test_altered_by_this_session(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        query = "SELECT ROW(1, 'x')::life.pair"
        assert dict(await conn.fetchval(query)) == {"a": 1, "b": "x"}
        await conn.execute("ALTER TYPE life.pair RENAME ATTRIBUTE a TO z CASCADE")
        assert dict(await conn.fetchval(query)) == {"z": 1, "b": "x"}


async def test_altered_by_a_sibling(connect: Connect) -> None:
    """What one of them sees is known to all, in its own transaction only to itself at first."""
    knowledge = Knowledge()
    query = "SELECT ROW(1, 'x')::life.pair"
    async with connect(knowledge=knowledge) as one, connect(knowledge=knowledge) as other:
        assert dict(await one.fetchval(query)) == {"a": 1, "b": "x"}
        assert dict(await other.fetchval(query)) == {"a": 1, "b": "x"}
        transaction = one.transaction()
        await transaction.start()
        await one.execute("ALTER TYPE life.pair RENAME ATTRIBUTE a TO z CASCADE")
        assert dict(await one.fetchval(query)) == {"z": 1, "b": "x"}
        await transaction.rollback()
        assert dict(await one.fetchval(query)) == {"a": 1, "b": "x"}
        assert dict(await other.fetchval(query)) == {"a": 1, "b": "x"}
        async with one.transaction():
            await one.execute("ALTER TYPE life.pair RENAME ATTRIBUTE a TO z CASCADE")
        assert dict(await one.fetchval(query)) == {"z": 1, "b": "x"}
        assert dict(await other.fetchval(query)) == {"z": 1, "b": "x"}


@MODES
async def test_made_again(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        query, argument = "SELECT 'sad'::life.mood AS a", "SELECT $1::life.mood"
        assert await conn.fetchval(query) == "sad"
        assert await conn.fetchval(argument, "glad") == "glad"
        monitor.ask("ALTER TYPE life.mood ADD VALUE 'new'")
        assert await conn.fetchval(argument, "new") == "new"
        monitor.ask("DROP TYPE life.mood; CREATE TYPE life.mood AS (sad int4)")
        assert await conn.fetchval(argument, (1,)) == (1,)
        assert dict(await conn.fetchval("SELECT ROW(1)::life.mood")) == {"sad": 1}
        monitor.ask("DROP TYPE life.mood; CREATE TYPE life.mood AS ENUM ('sad', 'x')")
        assert await conn.fetchval(argument, "x") == "x"
        assert await conn.fetchval(query) == "sad"


async def test_gone_in_a_transaction(connect: Connect, monitor: Monitor) -> None:
    """That a type has gone is no error of the question about it."""
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        statement = await conn.prepare("SELECT $1::life.mood")
        monitor.ask("DROP TYPE life.mood")
        conn._dispatch.types.known.forget_all()
        conn._dispatch.types.renew()
        with pytest.raises(pgallop.InternalServerError, match="cache lookup failed for type"):
            await statement.fetchval("sad")
        await transaction.rollback()


async def test_a_snapshot_from_before(connect: Connect, monitor: Monitor) -> None:
    """The catalogue tells what the type was, and the values what it is: an error, and no loop."""
    async with connect() as conn:
        query = "SELECT ROW(1, 'x')::life.pair"
        async with conn.transaction(isolation="repeatable_read"):
            assert await conn.fetchval(query) == (1, "x")
            monitor.ask("ALTER TYPE life.pair ADD ATTRIBUTE c int4 CASCADE")
            await conn.execute("LOCK TABLE life.kept")  # the server hears of it
            with pytest.raises(pgallop.DataError, match="tells what was known before"):
                await conn.fetchval("SELECT ROW(1, 'x', 3)::life.pair")
            assert await conn.fetchval("SELECT 1") == 1
        assert await conn.fetchval("SELECT ROW(1, 'x', 3)::life.pair") == (1, "x", 3)


async def test_in_the_middle_of_a_cursor(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn, conn.transaction():
        cursor = await conn.cursor(
            "SELECT i, ROW(i, 'x')::life.pair FROM generate_series(1, 5) AS i"
        )
        assert await cursor.fetch(2) == [(1, (1, "x")), (2, (2, "x"))]
        monitor.ask("CREATE TYPE life.unrelated AS (a int4)")
        conn._dispatch.types.doubt(conn._dispatch.types.known._infos)
        assert await cursor.fetch(2) == [(3, (3, "x")), (4, (4, "x"))]


async def test_changed_again_and_again(connect: Connect, monitor: Monitor) -> None:
    knowledge = Knowledge()
    wrong: list[object] = []

    async def use(conn: pgallop.Connection) -> None:
        for i in range(30):
            try:
                found = await conn.fetchval("SELECT pair FROM life.kept WHERE n = 2")
            except (pgallop.DataError, pgallop.PostgresError):
                continue
            if found[0] != 1 or (len(found) > 2 and found[2] is not None):
                wrong.append(found)
            await asyncio.sleep(0.001 * (i % 3))

    async with connect(knowledge=knowledge) as one, connect(knowledge=knowledge) as other:
        users = asyncio.gather(use(one), use(one), use(other))
        for _ in range(10):
            monitor.ask("ALTER TYPE life.pair ADD ATTRIBUTE c int4 CASCADE")
            await asyncio.sleep(0.003)
            monitor.ask("ALTER TYPE life.pair DROP ATTRIBUTE c CASCADE")
            await asyncio.sleep(0.003)
        await users
    assert not wrong


# --- servers that do not tell ---------------------------------------------------------------------


async def test_a_catalogue_that_may_not_be_read(connect: Connect, monitor: Monitor) -> None:
    """Then these types are text, and the transaction that has asked goes on."""
    monitor.ask("CREATE ROLE nosy; GRANT USAGE ON SCHEMA life TO nosy")
    monitor.ask("REVOKE SELECT ON pg_depend FROM PUBLIC")
    try:
        async with connect() as conn:
            await conn.execute("SET ROLE nosy")
            async with conn.transaction():
                assert await conn.fetchval("SELECT ROW(1, 'x')::life.pair") == "(1,x)"
                assert await conn.fetchval("SELECT $1::life.mood", "sad") == "sad"
            assert await conn.fetchval("SELECT ARRAY['sad'::life.mood]") == "{sad}"
        async with connect(statement_mode="simple") as conn:
            await conn.execute("SET ROLE nosy")
            async with conn.transaction():
                assert await conn.fetchval("SELECT ROW(1, 'x')::life.pair") == "(1,x)"
                assert await conn.fetchval("SELECT 1") == 1
    finally:
        monitor.ask("GRANT SELECT ON pg_depend TO PUBLIC")
        monitor.ask("DROP OWNED BY nosy")
        monitor.ask("DROP ROLE nosy")
