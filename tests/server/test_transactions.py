"""transaction(): begin, commit, roll back, nest; and what happens when any of that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import scripts
from fake_server import Client, FakeServer
from live import Connect, Monitor

import pgallop


class MineError(Exception):
    """What the body of a block raises."""


@pytest.fixture
def table(monitor: Monitor) -> str:
    """An empty table that every session sees."""
    monitor.ask("DROP TABLE IF EXISTS entries; CREATE TABLE entries (who int, n int)")
    return "entries"


def entries(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM entries ORDER BY n")]


INSERT = "INSERT INTO entries (n) VALUES ($1)"


async def test_commit(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        async with conn.transaction() as tx:
            assert conn.is_in_transaction()
            await conn.execute(INSERT, 1)
            assert entries(monitor) == []
            assert not tx.is_completed()
        assert tx.is_completed()
        assert not conn.is_in_transaction()
        assert entries(monitor) == [1]


async def test_rollback_on_an_error(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        with pytest.raises(MineError):
            async with conn.transaction():
                await conn.execute(INSERT, 1)
                raise MineError
        assert not conn.is_in_transaction()
        assert entries(monitor) == []
        with pytest.raises(pgallop.DivisionByZeroError):
            async with conn.transaction():
                await conn.execute(INSERT, 1)
                await conn.fetch("SELECT 1/0")
        assert not conn.is_in_transaction()
        assert entries(monitor) == []


async def test_rollback_on_cancellation(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:

        async def work() -> None:
            async with conn.transaction():
                await conn.execute(INSERT, 1)
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await monitor.until(conn.get_server_pid(), ["idle in transaction"])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT 1") == 1
    assert entries(monitor) == []


async def test_by_hand(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        tx = conn.transaction()
        await tx.start()
        await conn.execute(INSERT, 1)
        await tx.commit()
        tx = conn.transaction()
        await tx.start()
        await conn.execute(INSERT, 2)
        await tx.rollback()
        assert entries(monitor) == [1]


async def test_nested(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.execute(INSERT, 1)
            async with conn.transaction():
                await conn.execute(INSERT, 2)
                with pytest.raises(MineError):
                    async with conn.transaction():
                        await conn.execute(INSERT, 3)
                        raise MineError
                await conn.execute(INSERT, 4)
            with pytest.raises(pgallop.DivisionByZeroError):
                async with conn.transaction():
                    await conn.execute(INSERT, 5)
                    await conn.fetch("SELECT 1/0")
            await conn.execute(INSERT, 6)
        assert entries(monitor) == [1, 2, 4, 6]


async def test_outer_rollback_takes_the_inner_along(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as conn:
        with pytest.raises(MineError):
            async with conn.transaction():
                async with conn.transaction():
                    await conn.execute(INSERT, 1)
                raise MineError
        assert entries(monitor) == []


async def test_many_one_after_another(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        async with conn.transaction():
            for i in range(200):
                async with conn.transaction():
                    await conn.execute("INSERT INTO t VALUES ($1)", i)
        for i in range(200):
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES ($1)", i)
        assert await conn.fetchval("SELECT count(*) FROM t") == 400


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, ("read committed", "off", "off")),
        ({"isolation": "read_committed"}, ("read committed", "off", "off")),
        ({"isolation": "read_uncommitted"}, ("read uncommitted", "off", "off")),
        ({"isolation": "repeatable_read"}, ("repeatable read", "off", "off")),
        ({"isolation": "serializable"}, ("serializable", "off", "off")),
        ({"readonly": True}, ("read committed", "on", "off")),
        ({"deferrable": True}, ("read committed", "off", "on")),
        (
            {"isolation": "serializable", "readonly": True, "deferrable": True},
            ("serializable", "on", "on"),
        ),
    ],
)
async def test_modes(
    connect: Connect, options: dict[str, Any], shown: tuple[str, str, str]
) -> None:
    async with connect() as conn:
        async with conn.transaction(**options):
            row = await conn.fetchrow(
                "SELECT current_setting('transaction_isolation'),"
                " current_setting('transaction_read_only'),"
                " current_setting('transaction_deferrable')"
            )
            assert row == shown
        assert await conn.fetchval("SHOW transaction_isolation") == "read committed"


async def test_readonly_refuses_changes(connect: Connect, table: str) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.ReadOnlySQLTransactionError):
            async with conn.transaction(readonly=True):
                await conn.execute(INSERT, 1)


async def test_the_sessions_own_defaults(connect: Connect) -> None:
    settings = {"default_transaction_isolation": "serializable"}
    async with connect(server_settings=settings) as conn, conn.transaction():
        assert await conn.fetchval("SHOW transaction_isolation") == "serializable"


async def test_unknown_isolation(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(ValueError, match="repeatable_read"):
            conn.transaction(isolation="snapshot")
        with pytest.raises(ValueError, match="isolation"):
            conn.transaction(isolation="serializable; DROP TABLE t")


async def test_nested_isolation(connect: Connect) -> None:
    async with connect() as conn, conn.transaction(isolation="serializable"):
        with pytest.raises(pgallop.InterfaceError, match="outermost"):
            async with conn.transaction(isolation="read_committed"):
                pytest.fail("the block must not be entered")
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_serialization_failure_is_safe_to_retry(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as one, connect() as two:
        await one.execute(INSERT, 0)
        first = one.transaction(isolation="serializable")
        second = two.transaction(isolation="serializable")
        await first.start()
        await second.start()
        for conn in (one, two):
            total = await conn.fetchval("SELECT sum(n) FROM entries")
            await conn.execute(INSERT, total + 1)
        await first.commit()
        with pytest.raises(pgallop.SerializationError) as caught:
            await second.commit()
        assert caught.value.safe_to_retry
        assert not two.is_in_transaction()
        assert await two.fetchval("SELECT count(*) FROM entries") == 2


# Commit that is none


async def test_commit_after_a_failure(connect: Connect, monitor: Monitor, table: str) -> None:
    """The server answers such a COMMIT with ROLLBACK and calls it no error."""
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted, match="rolled back"):
            async with conn.transaction():
                await conn.execute(INSERT, 1)
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.fetch("SELECT 1/0")
        assert not conn.is_in_transaction()
        assert entries(monitor) == []
        tx = conn.transaction()
        await tx.start()
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.fetch("SELECT 1/0")
        with pytest.raises(pgallop.TransactionAborted):
            await tx.commit()
        assert tx.is_completed()
        async with conn.transaction():
            await conn.execute(INSERT, 2)
    assert entries(monitor) == [2]


async def test_nested_commit_after_a_failure(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                await conn.execute(INSERT, 1)
                with pytest.raises(pgallop.InFailedSQLTransactionError):
                    async with conn.transaction():
                        with pytest.raises(pgallop.DivisionByZeroError):
                            await conn.fetch("SELECT 1/0")
        assert not conn.is_in_transaction()
        assert entries(monitor) == []


async def test_commit_that_fails(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(pgallop.UniqueViolationError):
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES (1), (1)")
        assert not conn.is_in_transaction()
        async with conn.transaction():
            await conn.execute("INSERT INTO t VALUES (1)")
        assert await conn.fetchval("SELECT count(*) FROM t") == 1


async def test_begin_that_fails() -> None:
    """Its statement fails with it, those behind it are not sent, COMMIT does not pretend."""
    heard: list[str] = []

    async def refuses_once(client: Client) -> None:
        await client.startup()
        client.send(scripts.authentication(scripts.AUTHENTICATION_OK), scripts.ready_for_query("I"))
        while True:
            tag, body = await client.message()
            if tag == "X":
                return
            heard.append(body.rstrip(b"\0").decode())
            if len(heard) == 1:
                client.send(scripts.error_response("25000", "not now"), scripts.ready_for_query())
            else:
                status = "T" if heard[-1].startswith("BEGIN") else "I"
                client.send(scripts.command_complete(heard[-1]), scripts.ready_for_query(status))

    async with FakeServer(refuses_once) as server:
        conn = await pgallop.connect(host=server.host, port=server.port, user="ada", ssl="disable")
        with pytest.raises(pgallop.TransactionAborted) as aborted:
            async with conn.transaction():
                assert conn.is_in_transaction()
                with pytest.raises(pgallop.InvalidTransactionStateError, match="not now") as first:
                    await conn.execute("INSERT INTO t VALUES (1)")
                for call in (conn.execute, conn.fetch):
                    with pytest.raises(pgallop.InFailedSQLTransactionError) as behind:
                        await call("INSERT INTO t VALUES (2)")
                    assert behind.value.__cause__ is first.value
        assert aborted.value.__cause__ is first.value
        assert not conn.is_in_transaction()
        async with conn.transaction():
            await conn.execute("SELECT 1")
        await conn.close()
    assert heard == ["BEGIN; INSERT INTO t VALUES (1)", "BEGIN; SELECT 1", "COMMIT"]


# Misuse


async def test_started_twice(connect: Connect) -> None:
    async with connect() as conn:
        tx = conn.transaction()
        await tx.start()
        with pytest.raises(pgallop.InterfaceError, match="cannot start"):
            await tx.start()
        await tx.rollback()
        for call in (tx.start, tx.commit, tx.rollback):
            with pytest.raises(pgallop.InterfaceError, match="closed"):
                await call()
        with pytest.raises(pgallop.InterfaceError):
            async with tx:
                pytest.fail("the block must not be entered")
        assert await conn.fetchval("SELECT 1") == 1


async def test_ended_without_a_start(connect: Connect) -> None:
    async with connect() as conn:
        tx = conn.transaction()
        for call in (tx.commit, tx.rollback):
            with pytest.raises(pgallop.InterfaceError, match="not started"):
                await call()
        assert not tx.is_completed()
        assert await conn.fetchval("SELECT 1") == 1


async def test_entered_twice(connect: Connect) -> None:
    async with connect() as conn:
        tx = conn.transaction()
        async with tx:
            with pytest.raises(pgallop.InterfaceError, match="twice"):
                async with tx:
                    pytest.fail("the block must not be entered")
            for call in (tx.commit, tx.rollback):
                with pytest.raises(pgallop.InterfaceError, match="async with"):
                    await call()
            assert await conn.fetchval("SELECT 1") == 1
        assert not conn.is_in_transaction()


async def test_ended_in_the_wrong_order(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        outer = conn.transaction()
        await outer.start()
        inner = conn.transaction()
        await inner.start()
        await conn.execute(INSERT, 1)
        with pytest.raises(pgallop.InterfaceError, match=r"test_transactions\.py:\d+"):
            await outer.commit()
        assert not conn.is_in_transaction()
        assert inner.is_completed()
        assert outer.is_completed()
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await inner.commit()
        async with conn.transaction():
            await conn.execute(INSERT, 2)
    assert entries(monitor) == [2]


async def test_manual_begin(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("BEGIN")
        with pytest.raises(pgallop.InterfaceError, match="manually started"):
            async with conn.transaction():
                pytest.fail("the block must not be entered")
        assert conn.is_in_transaction()
        await conn.execute("ROLLBACK")
        async with conn.transaction():
            assert await conn.fetchval("SELECT 1") == 1


async def test_manual_begin_on_its_way(connect: Connect, monitor: Monitor, table: str) -> None:
    """BEGIN sent but not answered is a manual transaction as well: COMMIT must not end it."""
    async with connect() as conn:

        async def block() -> None:
            async with conn.transaction():
                await conn.execute(INSERT, 1)

        results = await asyncio.gather(conn.execute("BEGIN"), block(), return_exceptions=True)
        if isinstance(results[1], pgallop.InterfaceError):
            assert conn.is_in_transaction()
            await conn.execute("ROLLBACK")
            assert entries(monitor) == []
        else:
            assert list(results) == ["BEGIN", None]
            assert entries(monitor) == [1]


async def test_manual_end_inside_a_block(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.execute(INSERT, 1)
            await conn.execute("COMMIT")
        assert not conn.is_in_transaction()
        async with conn.transaction():
            await conn.execute(INSERT, 2)
    assert entries(monitor) == [1, 2]


async def test_two_connections_in_one_task(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as one, connect() as two, one.transaction():
        await one.execute(INSERT, 1)
        await two.execute(INSERT, 2)
        async with two.transaction():
            await two.execute(INSERT, 3)
            await one.execute(INSERT, 4)
        assert entries(monitor) == [2, 3]
    assert entries(monitor) == [1, 2, 3, 4]


async def test_many_unused_transactions_cost_nothing(connect: Connect) -> None:
    """Each would make every later statement a little slower, if it stayed in the context."""
    async with connect() as conn:
        for _ in range(20_000):
            conn.transaction()
        async with conn.transaction(), asyncio.timeout(5):
            for _ in range(500):
                await conn.fetchval("SELECT 1")
