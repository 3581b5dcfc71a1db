"""Prepared statements: kept, evicted, and made again when the server has lost them."""

from __future__ import annotations

import asyncio
import random

import pytest
from live import Connect

import pgallop

TWICE = """
    CREATE FUNCTION twice({}) RETURNS text LANGUAGE sql AS $$ SELECT $1::text || '{}' $$
"""

OURS = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time, name"


async def prepared(conn: pgallop.Connection) -> list[str]:
    """The statements that the server keeps for us, without this question itself."""
    rows = await conn.fetch(OURS)
    return [text for (text,) in rows if text != OURS]


async def test_used_again(connect: Connect) -> None:
    async with connect() as conn:
        for i in range(5):
            assert await conn.fetchval("SELECT $1::int", i) == i
        await conn.fetch("SELECT $1::int", 1)
        assert await prepared(conn) == ["SELECT $1::int"]


async def test_the_least_recently_used_leaves(connect: Connect) -> None:
    async with connect(statement_cache_size=3) as conn:
        await conn.fetch(OURS)
        await conn.fetch("SELECT 1")
        await conn.fetch("SELECT 2")
        await conn.fetch("SELECT 1")
        await conn.fetch(OURS)
        await conn.fetch("SELECT 3")  # in the place of SELECT 2
        await conn.fetch(OURS)
        await conn.fetch("SELECT 4")  # in the place of SELECT 1, and tells the server of SELECT 2
        assert await prepared(conn) == ["SELECT 1", "SELECT 3", "SELECT 4"]


async def test_the_server_keeps_no_more_than_the_cache(connect: Connect) -> None:
    async with connect(statement_cache_size=10) as conn:
        for i in range(100):
            assert await conn.fetchval(f"SELECT {i}") == i
        assert len(await prepared(conn)) <= 11  # one is evicted and not closed yet
        await asyncio.gather(*[conn.fetchval(f"SELECT {i}, 0") for i in range(100)])
        for i in range(3):
            await conn.fetchval(f"SELECT {i}, 1")
        assert len(await prepared(conn)) <= 11


async def test_what_could_not_be_sent_loses_no_names(connect: Connect) -> None:
    """The statements to be forgotten travel with the next one that is prepared."""
    async with connect(statement_cache_size=1) as conn:
        for n in range(10):
            await conn.fetch(f"SELECT {n}")
            with pytest.raises(pgallop.InterfaceError, match="NUL"):
                await conn.fetch("SELECT '\0'")
        assert len(await prepared(conn)) <= 2


async def test_no_cache(connect: Connect) -> None:
    async with connect(statement_cache_size=0) as conn:
        for i in range(5):
            assert await conn.fetchval("SELECT $1::int", i) == i
        calls = [conn.fetchval("SELECT $1::int", i) for i in range(20)]
        assert await asyncio.gather(*calls) == list(range(20))
        await conn.fetchval("SELECT 1")
        assert len(await prepared(conn)) <= 1


@pytest.mark.parametrize("size", [0, 1, 2, 5])
async def test_a_small_cache_under_load(connect: Connect, size: int) -> None:
    """A statement that was evicted must not be closed before the one who has it has run it."""

    async def live(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(30):
            i = chance.randrange(20)
            assert await conn.fetchval(f"SELECT {i} + $1::int", seed) == i + seed
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)

    async with connect(statement_cache_size=size) as conn:
        # In a transaction nothing can be tried again in secret.
        async with conn.transaction():
            await asyncio.gather(*[live(seed) for seed in range(20)])
        await asyncio.gather(*[live(seed) for seed in range(20)])


@pytest.mark.parametrize("statement", ["DEALLOCATE ALL", "DISCARD ALL"])
async def test_lost_behind_our_back(connect: Connect, statement: str) -> None:
    async with connect() as conn:
        await conn.fetchval("SELECT $1::int", 1)
        await conn.execute(statement)
        assert await conn.fetchval("SELECT $1::int", 2) == 2
        # And in the middle of a pipeline.
        results = await asyncio.gather(
            conn.fetchval("SELECT $1::int", 3),
            conn.execute(statement),
            *[conn.fetchval("SELECT $1::int", i) for i in range(4, 20)],
        )
        assert results == [3, statement, *range(4, 20)]
        assert await prepared(conn) == ["SELECT $1::int"]


async def test_lost_in_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        await conn.fetchval("SELECT $1::int", 1)
        async with conn.transaction():
            await conn.execute("DEALLOCATE ALL")  # its tag tells what is gone
            assert await conn.fetchval("SELECT $1::int", 2) == 2
        with pytest.raises(pgallop.InvalidSQLStatementNameError, match="does not exist") as raised:
            async with conn.transaction():
                await conn.execute("DO 'BEGIN DEALLOCATE ALL; END'")
                await conn.fetchval("SELECT $1::int", 3)
        assert raised.value.safe_to_retry
        assert "run the transaction again" in str(raised.value)
        assert await conn.fetchval("SELECT $1::int", 4) == 4


async def test_after_alter_table(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)")
        assert await conn.fetchrow("SELECT * FROM t") == (1,)
        await conn.execute("ALTER TABLE t ADD b text DEFAULT 'b'")
        row = await conn.fetchrow("SELECT * FROM t")
        assert row is not None
        assert dict(row) == {"a": 1, "b": "b"}
        await conn.execute("ALTER TABLE t ALTER a TYPE text")
        results = await asyncio.gather(*[conn.fetchrow("SELECT * FROM t") for _ in range(5)])
        assert results == [("1", "b")] * 5


async def test_after_alter_table_in_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)")
        await conn.fetchrow("SELECT * FROM t")
        async with conn.transaction():
            await conn.execute("ALTER TABLE t ADD b text DEFAULT 'b'")
            assert await conn.fetchrow("SELECT * FROM t") == (1, "b")
        with pytest.raises(pgallop.InvalidCachedStatementError, match="cached plan") as raised:
            async with conn.transaction():
                await conn.execute("DO 'BEGIN ALTER TABLE t ADD c int DEFAULT 3; END'")
                await conn.fetchrow("SELECT * FROM t")
        assert raised.value.safe_to_retry
        assert "run the transaction again" in str(raised.value)
        await conn.execute("DO 'BEGIN ALTER TABLE t ADD c int DEFAULT 3; END'")
        assert await conn.fetchrow("SELECT * FROM t") == (1, "b", 3)


async def test_what_ran_in_part_is_not_run_again(connect: Connect) -> None:
    """26000 from inside a procedure that has committed: the statement itself was there."""
    async with connect() as conn:
        await conn.execute("""
            DROP TABLE IF EXISTS visits;
            CREATE TABLE visits (i int);
            CREATE OR REPLACE PROCEDURE visit() LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO visits VALUES (1);
                COMMIT;
                EXECUTE 'EXECUTE no_such_statement';
            END $$;
        """)
        try:
            with pytest.raises(pgallop.InvalidSQLStatementNameError):
                await conn.fetch("CALL visit()")
            assert await conn.fetchval("SELECT count(*) FROM visits") == 1
        finally:
            await conn.execute("DROP PROCEDURE visit; DROP TABLE visits")


async def test_a_dropped_table(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int)")
        await conn.fetch("SELECT * FROM t")
        await conn.execute("DROP TABLE t")
        with pytest.raises(pgallop.UndefinedTableError):
            await conn.fetch("SELECT * FROM t")
        await conn.execute("CREATE TEMP TABLE t (b text)")
        assert await conn.fetch("SELECT * FROM t") == []


async def test_another_search_path(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("""
            CREATE SCHEMA one; CREATE TABLE one.t AS SELECT 1 AS a;
            CREATE SCHEMA two; CREATE TABLE two.t AS SELECT 2 AS a;
        """)
        try:
            await conn.execute("SET search_path = one")
            assert await conn.fetchval("SELECT a FROM t") == 1
            await conn.execute("SET search_path = two")
            assert await conn.fetchval("SELECT a FROM t") == 2
        finally:
            await conn.execute("DROP SCHEMA one, two CASCADE")


async def test_a_parameter_whose_type_has_changed(connect: Connect) -> None:
    """A value encoded for the old type must not be read as one of the new type."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int8)")
        insert = "INSERT INTO t VALUES ($1)"
        await conn.execute(insert, 2**40)
        await conn.execute("ALTER TABLE t ALTER a TYPE float8")
        await conn.execute(insert, 2**41)
        rows = await conn.fetch("SELECT a FROM t ORDER BY a")
        assert [a for (a,) in rows] == [float(2**40), float(2**41)]


async def test_one_text_for_two_kinds_of_call(connect: Connect) -> None:
    """fetchrow stops after a row; the same statement in fetch does not."""
    async with connect() as conn:
        query = "SELECT generate_series(1, 3)"
        assert await conn.fetchrow(query) == (1,)
        assert await conn.fetch(query) == [(1,), (2,), (3,)]
        assert await conn.fetchval(query) == 1
        assert await conn.fetch(query) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_hidden_by_what_is_created_later(connect: Connect, mode: str) -> None:
    """What the session creates under a name is meant by it from then on.

    The server goes on to run what was prepared on the table that had the name before; an UPDATE
    would change that one.
    """
    async with connect(statement_mode=mode) as conn:
        await conn.execute("""
            DROP SCHEMA IF EXISTS behind, before CASCADE;
            CREATE SCHEMA behind; CREATE TABLE behind.hidden AS SELECT 1 AS a; CREATE SCHEMA before;
        """)
        try:
            await conn.execute("SET search_path = before, behind")
            for n in range(2, 5):
                assert await conn.fetchval("SELECT a FROM hidden") == 1
                await conn.execute(f'CREATE TEMP TABLE "hidden" AS SELECT {n} AS a')
                assert await conn.fetchval("SELECT a FROM hidden") == n
                await conn.execute("DROP TABLE pg_temp.hidden")
            await conn.fetch("SELECT 5 AS a INTO TEMP hidden")
            assert await conn.fetchval("SELECT a FROM hidden") == 5
            await conn.execute("DROP TABLE pg_temp.hidden")
            assert await conn.fetchval("SELECT a FROM hidden") == 1
            await conn.execute("CREATE VIEW before.hidden AS SELECT 6 AS a")
            assert await conn.fetchval("SELECT a FROM hidden") == 6
        finally:
            await conn.execute("DROP SCHEMA behind, before CASCADE")


async def test_what_is_created_costs_no_other_statement(connect: Connect) -> None:
    async with connect() as conn:
        for query in ("SELECT $1::int", "SELECT count(*) FROM pg_class"):
            await conn.fetch(query, *([1] if "$" in query else []))
        await conn.execute("CREATE TEMP TABLE t (a int)")
        await conn.execute("DROP TABLE t")
        assert await prepared(conn) == ["SELECT $1::int", "SELECT count(*) FROM pg_class"]


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_another_parameter_type_in_a_transaction(connect: Connect, mode: str) -> None:
    """The error that only the old description has made says that it will not come again."""
    async with connect(statement_mode=mode) as conn, connect() as other:
        await other.execute("DROP FUNCTION IF EXISTS twice(numeric), twice(int4)")
        await other.execute(TWICE.format("numeric", "n"))
        try:
            assert await conn.fetchval("SELECT twice($1)", 3) == "3n"
            await other.execute("DROP FUNCTION twice(numeric)")
            await other.execute(TWICE.format("int4", "i"))
            with pytest.raises(pgallop.UndefinedFunctionError) as raised:
                async with conn.transaction():
                    await conn.fetchval("SELECT twice($1)", 3)
            assert raised.value.safe_to_retry
            async with conn.transaction():
                assert await conn.fetchval("SELECT twice($1)", 3) == "3i"
        finally:
            await other.execute("DROP FUNCTION IF EXISTS twice(numeric), twice(int4)")


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_a_pipeline_that_was_refused_by_the_old_columns(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn, connect() as other:
        await other.execute("DROP TABLE IF EXISTS widths; CREATE TABLE widths AS SELECT 1 AS a")
        try:
            await conn.fetch("SELECT ctid::text, * FROM widths")
            await conn.fetch("SELECT 'pg_type'::regclass, * FROM widths")
            await other.execute("ALTER TABLE widths ADD b int")
            for tries in range(2):
                try:
                    async with conn.pipeline() as pipeline:
                        pipeline.fetch("SELECT 1")
                        row = pipeline.fetchrow("SELECT 'pg_type'::regclass, * FROM widths")
                except pgallop.PipelineError as error:
                    if tries or not error.safe_to_retry:
                        raise
            assert row.result() == ("pg_type", 1, None)
        finally:
            await other.execute("DROP TABLE widths")


async def test_the_proof_is_asked_again_when_the_server_has_lost_it(connect: Connect) -> None:
    async with connect() as conn:
        for n in range(3):
            # In the first try its result is asked for in binary, which this type does not have.
            query = f"SELECT relacl FROM pg_class WHERE relname = 'pg_type' /* {n} */"
            assert await conn.fetchval(query) is not None
            await conn.execute("DO 'BEGIN DEALLOCATE ALL; END'")
