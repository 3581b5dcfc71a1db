"""pgallop: tasks share connections, or have one each of a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import pgallop
from bench.drivers.driver import Driver, Fetch
from bench.works import Visitor


class Pgallop(Driver[pgallop.Connection]):
    """Connections know what their `knowledge` knows; without one each learns for itself."""

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

    async def close(self, connection: pgallop.Connection) -> None:
        await connection.close()

    @asynccontextmanager
    async def pool(self, dsn: str, size: int) -> AsyncIterator[Fetch]:
        async with pgallop.create_pool(dsn, min_size=size, max_size=size) as pool:
            yield pool.fetch


DRIVER = Pgallop()
