"""Pipelines that are cancelled, by their callers and by others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor

import pgallop
from pgallop import Outcome, Pipeline, PipelineError

DONE, FAILED, ROLLED_BACK = Outcome.DONE, Outcome.FAILED, Outcome.ROLLED_BACK
NOT_RUN, UNKNOWN = Outcome.NOT_RUN, Outcome.UNKNOWN

INSERT = "INSERT INTO entries VALUES ($1)"


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask("DROP TABLE IF EXISTS entries; CREATE TABLE entries (n int)")


def entries(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM entries ORDER BY n")]


def outcomes(pipeline: Pipeline) -> list[Outcome]:
    return [statement.outcome for statement in pipeline.statements]


async def run(pipeline: Pipeline, *queries: object) -> PipelineError | None:
    """Run these as a pipeline; a number is inserted."""
    try:
        async with pipeline:
            for query in queries:
                if isinstance(query, str):
                    pipeline.execute(query)
                else:
                    pipeline.execute(INSERT, query)
    except PipelineError as error:
        return error
    return None


async def test_a_statement_timeout(connect: Connect, monitor: Monitor) -> None:
    """The server's own: an error like any other."""
    async with connect(server_settings={"statement_timeout": "50"}) as conn:
        with pytest.raises(PipelineError) as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute("SELECT pg_sleep(60)")
        assert type(raised.value.__cause__) is pgallop.QueryCanceledError
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED]
    assert entries(monitor) == []


async def test_cancelled(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pipeline = conn.pipeline()

        async def work() -> None:
            async with pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(work())
        await monitor.until(conn.get_server_pid(), ["active"])
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes(pipeline) == [UNKNOWN] * 2
        assert await conn.fetchval("SELECT 1", timeout=5) == 1
    assert entries(monitor) == []


async def test_cancelled_before_it_is_sent(connect: Connect, monitor: Monitor) -> None:
    """Behind a COPY nothing is sent before it has ended; what is dropped has not run."""
    async with connect() as conn:
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 0)
        late = conn.pipeline()

        async def work() -> None:
            async with late:
                late.execute(INSERT, 1)
                late.execute(INSERT, 2)

        # It takes its time, and its text could be that of a COPY from the client.
        slow = "COPY (SELECT 1 FROM pg_sleep(0.2)) TO STDOUT"
        copy = asyncio.create_task(conn.execute(slow))
        worker = asyncio.create_task(work())
        await asyncio.sleep(0)
        worker.cancel()
        with pytest.raises(pgallop.UnsupportedClientFeatureError):
            await copy
        assert worker.cancelled()
        assert outcomes(late) == [NOT_RUN] * 2
    assert entries(monitor) == [0]


async def test_behind_one_that_is_cancelled(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        await conn.execute("SELECT $1::int", 1)
        async with conn.pipeline() as pipeline:
            pipeline.execute(INSERT, 0)
        sleeper = asyncio.create_task(conn.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.05)

        async def work() -> Pipeline:
            async with conn.pipeline() as pipeline:
                pipeline.execute(INSERT, 1)
                pipeline.execute("SELECT $1::int", 1)
            return pipeline

        behind = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        sleeper.cancel()
        assert outcomes(await behind) == [DONE, DONE]
    assert entries(monitor) == [0, 1]


CALLS: dict[str, Callable[[Pipeline], object]] = {
    "new": lambda pipeline: pipeline.fetchval("SELECT count(*) FROM entries WHERE n < $1", 9),
    "failing": lambda pipeline: pipeline.execute("SELECT 1/0"),
    "refused": lambda pipeline: pipeline.execute("SELECT nothing"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", CALLS)
async def test_interrupted(connect: Connect, monitor: Monitor, call: str, moment: Moment) -> None:
    """Cancelled at each await: all of it is stored or nothing, and the connection goes on."""
    blocks: list[Pipeline] = []
    async with connect(statement_cache_size=0) as conn:

        async def work() -> None:
            pipeline = conn.pipeline()
            blocks.append(pipeline)
            try:
                async with pipeline:
                    pipeline.execute(INSERT, 2 * len(blocks))
                    CALLS[call](pipeline)
                    pipeline.execute(INSERT, 2 * len(blocks) + 1)
            except PipelineError:
                assert call != "new"

        async for cancelled in interruptions(work, moment):
            assert isinstance(cancelled.error, asyncio.CancelledError)
            assert await conn.fetchval("SELECT 1", timeout=5) == 1
            assert not conn.is_in_transaction()
    stored = entries(monitor)
    for i, pipeline in enumerate(blocks, 1):
        both = [2 * i in stored, 2 * i + 1 in stored]
        assert both in ([True, True], [False, False])
        for outcome, is_stored in zip(outcomes(pipeline)[::2], both, strict=True):
            assert outcome is UNKNOWN or (outcome is DONE) is is_stored


async def test_hit_by_a_cancellation_meant_for_another(connect: Connect, monitor: Monitor) -> None:
    """A pipeline is never run again without being asked to: it says what became of it."""
    async with connect() as conn, connect() as admin:
        pipeline = conn.pipeline()
        task = asyncio.create_task(run(pipeline, 1, "SELECT pg_sleep(60)", 2))
        await monitor.until(conn.get_server_pid(), ["active"])
        await asyncio.sleep(0.05)
        conn._session.expose()  # as when a CancelRequest is about to be sent
        await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
        error = await task
        conn._session.release()
        assert error is not None
        assert isinstance(error.__cause__, pgallop.CollateralCancelError)
        assert error.sqlstate == "57014"
        assert outcomes(pipeline) == [ROLLED_BACK, FAILED, NOT_RUN]
        assert await conn.fetchval("SELECT 1") == 1
    assert entries(monitor) == []


async def test_committed_and_not_replicated(connect: Connect, monitor: Monitor) -> None:
    """A synchronous standby that is not there: the commit waits, and the wait is cancelled."""
    monitor.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    monitor.ask("SELECT pg_reload_conf()")
    try:
        async with connect() as conn, connect() as admin:
            await conn.fetch("SELECT 1")
            for queries, expected, place, story in (
                ((1, 2), [DONE, DONE], None, "all 2 statements ran: "),
                ((3, "COMMIT", "SELECT 1"), [DONE] * 3, 1, "statement 2 of 3 is done on this se"),
                ((4, "COMMIT", "SELECT 1/0"), [DONE, DONE, FAILED], 1, "statement 3 of 3 failed"),
            ):
                pipeline = conn.pipeline()
                task = asyncio.create_task(run(pipeline, *queries))
                await asyncio.sleep(0.3)
                assert not task.done()
                await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
                error = await task
                assert outcomes(pipeline) == expected
                assert error is not None
                assert error.message is not None
                assert error.message.startswith(story)
                assert not error.safe_to_retry
                if place is None:
                    assert isinstance(error.__cause__, pgallop.CommitNotReplicated)
                else:
                    with pytest.raises(pgallop.CommitNotReplicated):
                        pipeline.statements[place].result()
        assert entries(monitor) == [1, 2, 3, 4]
    finally:
        monitor.ask("ALTER SYSTEM RESET synchronous_standby_names")
        monitor.ask("SELECT pg_reload_conf()")
