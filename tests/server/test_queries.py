"""fetch, fetchrow, fetchval, execute: what they return for every kind of answer."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

import pytest
from live import Connect

import pgallop


async def test_rows(connect: Connect) -> None:
    async with connect() as conn:
        rows = await conn.fetch("SELECT i, i * i AS square FROM generate_series(1, 3) AS i")
        assert isinstance(rows, list)
        assert all(type(row) is pgallop.Record for row in rows)
        assert [dict(row) for row in rows] == [
            {"i": 1, "square": 1},
            {"i": 2, "square": 4},
            {"i": 3, "square": 9},
        ]


async def test_arguments(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT $1::int4 + $2::int4 AS sum, $3::text AS words, $4::text AS nothing"
        row = await conn.fetchrow(query, 40, 2, "", None)
        assert row is not None
        assert row == (42, "", None)
        # The same parameter twice, and out of order.
        assert await conn.fetchrow("SELECT $2::text, $1::int4, $2", 1, "two") == ("two", 1, "two")


async def test_no_rows(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT 1 AS one WHERE false"
        assert await conn.fetch(query) == []
        assert await conn.fetchrow(query) is None
        assert await conn.fetchval(query) is None


async def test_rows_without_columns(connect: Connect) -> None:
    async with connect() as conn:
        assert await conn.fetch("SELECT") == [()]
        assert len(await conn.fetch("SELECT FROM generate_series(1, 5)")) == 5
        row = await conn.fetchrow("SELECT")
        assert row is not None
        assert len(row) == 0
        assert dict(row) == {}
        with pytest.raises(IndexError):
            await conn.fetchval("SELECT")
        assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("query", ["", " ", "-- nothing", ";", "/* nothing */ ;; "])
async def test_empty_query(connect: Connect, query: str) -> None:
    async with connect() as conn:
        assert await conn.fetch(query) == []
        assert await conn.fetchrow(query) is None
        assert await conn.fetchval(query) is None
        assert await conn.execute(query) == ""
        assert await conn.fetchval("SELECT 1") == 1


async def test_statements_without_result(connect: Connect) -> None:
    async with connect() as conn:
        assert await conn.fetch("CREATE TEMP TABLE t (i int)") == []
        assert await conn.fetchrow("INSERT INTO t SELECT generate_series(1, 3)") is None
        assert await conn.fetchval("UPDATE t SET i = i + 1") is None
        assert await conn.fetch("SELECT i FROM t ORDER BY i") == [(2,), (3,), (4,)]


async def test_first_row_only_and_yet_all_of_the_work(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        insert = "INSERT INTO t SELECT generate_series(1, 1000) RETURNING i"
        assert await conn.fetchval(insert) == 1
        assert await conn.fetchrow(insert) == (1,)
        assert await conn.fetchval("SELECT count(*) FROM t") == 2000
        await conn.execute("CREATE TEMP SEQUENCE s")
        # The server stops after the first row of a query.
        assert await conn.fetchval("SELECT nextval('s') FROM generate_series(1, 1000)") == 1
        assert await conn.fetchval("SELECT nextval('s')") < 10


async def test_fetchval_column(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT 1 AS a, 2 AS b, NULL AS c"
        assert await conn.fetchval(query) == 1
        assert await conn.fetchval(query, column=1) == 2
        assert await conn.fetchval(query, column=-1) is None
        assert await conn.fetchval(query, column="b") == 2
        with pytest.raises(IndexError):
            await conn.fetchval(query, column=3)
        with pytest.raises(KeyError, match="z"):
            await conn.fetchval(query, column="z")


async def test_columns_of_one_name(connect: Connect) -> None:
    async with connect() as conn:
        row = await conn.fetchrow("SELECT 1 AS a, 2 AS b, 3 AS a")
        assert row is not None
        assert tuple(row) == (1, 2, 3)
        assert list(row.keys()) == ["a", "b", "a"]
        assert row["a"] == 3
        assert repr(row) == "<Record a=1 b=2 a=3>"


async def test_odd_column_names(connect: Connect) -> None:
    async with connect() as conn:
        row = await conn.fetchrow('SELECT 1 AS "näme", 2 AS " ", 3 AS "0", 4, 5 AS "get"')
        assert row is not None
        assert list(row.items()) == [("näme", 1), (" ", 2), ("0", 3), ("?column?", 4), ("get", 5)]
        assert row["0"] == 3
        assert row[0] == 1


async def test_as_many_columns_as_there_can_be(connect: Connect) -> None:
    async with connect() as conn:
        columns = ", ".join(f"{i} AS c{i}" for i in range(1664))
        row = await conn.fetchrow(f"SELECT {columns}")
        assert row is not None
        assert list(row) == list(range(1664))
        assert row["c1663"] == 1663
        with pytest.raises(pgallop.TooManyColumnsError):
            await conn.fetch(f"SELECT {columns}, 0")
        definitions = ", ".join(f"c{i} int" for i in range(1600))
        await conn.execute(f"CREATE TEMP TABLE wide ({definitions})")
        values = ", ".join(f"${i}" for i in range(1, 1601))
        await conn.execute(f"INSERT INTO wide VALUES ({values})", *range(1600))
        assert await conn.fetchrow("SELECT * FROM wide") == tuple(range(1600))


async def test_nulls_everywhere(connect: Connect) -> None:
    types = ["bool", "int2", "int8", "text", "bytea", "uuid", "numeric", "timestamptz", "jsonb"]
    async with connect() as conn:
        columns = ", ".join(f"${i}::{name}" for i, name in enumerate(types, 1))
        row = await conn.fetchrow(f"SELECT {columns}, ARRAY[NULL, 1]", *[None] * len(types))
        assert row == (*[None] * len(types), [None, 1])


@pytest.mark.parametrize(
    ("query", "tag"),
    [
        ("CREATE TEMP TABLE other (i int)", "CREATE TABLE"),
        ("INSERT INTO t VALUES (1), (2)", "INSERT 0 2"),
        ("UPDATE t SET i = 0", "UPDATE 1"),
        ("DELETE FROM t", "DELETE 1"),
        ("SELECT * FROM t", "SELECT 1"),
        ("SELECT WHERE false", "SELECT 0"),
        ("SET search_path = public", "SET"),
        ("BEGIN", "BEGIN"),
        ("DO $$ BEGIN END $$", "DO"),
        ("TRUNCATE t", "TRUNCATE TABLE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("SELECT 1; SELECT 2 FROM t; INSERT INTO t VALUES (1)", "INSERT 0 1"),
        ("SELECT 1;;  -- the end", "SELECT 1"),
    ],
)
async def test_command_tags(connect: Connect, query: str, tag: str) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int); INSERT INTO t VALUES (7)")
        assert await conn.execute(query) == tag


async def test_command_tag_with_arguments(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        assert await conn.execute("INSERT INTO t SELECT generate_series(1, $1)", 5) == "INSERT 0 5"
        assert await conn.execute("DELETE FROM t WHERE i > $1", 3) == "DELETE 2"
        assert await conn.execute("SELECT $1::int", 3) == "SELECT 1"


async def test_script(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("""
            CREATE TEMP TABLE t (i int);
            INSERT INTO t VALUES (1);  -- a comment; with a semicolon
            INSERT INTO t SELECT length(';''');
            DO $body$ BEGIN INSERT INTO t VALUES (3); END $body$
        """)
        assert await conn.fetch("SELECT i FROM t ORDER BY i") == [(1,), (2,), (3,)]


async def test_failing_script_is_undone_as_a_whole(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.execute("INSERT INTO t VALUES (1); SELECT 1/0; INSERT INTO t VALUES (2)")
        assert await conn.fetch("SELECT * FROM t") == []
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.execute("BEGIN; INSERT INTO t VALUES (1); COMMIT; SELECT 1/0")
        assert await conn.fetch("SELECT * FROM t") == [(1,)]


async def test_only_execute_without_arguments_takes_several_statements(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.PostgresSyntaxError, match="multiple commands"):
            await conn.fetch("SELECT 1; SELECT 2")
        with pytest.raises(pgallop.PostgresSyntaxError, match="multiple commands"):
            await conn.execute("SELECT $1::int; SELECT 2", 1)
        assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("query", [None, 1, b"SELECT 1", ["SELECT 1"], "SELECT 1".split])
async def test_query_that_is_no_string(connect: Connect, query: Any) -> None:
    async with connect() as conn:
        for verb in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
            with pytest.raises(pgallop.InterfaceError, match="has to be a str"):
                await verb(query)
            with pytest.raises(pgallop.InterfaceError, match="has to be a str"):
                await verb(query, 1)
        assert await conn.fetchval("SELECT 1") == 1


class Text(str):
    """A program's own kind of string."""

    __slots__ = ()


async def test_query_of_a_subclass_of_str(connect: Connect) -> None:
    async with connect() as conn:
        assert await conn.fetchval(Text("SELECT 1")) == 1
        assert await conn.execute(Text("SELECT 1")) == "SELECT 1"


@pytest.mark.parametrize("bad", ["SELECT '\0'", "\0", "SELECT 1\0", "SELECT '\ud800'"])
async def test_query_that_cannot_be_sent(connect: Connect, bad: str) -> None:
    async with connect() as conn:
        for verb in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
            for _ in range(2):  # a failure must not be remembered as a statement
                with pytest.raises(pgallop.InterfaceError, match="the query"):
                    await verb(bad)
        assert await conn.fetchval("SELECT 1") == 1


async def test_text_that_cannot_be_sent(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(2):
            # The server's text has no NUL: its own words, or ours.
            with pytest.raises(pgallop.DataError):
                await conn.fetchval("SELECT $1::text", "a\0b")
            with pytest.raises(pgallop.DataError, match=r"\$1"):
                await conn.fetchval("SELECT $1::text", "\ud800")
        assert await conn.fetchval("SELECT $1::bytea", b"a\0b") == b"a\0b"


async def test_wrong_number_of_arguments(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(2):  # not prepared yet, and prepared
            with pytest.raises(pgallop.InterfaceError, match="expects 1 argument, 0 given"):
                await conn.fetch("SELECT $1::int")
            with pytest.raises(pgallop.InterfaceError, match="expects 1 argument, 2 given"):
                await conn.fetch("SELECT $1::int", 1, 2)
            with pytest.raises(pgallop.InterfaceError, match="expects 0 arguments, 1 given"):
                await conn.execute("SELECT 1", 1)
        assert await conn.fetchval("SELECT $1::int", 1) == 1


async def test_execute_without_the_arguments_it_needs(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.UndefinedParameterError):
            await conn.execute("SELECT $1::int")


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("int4", "1"),
        ("int4", 1.5),
        ("int4", 2**31),
        ("int8", None.__class__),
        ("text", 1),
        ("bool", "true"),
        ("bytea", "text"),
        ("timestamptz", "2020-01-01"),
        ("uuid", "no uuid"),
        ("int4[]", 1),
        ("int4[]", [1, "two"]),
    ],
)
async def test_wrong_type(connect: Connect, type_name: str, value: object) -> None:
    async with connect() as conn:
        query = f"SELECT $1::int4, $2::{type_name}"
        for _ in range(2):
            with pytest.raises(pgallop.DataError, match=r"\$2") as caught:
                await conn.fetch(query, 1, value)
            assert type_name.removesuffix("[]") in str(caught.value)
        assert await conn.fetch(query, 1, None) == [(1, None)]


async def test_a_failing_object_is_the_callers_own_error(connect: Connect) -> None:
    class Broken:
        def __index__(self) -> int:
            raise LookupError("mine")

        def __float__(self) -> float:
            raise LookupError("mine")

    async with connect() as conn:
        for type_name in ("int4", "float8"):
            with pytest.raises((LookupError, pgallop.DataError)):
                await conn.fetchval(f"SELECT $1::{type_name}", Broken())
        assert await conn.fetchval("SELECT $1::int4", 1) == 1


async def test_rows_are_not_kept(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT repeat('x', 1000) FROM generate_series(1, 1000)"
        await conn.fetch(query)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(5):
                await conn.fetch(query)
            await asyncio.sleep(0)  # the loop holds the last future while it wakes its task
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 200_000
