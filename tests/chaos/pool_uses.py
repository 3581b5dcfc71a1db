"""Line 3: a pool whose users give up at random: nothing is lost, left or somebody else's."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from chaos.administrator import Administrator
from chaos.figures import Figures
from chaos.outcomes import story

import pgallop
from pgallop.cli.server import EmbeddedServer

USES = 100_000  # at scale 1
TASKS = 60
SIZE = 8
APPLICATION = "chaos_pool"
SETTLING_SECONDS = 10.0

# What a session may not have when somebody gets it.
LEFT = """
    SELECT current_setting('work_mem') || ' ' || current_setting('chaos.owner', true) || ' '
        || coalesce(to_regclass('pg_temp.chaos_left')::text, '') || ' '
        || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
        || ' ' || (pg_current_xact_id_if_assigned() IS NOT NULL) || ' '
        || (SELECT count(*) FROM pg_listening_channels())"""

SESSIONS = "SELECT state, query FROM pg_stat_activity WHERE application_name = %s"


class Crowd:
    """The users of one pool, and what went wrong."""

    def __init__(self, pool: pgallop.Pool, chance: random.Random, uses: int) -> None:
        self._pool = pool
        self._chance = chance
        self._left = uses
        self.clean = ""
        self.dirty: list[str] = []
        self.wrong: list[str] = []
        self.ends: Counter[str] = Counter()

    async def live(self) -> None:
        """Use the pool again and again."""
        while self._left > 0:
            self._left -= 1
            way = self._chance.choice(
                [self._one_shot, self._look, self._spoil, self._transaction, self._manual]
            )
            task = asyncio.create_task(way())
            moment = self._chance.random()
            if moment < 0.4:
                # Most are over in a millisecond or two; some are not even begun.
                await asyncio.sleep(self._chance.choice([0, 0, 0.0005, 0.001, 0.003, 0.01]))
                task.cancel()
            await asyncio.wait([task])
            self._note(task)

    def _note(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.ends["cancelled"] += 1
            return
        error = task.exception()
        self.ends["done" if error is None else type(error).__name__] += 1
        expected = (TimeoutError, pgallop.DivisionByZeroError, LookupError)
        if error is not None and not isinstance(error, expected):
            self.wrong.append(story(error))

    def _timeout(self) -> float | None:
        return self._chance.choice([None, None, 0.0005, 0.002, 0.01])

    async def _one_shot(self) -> None:
        nonce = self._chance.randrange(1 << 31)
        timeout = self._timeout()
        way = self._chance.randrange(5)
        if way == 0:
            await self._pool.execute("BEGIN; SET work_mem = '77kB'", timeout=timeout)
        elif way == 1:
            await self._pool.fetch("SELECT 1 / $1::int", 0, timeout=timeout)
        elif way == 2:
            await self._pool.fetchval("SELECT pg_sleep(0.002)", timeout=timeout)
        elif await self._pool.fetchval("SELECT $1::int", nonce, timeout=timeout) != nonce:
            self.wrong.append("an answer that was somebody else's")

    async def _look(self) -> None:
        async with self._pool.acquire(timeout=self._timeout()) as conn:
            found = await conn.fetchval(LEFT)
            if found != self.clean:
                self.dirty.append(found)

    async def _spoil(self) -> None:
        async with self._pool.acquire(timeout=self._timeout()) as conn:
            way = self._chance.randrange(6)
            if way == 0:
                await conn.execute("SET work_mem = '77kB'; SET chaos.owner = 'me'")
            elif way == 1:
                await conn.execute("CREATE TEMP TABLE chaos_left (n int)")
            elif way == 2:
                await conn.fetch("SELECT pg_advisory_lock($1)", self._chance.randrange(1 << 31))
            elif way == 3:
                await conn.add_listener("chaos_pool", print)
            elif way == 4:
                await conn.execute("BEGIN")
                await conn.fetch("SELECT 1 / 0")
            else:
                raise LookupError("by its user")

    async def _transaction(self) -> None:
        async with self._pool.acquire(timeout=self._timeout()) as conn, conn.transaction():
            await conn.execute("SET LOCAL work_mem = '77kB'")
            await conn.fetchval("SELECT pg_current_xact_id()")
            if self._chance.random() < 0.3:
                raise LookupError("by its user")

    async def _manual(self) -> None:
        conn = await self._pool.acquire()
        try:
            await conn.fetchval("SELECT pg_sleep(0.001)", timeout=self._timeout())
        finally:
            await self._pool.release(conn)


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 100,000 uses; `leaked`: sessions that the pool does not know of."""
    figures = Figures(3, "a pool whose users give up")
    uses = max(TASKS, round(USES * scale))
    settings = {"application_name": APPLICATION, "chaos.owner": "nobody"}
    options: dict[str, Any] = {"min_size": 2, "max_size": SIZE, "server_settings": settings}
    async with Administrator(server.dsn) as administrator:
        async with pgallop.create_pool(server.tcp_dsn, **options) as pool:
            crowd = Crowd(pool, random.Random(seed), uses)
            crowd.clean = await pool.fetchval(LEFT)
            await asyncio.gather(*[crowd.live() for _ in range(TASKS)])
            async with asyncio.timeout(SETTLING_SECONDS):
                while not is_at_rest(pool):
                    await asyncio.sleep(0.01)
            stats = pool.get_stats()
            sessions = await administrator.ask(SESSIONS, APPLICATION)
            figures.show("uses", uses)
            figures.zero("leaked", abs(len(sessions) - stats.size))
            figures.zero("in_transaction", [each for each in sessions if each[0] != "idle"])
            figures.zero("lost_capacity", stats.size - stats.idle)
        figures.zero("dirty", crowd.dirty)
        figures.zero("wrong", crowd.wrong)
        async with asyncio.timeout(SETTLING_SECONDS):
            while await administrator.ask(SESSIONS, APPLICATION):
                await asyncio.sleep(0.01)
    for name, count in sorted(crowd.ends.items()):
        figures.show(name, count)
    figures.at_least("cancelled", crowd.ends["cancelled"], uses // 20)
    figures.show("resets", stats.resets)
    figures.show("wait_p99_ms", stats.wait_percentile(99) * 1000)
    return figures.finish()


def is_at_rest(pool: pgallop.Pool) -> bool:
    """Whether nobody has a connection any more."""
    stats = pool.get_stats()
    return stats.in_use + stats.returning + stats.opening + stats.waiting == 0
