"""A program that uses pgallop as its users do, and says of what type everything is.

mypy and pyright check it, both strictly (`make types`), and `server/test_typed_program.py` runs it.
"""

# pyright: strict

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict, assert_type

import pgallop
from pgallop import (
    Connection,
    LoggedQuery,
    Notification,
    Pool,
    PoolConnectionProxy,
    PreparedStatement,
    Record,
    Transaction,
)
from pgallop.copy_rows import CopiedRows
from pgallop.cursor import Cursor
from pgallop.stream import RowStream, StreamIterator
from pgallop.types import Attribute, ServerVersion, Type


@dataclass
class City:
    name: str
    people: int | None = None


class Pair(NamedTuple):
    name: str
    people: int | None


class Named(TypedDict):
    name: str
    people: int | None


class Counting(Connection):
    """A connection of the program's own."""

    async def count(self) -> int:
        counted: int = await self.fetchval("SELECT count(*) FROM pg_catalog.pg_class")
        return counted


class Row(Record):
    @property
    def shouted(self) -> str:
        return str(self["name"]).upper()


def shout(name: str, **others: Any) -> str:
    return name.upper()


QUERY = "SELECT name, people FROM typed_cities ORDER BY name"
OF_ONE = "SELECT name, people FROM typed_cities WHERE name = $1"
INSERT = "INSERT INTO typed_cities VALUES ($1, $2)"
CITIES = [("Oslo", 700_000), ("Rome", None)]


async def queries(conn: Connection) -> None:
    """What a connection runs as a whole."""
    assert_type(
        await conn.execute("CREATE TEMPORARY TABLE typed_cities (name text, people int)"), str
    )
    assert_type(await conn.executemany(INSERT, CITIES), None)
    rows = assert_type(await conn.fetch(QUERY), list[Record])
    assert_type(rows[0]["name"], Any)
    assert_type(rows[0].get("name", 1), Any)
    assert_type(dict(rows[0].items()), dict[str, Any])
    assert_type(await conn.fetch(QUERY, timeout=5), list[Record])
    assert_type(await conn.fetch(QUERY, into=City), list[City])
    assert_type(await conn.fetch(QUERY, into=Pair), list[Pair])
    assert_type(await conn.fetch(QUERY, into=Named), list[Named])
    assert_type(await conn.fetch(QUERY, into=shout), list[str])
    assert_type(await conn.fetch(QUERY, into=dict[str, Any]), list[dict[str, Any]])
    row = assert_type(await conn.fetchrow(QUERY), Record | None)
    assert row is not None
    assert_type(list(row), list[Any])
    city = assert_type(await conn.fetchrow(OF_ONE, "Oslo", into=City), City | None)
    assert city == City("Oslo", 700_000)
    assert_type(await conn.fetchval(OF_ONE, "Oslo"), Any)
    assert_type(await conn.fetchval(OF_ONE, "Oslo", column="people"), Any)
    names = [(name,) for name, _ in CITIES]
    assert_type(await conn.fetchmany(OF_ONE, names), list[Record])
    assert_type(await conn.fetchmany(OF_ONE, names, into=City), list[City])


async def records(conn: Connection) -> None:
    """Rows of a class of one's own."""
    found = assert_type(await conn.fetch(QUERY, record_class=Row), list[Row])
    assert_type(found[0].shouted, str)
    assert_type(await conn.fetchrow(QUERY, record_class=Row), Row | None)
    statement = await conn.prepare(QUERY)
    assert_type(await statement.fetch(), list[Record])
    async with conn.transaction():
        async for row in conn.cursor(QUERY, record_class=Row):
            assert_type(row, Row)


async def copied(conn: Connection) -> None:
    """COPY, in both directions."""
    output = io.BytesIO()
    assert_type(await conn.copy_from_query(QUERY, output=output, format="csv"), str)
    assert_type(await conn.copy_from_table("typed_cities", output=output), str)
    assert_type(await conn.copy_records_to_table("typed_cities", records=CITIES[:0]), str)
    empty = io.BytesIO()
    assert_type(await conn.copy_to_table("typed_cities", source=empty), str)
    rows = assert_type(conn.copy_rows_from_query(QUERY, into=City), CopiedRows[City])
    async for city in rows:
        assert_type(city, City)
    async for record in conn.copy_rows_from_query(QUERY):
        assert_type(record, Record)


async def heard(conn: Connection) -> None:
    """Notifications, and who watches."""
    async with conn.notifications("typed") as notifications:
        await conn.execute("NOTIFY typed, 'hello'")
        notification = assert_type(await anext(aiter(notifications)), Notification)
        assert_type(notification.payload, str)
    logged: list[LoggedQuery] = []
    with conn.query_logger(logged.append):
        await conn.fetch("SELECT 1")
    assert_type([each.query for each in logged], list[str])


async def one_by_one(conn: Connection) -> None:
    """Cursors and streams."""
    async with conn.transaction():
        async for record in conn.cursor(QUERY):
            assert_type(record, Record)
        async for city in conn.cursor(QUERY, prefetch=10, into=City):
            assert_type(city, City)
        cursor = assert_type(await conn.cursor(QUERY), Cursor[Record])
        assert_type(await cursor.fetchrow(), Record | None)
        assert_type(await cursor.fetch(1), list[Record])
        assert_type(await cursor.forward(1), int)
        typed = assert_type(await conn.cursor(QUERY, into=City), Cursor[City])
        assert_type(await typed.fetchrow(), City | None)
    stream = assert_type(conn.stream(QUERY, into=City), RowStream[City])
    async with stream as cities:
        assert_type(cities, StreamIterator[City])
        async for city in cities:
            assert_type(city, City)
    async for record in conn.stream(QUERY):
        assert_type(record, Record)


async def prepared(conn: Connection) -> None:
    """A statement that is kept."""
    statement = assert_type(await conn.prepare(OF_ONE), PreparedStatement)
    assert_type(statement.get_parameters(), tuple[Type, ...])
    assert_type(statement.get_attributes(), tuple[Attribute, ...])
    assert_type(statement.get_statusmsg(), str | None)
    assert_type(await statement.fetch("Oslo"), list[Record])
    assert_type(await statement.fetch("Oslo", into=City), list[City])
    assert_type(await statement.fetchrow("Oslo"), Record | None)
    assert_type(await statement.fetchrow("Oslo", into=Pair), Pair | None)
    assert_type(await statement.fetchval("Oslo"), Any)
    assert_type(await statement.fetchmany([("Oslo",)]), list[Record])
    assert_type(await statement.fetchmany([("Oslo",)], into=City), list[City])
    async for city in statement.stream("Oslo", into=City):
        assert_type(city, City)


async def together(conn: Connection) -> None:
    """Transactions and pipelines."""
    async with conn.transaction(isolation="serializable", readonly=True) as transaction:
        assert_type(transaction, Transaction)
        assert_type(transaction.is_completed(), bool)
    async with conn.pipeline() as pipeline:
        rows = pipeline.fetch(QUERY)
        row = pipeline.fetchrow(QUERY)
        value = pipeline.fetchval("SELECT 1")
        tag = pipeline.execute("SELECT 1")
    assert_type(rows.result(), list[Record])
    assert_type(row.result(), Record | None)
    assert_type(value.result(), Any)
    assert_type(tag.result(), str)


async def facts(conn: Connection) -> None:
    """What a connection tells, and what goes wrong."""
    assert_type(conn.is_closed(), bool)
    assert_type(conn.get_server_pid(), int)
    assert_type(conn.get_server_version(), ServerVersion)
    assert_type(conn.get_server_version() >= (10, 0), bool)
    assert_type(conn.get_settings()["server_version"], str)
    assert_type(pgallop.Range(1, 2).lower, int | None)
    try:
        await conn.fetch("SELECT 1/0")
    except pgallop.DivisionByZeroError as error:
        assert_type(error.message, str | None)
    try:
        await conn.fetch("SELECT $1::int")
    except pgallop.InterfaceError as error:
        assert_type(error.sqlstate, str | None)


async def pools(dsn: str) -> None:
    """A pool, and what it gives."""
    async with pgallop.create_pool(dsn, min_size=1, max_size=2) as pool:
        assert_type(pool, Pool)
        assert_type(await pool.fetch("SELECT 1 AS n"), list[Record])
        assert_type(await pool.fetch("SELECT 'a' AS name", into=City), list[City])
        assert_type(await pool.fetchrow("SELECT 1 AS n"), Record | None)
        assert_type(await pool.fetchrow("SELECT 'a' AS name", into=City), City | None)
        assert_type(await pool.fetchval("SELECT 1"), Any)
        assert_type(await pool.execute("SELECT 1"), str)
        async with pool.acquire() as conn:
            assert_type(conn, PoolConnectionProxy)
            assert_type(await conn.fetch("SELECT 'a' AS name", into=City), list[City])
        taken = assert_type(await pool.acquire(timeout=5), PoolConnectionProxy)
        await pool.release(taken)

        async def names(conn: Connection) -> Sequence[str]:
            return [row["name"] for row in await conn.fetch("SELECT 'a' AS name")]

        assert_type(await pool.run_transaction(names), Sequence[str])
        assert_type(pool.get_stats().size, int)


async def generator(conn: Connection) -> AsyncIterator[City]:
    """What a stream gives, as a program of one's own would pass it on."""
    async with conn.stream(QUERY, into=City) as cities:
        async for city in cities:
            yield city


async def main(dsn: str) -> None:
    """All of it."""
    async with pgallop.connect(dsn) as conn:
        assert_type(conn, Connection)
        await queries(conn)
        await records(conn)
        await copied(conn)
        await heard(conn)
        await one_by_one(conn)
        await prepared(conn)
        await together(conn)
        await facts(conn)
        assert [city.name async for city in generator(conn)] == ["Oslo", "Rome"]
    plain = assert_type(await pgallop.connect(dsn, timeout=10), Connection)
    await plain.close()
    async with pgallop.connect(dsn, connection_class=Counting) as mine:
        assert_type(mine, Counting)
        assert await mine.count() > 0
    await pools(dsn)
