"""What is presumed of statements and proves wrong, and results that have to be converted."""

from __future__ import annotations

import asyncio

import pytest
from live import Connect
from scripted_server import FAREWELL, WELCOME, ScriptedServer, expect, send
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    NO_DATA,
    PARSE_COMPLETE,
    command_complete,
    error_response,
    parameter_description,
    ready_for_query,
)

import pgallop
from pgallop import InterfaceError, converting
from pgallop.codecs._oids import OIDS
from pgallop.errors import UndefinedFunctionError

DESCRIBED = ("Parse", "Describe", "Sync")
DESCRIPTION = (PARSE_COMPLETE, parameter_description(OIDS["int4"]), NO_DATA, ready_for_query())
RUN = [
    expect("Bind", "Execute", "Sync"),
    send(BIND_COMPLETE, command_complete("UPDATE 1"), ready_for_query()),
]


async def names(conn: pgallop.Connection) -> set[str]:
    """Those that the server keeps for us."""
    return {name for (name,) in await conn.fetch("SELECT name FROM pg_prepared_statements")}


async def test_what_has_left_the_cache_does_not_come_back(connect: Connect) -> None:
    """It left while its Parse was on the way; the next one closed it, and it failed a block."""
    async with connect(statement_cache_size=3) as conn:
        queries = [f"SELECT {i} AS i" for i in range(4)]
        await asyncio.gather(*[conn.fetch(query) for query in queries])
        await conn.fetch("SELECT 4 AS i")  # closes what has left
        async with conn.transaction():
            for query in reversed(queries[1:]):
                await conn.fetch(query)


async def test_two_that_learn_of_a_text_at_once(connect: Connect) -> None:
    """One has it described, and then another connection has told what the other relies on."""
    knowledge = pgallop.Knowledge()
    query = "SELECT $1::int4 + 17"
    async with (
        connect(knowledge=knowledge, statement_cache_size=1) as conn,
        connect(knowledge=knowledge) as other,
    ):
        slow = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.1)::text"))
        await asyncio.sleep(0.02)
        first = asyncio.create_task(conn.fetchval(query, 1))
        await asyncio.sleep(0)
        await other.fetchval(query, 1)
        assert [await first, await conn.fetchval(query, 2)] == [18, 19]
        await slow
        for i in range(3):
            await conn.fetch(f"SELECT {i}")
        assert len(await names(conn)) <= 2


async def test_cancelled_behind_its_parse() -> None:
    """The server has the statement, though the Prepare has failed: it is told to forget it."""
    script = [
        *WELCOME,
        expect("Parse", "Describe", "Sync"),
        send(PARSE_COMPLETE, error_response("57014", "canceling statement"), ready_for_query()),
        expect("Close", *DESCRIBED),
        send(CLOSE_COMPLETE, *DESCRIPTION),
        *RUN,
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        dsn = f"postgresql://u@{server.host}:{server.port}/?sslmode=disable"
        async with pgallop.connect(dsn) as conn:
            with pytest.raises(pgallop.QueryCanceledError):
                await conn.fetch("UPDATE a SET b = $1", 1)
            await conn.fetch("UPDATE a SET b = $1", 1)


async def test_names_behind_a_begin_that_failed() -> None:
    """The server has skipped the Close: it comes again."""
    script = [
        *WELCOME,
        expect(*DESCRIBED),
        send(*DESCRIPTION),
        *RUN,
        expect("Parse", "Bind", "Execute", "Close", *DESCRIBED),
        send(error_response("0A000", "cannot use serializable mode"), ready_for_query()),
        expect("Close", *DESCRIBED),
        send(CLOSE_COMPLETE, *DESCRIPTION),
        *RUN,
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        dsn = f"postgresql://u@{server.host}:{server.port}/?sslmode=disable"
        async with pgallop.connect(dsn, statement_cache_size=1) as conn:
            await conn.fetch("UPDATE a SET b = $1", 1)
            conn._dispatch.statements.remove("UPDATE a SET b = $1")
            with pytest.raises(pgallop.FeatureNotSupportedError):
                async with conn.transaction(isolation="serializable"):
                    await conn.fetch("UPDATE c SET b = $1", 1)
            await conn.fetch("UPDATE d SET b = $1", 1)


async def test_other_columns_may_mean_other_parameters(connect: Connect) -> None:
    """Its Parse carries the parameter's old type: that has to be asked for anew."""
    knowledge = pgallop.Knowledge()
    query = "INSERT INTO turned (a) VALUES ($1) RETURNING a"
    async with connect() as admin:
        await admin.execute("CREATE TABLE turned (a int4)")
        try:
            async with connect(knowledge=knowledge) as first:
                await first.fetch(query, 1)
            await admin.execute("ALTER TABLE turned ALTER a TYPE text")
            async with connect(knowledge=knowledge) as conn:
                values = [2, "x", "y"]
                told = await asyncio.gather(*[conn.fetchval(query, value) for value in values])
                assert told == ["2", "x", "y"]
        finally:
            await admin.execute("DROP TABLE turned")


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_other_columns_ask_for_the_parameters_again(connect: Connect, mode: str) -> None:
    """A float4 in the place of a float8 loses digits without an error."""
    knowledge = pgallop.Knowledge()
    query = "INSERT INTO seen (a) VALUES ($1) RETURNING a"
    async with connect() as admin:
        await admin.execute("CREATE TABLE seen (a float4)")
        try:
            async with connect(knowledge=knowledge, statement_mode=mode) as first:
                await first.fetch(query, 0.1)
            await admin.execute("ALTER TABLE seen ALTER a TYPE float8")
            async with connect(knowledge=knowledge, statement_mode=mode) as conn:
                await conn.fetch(query, 0.1)
                assert await conn.fetchval(query, 0.1) == 0.1
        finally:
            await admin.execute("DROP TABLE seen")


async def test_a_presumption_does_not_renew_itself(connect: Connect) -> None:
    """A float4 in the place of a float8 loses digits without an error."""
    knowledge = pgallop.Knowledge(lifetime=0.2)
    query = "INSERT INTO finer (a) VALUES ($1)"
    async with connect() as admin:
        await admin.execute("CREATE TABLE finer (a float4)")
        try:
            async with connect(knowledge=knowledge) as conn:
                await conn.execute(query, 0.1)
            await admin.execute("ALTER TABLE finer ALTER a TYPE float8")
            for _ in range(4):
                await asyncio.sleep(0.1)
                async with connect(knowledge=knowledge) as conn:
                    await conn.execute(query, 0.1)
            rows = await admin.fetch("SELECT a FROM finer")
            assert rows[-1]["a"] == 0.1
        finally:
            await admin.execute("DROP TABLE finer")


async def test_a_pipeline_asks_for_the_types_anew(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        await admin.execute("CREATE TABLE piped (a int4)")
        try:
            for value in (1, "x"):
                async with conn.pipeline() as pipeline:
                    told = pipeline.fetchval("INSERT INTO piped VALUES ($1) RETURNING a", value)
                    pipeline.execute("SELECT 1")
                assert told.result() == value
                await admin.execute("ALTER TABLE piped ALTER a TYPE text")
            with pytest.raises(pgallop.DataError, match="expected str, got int"):
                async with conn.pipeline() as pipeline:
                    pipeline.execute("INSERT INTO piped VALUES ($1) RETURNING a", 2)
        finally:
            await admin.execute("DROP TABLE piped")


async def test_long_texts_are_not_kept(connect: Connect) -> None:
    knowledge = pgallop.Knowledge()
    async with connect(knowledge=knowledge, max_cacheable_statement_size=50) as conn:
        for mode_of_call in ([], [1]):
            text = "SELECT 1 + $1::int4" if mode_of_call else "SELECT 1"
            await conn.fetch(text, *mode_of_call)
            await conn.fetch(f"{text} /* {'-' * 50} */", *mode_of_call)
    assert len(knowledge) == 2


async def test_what_is_described_while_all_changes_is_run(connect: Connect) -> None:
    knowledge = pgallop.Knowledge()
    async with connect(knowledge=knowledge, statement_mode="unnamed") as conn:

        async def change() -> None:
            while True:
                knowledge.forget_all()
                await asyncio.sleep(0)

        changing = asyncio.create_task(change())
        try:
            assert await conn.fetchval("SELECT $1::int4", 1, timeout=5) == 1
        finally:
            changing.cancel()


STATISTICS = "pg_catalog.pg_statistic"


@pytest.mark.parametrize("query", ["SELECT * FROM pg_stats", f"TABLE {STATISTICS}"])
async def test_anyarray(connect: Connect, query: str) -> None:
    """Its values cannot be converted: the server has no input function for it."""
    async with connect() as conn:
        await conn.execute("ANALYZE pg_class")
        for _ in range(2):
            assert await conn.fetch(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT *, most_common_vals AS values FROM pg_stats WHERE tablename = 'measured'",
        f"SELECT *, stavalues1 AS values FROM {STATISTICS} WHERE starelid = 'measured'::regclass",
    ],
)
async def test_the_values_of_anyarray(connect: Connect, query: str) -> None:
    async with connect() as conn:
        # Autovacuum would have other values for the second question.
        create = "CREATE TABLE measured (word) WITH (autovacuum_enabled = false)"
        await conn.execute(f"{create} AS VALUES ('a'), ('a'), ('b'), ('b'), ('c d')")
        try:
            await conn.execute("ANALYZE measured")
            found = await conn.fetch(query)
            assert [record["values"] for record in found] == ["{a,b}"]
            assert await conn.fetch(query) == found
        finally:
            await conn.execute("DROP TABLE measured")


async def test_a_type_without_a_binary_form(connect: Connect) -> None:
    """Nothing proves that an unknown function may be called again: one error, and no other."""
    create = """
        CREATE FUNCTION who_may() RETURNS aclitem LANGUAGE plpgsql
        AS $$ BEGIN RETURN makeaclitem(10, 10, 'SELECT', false); END $$
    """
    knowledge = pgallop.Knowledge()
    async with connect(knowledge=knowledge) as conn, connect(knowledge=knowledge) as other:
        await conn.execute(create)
        try:
            with pytest.raises(UndefinedFunctionError, match="run it again") as caught:
                await conn.fetchval("SELECT who_may()")
            assert caught.value.safe_to_retry
            for each in (conn, other):
                assert await each.fetchval("SELECT who_may(), 2") is not None
        finally:
            await conn.execute("DROP FUNCTION who_may()")


async def test_converted_in_no_other_tasks_transaction(connect: Connect) -> None:
    """The statement was committed; it was told that a transaction had failed."""
    async with connect() as conn:
        failing = "SELECT 1 / (count(*) - 1) FROM converted_alone"
        await conn.execute("CREATE TABLE converted_alone (a int)")
        try:
            await conn.fetch(failing)  # known, so that it goes out with its BEGIN

            async def other() -> None:
                await asyncio.sleep(0.1)
                block = conn.transaction()
                await block.start()
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.fetch(failing)
                await asyncio.sleep(0.1)
                await block.rollback()

            query = "INSERT INTO converted_alone SELECT 1 FROM pg_sleep(0.2) RETURNING 1::regclass"
            value, _ = await asyncio.gather(conn.fetchval(query), other())
            assert value == "1"
            assert await conn.fetchval("SELECT count(*) FROM converted_alone") == 1
        finally:
            await conn.execute("DROP TABLE converted_alone")


async def test_a_block_is_not_begun_by_a_conversion(connect: Connect) -> None:
    async with connect() as conn:
        converting_one = asyncio.create_task(
            conn.fetchval("SELECT 'pg_class'::regclass, pg_sleep(0.1)")
        )
        await asyncio.sleep(0.05)
        block = conn.transaction()
        await block.start()
        await asyncio.sleep(0.2)
        assert conn._dispatch.is_idle()
        await block.rollback()
        assert await converting_one == "pg_class"


async def test_lost_before_it_was_converted(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement has run: it is not safe to run it again."""
    readable = converting.readable

    async def behind_the_end(dispatch: object, *rest: object) -> object:
        conn.terminate()
        return await readable(dispatch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(converting, "readable", behind_the_end)
    async with connect() as conn:
        with pytest.raises(InterfaceError, match="the statement has run") as told:
            await conn.fetchval("SELECT 'pg_class'::regclass")
        assert not told.value.safe_to_retry
