"""Cancelling one statement on a connection that others share."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
import scripts
from fake_server import Client, FakeServer
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.transport import cancel

Error = pgallop.CollateralCancelError


@pytest.fixture
def table(monitor: Monitor) -> str:
    monitor.ask("DROP TABLE IF EXISTS neighbours")
    monitor.ask("CREATE TABLE neighbours (n int, at timestamptz DEFAULT now())")
    return "neighbours"


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_long_head_is_cancelled_for_its_neighbours(connect: Connect) -> None:
    async with connect() as conn:
        await conn.fetch("SELECT 1")
        head = asyncio.create_task(conn.execute("SELECT pg_sleep(20)"))
        behind = [asyncio.create_task(conn.fetchval("SELECT 1")) for _ in range(10)]
        await asyncio.sleep(0.05)
        start = time.monotonic()
        await cancelled(head)
        assert time.monotonic() - start < 0.03  # free at once
        assert await asyncio.gather(*behind) == [1] * 10
        assert time.monotonic() - start < 2
        assert not conn.is_closed()


async def test_a_head_that_is_finishing_is_left_alone(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No signal within the grace: a write that ends in it is done."""
    monkeypatch.setattr(cancel, "GRACE_SECONDS", 5.0)
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE grace (n int)")
        insert = "INSERT INTO grace SELECT 1 FROM pg_sleep(0.1)"
        for round in range(3):
            head = asyncio.create_task(conn.execute(insert))
            behind = asyncio.create_task(conn.fetchval("SELECT count(*) FROM grace"))
            await asyncio.sleep(0.02)
            await cancelled(head)
            assert await behind == round + 1


async def test_one_in_the_middle_is_cancelled_when_its_turn_comes(
    connect: Connect, table: str
) -> None:
    async with connect() as conn:
        first = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        middle = asyncio.create_task(conn.execute("SELECT pg_sleep(20)"))
        last = asyncio.create_task(conn.fetchval("SELECT 7"))
        await asyncio.sleep(0.05)
        await cancelled(middle)
        assert await first == "SELECT 1"
        assert await asyncio.wait_for(last, 2) == 7


async def test_all_are_abandoned_one_by_one(connect: Connect) -> None:
    async with connect() as conn:
        tasks = [asyncio.create_task(conn.execute("SELECT pg_sleep(20)")) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in tasks:
            await cancelled(task)
        start = time.monotonic()
        assert await conn.fetchval("SELECT 1", timeout=10) == 1
        assert time.monotonic() - start < 3


async def neighbour(
    conn: pgallop.Connection, admin: pgallop.Connection, query: str, *args: object
) -> list[pgallop.Record]:
    """Run `query` in a cancel window, and let a signal hit it there.

    A signal that was meant for the head and comes late cannot be told from an administrator's.
    """
    head = asyncio.create_task(conn.execute("SELECT pg_sleep(0.25)"))
    await asyncio.sleep(0.02)
    hit = asyncio.create_task(conn.fetch(query, *args))
    await asyncio.sleep(0.02)
    # As if a CancelRequest were on its way: what was sent so far may be hit.
    conn._session.expose()
    await head
    conn._session.release()
    await asyncio.sleep(0.1)
    await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
    return await asyncio.wait_for(hit, 10)


async def test_what_is_known_harmless_runs_again(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as conn, connect() as admin:
        query = f"INSERT INTO {table} (n) SELECT $1::int4 FROM pg_sleep(0.5) RETURNING n"
        await conn.fetch(query, 0)
        rows = await neighbour(conn, admin, query, 7)
        assert [row["n"] for row in rows] == [7]
        assert monitor.ask(f"SELECT n FROM {table} ORDER BY n") == [(0,), (7,)]


async def test_what_is_not_known_harmless_raises(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn, connect() as admin:
        query = "SELECT pg_advisory_lock(77), pg_sleep(0.01 * $1::int4)"
        await conn.fetch(query, 0)
        await conn.execute("SELECT pg_advisory_unlock_all()")
        with pytest.raises(Error, match="another task's statement") as caught:
            await neighbour(conn, admin, query, 50)
        assert not caught.value.safe_to_retry
        assert type(caught.value.__cause__) is pgallop.QueryCanceledError
        # Which is why: the lock is held once, and not twice.
        assert monitor.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(1,)]


async def test_inside_a_transaction_nothing_runs_again(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        with pytest.raises(Error):
            async with conn.transaction():
                await conn.fetch("SELECT 7 FROM pg_sleep(0.01 * $1::int4)", 0)
                await neighbour(conn, admin, "SELECT 7 FROM pg_sleep(0.01 * $1::int4)", 50)


async def test_an_administrators_cancel_is_the_callers(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        task = asyncio.create_task(conn.fetch("SELECT pg_sleep(10)"))
        await asyncio.sleep(0.1)
        await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
        with pytest.raises(pgallop.QueryCanceledError) as caught:
            await task
        assert type(caught.value) is pgallop.QueryCanceledError


async def test_committed_and_not_replicated(connect: Connect, monitor: Monitor) -> None:
    """A synchronous standby that is not there: the commit waits, and the wait is cancelled."""
    monitor.ask("DROP TABLE IF EXISTS waits")
    monitor.ask("CREATE TABLE waits (n int)")
    monitor.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    monitor.ask("SELECT pg_reload_conf()")
    try:
        async with asyncio.timeout(5):
            while monitor.ask("SHOW synchronous_standby_names") != [("nobody",)]:
                await asyncio.sleep(0.01)
        monitor.ask("CHECKPOINT")  # it is the checkpointer that makes commits wait
        async with connect() as conn, connect() as admin:
            await conn.fetch("SELECT 1")
            for call in (
                conn.execute("INSERT INTO waits VALUES (1)"),
                conn.fetch("INSERT INTO waits VALUES ($1)", 2),
                _in_a_block(conn, "INSERT INTO waits VALUES (3)"),
            ):
                task = asyncio.create_task(call)
                await asyncio.sleep(0.3)
                assert not task.done()
                await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
                with pytest.raises(pgallop.CommitNotReplicated, match="synchronous replication"):
                    await task
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT array_agg(n ORDER BY n) FROM waits") == [1, 2, 3]
    finally:
        monitor.ask("ALTER SYSTEM RESET synchronous_standby_names")
        monitor.ask("SELECT pg_reload_conf()")


async def _in_a_block(conn: pgallop.Connection, query: str) -> None:
    async with conn.transaction():
        await conn.execute(query)


# What a cancellation leaves behind


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
@pytest.mark.parametrize("hits", [1, 3])
async def test_a_signal_that_hits_the_end_of_a_transaction(end: str, hits: int) -> None:
    """The server answers with an error and leaves the transaction open: nobody is to find it."""
    heard: list[str] = []

    async def is_hit(client: Client) -> None:
        await client.startup()
        client.send(scripts.authentication(scripts.AUTHENTICATION_OK), scripts.ready_for_query("I"))
        left = hits
        while True:
            tag, body = await client.message()
            if tag == "X":
                return
            heard.append(body.rstrip(b"\0").decode())
            if heard[-1] in ("COMMIT", "ROLLBACK") and left:
                left -= 1
                canceled = scripts.error_response("57014", "canceling statement")
                client.send(canceled, scripts.ready_for_query("E"))
            else:
                status = "T" if heard[-1].startswith("BEGIN") else "I"
                client.send(scripts.command_complete(heard[-1]), scripts.ready_for_query(status))

    async with FakeServer(is_hit) as server:
        conn = await pgallop.connect(host=server.host, port=server.port, user="ada", ssl="disable")

        async def block() -> None:
            async with conn.transaction():
                await conn.execute("SELECT 1")
                if end == "ROLLBACK":
                    raise LookupError

        ending = asyncio.create_task(block())
        await asyncio.sleep(0)
        stranger = asyncio.create_task(conn.execute("SELECT 2"))
        with pytest.raises(pgallop.QueryCanceledError):
            await ending
        await stranger
        assert not conn.is_in_transaction()
        await conn.close()
    assert heard == ["BEGIN; SELECT 1", end, *["ROLLBACK"] * hits, "SELECT 2"]


async def test_a_statement_that_outlives_its_block(connect: Connect, table: str) -> None:
    """It was meant for a transaction that was rolled back, so it must not run by itself."""
    async with connect() as conn:
        late: list[asyncio.Task[object]] = []
        with pytest.raises(LookupError):
            async with conn.transaction():
                await conn.execute("SELECT 1")
                for n in range(5):
                    call = conn.fetch(f"INSERT INTO {table} VALUES ({n})")  # none is prepared
                    late.append(asyncio.create_task(call))
                late.append(asyncio.create_task(conn.execute(f"INSERT INTO {table} VALUES (9)")))
                await asyncio.sleep(0)
                raise LookupError
        for task in late[:-1]:
            with pytest.raises(pgallop.InterfaceError, match="was ended before this statement"):
                await task
        await asyncio.wait(late)
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_script_that_begins_and_is_abandoned(connect: Connect, monitor: Monitor) -> None:
    """Nobody would end what it has begun."""
    async with connect() as conn:
        for script in ("BEGIN; SELECT pg_sleep(5); COMMIT", "BEGIN; SELECT pg_sleep(0.1)"):
            with pytest.raises(TimeoutError):
                await conn.execute(script, timeout=0.05)
            async with asyncio.timeout(5):
                while monitor.state(conn.get_server_pid()) != "idle":
                    await asyncio.sleep(0.01)
            assert await conn.fetchval("SELECT 7") == 7
            assert not conn.is_in_transaction()


async def test_a_cancel_connection_that_breaks(server: EmbeddedServer, connect: Connect) -> None:
    """Whether its signal comes nobody knows, so from then on any 57014 may be it."""
    async with DelayProxy(server.host, server.port) as proxy, connect() as admin:
        conn = await pgallop.connect(server.dsn, host=proxy.host, port=proxy.port, ssl="disable")
        head = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        await asyncio.sleep(0.05)
        proxy.reset_new = True
        await cancelled(head)
        assert await conn.fetchval("SELECT 7", timeout=5) == 7
        late = asyncio.create_task(conn.execute("SELECT pg_sleep(5)"))
        await asyncio.sleep(0.05)
        await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
        with pytest.raises(Error):
            await late
        await conn.close()


# Strict mode


async def test_strict_names_the_owner(connect: Connect) -> None:
    async with connect(strict=True) as conn:

        async def work() -> object:
            return await conn.fetchval("SELECT 1 FROM pg_sleep(0.2)")

        owner = asyncio.create_task(work(), name="owner")
        await asyncio.sleep(0.05)
        for call in (conn.fetch, conn.execute, conn.fetchrow, conn.fetchval):
            with pytest.raises(
                pgallop.InterfaceError, match="another operation is in progress"
            ) as e:
                await call("SELECT 1")
            assert "'owner'" in str(e.value)
            assert "test_neighbours.py" in str(e.value)
            assert e.value.safe_to_retry
        assert await owner == 1
        assert await conn.fetchval("SELECT 2") == 2


async def test_strict_and_a_transaction_of_another(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        began = asyncio.Event()
        end = asyncio.Event()

        async def block() -> None:
            async with conn.transaction():
                await conn.execute("SELECT 1")
                began.set()
                await end.wait()

        owner = asyncio.create_task(block(), name="owner")
        await began.wait()
        with pytest.raises(pgallop.InterfaceError, match="task 'owner'"):
            await conn.execute("SELECT 1")
        with pytest.raises(pgallop.InterfaceError, match="task 'owner'"):
            await conn.transaction().start()
        end.set()
        await owner
        assert await conn.fetchval("SELECT 2") == 2


async def test_strict_refuses_transaction_control_too(connect: Connect) -> None:
    """While a statement is in progress, of one's own block or in none."""
    async with connect(strict=True) as conn:
        for outer in (False, True):
            async with conn.transaction() if outer else contextlib.nullcontext():
                await conn.execute("SELECT 1")
                owner = asyncio.create_task(conn.execute("SELECT pg_sleep(0.1)"), name="owner")
                await asyncio.sleep(0.02)
                with pytest.raises(pgallop.InterfaceError, match="in progress, that of task 'own"):
                    await conn.transaction().start()
                assert await owner == "SELECT 1"


async def test_strict_one_after_the_other(connect: Connect) -> None:
    """Whatever one task does alone works as ever."""
    async with connect(strict=True) as conn:
        for _ in range(3):
            assert await conn.fetchval("SELECT $1::int4", 5) == 5
            assert await conn.execute("SELECT 1; SELECT 2") == "SELECT 1"
            async with conn.transaction(), conn.transaction():
                assert await conn.fetch("SELECT 1 WHERE false") == []
            async with conn.pipeline() as pipeline:
                one = pipeline.fetchval("SELECT 1")
            assert one.result() == 1
            with pytest.raises(TimeoutError):
                await conn.execute("SELECT pg_sleep(5)", timeout=0.05)


# Frozen


async def test_a_frozen_cancel_connection_ends_the_connection(server: EmbeddedServer) -> None:
    """Whether its signal comes, and when, nobody can know."""
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            server.dsn, host=proxy.host, port=proxy.port, ssl="disable", drain_timeout=0.5
        )
        head = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        await asyncio.sleep(0.05)
        proxy.black_hole = True
        start = time.monotonic()
        await cancelled(head)
        with pytest.raises(pgallop.PostgresConnectionError, match=r"within 0\.5 seconds"):
            await conn.fetchval("SELECT 1")
        assert 0.4 < time.monotonic() - start < 1.5
        assert conn.is_closed()
