"""`Connection.prepare`: what a statement tells of itself, and that it outlives whatever happens."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from live import Connect

import pgallop
from pgallop.types import Attribute, Type

INT4 = Type(23, "int4", "scalar", "pg_catalog")


async def names(conn: pgallop.Connection) -> list[str]:
    """Under which names the server has statements, without this question's."""
    rows = await conn.fetch(
        "SELECT name FROM pg_prepared_statements WHERE statement !~ 'FROM pg_prep' ORDER BY name"
    )
    return [name for (name,) in rows]


async def test_what_it_tells(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT $1::int4 AS one, $2::text[] AS two", name="mine")
        texts = Type(1009, "text[]", "array", "pg_catalog")
        assert statement.get_name() == "mine"
        assert statement.get_query() == "SELECT $1::int4 AS one, $2::text[] AS two"
        assert statement.get_parameters() == (INT4, texts)
        assert statement.get_attributes() == (Attribute("one", INT4), Attribute("two", texts))
        assert statement.get_statusmsg() is None
        assert await statement.fetch(1, ["a"]) == [(1, ["a"])]
        assert statement.get_statusmsg() == "SELECT 1"
        assert "'mine'" in repr(statement)


async def test_without_rows_and_without_words(connect: Connect) -> None:
    async with connect() as conn:
        for query in ("CREATE TEMP TABLE t ()", ""):
            statement = await conn.prepare(query)
            assert (statement.get_parameters(), statement.get_attributes()) == ((), ())
            assert await statement.fetch() == []
        table = await conn.prepare("SELECT FROM t")
        assert await table.fetchrow() is None
        assert table.get_statusmsg() == "SELECT 0"


async def test_types_of_the_user(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("""
            DROP SCHEMA IF EXISTS "Odd" CASCADE;
            CREATE SCHEMA "Odd";
            CREATE TYPE "Odd".mood AS ENUM ('sad', 'glad');
            CREATE TYPE "Odd".pair AS (a int, b text);
            CREATE TYPE "Odd".span AS RANGE (subtype = float8);
            CREATE DOMAIN "Odd".positive AS int CHECK (value > 0);
        """)
        statement = await conn.prepare(
            'SELECT $1::"Odd".mood, $2::"Odd".mood[], $3::"Odd".pair, $4::"Odd".span,'
            ' $5::"Odd".positive, $6::int4range, $7::int4'
        )
        assert [each[1:] for each in statement.get_parameters()] == [
            ("mood", "scalar", "Odd"),
            ("mood[]", "array", "Odd"),
            ("pair", "composite", "Odd"),
            ("span", "range", "Odd"),
            ("positive", "scalar", "Odd"),
            ("int4range", "range", "pg_catalog"),
            ("int4", "scalar", "pg_catalog"),
        ]
        # The server tells the type of a domain's values.
        assert [each.type.name for each in statement.get_attributes()][4:] == [
            "int4",
            "int4range",
            "int4",
        ]
        await conn.execute('DROP SCHEMA "Odd" CASCADE')


async def test_running_it(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT i, -i AS minus FROM generate_series(1, $1::int) i")
        assert await statement.fetch(2) == [(1, -1), (2, -2)]
        assert await statement.fetchrow(2) == (1, -1)
        assert await statement.fetchrow(0) is None
        assert await statement.fetchval(2) == 1
        assert await statement.fetchval(2, column="minus") == -1
        assert await statement.fetchval(0) is None
        gathered = await asyncio.gather(*[statement.fetchval(i) for i in range(1, 20)])
        assert gathered == [1] * 19
        async with conn.transaction():
            assert await statement.fetchval(1) == 1
        with pytest.raises(TimeoutError):
            await (await conn.prepare("SELECT pg_sleep(60)")).fetch(timeout=0.05)


async def test_what_it_tells_is_known_for_the_text(connect: Connect) -> None:
    """A connection with the same knowledge needs no description, be it for fetch or not."""
    knowledge = pgallop.Knowledge()
    async with connect(knowledge=knowledge) as conn, connect(knowledge=knowledge) as other:
        await conn.prepare("SELECT $1::int")
        assert len(knowledge) == 1
        assert await other.fetchval("SELECT $1::int", 1) == 1


async def test_wrong_arguments(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT $1::int")
        with pytest.raises(pgallop.InterfaceError, match="expects 1 argument, 0 given"):
            await statement.fetch()
        with pytest.raises(pgallop.DataError, match=r"\$1 \(int4\): 'x': expected int"):
            await statement.fetch("x")
        assert await statement.fetchval(1) == 1


async def test_explain(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int)")
        statement = await conn.prepare("INSERT INTO t VALUES ($1)")
        (plan,) = await statement.explain(1)
        assert plan["Plan"]["Operation"] == "Insert"
        assert "Execution Time" not in plan
        (plan,) = await statement.explain(1, analyze=True)
        assert plan["Plan"]["Actual Loops"] == 1
        assert await conn.fetchval("SELECT count(*) FROM t") == 0
        await statement.fetch(1)
        assert await conn.fetchval("SELECT count(*) FROM t") == 1


async def test_a_name_that_is_taken(connect: Connect) -> None:
    async with connect() as conn:
        first = await conn.prepare("SELECT 1", name="mine")
        with pytest.raises(pgallop.DuplicatePreparedStatementError):
            await conn.prepare("SELECT 2", name="mine")
        assert await first.fetchval() == 1
        assert await names(conn) == ["mine"]


@pytest.mark.parametrize("name", ["n" * 64, "ü" * 32, "a\0b", "\ud800", 0, b"mine"])
async def test_no_name(connect: Connect, name: Any) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="the statement's name"):
            await conn.prepare("SELECT 1", name=name)
        assert await conn.fetchval("SELECT 1") == 1


async def test_parsed_each_time(connect: Connect) -> None:
    async with connect() as conn:
        one = await conn.prepare("SELECT $1::int", name="")
        other = await conn.prepare("SELECT $1::text", name="")
        assert one.get_name() == ""
        answers = [one.fetchval(1), other.fetchval("a"), one.fetchval(2), other.fetchval("b")]
        assert await asyncio.gather(*answers) == [1, "a", 2, "b"]
        assert await names(conn) == []


async def test_behind_a_pooler(connect: Connect) -> None:
    async with connect(statement_mode="unnamed") as conn:
        statement = await conn.prepare("SELECT $1::int", name="mine")
        assert statement.get_name() == ""
        assert statement.get_parameters() == (INT4,)
        assert await statement.fetchval(1) == 1
        assert await names(conn) == []


async def test_not_in_the_simple_protocol(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="simple"):
            await conn.prepare("SELECT 1")


@pytest.mark.parametrize("statement", ["DEALLOCATE ALL", "DISCARD ALL", "DEALLOCATE mine"])
async def test_forgotten_by_the_server(connect: Connect, statement: str) -> None:
    async with connect() as conn:
        mine = await conn.prepare("SELECT $1::int", name="mine")
        await conn.execute(statement)
        assert await mine.fetchval(1) == 1
        await conn.execute(statement)
        assert await asyncio.gather(*[mine.fetchval(i) for i in range(10)]) == list(range(10))
        assert await names(conn) == ["mine"]


async def test_its_table_changes(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        await admin.execute("DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)")
        await admin.execute("INSERT INTO changing VALUES (1)")
        reads = await conn.prepare("SELECT * FROM changing")
        writes = await conn.prepare("UPDATE changing SET a = $1 RETURNING a")
        assert await reads.fetch() == [(1,)]
        assert await writes.fetchval(2) == 2
        await admin.execute("ALTER TABLE changing ALTER a TYPE text")
        assert await reads.fetch() == [("2",)]
        assert await writes.fetchval("three") == "three"  # the int4 it took before is no str
        assert reads.get_attributes() == (Attribute("a", INT4),)  # as it was
        await admin.execute("DROP TABLE changing")
        with pytest.raises(pgallop.UndefinedTableError):
            await reads.fetch()


async def test_it_does_not_leave_the_cache(connect: Connect) -> None:
    async with connect(statement_cache_size=2, max_cacheable_statement_size=5) as conn:
        statement = await conn.prepare("SELECT 'mine'", name="mine")
        for i in range(5):
            await conn.fetch(f"SELECT {i}")
        assert "mine" in await names(conn)
        assert await statement.fetchval() == "mine"


async def test_forgotten_by_its_owner(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT 1", name="mine")
        assert await statement.fetchval() == 1
        del statement
        gc.collect()
        await asyncio.sleep(0)
        await conn.fetch("SELECT 2")  # takes the word along
        assert "mine" not in await names(conn)


async def test_refused(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.PostgresSyntaxError):
            await conn.prepare("SELEC 1", name="mine")
        with pytest.raises(pgallop.InterfaceError, match="has to be a str"):
            await conn.prepare(1)  # type: ignore[arg-type]
        with pytest.raises(pgallop.InterfaceError, match="NUL"):
            await conn.prepare("SELECT '\0'")
        assert await (await conn.prepare("SELECT 1", name="mine")).fetchval() == 1


async def test_cancelled(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(5):
            task = asyncio.create_task(conn.prepare("SELECT 1", name="mine"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await (await conn.prepare("SELECT 2", name="mine")).fetchval() == 2


async def test_on_a_closed_connection(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT 1")
    calls: list[Any] = [statement.fetch, statement.fetchrow, statement.fetchval, statement.explain]
    for call in calls:
        with pytest.raises(pgallop.InterfaceError, match="the underlying connection is closed"):
            await call()
    for ask in (statement.get_name, statement.get_query, statement.get_statusmsg):
        with pytest.raises(pgallop.InterfaceError, match="the underlying connection is closed"):
            ask()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await conn.prepare("SELECT 1")
