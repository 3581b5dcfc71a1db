"""pgallop: tasks share connections, or have one each of a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import pgallop
from bench.drivers.driver import STREAMED_ROWS, Driver, Fetch, Rows
from bench.work import Visitor
from bench.works import SCHEMA, VISITOR


class Pgallop(Driver[pgallop.Connection]):
    """Connections know what their `knowledge` knows; without one each learns for itself."""

    verbs = frozenset({"fetch", "stream", "transaction", "executemany", "copy_in", "copy_out"})
    pools = True

    def __init__(self, knowledge: pgallop.Knowledge | None = None) -> None:
        self._knowledge = knowledge

    def version(self) -> str:
        return f"{pgallop.__version__} ({'compiled' if pgallop.__compiled__ else 'interpreted'})"

    async def connect(self, dsn: str) -> pgallop.Connection:
        return await pgallop.connect(dsn, knowledge=self._knowledge)

    def group(self) -> Self:
        return type(self)(pgallop.Knowledge())

    def fetcher(self, connection: pgallop.Connection) -> Fetch:
        return connection.fetch

    def fetcher_into(self, connection: pgallop.Connection, kind: type[Visitor]) -> Fetch:
        return partial(connection.fetch, into=kind)

    def streamer(self, connection: pgallop.Connection) -> Fetch:
        async def stream(query: str, *args: object) -> Rows:
            count = 0
            async with connection.stream(query, *args, prefetch=STREAMED_ROWS) as rows:
                async for _ in rows:
                    count += 1
            return [(count,)]

        return stream

    def transactor(self, connection: pgallop.Connection) -> Fetch:
        async def transact(query: str, *args: object) -> Rows:
            async with connection.transaction():
                await connection.fetch(query, *args)
                await connection.fetch(query, *args)
                return await connection.fetch(query, *args)

        return transact

    def batcher(self, connection: pgallop.Connection) -> Fetch:
        async def batch(query: str, rows: list[tuple[object, ...]]) -> Rows:
            await connection.executemany(query, rows)
            return ()

        return batch

    def copier_in(self, connection: pgallop.Connection) -> Fetch:
        async def copy_in(table: str, records: list[tuple[object, ...]]) -> Rows:
            await connection.copy_records_to_table(
                table, schema_name=SCHEMA, columns=list(VISITOR), records=records
            )
            return ()

        return copy_in

    def copier_out(self, connection: pgallop.Connection) -> Fetch:
        async def copy_out(query: str) -> Rows:
            size = 0

            async def take(data: bytes) -> None:
                nonlocal size
                size += len(data)

            await connection.copy_from_query(query, output=take)
            return [(size,)]

        return copy_out

    async def close(self, connection: pgallop.Connection) -> None:
        await connection.close()

    @asynccontextmanager
    async def pool(self, dsn: str, size: int) -> AsyncIterator[Fetch]:
        async with pgallop.create_pool(dsn, min_size=size, max_size=size) as pool:
            yield pool.fetch


DRIVER = Pgallop()
