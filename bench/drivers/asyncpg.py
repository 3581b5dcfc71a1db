"""asyncpg: one statement at a time on a connection, so tasks that are more share a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bench.drivers.driver import Driver, Fetch
from bench.works import Work

_POOL_SIZE = 10


class Asyncpg(Driver["asyncpg.Connection[asyncpg.Record]"]):
    pools = True

    def version(self) -> str:
        return asyncpg.__version__

    async def connect(self, dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(dsn)

    def fetcher(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        return connection.fetch

    async def close(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.close()

    def setting(self, work: Work) -> str:
        return f"pool of {_POOL_SIZE}" if work.shares_connections else super().setting(work)

    @asynccontextmanager
    async def lanes(self, dsn: str, work: Work) -> AsyncIterator[list[Fetch]]:
        if work.pools or not work.shares_connections:
            async with super().lanes(dsn, work) as lanes:
                yield lanes
            return
        async with self.pool(dsn, _POOL_SIZE) as fetch:
            yield [fetch] * work.tasks

    @asynccontextmanager
    async def pool(self, dsn: str, size: int) -> AsyncIterator[Fetch]:
        async with asyncpg.create_pool(dsn, min_size=size, max_size=size) as pool:
            yield pool.fetch


DRIVER = Asyncpg()
