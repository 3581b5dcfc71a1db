"""pgpool-II: a session for each client, and its own ideas of when to answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Literal

import pytest
from poolers.pgpool import Pgpool

import pgallop
from pgallop.cli.server import EmbeddedServer

pytestmark = pytest.mark.pooler("pgpool")


@pytest.fixture(scope="module")
def pgpool(server: EmbeddedServer) -> Iterator[Pgpool]:
    with Pgpool(server, {"num_init_children": 2}) as pgpool:
        yield pgpool


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_statements_of_tasks(pgpool: Pgpool, mode: Literal["named", "unnamed"]) -> None:
    async with pgallop.connect(pgpool.dsn, statement_mode=mode) as conn:

        async def work(number: int) -> None:
            for n in range(number, number + 20):
                row = await conn.fetchrow(f"SELECT $1::int + {n % 3}, $2::text", n, f"text {n}")
                assert row == (n + n % 3, f"text {n}")

        await asyncio.gather(*[work(100 * task) for task in range(20)])
        async with conn.transaction():
            await asyncio.gather(*[work(100 * task) for task in range(5)])


async def test_clients_in_turn(pgpool: Pgpool) -> None:
    """None finds what another one has left, and the process ids are the server's."""
    for n in range(6):
        async with pgallop.connect(pgpool.dsn) as conn:
            assert await conn.fetchval("SELECT $1::int", n) == n
            await conn.execute("CREATE TEMP TABLE t (n int)")
            assert await conn.fetchval("SELECT pg_backend_pid()") == conn.get_server_pid()


async def test_a_timeout_cancels(pgpool: Pgpool) -> None:
    """pgpool-II closes the cancel connection after a second, which is waited for."""
    async with pgallop.connect(pgpool.dsn) as conn:
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.fetchval("SELECT pg_sleep(30)", timeout=0.1)
        assert await conn.fetchval("SELECT $1::int", 1) == 1
        assert time.monotonic() - start < 5


async def test_its_own_commands(pgpool: Pgpool) -> None:
    """They are commands to who sends them in the simple protocol, else unknown to PostgreSQL."""
    async with pgallop.connect(pgpool.dsn, statement_mode="simple") as conn:
        nodes = await conn.fetch("SHOW POOL_NODES")
        assert [(node["node_id"], node["role"]) for node in nodes] == [("0", "primary")]
        assert (await conn.fetchval("SHOW POOL_VERSION")).startswith("4.")
        assert await conn.fetchval("SELECT 1 + 1") == 2
    async with pgallop.connect(pgpool.dsn) as conn:
        with pytest.raises(pgallop.UndefinedObjectError):
            await conn.fetch("SHOW POOL_NODES")


async def test_a_restart_loses_connections(pgpool: Pgpool) -> None:
    async with pgallop.connect(pgpool.dsn) as busy, pgallop.connect(pgpool.dsn) as idle:
        waiting = asyncio.create_task(busy.fetchval("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(pgpool.restart)
        with pytest.raises(pgallop.PostgresConnectionError):
            await asyncio.wait_for(waiting, 10)
        assert busy.is_closed()
        assert idle.is_closed()
    async with pgallop.connect(pgpool.dsn) as conn:
        assert await conn.fetchval("SELECT $1::int", 1) == 1
