"""Transactions of several tasks on one connection: they cannot get into each other."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections import Counter

import pytest
from live import Connect, Monitor

import pgallop
from pgallop import ownership

INSERT = "INSERT INTO entries (who, n) VALUES ($1, $2)"


class MineError(Exception):
    """What the body of a block raises."""


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask("DROP TABLE IF EXISTS entries; CREATE TABLE entries (who int, n int)")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(ownership, "DEFAULT_PATIENCE", 0.15)
    return 0.15


def entries(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM entries ORDER BY n")]


async def test_the_classic(connect: Connect, monitor: Monitor) -> None:
    """A begins and inserts, B inserts, A rolls back: what B inserted is there."""
    begun = asyncio.Event()

    async def a() -> None:
        async with conn.transaction():
            await conn.execute(INSERT, 0, 1)
            begun.set()
            await asyncio.sleep(0.05)
            raise MineError

    async def b() -> None:
        await begun.wait()
        await conn.execute(INSERT, 0, 2)
        assert not conn.is_in_transaction()

    async with connect() as conn:
        results = await asyncio.gather(a(), b(), return_exceptions=True)
        assert isinstance(results[0], MineError)
        assert results[1] is None
    assert entries(monitor) == [2]


@pytest.mark.parametrize("verb", ["fetch", "fetchrow", "fetchval", "execute", "script"])
@pytest.mark.parametrize("prepared", [True, False])
async def test_every_verb_waits(
    connect: Connect, monitor: Monitor, verb: str, prepared: bool
) -> None:
    async def insert() -> None:
        if verb == "script":
            await conn.execute("INSERT INTO entries (n) VALUES (7)")
        else:
            await getattr(conn, verb)("INSERT INTO entries (n) VALUES ($1)", 7)

    async with connect() as conn:
        if prepared:
            await insert()
            monitor.ask("TRUNCATE entries")
        tx = conn.transaction()
        task = asyncio.create_task(insert(), context=_empty_context())
        await tx.start()
        waiting = asyncio.create_task(insert(), context=_empty_context())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await tx.rollback()
        await asyncio.gather(task, waiting)
    assert entries(monitor) == [7, 7]


def _empty_context() -> contextvars.Context:
    return contextvars.Context()


async def test_blocks_of_two_tasks(connect: Connect, monitor: Monitor) -> None:
    inside = 0

    async def block(n: int, good: bool) -> None:
        nonlocal inside
        async with conn.transaction():
            inside += 1
            assert inside == 1
            await conn.execute(INSERT, 0, n)
            await asyncio.sleep(0.001)
            await conn.execute(INSERT, 0, n)
            inside -= 1
            if not good:
                raise MineError

    async with connect() as conn:
        blocks = [block(n, n % 3 > 0) for n in range(30)]
        results = await asyncio.gather(*blocks, return_exceptions=True)
        for n, result in enumerate(results):
            assert (result is None) == (n % 3 > 0), result
    assert entries(monitor) == sorted(2 * [n for n in range(30) if n % 3])


async def test_children_take_part(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        with pytest.raises(MineError):
            async with conn.transaction():
                await asyncio.gather(*[conn.execute(INSERT, 0, n) for n in range(10)])
                async with asyncio.TaskGroup() as group:
                    group.create_task(conn.execute(INSERT, 0, 10))
                    group.create_task(asyncio.wait_for(conn.execute(INSERT, 0, 11), 5))
                assert await conn.fetchval("SELECT count(*) FROM entries") == 12
                raise MineError
    assert entries(monitor) == []


async def test_blocks_of_children_are_savepoints(connect: Connect, monitor: Monitor) -> None:
    async def block(n: int) -> None:
        async with conn.transaction():
            await conn.execute(INSERT, 0, n)
            await asyncio.sleep(0.001)
            if n % 2:
                raise MineError

    async with connect() as conn, conn.transaction():
        results = await asyncio.gather(*[block(n) for n in range(10)], return_exceptions=True)
        assert sum(isinstance(result, MineError) for result in results) == 5
        assert entries(monitor) == []
    assert entries(monitor) == [0, 2, 4, 6, 8]


async def test_a_child_that_outlives_the_block(connect: Connect, monitor: Monitor) -> None:
    goes_on = asyncio.Event()

    async def child() -> None:
        await goes_on.wait()
        await conn.execute(INSERT, 0, 1)
        async with conn.transaction():
            await conn.execute(INSERT, 0, 2)

    async with connect() as conn:
        async with conn.transaction():
            task = asyncio.create_task(child())
        goes_on.set()
        await task
        # And it has no part in the blocks of others.
        goes_on.clear()
        async with conn.transaction():
            task = asyncio.create_task(child(), context=_empty_context())
            goes_on.set()
            await asyncio.sleep(0.05)
            assert not task.done()
        await task
    assert entries(monitor) == [1, 1, 2, 2]


async def test_start_in_a_child(connect: Connect, monitor: Monitor) -> None:
    """asyncio.wait_for makes a task of what it is given, in 3.11."""
    async with connect() as conn:
        tx = conn.transaction()
        await asyncio.wait_for(tx.start(), 5)
        await conn.execute(INSERT, 0, 1)
        await asyncio.create_task(conn.execute(INSERT, 0, 2))
        assert entries(monitor) == []
        await asyncio.wait_for(tx.commit(), 5)
        assert entries(monitor) == [1, 2]
        tx = conn.transaction()
        await asyncio.create_task(tx.start())
        await conn.execute(INSERT, 0, 3)
        await asyncio.create_task(tx.rollback())
        assert entries(monitor) == [1, 2]


async def test_the_wait_is_bounded(connect: Connect, impatient: float) -> None:
    async with connect() as conn:
        task = asyncio.create_task(_hold(conn, 60), name="the-holder")
        await asyncio.sleep(0.05)
        calls = {
            "fetch": conn.fetch("SELECT 1"),
            "execute": conn.execute("SELECT 1"),
            "with arguments": conn.execute("SELECT $1::int", 1),
            "start": conn.transaction().start(),
        }
        for name, call in calls.items():
            start = time.monotonic()
            with pytest.raises(pgallop.InterfaceError) as caught:
                await call
            assert impatient - 0.01 <= time.monotonic() - start < impatient + 0.5, name
            assert "'the-holder'" in str(caught.value)
            assert f"{__file__}:{_hold.__code__.co_firstlineno + 2}" in str(caught.value)
            assert caught.value.safe_to_retry
        task.cancel()
        await asyncio.wait([task])
        assert await conn.fetchval("SELECT 1") == 1


async def _hold(conn: pgallop.Connection, seconds: float) -> None:
    """Keep the connection in a transaction of this task."""
    async with conn.transaction():
        await asyncio.sleep(seconds)


async def test_the_wait_is_part_of_the_command_timeout(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "DEFAULT_PATIENCE", 1.0)
    async with connect(command_timeout=0.15) as conn:
        task = asyncio.create_task(_hold(conn, 60), name="the-holder")
        await asyncio.sleep(0.02)
        for call in (conn.fetch("SELECT 1"), conn.transaction().start()):
            start = time.monotonic()
            with pytest.raises(pgallop.InterfaceError, match=r"waited 0\.15 seconds for .*holder"):
                await call
            assert 0.14 <= time.monotonic() - start < 0.65
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("prepared", [True, False])
async def test_the_wait_is_part_of_the_timeout(connect: Connect, prepared: bool) -> None:
    """And says who had the connection meanwhile, whether the statement was prepared or not."""
    async with connect() as conn:
        if prepared:
            await conn.fetch("SELECT 1")
        task = asyncio.create_task(_hold(conn, 60), name="the-holder")
        await asyncio.sleep(0.05)
        for verb in (conn.fetch, conn.execute):
            start = time.monotonic()
            with pytest.raises((TimeoutError, pgallop.InterfaceError)) as caught:
                await verb("SELECT 1", timeout=0.2)
            assert 0.19 <= time.monotonic() - start < 0.7
            assert "'the-holder'" in str(caught.value)
        task.cancel()
        await asyncio.wait([task])


async def test_the_rest_of_the_timeout_is_for_the_statement(connect: Connect) -> None:
    async with connect() as conn:
        for verb in (conn.fetch, conn.execute):
            task = asyncio.create_task(_hold(conn, 0.2))
            await asyncio.sleep(0.02)
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                await verb("SELECT pg_sleep(10)", timeout=0.3)
            assert 0.28 <= time.monotonic() - start < 0.45
            await task


async def test_cancelled_while_it_waits(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        holder = asyncio.create_task(_hold(conn, 0.2))
        await asyncio.sleep(0.05)
        tasks = [asyncio.create_task(conn.execute(INSERT, 0, n)) for n in range(10)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        await holder
    assert entries(monitor) == [1, 3, 5, 7, 9]


async def test_those_who_wait_come_in_their_order(connect: Connect) -> None:
    order: list[int] = []

    async def block(n: int) -> None:
        async with conn.transaction():
            order.append(n)
            await conn.fetchval("SELECT 1")

    async with connect() as conn:
        await asyncio.gather(*[block(n) for n in range(20)])
    assert order == list(range(20))


async def test_nobody_starves(connect: Connect) -> None:
    """A task that opens one block after another lets others have their turn in between."""
    stop = False
    turns = Counter[str]()

    async def greedy() -> None:
        while not stop:
            async with conn.transaction():
                await conn.fetchval("SELECT 1")
            turns["greedy"] += 1

    async def modest() -> None:
        for _ in range(20):
            await conn.fetchval("SELECT 1")
            turns["modest"] += 1

    async with connect() as conn:
        task = asyncio.create_task(greedy())
        async with asyncio.timeout(10):
            await modest()
        stop = True
        await task
    assert turns["modest"] == 20


async def test_stale_statement_waits_for_its_turn_again(connect: Connect, monitor: Monitor) -> None:
    """A statement that has to be prepared again must not slip into a block begun meanwhile."""
    async with connect() as conn:
        await conn.execute(INSERT, 0, 0)
        monitor.ask("TRUNCATE entries")
        await conn.execute("DEALLOCATE ALL")

        async def block() -> None:
            async with conn.transaction():
                await asyncio.sleep(0.05)
                raise MineError

        results = await asyncio.gather(conn.execute(INSERT, 0, 1), block(), return_exceptions=True)
        assert isinstance(results[1], MineError)
        assert results[0] == "INSERT 0 1"
    assert entries(monitor) == [1]


class Life:
    """A task with its own random mixture of blocks, failures and cancellations.

    `told`: for each number it inserted, whether the task knows it to be stored: True, False, or
    None when it was cancelled at the end of its block and cannot know.
    """

    def __init__(self, conn: pgallop.Connection, who: int, seed: int) -> None:
        self.conn = conn
        self.who = who
        self.chance = random.Random(f"{seed} {who}")
        self.told: dict[int, bool | None] = {}
        self.number = 0
        self.inside = asyncio.Event()

    async def live(self, blocks: int) -> None:
        for _ in range(blocks):
            kind = self.chance.random()
            if kind < 0.3:
                await self.insert_alone()
            elif kind < 0.8:
                await self.run_block()
            else:
                await self.run_block_with_cancellation()
            await self.pause()

    async def pause(self) -> None:
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)

    def next_number(self) -> int:
        self.number += 1
        return self.number

    async def insert_alone(self) -> None:
        n = self.next_number()
        self.told[n] = None
        if self.chance.random() < 0.5:
            await self.conn.execute(INSERT, self.who, n)
        else:
            await self.conn.execute(f"INSERT INTO entries (who, n) VALUES ({self.who}, {n})")
        self.told[n] = True

    async def run_block(self, depth: int = 0) -> None:
        """A block whose numbers are stored if it ends well, and are not if it fails."""
        before = set(self.told)
        try:
            async with self.conn.transaction():
                self.inside.set()
                await self.insert_some(depth)
                if self.chance.random() < 0.3:
                    raise MineError
        except MineError:
            self.tell(before, False)
        except asyncio.CancelledError:
            self.tell(before, None)
            raise
        else:
            self.tell(before, True)

    def tell(self, before: set[int], stored: bool | None) -> None:
        for n in set(self.told) - before:
            if self.told[n] is not False:
                self.told[n] = stored

    async def insert_some(self, depth: int) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            kind = self.chance.random()
            if kind < 0.5:
                n = self.next_number()
                self.told[n] = None
                await self.conn.execute(INSERT, self.who, n)
            elif kind < 0.7 and depth < 3:
                await self.run_block(depth + 1)
            elif kind < 0.8:
                await self.insert_with_children()
            elif kind < 0.9 and depth < 3:
                await self.fail_inside()
            await self.pause()

    async def insert_with_children(self) -> None:
        numbers = [self.next_number() for _ in range(3)]
        self.told |= dict.fromkeys(numbers)
        await asyncio.gather(*[self.conn.execute(INSERT, self.who, n) for n in numbers])

    async def fail_inside(self) -> None:
        n = self.next_number()
        self.told[n] = False
        with pytest.raises(pgallop.DivisionByZeroError):
            async with self.conn.transaction():
                await self.conn.execute(INSERT, self.who, n)
                await self.conn.fetch("SELECT 1 / 0")

    async def run_block_with_cancellation(self) -> None:
        self.inside.clear()
        task = asyncio.create_task(self.run_block())
        if self.chance.random() < 0.7:
            await self.inside.wait()
        for _ in range(self.chance.randrange(30)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@pytest.mark.parametrize("seed", range(4))
async def test_random_interleavings(connect: Connect, monitor: Monitor, seed: int) -> None:
    async with connect(statement_cache_size=seed) as conn:
        lives = [Life(conn, who, seed) for who in range(20)]
        async with asyncio.timeout(50):
            await asyncio.gather(*[life.live(12) for life in lives])
        assert not conn.is_in_transaction()
    rows = monitor.ask("SELECT who, n FROM entries")
    stored = set(rows)
    assert len(rows) == len(stored)
    counts = Counter[bool | None]()
    for life in lives:
        for n, told in life.told.items():
            counts[told] += 1
            if told is not None:
                assert ((life.who, n) in stored) is told, f"task {life.who}, number {n}"
    assert min(counts[True], counts[False], counts[None]) > 5
