"""run_transaction: again where the server has undone it for others, and never when nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from live import Monitor
from pools import new_pool, whole
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

Work = Callable[[pgallop.Connection], Awaitable[Any]]


@pytest.fixture
def accounts(monitor: Monitor) -> str:
    monitor.ask(
        "DROP TABLE IF EXISTS run_accounts; CREATE TABLE run_accounts (id int PRIMARY KEY, n int);"
        "INSERT INTO run_accounts SELECT i, 0 FROM generate_series(1, 3) AS i"
    )
    return "run_accounts"


async def test_it_commits_and_returns(server: EmbeddedServer, accounts: str) -> None:
    async def work(conn: pgallop.Connection) -> str:
        await conn.execute(f"UPDATE {accounts} SET n = 1")
        return str(await conn.fetchval("SHOW transaction_isolation"))

    async with whole(new_pool(server)) as pool:
        assert await pool.run_transaction(work) == "read committed"
        assert await pool.run_transaction(work, isolation="serializable") == "serializable"
        with pytest.raises(pgallop.ReadOnlySQLTransactionError):
            await pool.run_transaction(work, readonly=True)
        with pytest.raises(ValueError, match="isolation"):
            await pool.run_transaction(work, isolation="none")
        assert await pool.fetchval(f"SELECT sum(n) FROM {accounts}") == 3


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_all_of_a_crowd_get_through(
    server: EmbeddedServer, accounts: str, isolation: str
) -> None:
    calls = 0

    async def work(conn: pgallop.Connection) -> None:
        nonlocal calls
        calls += 1
        n = await conn.fetchval(f"SELECT n FROM {accounts} WHERE id = 1")
        await conn.execute(f"UPDATE {accounts} SET n = $1 WHERE id = 1", n + 1)

    async with whole(new_pool(server, max_size=4)) as pool:
        options: dict[str, Any] = {"isolation": isolation, "retries": 100}
        await asyncio.gather(*[pool.run_transaction(work, **options) for _ in range(20)])
        assert await pool.fetchval(f"SELECT n FROM {accounts} WHERE id = 1") == 20
        assert calls > 20


async def test_deadlocks(server: EmbeddedServer, accounts: str) -> None:
    met = asyncio.Barrier(2)

    def work(first: int, second: int) -> Work:
        tries = 0

        async def lock(conn: pgallop.Connection) -> None:
            nonlocal tries
            tries += 1
            await conn.execute(f"UPDATE {accounts} SET n = n + 1 WHERE id = $1", first)
            if tries == 1:
                await met.wait()
            await conn.execute(f"UPDATE {accounts} SET n = n + 1 WHERE id = $1", second)

        return lock

    settings = {"deadlock_timeout": "10ms"}
    async with whole(new_pool(server, server_settings=settings)) as pool:
        await asyncio.gather(
            pool.run_transaction(work(1, 2)), pool.run_transaction(work(2, 1), retries=1)
        )
        assert await pool.fetch(f"SELECT n FROM {accounts} ORDER BY id") == [(2,), (2,), (0,)]


def raising(sqlstate: str, calls: list[int]) -> Work:
    async def work(conn: pgallop.Connection) -> None:
        calls.append(1)
        await conn.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")

    return work


@pytest.mark.parametrize(
    ("sqlstate", "retries", "tries"),
    [("40001", 0, 1), ("40001", 3, 4), ("40P01", 3, 4), ("23505", 3, 1), ("40002", 3, 1)],
)
async def test_how_often(server: EmbeddedServer, sqlstate: str, retries: int, tries: int) -> None:
    calls: list[int] = []
    async with whole(new_pool(server)) as pool:
        with pytest.raises(pgallop.PostgresError) as caught:
            await pool.run_transaction(raising(sqlstate, calls), retries=retries)
        assert caught.value.sqlstate == sqlstate
        assert len(calls) == tries


async def test_who_goes_on_behind_the_error(server: EmbeddedServer) -> None:
    """COMMIT says that it was rolled back, and why: that counts."""
    calls: list[int] = []

    async def work(conn: pgallop.Connection) -> None:
        try:
            await raising("40001", calls)(conn)
        except pgallop.SerializationError:
            if len(calls) == 2:
                raise LookupError("enough") from None

    async with whole(new_pool(server)) as pool:
        with pytest.raises(LookupError, match="enough"):
            await pool.run_transaction(work)
        assert len(calls) == 2


async def test_what_the_function_raises_rolls_back(server: EmbeddedServer, accounts: str) -> None:
    async def work(conn: pgallop.Connection) -> None:
        await conn.execute(f"UPDATE {accounts} SET n = 5")
        raise LookupError("this one")

    async with whole(new_pool(server)) as pool:
        with pytest.raises(LookupError, match="this one"):
            await pool.run_transaction(work)
        assert await pool.fetchval(f"SELECT sum(n) FROM {accounts}") == 0


@pytest.mark.parametrize("is_sent", [True, False])
async def test_the_answer_to_commit_is_lost(
    server: EmbeddedServer, monitor: Monitor, accounts: str, is_sent: bool
) -> None:
    """Stored or not, it is not done again, and the error says that nobody knows."""
    calls: list[int] = []

    async def work(conn: pgallop.Connection) -> None:
        calls.append(1)
        await conn.execute(f"UPDATE {accounts} SET n = n + 1")
        if is_sent:
            proxy.close_after(0)
        else:
            monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
            while not conn.is_closed():
                await asyncio.sleep(0.001)

    async with DelayProxy(server.host, server.port) as proxy:
        pool = pgallop.create_pool(
            host=proxy.host, port=proxy.port, user="postgres", ssl="disable", min_size=0, max_size=1
        )
        async with pool:
            expected: type[Exception] = pgallop.InterfaceError
            if is_sent:
                expected = pgallop.TransactionOutcomeUnknown
            with pytest.raises(expected) as caught:
                await pool.run_transaction(work)
            assert (caught.value.__cause__ is not None) is is_sent
            assert len(calls) == 1
    stored = 3 if is_sent else 0
    assert monitor.ask(f"SELECT sum(n) FROM {accounts}") == [(stored,)]
