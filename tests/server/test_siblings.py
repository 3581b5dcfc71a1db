"""Transaction objects that several tasks share a context, or an origin, with."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from live import Connect, Monitor

import pgallop


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask("DROP TABLE IF EXISTS siblings; CREATE TABLE siblings (n int)")


def stored(monitor: Monitor) -> list[int]:
    return [n for (n,) in monitor.ask("SELECT n FROM siblings ORDER BY n")]


async def insert(conn: pgallop.Connection, n: int) -> None:
    await conn.execute(f"INSERT INTO siblings VALUES ({n})")


async def test_each_with_an_object_made_by_their_parent(connect: Connect, monitor: Monitor) -> None:
    """The second one's block is no part of the first one's, which is rolled back."""
    order: list[int] = []

    async def work(tx: pgallop.Transaction, n: int) -> None:
        async with tx:
            order.append(n)
            await insert(conn, n)
            for _ in range(5):
                await asyncio.sleep(0.005)
                order.append(n)
            if n == 1:
                raise LookupError

    async with connect() as conn:
        tasks = [work(conn.transaction(), n) for n in (1, 2, 3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [LookupError, type(None), type(None)]
    assert order == sorted(order)
    assert stored(monitor) == [2, 3]


async def test_made_here_and_entered_there(connect: Connect, monitor: Monitor) -> None:
    """The task that enters it is in it; who made it is not."""
    entered, ends = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with tx:
            await insert(conn, 1)
            await asyncio.create_task(insert(conn, 2))
            entered.set()
            await ends.wait()
            raise LookupError

    async with connect() as conn:
        tx = conn.transaction()
        task = asyncio.create_task(other(), context=contextvars.Context())
        await entered.wait()
        mine = asyncio.create_task(insert(conn, 3))
        await asyncio.sleep(0.02)
        assert not mine.done()
        ends.set()
        with pytest.raises(LookupError):
            await task
        await mine
    assert stored(monitor) == [3]


async def test_entered_in_the_opposite_order(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        inner, outer = conn.transaction(), conn.transaction()
        async with outer:
            await insert(conn, 1)
            with pytest.raises(LookupError):
                async with inner:
                    await insert(conn, 2)
                    raise LookupError
            await insert(conn, 3)
    assert stored(monitor) == [1, 3]


async def test_a_child_made_before_its_parent_began(connect: Connect, monitor: Monitor) -> None:
    """It waits for a transaction that its context knows nothing of."""
    goes_on = asyncio.Event()

    async def child() -> None:
        await goes_on.wait()
        await insert(conn, 2)

    async with connect() as conn:
        tx = conn.transaction()
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        await tx.start()
        await insert(conn, 1)
        goes_on.set()
        await asyncio.sleep(0.02)
        assert not task.done()
        await tx.rollback()
        await task
    assert stored(monitor) == [2]
