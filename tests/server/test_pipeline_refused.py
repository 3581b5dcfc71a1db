"""Pipelines that are not sent, not answered, or not to be read."""

from __future__ import annotations

import asyncio

import pytest
from live import Connect, Monitor
from scripted_server import WELCOME, ScriptedServer, close, expect, send
from scripts import (
    BIND_COMPLETE,
    NO_DATA,
    PARSE_COMPLETE,
    command_complete,
    error_response,
    parameter_description,
    ready_for_query,
)

import pgallop
from pgallop import Outcome, Pipeline, PipelineError

DONE, FAILED, ROLLED_BACK = Outcome.DONE, Outcome.FAILED, Outcome.ROLLED_BACK
NOT_RUN, UNKNOWN = Outcome.NOT_RUN, Outcome.UNKNOWN

INSERT = "INSERT INTO entries VALUES ($1)"
SUICIDE = "SELECT pg_terminate_backend(pg_backend_pid())"


class MineError(Exception):
    """What the body of a block raises."""


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask("DROP TABLE IF EXISTS entries; CREATE TABLE entries (n int)")


def entries(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM entries ORDER BY n")]


def outcomes(pipeline: Pipeline) -> list[Outcome]:
    return [statement.outcome for statement in pipeline.statements]


async def prepared(conn: pgallop.Connection) -> int:
    count = await conn.execute("SELECT FROM pg_prepared_statements")
    return int(count.split()[1])


# Used wrongly


async def test_an_exception_in_the_block(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        with pytest.raises(MineError):
            async with conn.pipeline() as pipeline:
                statement = pipeline.execute(INSERT, 1)
                raise MineError
        assert statement.outcome is NOT_RUN
        with pytest.raises(pgallop.InterfaceError, match="was not sent"):
            statement.result()
        assert await prepared(conn) == 0
    assert entries(monitor) == []


async def test_used_wrongly(connect: Connect) -> None:
    async with connect() as conn:
        pipeline = conn.pipeline()
        with pytest.raises(pgallop.InterfaceError, match="inside the block"):
            pipeline.execute("SELECT 1")
        async with pipeline:
            early = pipeline.fetchval("SELECT 1")
            with pytest.raises(pgallop.InterfaceError, match="results are there after the block"):
                early.result()
            with pytest.raises(pgallop.InterfaceError, match="has to be a str, not bytes"):
                pipeline.execute(b"SELECT 1")  # type: ignore[arg-type]
            with pytest.raises(pgallop.InterfaceError, match="NUL"):
                pipeline.execute("SELECT '\0'")
        assert early.result() == 1
        with pytest.raises(pgallop.InterfaceError, match="inside the block"):
            pipeline.execute("SELECT 1")
        with pytest.raises(pgallop.InterfaceError, match="twice"):
            async with pipeline:
                pass
        assert len(pipeline.statements) == 1


@pytest.mark.parametrize(
    "query",
    [
        "COPY entries FROM STDIN",
        "copy entries TO Stdout",
        "/* a */ COPY entries FROM STDOUT",  # the server takes it for STDIN
        "-- a\nCOPY entries TO STDIN",
    ],
)
async def test_copy(connect: Connect, monitor: Monitor, query: str) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="statement 2 is a COPY"):
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute(query)
        assert await prepared(conn) == 0
        async with conn.pipeline() as pipeline:
            harmless = pipeline.fetchval("SELECT 'copy from stdin'")
            pipeline.execute("COPY entries TO PROGRAM 'cat'")
        assert harmless.result() == "copy from stdin"
    assert entries(monitor) == []


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        (("one",), pgallop.DataError, r"statement 2 of 3: invalid input for query argument \$1"),
        ((2**31,), pgallop.DataError, r"statement 2 of 3: invalid input for query argument \$1"),
        ((), pgallop.InterfaceError, "statement 2 of 3: the query expects 1 argument, 0 given"),
        ((1, 2), pgallop.InterfaceError, "statement 2 of 3: the query expects 1 argument, 2 given"),
    ],
)
async def test_arguments_that_do_not_fit(
    connect: Connect,
    monitor: Monitor,
    args: tuple[object, ...],
    kind: type[Exception],
    words: str,
) -> None:
    async with connect() as conn:
        with pytest.raises(kind, match=words) as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute(INSERT, *args)
                pipeline.execute(INSERT, 3)
        assert outcomes(pipeline) == [NOT_RUN] * 3
        assert [each.error for each in pipeline.statements] == [None, raised.value, None]
        with pytest.raises(kind, match="statement 2"):
            pipeline.statements[1].result()
        with pytest.raises(PipelineError, match="never ran"):
            pipeline.statements[0].result()
        assert await conn.fetchval("SELECT 1") == 1
    assert entries(monitor) == []


async def test_arguments_are_looked_at_late(connect: Connect, monitor: Monitor) -> None:
    """Behind a COPY nothing is written before it has ended."""
    async with connect() as conn:
        await conn.execute("SELECT 1")
        await conn.fetch("SELECT $1::int", 1)

        async def pipeline() -> Pipeline:
            block = conn.pipeline()
            with pytest.raises(pgallop.DataError, match="statement 1 of 1"):
                async with block:
                    block.execute("SELECT $1::int", "one")
            return block

        copy, block = await asyncio.gather(
            conn.execute("COPY entries FROM STDIN"), pipeline(), return_exceptions=True
        )
        assert isinstance(copy, pgallop.UnsupportedClientFeatureError)
        assert isinstance(block, Pipeline)
        assert outcomes(block) == [NOT_RUN]


async def test_a_closed_connection(connect: Connect) -> None:
    conn = await connect()
    await conn.close()
    with pytest.raises(pgallop.InterfaceError, match="connection is closed") as raised:
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 1)
    assert raised.value.safe_to_retry
    assert outcomes(pipeline) == [NOT_RUN]
    with pytest.raises(PipelineError, match="the statement never ran: connection is closed"):
        pipeline.statements[0].result()


# Not its turn


async def test_its_turn(connect: Connect, monitor: Monitor) -> None:
    """While another context's transaction is open the pipeline waits, and runs outside of it."""
    begun = asyncio.Event()

    async def other() -> None:
        async with conn.transaction():
            await conn.execute(INSERT, 1)
            begun.set()
            await asyncio.sleep(0.05)
            raise MineError

    async def mine() -> Pipeline:
        await begun.wait()
        late = conn.pipeline(timeout=0.01)
        with pytest.raises(pgallop.ConnectionBusyError):
            async with late:
                late.execute(INSERT, 2)
        assert outcomes(late) == [NOT_RUN]
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 3)
        return pipeline

    async with connect() as conn:
        result, pipeline = await asyncio.gather(other(), mine(), return_exceptions=True)
        assert isinstance(result, MineError)
        assert isinstance(pipeline, Pipeline)
        assert outcomes(pipeline) == [DONE]
    assert entries(monitor) == [3]


async def test_strict(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        sleeper = asyncio.create_task(conn.fetch("SELECT pg_sleep(0.1)"))
        await asyncio.sleep(0)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            async with conn.pipeline() as pipeline:
                pipeline.fetchval("SELECT 1")
        assert outcomes(pipeline) == [NOT_RUN]
        await sleeper

        async def work() -> None:
            async with conn.pipeline() as pipeline:
                pipeline.fetchval("SELECT pg_sleep(0.1)")

        worker = asyncio.create_task(work())
        await asyncio.sleep(0)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            await conn.fetchval("SELECT 1")
        await worker
        assert await conn.fetchval("SELECT 1") == 1


# Not to be read


async def test_a_result_that_python_cannot_hold(connect: Connect, monitor: Monitor) -> None:
    """The statement ran all the same, and so did the others."""
    async with connect() as conn:
        with pytest.raises(PipelineError) as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.fetch("SELECT date '5874897-12-31'")
                value = pipeline.fetchval("SELECT 7")
        assert outcomes(pipeline) == [DONE] * 3
        message = raised.value.message
        assert message is not None
        assert message.startswith("statement 2 of 3 ran, but its result cannot be read: column")
        assert message.endswith("; 3 done")
        with pytest.raises(pgallop.DataError, match="cannot be read"):
            pipeline.statements[1].result()
        assert value.result() == 7
    assert entries(monitor) == [1]


async def test_a_stale_statement(connect: Connect, monitor: Monitor) -> None:
    """The first one is prepared again; behind others that may not be done twice it is an error."""
    query = "SELECT * FROM entries"
    async with connect() as conn:
        await conn.fetch(query)
        monitor.ask("ALTER TABLE entries ADD COLUMN m int")
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 1)
        async with conn.pipeline() as pipeline:
            rows = pipeline.fetch(query)
        assert rows.result() == [(1, None)]
        monitor.ask("ALTER TABLE entries ADD COLUMN k int")
        with pytest.raises(PipelineError) as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 2)
                pipeline.fetch(query)
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
        assert isinstance(raised.value.__cause__, pgallop.InvalidCachedStatementError)
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 3)
            rows = pipeline.fetch(query)
        assert rows.result() == [(1, None, None), (3, None, None)]
        await conn.execute("DEALLOCATE ALL; DELETE FROM entries")
        async with conn.pipeline() as pipeline:
            rows = pipeline.fetch(query)
        assert rows.result() == []
        await conn.execute("DEALLOCATE ALL; DROP TABLE entries")
        with pytest.raises(PipelineError, match="statement 1 of 2 was refused") as raised:
            async with conn.pipeline() as pipeline:
                pipeline.fetch(query)
                pipeline.fetch("SELECT 1")
        assert isinstance(raised.value.__cause__, pgallop.UndefinedTableError)
        assert outcomes(pipeline) == [FAILED, NOT_RUN]


# Not answered


async def test_the_connection_is_lost(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    with pytest.raises(pgallop.ConnectionDoesNotExistError) as raised:
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 1)
            pipeline.execute("COMMIT")
            pipeline.execute(INSERT, 2)
            pipeline.execute(SUICIDE)
            pipeline.execute(INSERT, 3)
    assert not raised.value.safe_to_retry
    assert outcomes(pipeline)[2:] == [UNKNOWN] * 3
    # The server may close before it has sent what it had answered.
    assert outcomes(pipeline)[:2] in ([DONE, DONE], [UNKNOWN, UNKNOWN])
    with pytest.raises(PipelineError, match="not known"):
        pipeline.statements[2].result()
    assert entries(monitor) == [1]


async def test_the_connection_is_lost_behind_a_refusal() -> None:
    """Nothing is in doubt: what the server had begun, it has rolled back."""
    prepared = [PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query()]
    inserted = [BIND_COMPLETE, command_complete("INSERT 0 1")]
    script = [
        *WELCOME,
        expect(*["Parse", "Describe", "Sync"] * 2),
        send(*prepared * 2),
        expect(*["Bind", "Execute"] * 3, "Sync"),
        send(*inserted, BIND_COMPLETE, error_response("22012", "division by zero")),
        close(),
    ]
    with ScriptedServer(script) as server:
        conn = await pgallop.connect(
            host=server.host, port=server.port, user="ada", ssl="disable", timeout=5
        )
        with pytest.raises(PipelineError, match="statement 2 of 3 failed and was not") as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute("INSERT INTO entries VALUES (1)")
                pipeline.execute("UPDATE entries SET id = id / 0")
                pipeline.execute("INSERT INTO entries VALUES (1)")
        assert isinstance(raised.value.__cause__, pgallop.DivisionByZeroError)
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED, NOT_RUN]
        assert conn.is_closed()


async def test_the_connection_is_lost_while_it_is_prepared(connect: Connect) -> None:
    conn = await connect()
    with pytest.raises(pgallop.PostgresConnectionError):
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 1)
            asyncio.get_running_loop().call_soon(conn.terminate)
    assert outcomes(pipeline) == [NOT_RUN]


async def test_a_timeout(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        for again in range(2):
            with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
                async with conn.pipeline(timeout=0.1) as pipeline:
                    pipeline.execute(INSERT, 1)
                    pipeline.execute("SELECT pg_sleep($1)", 60)
                    pipeline.execute(INSERT, 2)
            assert outcomes(pipeline)[1:] == [UNKNOWN] * 2, again
            with pytest.raises(PipelineError, match="whether it is stored is not known"):
                pipeline.statements[0].result()
            assert await conn.fetchval("SELECT 1", timeout=5) == 1
            assert not conn.is_in_transaction()
    assert entries(monitor) == []


async def test_a_timeout_while_it_is_prepared(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        sleeper = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with conn.pipeline(timeout=0.1) as pipeline:
                pipeline.execute(INSERT, 1)
        assert outcomes(pipeline) == [NOT_RUN]
        await sleeper
        assert await conn.fetchval("SELECT 1") == 1
    assert entries(monitor) == []


async def test_the_default_timeout(connect: Connect) -> None:
    async with connect(command_timeout=0.1) as conn:
        with pytest.raises(TimeoutError):
            async with conn.pipeline() as pipeline:
                pipeline.execute("SELECT pg_sleep(60)")
        async with conn.pipeline(timeout=5) as pipeline:
            pipeline.execute("SELECT pg_sleep(0.2)")
