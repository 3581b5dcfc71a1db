"""psycopg 3: binary results and prepared statements; tasks on one connection queue for its lock."""

from typing import Any

import psycopg
from psycopg.rows import class_row

from bench.drivers.driver import Driver, Fetch, Rows
from bench.work import Visitor
from bench.works import SCHEMA, VISITOR


class Psycopg(Driver["psycopg.AsyncConnection[Any]"]):
    verbs = frozenset({"fetch", "executemany", "copy_in", "copy_out"})

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

    def batcher(self, connection: "psycopg.AsyncConnection[Any]") -> Fetch:
        cursor = connection.cursor(binary=True)

        async def batch(query: Any, rows: list[tuple[object, ...]]) -> Rows:
            await cursor.executemany(query, rows)
            return ()

        return batch

    def copier_in(self, connection: "psycopg.AsyncConnection[Any]") -> Fetch:
        cursor = connection.cursor()

        async def copy_in(table: str, records: list[tuple[object, ...]]) -> Rows:
            query: Any = f"COPY {SCHEMA}.{table} ({', '.join(VISITOR)}) FROM STDIN (FORMAT binary)"
            async with cursor.copy(query) as copy:
                copy.set_types(list(VISITOR.values()))
                for record in records:
                    await copy.write_row(record)
            return ()

        return copy_in

    def copier_out(self, connection: "psycopg.AsyncConnection[Any]") -> Fetch:
        cursor = connection.cursor()

        async def copy_out(query: str) -> Rows:
            size = 0
            copying: Any = f"COPY ({query}) TO STDOUT"
            async with cursor.copy(copying) as copy:
                async for data in copy:
                    size += len(data)
            return [(size,)]

        return copy_out

    async def close(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        await connection.close()


def fetcher_of(cursor: "psycopg.AsyncCursor[Any]") -> Fetch:
    """What runs a query on this cursor again and again."""

    async def fetch(query: Any, *args: object) -> Rows:
        await cursor.execute(query, args, prepare=True)
        return await cursor.fetchall()

    return fetch


DRIVER = Psycopg()
