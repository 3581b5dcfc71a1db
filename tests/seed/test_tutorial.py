"""Programs of our own for all that a tutorial of an asyncio driver does, on every event loop."""

from __future__ import annotations

import asyncio
import datetime
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from event_loops import LOOPS, LoopFactory, run_watched
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

Run = Callable[[Coroutine[Any, Any, None]], None]

INJECTION = "Mallory', 'x'); DROP TABLE users; --"


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """`asyncio.run`, on one event loop after the other; nothing may be left behind."""
    factory: LoopFactory = request.param
    return lambda program: run_watched(factory, program)


@pytest.fixture
def users_dsn(empty_dsn: str) -> Iterator[str]:
    """A database with a table of two users."""
    with psycopg.connect(empty_dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, email text)")
        owner.execute("INSERT INTO users (name, email) VALUES ('Alice', 'a@x'), ('Bob', NULL)")
        yield empty_dsn
        owner.execute("DROP TABLE users")


# -- a first query ---------------------------------------------------------------------------------


def test_connect_ask_and_close(run: Run, dsn: str) -> None:
    async def program() -> None:
        conn = await pgallop.connect(dsn)
        try:
            version = await conn.fetchval("SELECT version()")
            assert version.startswith("PostgreSQL ")
        finally:
            await conn.close()
        assert conn.is_closed()

    run(program())


def test_four_verbs(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            names = await conn.fetch("SELECT name FROM users ORDER BY id")
            assert [row["name"] for row in names] == ["Alice", "Bob"]
            row = await conn.fetchrow("SELECT id, name FROM users ORDER BY id")
            assert row is not None
            assert tuple(row) == (1, "Alice")
            assert (
                await conn.fetchval("SELECT id, name FROM users ORDER BY id", column=1) == "Alice"
            )
            assert await conn.execute("UPDATE users SET email = 'all@x'") == "UPDATE 2"

            nobody = "SELECT * FROM users WHERE false"
            assert await conn.fetch(nobody) == []
            assert await conn.fetchrow(nobody) is None
            assert await conn.fetchval(nobody) is None

    run(program())


def test_the_block_closes_whatever_happens(run: Run, dsn: str) -> None:
    async def program() -> None:
        with pytest.raises(RuntimeError, match="ours"):
            async with pgallop.connect(dsn) as conn:
                raise RuntimeError("ours")
        assert conn.is_closed()
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await conn.fetchval("SELECT 1")

    run(program())


def test_from_synchronous_code(dsn: str) -> None:
    async def answer() -> object:
        async with pgallop.connect(dsn) as conn:
            return await conn.fetchval("SELECT 42")

    assert asyncio.run(answer()) == 42


# -- rows ------------------------------------------------------------------------------------------


def test_a_table_is_made_filled_and_read(run: Run, empty_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(empty_dsn) as conn:
            create = "CREATE TABLE IF NOT EXISTS books (id serial PRIMARY KEY, title text NOT NULL)"
            assert await conn.execute(create) == "CREATE TABLE"
            assert await conn.execute(create) == "CREATE TABLE"  # with a notice
            await conn.execute("INSERT INTO books (title) VALUES ('Emma'); DELETE FROM books")
            for title in ("Emma", "Persuasion"):
                tag = await conn.execute("INSERT INTO books (title) VALUES ($1)", title)
                assert tag == "INSERT 0 1"
            rows = await conn.fetch("SELECT id, title FROM books ORDER BY id")
            assert [dict(row) for row in rows] == [
                {"id": 2, "title": "Emma"},
                {"id": 3, "title": "Persuasion"},
            ]
            await conn.execute("DROP TABLE books")

    run(program())


def test_columns_by_name_and_by_index(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            (row, _) = await conn.fetch("SELECT id, name, email FROM users ORDER BY id")
        assert row["name"] == row[1] == "Alice"
        assert row[1:] == ("Alice", "a@x")
        assert list(row.keys()) == ["id", "name", "email"]
        assert list(row.values()) == list(row) == [1, "Alice", "a@x"]
        assert dict(row.items()) == {"id": 1, "name": "Alice", "email": "a@x"}
        assert "name" in row
        assert "Alice" not in row
        assert row.get("phone", "none") == "none"
        with pytest.raises(KeyError, match="phone"):
            row["phone"]

    run(program())


# -- parameters ------------------------------------------------------------------------------------


def test_an_injection_is_only_a_name(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            insert = "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id"
            number = await conn.fetchval(insert, INJECTION, None)
            assert await conn.fetchval("SELECT name FROM users WHERE id = $1", number) == INJECTION
            found = await conn.fetch("SELECT id FROM users WHERE name = $1", "' OR '1' = '1")
            assert found == []
            assert await conn.fetchval("SELECT count(*) FROM users") == 3

    run(program())


def test_values_of_many_types_come_back(run: Run, dsn: str) -> None:
    values = {
        "int8": 2**40,
        "text": "Zoë",
        "float8": 0.1,
        "bool": True,
        "numeric": Decimal("1.10"),
        "bytea": b"\0\xff",
        "uuid": uuid.UUID(int=1),
        "date": datetime.date(2024, 2, 29),
        "timestamp": datetime.datetime(2024, 2, 29, 12, 30, 0, 1),
        "timestamptz": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
        "interval": datetime.timedelta(days=1, seconds=2),
        "jsonb": {"tags": ["a", "b"], "stock": None},
        "int4[]": [1, None, 3],
        "text[]": [["a", "b"], ["c", "d"]],
    }

    async def program() -> None:
        async with pgallop.connect(dsn) as conn:
            for name, value in values.items():
                assert await conn.fetchval(f"SELECT $1::{name}", value) == value
                assert await conn.fetchval(f"SELECT $1::{name}", None) is None

    run(program())


# -- many at once ----------------------------------------------------------------------------------


def test_two_queries_gathered_on_one_connection(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            count = conn.fetchval("SELECT count(*) FROM users")
            newest = conn.fetchval("SELECT max(id) FROM users")
            assert list(await asyncio.gather(count, newest)) == [2, 2]

    run(program())


def test_a_thousand_lookups_gathered(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            lookup = "SELECT name FROM users WHERE id = $1"
            lookups = [conn.fetchval(lookup, number % 3) for number in range(1000)]
            names = await asyncio.gather(*lookups)
            assert names == [(None, "Alice", "Bob")[number % 3] for number in range(1000)]

    run(program())


def test_a_failure_among_them_is_the_callers_own(run: Run, users_dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(users_dsn) as conn:
            insert = "INSERT INTO users (id, name) VALUES ($1, 'x')"
            results = await asyncio.gather(
                *[conn.execute(insert, number) for number in (11, 1, 12)], return_exceptions=True
            )
            assert results[::2] == ["INSERT 0 1", "INSERT 0 1"]
            assert isinstance(results[1], pgallop.UniqueViolationError)
            assert await conn.fetchval("SELECT count(*) FROM users WHERE id > 10") == 2

    run(program())


def test_gathered_queries_share_the_round_trip(run: Run, server: EmbeddedServer) -> None:
    """100 ms there and back: two queries one after another would take 200."""

    async def program() -> None:
        proxied = DelayProxy(server.tcp_host, server.port, delay=0.05)
        async with proxied as proxy:
            address = f"{proxy.host}:{proxy.port}"
            async with pgallop.connect(f"postgresql://postgres@{address}/postgres") as conn:
                times = [await timed(conn, proxy) for _ in range(6)]
        assert [trips for trips, _ in times] == [1] * 6
        assert all(seconds >= 0.1 for _, seconds in times)
        assert min(seconds for _, seconds in times) < 0.15

    async def timed(conn: pgallop.Connection, proxy: DelayProxy) -> tuple[int, float]:
        trips, start = proxy.round_trips, time.perf_counter()
        one, two = conn.fetchval("SELECT 1"), conn.fetchval("SELECT 2")
        assert list(await asyncio.gather(one, two)) == [1, 2]
        return proxy.round_trips - trips, time.perf_counter() - start

    run(program())


def test_a_waiting_query_stops_nobody_else(run: Run, dsn: str) -> None:
    async def program() -> None:
        async with pgallop.connect(dsn) as conn:
            query = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.2)"))
            ticks = 0
            while not query.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await query
        assert ticks >= 5

    run(program())


def test_many_connections(run: Run, dsn: str) -> None:
    async def one(number: int) -> object:
        async with pgallop.connect(dsn) as conn:
            return await conn.fetchval("SELECT $1::int4", number)

    async def program() -> None:
        assert await asyncio.gather(*map(one, range(20))) == list(range(20))

    run(program())
