"""Line 7: the server restarts at once, again and again, under tasks that go on anew each time."""

from __future__ import annotations

import asyncio
import random
import time

from chaos.figures import Figures, percentile
from chaos.outcomes import is_loss, story

import pgallop
from pgallop.cli.server import EmbeddedServer

RESTARTS = 50  # at scale 1
CONNECTIONS = 4
TASKS_PER_CONNECTION = 10
STUCK_SECONDS = 30.0
PAUSE_SECONDS = 0.01

# While it starts, a server refuses with one of these, or nobody listens at all.
REFUSALS = (pgallop.CannotConnectNowError, pgallop.CannotConnectError)


class Client:
    """A connection that several tasks share, made anew whenever it is lost."""

    def __init__(self, dsn: str, chance: random.Random) -> None:
        self._dsn = dsn
        self._chance = chance
        self._making = asyncio.Lock()
        self.conn: pgallop.Connection | None = None
        self.wrong_class: list[str] = []
        self.losses = 0
        self.refusals = 0
        self.awaited_since = 0.0
        self.served_at: float | None = None  # the first answer to something asked after that
        self.busy_since: dict[int, float] = {}

    async def live(self, number: int) -> None:
        """Run statements for ever; `busy_since` tells since when each is waited for."""
        while True:
            self.busy_since[number] = time.monotonic()
            conn = await self._connected()
            if conn is None:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            try:
                await self._statement(conn)
            except Exception as error:
                self.losses += 1
                if not is_loss(error):
                    self.wrong_class.append(story(error))
            else:
                if self.served_at is None and self.busy_since[number] > self.awaited_since:
                    self.served_at = time.monotonic()

    async def _statement(self, conn: pgallop.Connection) -> None:
        way = self._chance.randrange(4)
        if way == 0:
            await conn.fetch("SELECT n, repeat('x', 100) FROM generate_series(1, 500) AS n")
        elif way == 1:
            await conn.execute("SELECT 1; SELECT pg_sleep(0.005)")
        elif way == 2:
            async with conn.transaction():
                await conn.fetchval("SELECT 1")
        else:
            await conn.fetchval("SELECT $1::int", 1)

    async def close(self) -> None:
        if self.conn is not None:
            await self.conn.close(timeout=10)

    async def _connected(self) -> pgallop.Connection | None:
        async with self._making:
            if self.conn is not None and not self.conn.is_closed():
                return self.conn
            try:
                self.conn = await pgallop.connect(self._dsn, timeout=10)
            except REFUSALS:
                self.refusals += 1
                return None
            except Exception as error:
                self.refusals += 1
                self.wrong_class.append(f"connect: {story(error)}")
                return None
            return self.conn

    def stuck(self) -> list[str]:
        """Those who wait for something that they asked for before."""
        waits = [
            f"task {number} waits for an answer"
            for number, start in self.busy_since.items()
            if start < self.awaited_since
        ]
        return waits if self.served_at else [*waits, "no answer since"]


class PoolClient(Client):
    """The same on a pool, which finds its way back by itself."""

    def __init__(self, dsn: str, chance: random.Random) -> None:
        super().__init__(dsn, chance)
        self._pool = pgallop.create_pool(dsn, min_size=2, max_size=CONNECTIONS)

    async def open(self) -> None:
        await self._pool

    async def close(self) -> None:
        await self._pool.close(timeout=10)

    async def live(self, number: int) -> None:
        while True:
            self.busy_since[number] = time.monotonic()
            try:
                if self._chance.random() < 0.5:
                    await self._pool.fetchval("SELECT $1::int", 1)
                else:
                    async with self._pool.acquire() as conn:
                        await self._statement(conn)
            except REFUSALS:
                self.refusals += 1
            except Exception as error:
                self.losses += 1
                if not is_loss(error):
                    self.wrong_class.append(story(error))
            else:
                if self.served_at is None and self.busy_since[number] > self.awaited_since:
                    self.served_at = time.monotonic()


async def served(clients: list[Client]) -> tuple[list[float], list[str]]:
    """When each client was answered, asking from now on; and who is stuck."""
    now = time.monotonic()
    for client in clients:
        client.awaited_since, client.served_at = now, None
    while True:
        stuck = [text for client in clients for text in client.stuck()]
        if not stuck or time.monotonic() > now + STUCK_SECONDS:
            return [client.served_at - now for client in clients if client.served_at], stuck
        await asyncio.sleep(PAUSE_SECONDS / 4)


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 50 restarts; `success` counts from when the server is ready."""
    figures = Figures(7, "immediate restarts")
    chance = random.Random(seed)
    pool = PoolClient(server.tcp_dsn, chance)
    await pool.open()
    clients = [pool, *[Client(server.tcp_dsn, chance) for _ in range(CONNECTIONS)]]
    outages: list[float] = []
    successes: list[float] = []
    restarts = max(1, round(RESTARTS * scale))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client.live(number))
            for client in clients
            for number in range(TASKS_PER_CONNECTION)
        ]
        _, stuck = await served(clients)
        for _ in range(restarts):
            await asyncio.sleep(chance.random() * 0.1)
            start = time.monotonic()
            await asyncio.to_thread(server.restart, "immediate")
            outages.append(time.monotonic() - start)
            times, waiting = await served(clients)
            successes += times
            stuck += waiting
        for task in tasks:
            task.cancel()
    for client in clients:
        await client.close()
    figures.show("restarts", restarts)
    figures.zero("stuck", stuck)
    figures.zero("wrong_class", [text for client in clients for text in client.wrong_class])
    figures.at_least("losses", sum(client.losses for client in clients), restarts)
    figures.show("refusals", sum(client.refusals for client in clients))
    figures.show("outage_p50_ms", percentile(outages, 50) * 1000)
    figures.show("success_p50_ms", percentile(successes, 50) * 1000)
    figures.show("success_max_ms", percentile(successes, 100) * 1000)
    return figures.finish()
