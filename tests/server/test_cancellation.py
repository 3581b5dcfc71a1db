"""Cancelled tasks: free at once, their statements are stopped, and nobody else is hit."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest
from bounds import measures
from live import Connect, Monitor

import pgallop
from pgallop.transport import cancel

SLEEP = "SELECT pg_sleep(30)"


async def begun(task: asyncio.Task[object], conn: pgallop.Connection, monitor: Monitor) -> None:
    await monitor.until(conn.get_server_pid(), ["active"])
    assert not task.done()


@pytest.mark.parametrize("query", [SLEEP, f"SELECT 1; {SLEEP}"])
async def test_stops_the_statement(connect: Connect, monitor: Monitor, query: str) -> None:
    async with connect() as conn:
        for _ in range(3):
            call = conn.execute(query) if ";" in query else conn.fetch(query)
            task: asyncio.Task[object] = asyncio.create_task(call)
            await begun(task, conn, monitor)
            start = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - start < 1
            await monitor.until(conn.get_server_pid(), ["idle"], seconds=1)
            assert await conn.fetchval("SELECT 1") == 1


async def test_what_follows_at_once_is_not_hit(connect: Connect, monitor: Monitor) -> None:
    """Statements sent while a cancellation is on its way wait for it to be over."""
    async with connect() as conn:
        for n in range(30):
            task = asyncio.create_task(conn.fetch(SLEEP))
            await begun(task, conn, monitor)
            task.cancel()
            await asyncio.sleep(0)
            answers = await asyncio.gather(
                conn.fetchval("SELECT $1::int, pg_sleep(0.001)", n),
                conn.execute("SELECT pg_sleep(0.001)"),
                conn.fetchval("SELECT 'new', $1::int", n),
            )
            assert list(answers) == [n, "SELECT 1", "new"]


async def test_neighbours_keep_their_answers(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        await conn.fetchval("SELECT $1::int", 0)
        before = [asyncio.create_task(conn.fetchval("SELECT $1::int", n)) for n in range(3)]
        slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        behind = [asyncio.create_task(conn.fetchval("SELECT $1::int", n)) for n in range(3, 6)]
        await begun(slow, conn, monitor)
        slow.cancel()
        behind.pop(1).cancel()
        assert await asyncio.gather(*before, *behind) == [0, 1, 2, 3, 5]
        assert slow.cancelled()


async def test_all_of_a_pipeline(connect: Connect, monitor: Monitor) -> None:
    """Each of them would sleep: they have to be stopped one by one."""
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="expects 0"):
            await conn.fetch(SLEEP, 1)
        tasks = [asyncio.create_task(conn.fetch(SLEEP)) for _ in range(10)]
        await begun(tasks[0], conn, monitor)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        async with asyncio.timeout(5):
            assert await conn.fetchval("SELECT 1") == 1


async def test_before_it_is_sent(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        for _ in range(20):
            tasks = [asyncio.create_task(conn.fetch(SLEEP)) for _ in range(3)]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert await conn.fetchval("SELECT 1") == 1
        assert monitor.state(conn.get_server_pid()) == "idle"


async def test_the_servers_own_cancellation_is_the_callers(
    connect: Connect, monitor: Monitor
) -> None:
    async with connect(server_settings={"statement_timeout": "50"}) as conn:
        with pytest.raises(pgallop.QueryCanceledError, match="statement timeout"):
            await conn.fetch(SLEEP)
    async with connect() as conn:
        task = asyncio.create_task(conn.fetch(SLEEP))
        await begun(task, conn, monitor)
        monitor.ask("SELECT pg_cancel_backend(%s)", conn.get_server_pid())
        with pytest.raises(pgallop.QueryCanceledError, match="user request"):
            await task
        assert await conn.fetchval("SELECT 1") == 1


async def test_no_way_to_cancel(
    connect: Connect, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel connection that fails is no reason to give up the session: the statement may end."""

    async def refused(*args: object) -> None:
        raise ConnectionRefusedError("no more connections")

    monkeypatch.setattr(cancel, "connect_socket", refused)
    async with connect(drain_timeout=5) as conn:
        task = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        await begun(task, conn, monitor)
        task.cancel()
        await asyncio.sleep(0)
        assert await conn.fetchval("SELECT 1") == 1
    async with connect(drain_timeout=0.2) as conn:
        task = asyncio.create_task(conn.execute(SLEEP))
        await begun(task, conn, monitor)
        task.cancel()
        await asyncio.sleep(0)
        with pytest.raises(pgallop.ConnectionDoesNotExistError, match=r"0\.2 seconds"):
            await conn.fetchval("SELECT 1")
        assert conn.is_closed()
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())


async def test_in_a_transaction(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")

        async def work() -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES (1)")
                await conn.execute(SLEEP)

        task = asyncio.create_task(work())
        async with asyncio.timeout(5):
            while (await asyncio.to_thread(monitor.queries, {conn.get_server_pid()}))[0][
                2
            ] != SLEEP:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT count(*) FROM t") == 0


async def test_task_group(connect: Connect) -> None:
    """One fails, the others are cancelled, and the connection is none the worse."""
    async with connect() as conn:
        for _ in range(3):
            start = time.monotonic()
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    group.create_task(conn.fetch("SELECT 1/0"))
                    for _ in range(5):
                        group.create_task(conn.fetch(SLEEP))
            assert caught.group_contains(pgallop.DivisionByZeroError)
            assert await conn.fetchval("SELECT 1") == 1
            assert time.monotonic() - start < 3


class Crowd:
    """Many tasks on one connection, many of which are cancelled at some moment or other."""

    def __init__(self, conn: pgallop.Connection, seed: int) -> None:
        self.conn = conn
        self.chance = random.Random(seed)
        self.outcomes = Counter[str]()
        self.nonce = 0

    async def statement(self) -> None:
        self.nonce += 1
        nonce = self.nonce
        kind = self.chance.randrange(5)
        if kind == 0:
            assert await self.conn.fetchval("SELECT $1::int", nonce) == nonce
        elif kind == 1:
            row = await self.conn.fetchrow("SELECT $1::int, pg_sleep(0.002)", nonce)
            assert row is not None
            assert row[0] == nonce
        elif kind == 2:
            rows = await self.conn.fetch("SELECT $1::int + generate_series(0, 200)", nonce)
            assert [row[0] for row in rows] == list(range(nonce, nonce + 201))
        elif kind == 3:
            assert await self.conn.execute(f"SELECT {nonce}; SELECT {nonce}") == "SELECT 1"
        else:
            assert await self.conn.fetchval(f"SELECT {nonce % 200}, $1::int", 1) == nonce % 200

    async def one(self) -> None:
        task = asyncio.create_task(self.statement())
        if self.chance.random() < 0.6:
            for _ in range(self.chance.randrange(20)):
                await asyncio.sleep(0)
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.random() * 0.005)
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            self.outcomes["cancelled"] += 1
        else:
            # QueryCanceledError would be raised here, and so would a neighbour's answer.
            task.result()
            self.outcomes["answered"] += 1

    async def live(self, statements: int) -> None:
        for _ in range(statements):
            await self.one()


@pytest.mark.parametrize("tasks", [1, 3, 50])
async def test_nobody_else_is_hit(connect: Connect, tasks: int) -> None:
    """misdelivered=0, misdirected=0, reconnects=0"""
    async with connect(statement_cache_size=50) as conn:
        crowd = Crowd(conn, tasks)
        async with asyncio.timeout(40):
            await asyncio.gather(*[crowd.live(600 // tasks) for _ in range(tasks)])
        assert not conn.is_closed()
        assert await conn.fetchval("SELECT 1") == 1
    assert min(crowd.outcomes["cancelled"], crowd.outcomes["answered"]) > 100, crowd.outcomes


@measures
async def test_nobody_else_is_hit_in_a_long_crowd(connect: Connect) -> None:
    async with connect() as conn:
        crowd = Crowd(conn, 7)
        async with asyncio.timeout(50):
            await asyncio.gather(*[crowd.live(80) for _ in range(50)])
        assert not conn.is_closed()
    assert crowd.outcomes["cancelled"] > 1500, crowd.outcomes
