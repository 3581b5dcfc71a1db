"""pgallop: tasks share connections."""

import pgallop
from bench.drivers.driver import Driver, Fetch


class Pgallop(Driver[pgallop.Connection]):
    def version(self) -> str:
        return f"{pgallop.__version__} ({'compiled' if pgallop.__compiled__ else 'interpreted'})"

    async def connect(self, dsn: str) -> pgallop.Connection:
        return await pgallop.connect(dsn)

    def fetcher(self, connection: pgallop.Connection) -> Fetch:
        return connection.fetch

    async def close(self, connection: pgallop.Connection) -> None:
        await connection.close()


DRIVER = Pgallop()
