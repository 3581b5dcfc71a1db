"""Many tasks that wait for one connection: each is woken when it is its turn, and not before."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from live import Connect

import pgallop
from pgallop import ownership


class Looks:
    """How often somebody who waits has looked whether it is their turn."""

    count = 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    looks = Looks()
    has_turn = ownership.Ownership._has_turn

    def counted(self: ownership.Ownership, block: ownership.Block | None) -> bool:
        looks.count += 1
        return has_turn(self, block)

    monkeypatch.setattr(ownership.Ownership, "_has_turn", counted)
    return looks


async def blocks(conn: pgallop.Connection, count: int) -> None:
    """Let so many tasks have a block of their own, in order."""
    order: list[int] = []

    async def block(n: int) -> None:
        async with conn.transaction():
            order.append(n)
            await asyncio.sleep(0)

    await asyncio.gather(*[block(n) for n in range(count)])
    assert order == list(range(count))


async def test_the_work_grows_with_their_number(connect: Connect, looks: Looks) -> None:
    """And not with its square: each looks a few times whether it is its turn."""
    async with connect() as conn:
        for count in (1000, 4000):
            looks.count = 0
            await blocks(conn, count)
            assert looks.count <= count * 6


async def test_statements_behind_a_block(connect: Connect, looks: Looks) -> None:
    """They wait together, and go on together."""
    async with connect() as conn:
        await conn.fetch("SELECT 1")
        async with conn.transaction():
            calls = [
                asyncio.create_task(conn.fetchval("SELECT 1"), context=contextvars.Context())
                for _ in range(500)
            ]
            await asyncio.sleep(0)
        assert await asyncio.gather(*calls) == [1] * 500
        assert looks.count <= 500 * 4


async def test_a_block_that_is_cancelled_while_it_waits(connect: Connect) -> None:
    """The next one's turn comes all the same."""
    async with connect() as conn:
        ends = asyncio.Event()

        async def block(number: int) -> int:
            async with conn.transaction():
                await ends.wait()
                return number

        tasks = [asyncio.create_task(block(n)) for n in range(6)]
        await asyncio.sleep(0)
        for n in (1, 2, 4):
            tasks[n].cancel()
        ends.set()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [r for r in results if isinstance(r, int)] == [0, 3, 5]


async def test_one_that_gives_up_when_it_is_woken(connect: Connect) -> None:
    """Cancelled in the very turn of the loop in which its own turn came."""
    async with connect() as conn:
        tx = conn.transaction()
        await tx.start()
        woken = asyncio.create_task(conn.transaction().start(), context=contextvars.Context())
        behind = asyncio.create_task(conn.fetchval("SELECT 7"), context=contextvars.Context())
        await asyncio.sleep(0)
        await tx.commit()
        woken.cancel()
        assert await asyncio.wait_for(behind, 5) == 7
        assert not conn.is_in_transaction()
