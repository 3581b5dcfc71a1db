"""conn.pipeline(): several statements under one Sync, and the truth about each afterwards."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop import Outcome, Pipeline, PipelineError
from pgallop.cli.server import EmbeddedServer

DONE, FAILED, ROLLED_BACK = Outcome.DONE, Outcome.FAILED, Outcome.ROLLED_BACK
NOT_RUN, UNKNOWN, IN_TRANSACTION = Outcome.NOT_RUN, Outcome.UNKNOWN, Outcome.IN_TRANSACTION

INSERT = "INSERT INTO entries VALUES ($1)"
ZERO = "SELECT 1 / $1::int"


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask(
        "DROP TABLE IF EXISTS entries, extra;"
        "CREATE TABLE entries (n int UNIQUE DEFERRABLE, CHECK (n < 1000));"
        "CREATE OR REPLACE PROCEDURE keep() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';"
        "CREATE OR REPLACE PROCEDURE undo() LANGUAGE plpgsql AS 'BEGIN ROLLBACK; END'"
    )


def entries(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM entries ORDER BY n")]


def outcomes(pipeline: Pipeline) -> list[Outcome]:
    return [statement.outcome for statement in pipeline.statements]


async def run(conn: pgallop.Connection, *queries: object) -> tuple[Pipeline, PipelineError | None]:
    """Run these as a pipeline; a number is inserted."""
    pipeline = conn.pipeline()
    try:
        async with pipeline:
            for query in queries:
                if isinstance(query, str):
                    pipeline.execute(query)
                else:
                    pipeline.execute(INSERT, query)
    except PipelineError as error:
        return pipeline, error
    return pipeline, None


# Success


async def test_all_verbs(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        async with conn.pipeline() as pipeline:
            tag = pipeline.execute(INSERT, 1)
            rows = pipeline.fetch("SELECT i, $1::text FROM generate_series(1, 3) AS i", "x")
            row = pipeline.fetchrow("SELECT n, n + 1 AS next FROM entries WHERE n > $1", 0)
            nobody = pipeline.fetchrow("SELECT n FROM entries WHERE n > $1", 1)
            value = pipeline.fetchval("SELECT 1, generate_series(2, 9) AS two", column="two")
            nothing = pipeline.fetchval("SELECT 1 WHERE false", column=7)
            wrong = pipeline.fetchval("SELECT 1", column="x")
            empty = pipeline.execute("")
            assert entries(monitor) == []
            assert set(outcomes(pipeline)) == {NOT_RUN}
            assert pipeline.statements[:2] == (tag, rows)
        assert tag.result() == "INSERT 0 1"
        assert rows.result() == [(1, "x"), (2, "x"), (3, "x")]
        first = row.result()
        assert first is not None
        assert dict(first) == {"n": 1, "next": 2}
        assert (nobody.result(), value.result(), nothing.result()) == (None, 2, None)
        with pytest.raises(KeyError):
            wrong.result()
        assert empty.result() == ""
        assert set(outcomes(pipeline)) == {DONE}
        assert repr(tag) == f"<PipelinedStatement {INSERT!r} done>"
        assert (tag.query, tag.args, tag.error) == (INSERT, (1,), None)
    assert entries(monitor) == [1]


async def test_an_empty_one_sends_nothing(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", database="postgres", ssl="disable"
        )
        before = proxy.bytes_to_server
        async with conn.pipeline() as pipeline:
            pass
        assert pipeline.statements == ()
        assert proxy.bytes_to_server == before
        await conn.close()


async def test_large_both_ways(connect: Connect) -> None:
    async with connect() as conn, asyncio.timeout(50):
        data = bytes(1_000_000)
        async with conn.pipeline() as pipeline:
            answers = [pipeline.fetchval("SELECT $1::bytea", data) for _ in range(50)]
        assert all(answer.result() == data for answer in answers)


@pytest.mark.parametrize("size", [0, 1, 100])
async def test_more_statements_than_the_cache_holds(connect: Connect, size: int) -> None:
    async with connect(statement_cache_size=size) as conn:
        for _ in range(3):
            async with conn.pipeline() as pipeline:
                answers = [pipeline.fetchval(f"SELECT {i % 20}") for i in range(100)]
            assert [answer.result() for answer in answers] == [i % 20 for i in range(100)]
        assert await conn.fetchval("SELECT count(*) FROM pg_prepared_statements") <= max(size, 20)


async def test_among_neighbours(connect: Connect, monitor: Monitor) -> None:
    """Whatever is under other Syncs is not concerned, and statements are shared with it."""

    async def block(numbers: list[int], fails: bool) -> None:
        async with conn.pipeline() as pipeline:
            for number in numbers:
                pipeline.execute(INSERT, number)
            pipeline.fetchval(ZERO, 0 if fails else 1)

    async with connect() as conn:
        results = await asyncio.gather(
            conn.execute(INSERT, 1),
            block([2, 3], False),
            conn.execute(INSERT, 4),
            block([5, 6], True),
            conn.fetchval(ZERO, 1),
            conn.execute(INSERT, 7),
            block([8, 9], True),
            block([10, 11], False),
            return_exceptions=True,
        )
        failed = [result for result in results if isinstance(result, BaseException)]
        assert [type(error) for error in failed] == [PipelineError, PipelineError]
    assert entries(monitor) == [1, 2, 3, 4, 7, 10, 11]


# Failures, outside of a transaction


async def test_one_fails(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pipeline, error = await run(conn, 1, 2, "SELECT 1 /\n  0", 3)
        assert outcomes(pipeline) == [ROLLED_BACK, ROLLED_BACK, FAILED, NOT_RUN]
        assert error is not None
        assert error.message == (
            "statement 3 of 4 failed and was not stored: division by zero; "
            "2 rolled back, 1 never ran"
        )
        assert error.statements == pipeline.statements
        assert isinstance(error, pgallop.PostgresError)
        cause = error.__cause__
        assert isinstance(cause, pgallop.DivisionByZeroError)
        assert (error.sqlstate, error.query) == (cause.sqlstate, "SELECT 1 /\n  0")
        assert pipeline.statements[2].error is cause
        with pytest.raises(pgallop.DivisionByZeroError):
            pipeline.statements[2].result()
        for i, words in ((0, "rolled back"), (1, "rolled back"), (3, "never ran")):
            with pytest.raises(PipelineError, match=f"the statement (was )?{words}: div") as raised:
                pipeline.statements[i].result()
            assert raised.value.__cause__ is cause
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT 1") == 1
    assert entries(monitor) == []


async def test_the_error_shows_where(connect: Connect) -> None:
    async with connect() as conn:
        _, error = await run(conn, "SELECT 1", "SELECT 1,\n  nothing")
        assert error is not None
        assert str(error).splitlines() == [
            'statement 2 of 2 was refused before any of them ran: column "nothing" does not exist; '
            "1 never ran",
            "LINE 2:   nothing",
            "          ^",
        ]
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert isinstance(twin, PipelineError)
            assert str(twin) == str(error)
            assert [each.outcome for each in twin.statements] == [NOT_RUN, FAILED]
            assert isinstance(twin.__cause__, pgallop.UndefinedColumnError)


async def test_a_success_can_be_pickled(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.pipeline() as pipeline:
            value = pipeline.fetchval("SELECT 1 AS a, 2 AS b", column="b")
        assert pickle.loads(pickle.dumps(value)).result() == 2


async def test_refused_while_prepared(connect: Connect, monitor: Monitor) -> None:
    """Each statement is prepared before the first one runs: one cannot need another's table."""
    async with connect() as conn:
        pipeline, error = await run(conn, 1, "CREATE TABLE extra ()", "SELECT * FROM extra", 2)
        assert outcomes(pipeline) == [NOT_RUN, NOT_RUN, FAILED, NOT_RUN]
        assert error is not None
        assert isinstance(error.__cause__, pgallop.UndefinedTableError)
        assert error.message == (
            "statement 3 of 4 was refused before any of them ran: "
            'relation "extra" does not exist; 3 never ran'
        )
        pipeline, error = await run(conn, 1, "SELECT 1; SELECT 2")
        assert error is not None
        assert error.sqlstate == "42601"
        assert not conn.is_in_transaction()
    assert entries(monitor) == []


async def test_a_deferred_constraint(connect: Connect, monitor: Monitor) -> None:
    """Every statement reports success, and all of them are rolled back at the Sync."""
    async with connect() as conn:
        pipeline, error = await run(conn, 1, "SET CONSTRAINTS ALL DEFERRED", 1, 2)
        assert outcomes(pipeline) == [ROLLED_BACK] * 4
        assert error is not None
        assert error.message is not None
        assert error.message.startswith(
            "all 4 statements ran, but what ends the pipeline failed: duplicate key"
        )
        assert error.message.endswith("; 4 rolled back")
        assert error.sqlstate == "23505"
        assert {statement.error for statement in pipeline.statements} == {None}
        with pytest.raises(PipelineError, match="was rolled back: duplicate key"):
            pipeline.statements[0].result()
        pipeline, error = await run(conn, "SET CONSTRAINTS ALL DEFERRED", 1, 1, "COMMIT", 2)
        assert outcomes(pipeline) == [ROLLED_BACK] * 3 + [FAILED, NOT_RUN]
    assert entries(monitor) == []


async def test_safe_to_retry(connect: Connect, monitor: Monitor) -> None:
    """It is about all of the pipeline: what may be stored must not be done again."""
    monitor.ask(
        "CREATE OR REPLACE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS "
        "'BEGIN RAISE serialization_failure; END'"
    )
    fails = "SELECT fail()"
    async with connect() as conn:
        for queries, expected in (
            ((1, fails), True),
            ((1, "COMMIT", fails), False),
            (("CALL keep()", fails), False),
            (("DO $$ BEGIN COMMIT; PERFORM fail(); END $$",), False),
            (("BEGIN", fails), True),  # again the transaction, as after any such error
        ):
            _, error = await run(conn, *queries)
            assert error is not None
            assert isinstance(error.__cause__, pgallop.SerializationError)
            assert error.safe_to_retry is expected
    assert entries(monitor) == [1]


async def test_commit_and_rollback_inside(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pipeline, error = await run(conn, 1, "COMMIT", 2, ZERO.replace("$1", "0"), 3)
        assert outcomes(pipeline) == [DONE, DONE, ROLLED_BACK, FAILED, NOT_RUN]
        assert error is not None
        assert error.message is not None
        assert error.message.endswith("; 2 done, 1 rolled back, 1 never ran")
        assert pipeline.statements[0].result() == "INSERT 0 1"
        assert entries(monitor) == [1]
        pipeline, error = await run(conn, 4, "ROLLBACK", 5)
        assert error is None
        assert outcomes(pipeline) == [ROLLED_BACK, DONE, DONE]
        assert [each.result() for each in pipeline.statements] == [
            "INSERT 0 1",
            "ROLLBACK",
            "INSERT 0 1",
        ]
    assert entries(monitor) == [1, 5]


async def test_begin_inside(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pipeline, error = await run(conn, 1, "BEGIN", 2)
        assert error is None
        assert outcomes(pipeline) == [IN_TRANSACTION] * 3
        assert pipeline.statements[0].result() == "INSERT 0 1"
        assert conn.is_in_transaction()
        assert entries(monitor) == []
        await conn.execute("COMMIT")
        assert entries(monitor) == [1, 2]
        pipeline, error = await run(conn, 3, "BEGIN", 4, "SELECT 1/0", 5)
        assert outcomes(pipeline) == [ROLLED_BACK, ROLLED_BACK, ROLLED_BACK, FAILED, NOT_RUN]
        assert error is not None
        assert error.hint == "the transaction it ran in can only be rolled back now"
        await conn.execute("COMMIT")
        pipeline, error = await run(conn, "BEGIN", 6, "COMMIT", 7)
        assert outcomes(pipeline) == [DONE] * 4
    assert entries(monitor) == [1, 2, 6, 7]


@pytest.mark.parametrize(
    "statement",
    [
        "CALL keep()",
        "DO 'BEGIN COMMIT; END'",
        "VACUUM entries",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON entries (n)",
    ],
)
async def test_what_commits_on_its_own(connect: Connect, monitor: Monitor, statement: str) -> None:
    async with connect() as conn:
        pipeline, error = await run(conn, statement, 1, "SELECT 1/0")
        assert outcomes(pipeline) == [UNKNOWN, ROLLED_BACK, FAILED]
        assert error is not None
        with pytest.raises(PipelineError, match="whether it is stored is not known: division"):
            pipeline.statements[0].result()
        pipeline, error = await run(conn, statement, 2)
        assert error is None
        assert outcomes(pipeline) == [DONE, DONE]
        await conn.execute("BEGIN")
        pipeline, error = await run(conn, 3, statement)  # refused inside of a block
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
        await conn.execute("ROLLBACK")
    assert entries(monitor) == [2]


async def test_a_call_in_the_middle(connect: Connect, monitor: Monitor) -> None:
    """Older servers let a procedure commit or roll back what ran before it in the pipeline."""
    async with connect() as conn:
        pipeline, error = await run(conn, 1, "CALL undo()", 2)
        if conn.get_server_version() >= (18,):
            assert outcomes(pipeline) == [ROLLED_BACK, FAILED, NOT_RUN]
            assert entries(monitor) == []
        else:
            assert error is None
            assert outcomes(pipeline) == [UNKNOWN, DONE, DONE]
            assert entries(monitor) == [2]
        assert not conn.is_in_transaction()


# In a transaction


async def test_in_a_transaction(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        async with conn.transaction():
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                count = pipeline.fetchval("SELECT count(*) FROM entries")
            assert outcomes(pipeline) == [IN_TRANSACTION] * 2
            assert count.result() == 1
            await conn.execute(INSERT, 2)
            assert entries(monitor) == []
        assert entries(monitor) == [1, 2]
        with pytest.raises(PipelineError) as raised:
            async with conn.transaction(), conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 3)
                pipeline.execute("SELECT 1/0")
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
        assert raised.value.hint == "the transaction it ran in can only be rolled back now"
        assert not conn.is_in_transaction()
    assert entries(monitor) == [1, 2]


async def test_begin_travels_along(server: EmbeddedServer) -> None:
    async with DelayProxy(server.host, server.port, delay=0.005) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", database="postgres", ssl="disable"
        )
        for expected in (3, 2):  # with and without preparing
            before = proxy.round_trips
            async with conn.transaction(isolation="serializable"), conn.pipeline() as pipeline:
                level = pipeline.fetchval("SELECT current_setting('transaction_isolation')")
                pipeline.execute(INSERT, 1)
                pipeline.execute("DELETE FROM entries")
            assert proxy.round_trips - before == expected
            assert level.result() == "serializable"
            assert outcomes(pipeline) == [IN_TRANSACTION] * 3
        with pytest.raises(PipelineError):
            async with conn.transaction(), conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute("SELECT 1/0")
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
        assert not conn.is_in_transaction()
        await conn.close()


async def test_in_a_transaction_that_has_failed(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(PipelineError):
                    async with conn.pipeline() as pipeline:
                        pipeline.execute("SELECT 1/0")
                with pytest.raises(PipelineError) as raised:
                    async with conn.pipeline() as pipeline:
                        pipeline.execute(INSERT, 1)
                assert isinstance(raised.value.__cause__, pgallop.InFailedSQLTransactionError)
                assert outcomes(pipeline) == [FAILED]
    assert entries(monitor) == []


async def test_in_a_nested_transaction(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn, conn.transaction():
        await conn.execute(INSERT, 1)
        with pytest.raises(PipelineError):
            async with conn.transaction(), conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 2)
                pipeline.execute("SELECT 1/0")
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
        async with conn.transaction(), conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 3)
    assert entries(monitor) == [1, 3]


async def test_a_savepoint_saves(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pipeline, error = await run(conn, "BEGIN", 1, "SAVEPOINT a", 2, "SELECT 1/0")
        assert outcomes(pipeline) == [IN_TRANSACTION] * 3 + [ROLLED_BACK, FAILED]
        assert error is not None
        assert "3 in the open transaction, 1 rolled back" in str(error)
        assert pipeline.statements[1].result() == "INSERT 0 1"
        await conn.execute("ROLLBACK TO a; COMMIT")
    assert entries(monitor) == [1]


async def test_commit_after_a_failure(connect: Connect, monitor: Monitor) -> None:
    """The server answers COMMIT by ROLLBACK, and goes on."""
    async with connect() as conn:
        await conn.fetchval("SELECT 1")
        await conn.execute("COMMIT")
        async with conn.pipeline() as pipeline:  # what is prepared needs no transaction that works
            pipeline.execute("COMMIT")
            pipeline.execute(INSERT, 1)
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.execute("BEGIN; SELECT 1/0")
        pipeline, error = await run(conn, "COMMIT", 2)
        assert outcomes(pipeline) == [FAILED, DONE]
        assert error is not None
        assert isinstance(error.__cause__, pgallop.TransactionAborted)
        assert error.message is not None
        assert error.message.startswith("statement 1 of 2 failed: the server answered it by ROLL")
        assert not error.safe_to_retry
        with pytest.raises(pgallop.TransactionAborted):
            pipeline.statements[0].result()
    assert entries(monitor) == [1, 2]
