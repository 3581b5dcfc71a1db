"""asyncpg: one statement at a time on a connection, so tasks that are more share a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bench.drivers.driver import STREAMED_ROWS, Driver, Fetch, Rows
from bench.work import Work
from bench.works import SCHEMA, VISITOR

_POOL_SIZE = 10


class Asyncpg(Driver["asyncpg.Connection[asyncpg.Record]"]):
    verbs = frozenset({"fetch", "stream", "transaction", "executemany", "copy_in", "copy_out"})
    pools = True

    def version(self) -> str:
        return asyncpg.__version__

    async def connect(self, dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(dsn)

    def fetcher(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        return connection.fetch

    def streamer(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        async def stream(query: str, *args: object) -> Rows:
            count = 0
            async with connection.transaction():
                async for _ in connection.cursor(query, *args, prefetch=STREAMED_ROWS):
                    count += 1
            return [(count,)]

        return stream

    def transactor(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        async def transact(query: str, *args: object) -> Rows:
            async with connection.transaction():
                await connection.fetch(query, *args)
                await connection.fetch(query, *args)
                return await connection.fetch(query, *args)

        return transact

    def batcher(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        async def batch(query: str, rows: list[tuple[object, ...]]) -> Rows:
            await connection.executemany(query, rows)
            return ()

        return batch

    def copier_in(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        async def copy_in(table: str, records: list[tuple[object, ...]]) -> Rows:
            await connection.copy_records_to_table(
                table, schema_name=SCHEMA, columns=list(VISITOR), records=records
            )
            return ()

        return copy_in

    def copier_out(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Fetch:
        async def copy_out(query: str) -> Rows:
            size = 0

            async def take(data: bytes) -> None:
                nonlocal size
                size += len(data)

            await connection.copy_from_query(query, output=take)
            return [(size,)]

        return copy_out

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
