"""psqlpy: rust-postgres in threads of its own; its result becomes Python values on demand."""

from importlib.metadata import version
from typing import Any

import psqlpy

from bench.drivers.driver import Driver, Fetch, Rows


class Psqlpy(Driver[psqlpy.Connection]):
    # Its copy_records_to_table is left out: ten of them at once, on two busy cores, gave no answer
    # for two minutes in two of eight runs (0.13.1).
    verbs = frozenset({"fetch", "executemany"})

    def version(self) -> str:
        return version("psqlpy")

    async def connect(self, dsn: str) -> psqlpy.Connection:
        # By the DSN alone it demands TLS and cannot speak it.
        demanded = psqlpy.SslMode.Require if dsn.endswith("sslmode=require") else None
        return await psqlpy.connect(dsn=dsn, ssl_mode=demanded)

    def fetcher(self, connection: psqlpy.Connection) -> Fetch:
        async def fetch(query: str, *args: object) -> Rows:
            # Tuples take it less time than dictionaries.
            return (await connection.fetch(query, args)).result(as_tuple=True)

        return fetch

    def batcher(self, connection: psqlpy.Connection) -> Fetch:
        # Its stub says lists; tuples are fine.
        async def batch(query: str, rows: Any) -> Rows:
            await connection.execute_many(query, rows)
            return ()

        return batch

    async def close(self, connection: psqlpy.Connection) -> None:
        connection.close()


DRIVER = Psqlpy()
