"""pgallop: tasks share connections."""

from functools import partial
from typing import Self

import pgallop
from bench.drivers.driver import Driver, Fetch
from bench.works import Visitor


class Pgallop(Driver[pgallop.Connection]):
    """Connections know what their `knowledge` knows; without one each learns for itself."""

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


DRIVER = Pgallop()
