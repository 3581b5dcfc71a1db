"""psycopg 3: binary results and prepared statements; tasks on one connection queue for its lock."""

from typing import Any

import psycopg
from psycopg.rows import class_row

from bench.drivers.driver import Driver, Fetch, Rows
from bench.works import Visitor


class Psycopg(Driver["psycopg.AsyncConnection[Any]"]):
    def version(self) -> str:
        return f"{psycopg.__version__} ({psycopg.pq.__impl__})"

    async def connect(self, dsn: str) -> "psycopg.AsyncConnection[Any]":
        # AsyncRawCursor takes PostgreSQL's own $1 and so has no query to rewrite.
        return await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, cursor_factory=psycopg.AsyncRawCursor
        )

    def fetcher(self, connection: "psycopg.AsyncConnection[Any]") -> Fetch:
        return fetcher_of(connection.cursor(binary=True))

    def fetcher_into(
        self, connection: "psycopg.AsyncConnection[Any]", kind: type[Visitor]
    ) -> Fetch:
        return fetcher_of(connection.cursor(binary=True, row_factory=class_row(kind)))

    async def close(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        await connection.close()


def fetcher_of(cursor: "psycopg.AsyncCursor[Any]") -> Fetch:
    """What runs a query on this cursor again and again."""

    async def fetch(query: Any, *args: object) -> Rows:
        await cursor.execute(query, args, prepare=True)
        return await cursor.fetchall()

    return fetch


DRIVER = Psycopg()
