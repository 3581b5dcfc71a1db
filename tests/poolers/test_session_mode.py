"""PgBouncer in session mode: everything works that works without it, for one client at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from poolers.pgbouncer import PgBouncer

import pgallop
from pgallop.cli.server import EmbeddedServer

pytestmark = pytest.mark.pooler("session")


@pytest.fixture(scope="module")
def single(server: EmbeddedServer) -> Iterator[PgBouncer]:
    """A PgBouncer with one session for all of its clients."""
    with PgBouncer(server, "session", {"default_pool_size": 1}) as pgbouncer:
        yield pgbouncer


async def test_clients_in_turn(single: PgBouncer) -> None:
    """The session is another client's next, who finds nothing of the first."""
    backends = set()
    for n in range(4):
        async with pgallop.connect(single.dsn) as conn:
            await conn.execute("CREATE TEMP TABLE t AS SELECT 1 AS n; SET search_path = nowhere")
            for text in ("SELECT $1::int", "SELECT $1::text"):  # named alike by each of them
                argument = n if "int" in text else str(n)
                assert await conn.fetchval(text, argument) == argument
            query = "SELECT count(*) FROM pg_prepared_statements WHERE name !~ '^PGBOUNCER'"
            assert await conn.fetchval(query) == 3
            backends.add(await conn.fetchval("SELECT pg_backend_pid()"))
    assert len(backends) == 1


async def test_a_client_waits_for_the_session(single: PgBouncer) -> None:
    async with pgallop.connect(single.dsn) as first:
        await first.fetchval("SELECT 1")
        async with pgallop.connect(single.dsn) as second:
            waiting = asyncio.create_task(second.fetchval("SELECT $1::int", 2))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            await first.close()
            assert await waiting == 2


async def test_listening(single: PgBouncer) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with pgallop.connect(single.dsn) as conn:
        await conn.add_listener(
            "jobs", lambda conn, pid, channel, payload: heard.put_nowait(payload)
        )
        await conn.execute("NOTIFY jobs, 'one'")
        assert await asyncio.wait_for(heard.get(), 5) == "one"


async def test_a_client_that_goes_in_a_transaction(single: PgBouncer) -> None:
    """Its session is not the next one's."""
    conn = await pgallop.connect(single.dsn)
    await conn.execute("BEGIN")
    pid = await conn.fetchval("SELECT pg_backend_pid()")
    conn.terminate()
    async with pgallop.connect(single.dsn) as conn:
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT pg_backend_pid()") != pid
