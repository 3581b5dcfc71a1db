"""psqlpy: rust-postgres in threads of its own; its result becomes Python values on demand."""

from importlib.metadata import version

import psqlpy

from bench.drivers.driver import Driver, Fetch, Rows


class Psqlpy(Driver[psqlpy.Connection]):
    def version(self) -> str:
        return version("psqlpy")

    async def connect(self, dsn: str) -> psqlpy.Connection:
        return await psqlpy.connect(dsn=dsn)

    def fetcher(self, connection: psqlpy.Connection) -> Fetch:
        async def fetch(query: str, *args: object) -> Rows:
            # Tuples take it less time than dictionaries.
            return (await connection.fetch(query, args)).result(as_tuple=True)

        return fetch

    async def close(self, connection: psqlpy.Connection) -> None:
        connection.close()


DRIVER = Psqlpy()
