"""A database of 10,000 types: what is asked about them does not depend on how many there are."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from live import Monitor
from long_line import line_to
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

COUNT = 3334

MANY = """
    DO $$ BEGIN FOR i IN {first}..{last} LOOP
        EXECUTE format('CREATE TYPE e%s AS ENUM (''a'', ''b'')', i);
        EXECUTE format('CREATE DOMAIN d%s AS e%s', i, i);
        EXECUTE format('CREATE TYPE c%s AS (x d%s, y e%s[])', i, i, i);
    END LOOP; END $$;
"""

VALUE = ("a", ["b", None])


@pytest.fixture(scope="module")
def database(server: EmbeddedServer, monitor: Monitor) -> Iterator[str]:
    monitor.ask("CREATE DATABASE many")
    with psycopg.connect(server.dsn, dbname="many", autocommit=True) as connection:
        for first in range(1, COUNT + 1, 500):  # each has a lock for every type
            last = min(first + 499, COUNT)
            connection.execute(MANY.format(first=first, last=last).encode())
        connection.execute("ANALYZE pg_type, pg_attribute, pg_depend, pg_range")
    yield "many"
    monitor.ask("DROP DATABASE many")


async def test_one_question_a_statement(server: EmbeddedServer, database: str) -> None:
    async with line_to(server, database) as line, line.pgallop() as conn:
        for i in (1, 77, COUNT):
            query = f"SELECT $1::c{i}, ARRAY[$1], 'a'::d{i}"
            # Described, the catalogue, run.
            assert await line.trips(conn.fetchrow(query, VALUE)) == 3
            assert await line.trips(conn.fetchrow(query, VALUE)) == 1
            assert await conn.fetchrow(query, VALUE) == (VALUE, [VALUE], "a")
        columns = ", ".join(f"NULL::c{i}, 'a'::e{i}" for i in range(100, 600))
        # Run, the catalogue.
        assert await line.trips(conn.fetchrow(f"SELECT {columns}")) == 2
        assert await line.trips(conn.fetchrow(f"SELECT {columns}")) == 1
        assert len(conn._dispatch.types.known) >= 2000


async def test_all_of_them(server: EmbeddedServer, database: str) -> None:
    """None is asked about more than once, and the question is quick."""
    async with (
        DelayProxy(server.host, server.port) as proxy,
        pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", database=database, ssl="disable"
        ) as conn,
    ):
        start = time.perf_counter()
        for first in range(1, COUNT + 1, 1000):
            before = proxy.round_trips
            last = min(first + 999, COUNT)
            columns = ", ".join(f"ROW('a', NULL)::c{i}" for i in range(first, last + 1))
            row = await conn.fetchrow(f"SELECT {columns}")
            assert row is not None
            assert set(row.values()) == {("a", None)}
            assert proxy.round_trips - before == 2
        assert time.perf_counter() - start < 20
        assert len(conn._dispatch.types.known) >= 3 * COUNT
