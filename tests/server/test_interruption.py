"""Every operation, cancelled at each of its awaits: nothing leaks, nothing is left half done."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import trustme
from event_loops import open_sockets
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor
from tls_front import TlsFront

import pgallop
from pgallop.cli.server import EmbeddedServer

moments = pytest.mark.parametrize("moment", MOMENTS)


async def check_idle(conn: pgallop.Connection, monitor: Monitor) -> None:
    """The connection works, and the server agrees that it is in no transaction."""
    async with asyncio.timeout(5):
        assert await conn.fetchval("SELECT 1") == 1
        async with conn.transaction():
            assert await conn.fetchval("SELECT 1") == 1
    assert not conn.is_in_transaction()
    assert monitor.state(conn.get_server_pid()) == "idle"


async def sockets_go(before: set[str]) -> None:
    async with asyncio.timeout(2):
        while open_sockets() - before:
            await asyncio.sleep(0.001)


async def interrupt_connect(make: Callable[[], Awaitable[object]], moment: Moment) -> None:
    """Cancel a connect at each await; what succeeded all the same is closed."""
    before = open_sockets()
    async for run in interruptions(make, moment):
        if run.result is not None:
            await run.result.close()
        else:
            assert isinstance(run.error, asyncio.CancelledError)
        await sockets_go(before)


@moments
async def test_connect(any_dsn: str, moment: Moment) -> None:
    async def make() -> None:
        await (await pgallop.connect(any_dsn, ssl="disable")).close()

    await interrupt_connect(make, moment)


@moments
async def test_connect_with_a_host_name(server: EmbeddedServer, moment: Moment) -> None:
    async def make() -> None:
        dsn = f"postgresql://postgres@localhost:{server.port}/postgres"
        await (await pgallop.connect(dsn)).close()

    await interrupt_connect(make, moment)


@moments
async def test_connect_with_tls(server: EmbeddedServer, moment: Moment) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with TlsFront(server, context) as front:

        async def make() -> None:
            dsn = f"postgresql://postgres@127.0.0.1:{front.port}/postgres?sslmode=require"
            await (await pgallop.connect(dsn)).close()

        await interrupt_connect(make, moment)


@pytest.fixture(scope="module")
def salted(bin_dir: Path | None, monitors: list[Monitor]) -> Iterator[EmbeddedServer]:
    """A server that asks for a password on TCP."""
    with (
        EmbeddedServer(bin_dir, listen=True, auth="scram-sha-256") as server,
        psycopg.connect(server.dsn, autocommit=True) as admin,
    ):
        monitors.append(Monitor(admin))
        yield server
        monitors.pop()


@moments
async def test_connect_with_scram(salted: EmbeddedServer, moment: Moment) -> None:
    async def password() -> str:
        await asyncio.sleep(0)
        return salted.password

    async def make() -> None:
        conn = await pgallop.connect(
            host="127.0.0.1", port=salted.port, user="postgres", password=password
        )
        await conn.close()

    await interrupt_connect(make, moment)


@moments
async def test_connect_block(connect: Connect, moment: Moment) -> None:
    async def make() -> None:
        async with connect() as conn:
            await conn.fetchval("SELECT 1")
            await conn.execute("SELECT 1; SELECT 2")

    await interrupt_connect(make, moment)


STATEMENTS: dict[str, Callable[[pgallop.Connection], Awaitable[object]]] = {
    "fetch": lambda conn: conn.fetch("SELECT generate_series(1, 1000)"),
    "fetchrow": lambda conn: conn.fetchrow("SELECT $1::int", 1),
    "fetchval": lambda conn: conn.fetchval("SELECT $1::text", "x"),
    "fetchval with a timeout": lambda conn: conn.fetchval("SELECT 5", timeout=5),
    "execute": lambda conn: conn.execute("SELECT 1; SELECT 2"),
    "execute with arguments": lambda conn: conn.execute("SELECT $1::int", 1),
}


@moments
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("statement", STATEMENTS)
async def test_statement(
    connect: Connect, monitor: Monitor, statement: str, cached: bool, moment: Moment
) -> None:
    call = STATEMENTS[statement]
    async with connect(statement_cache_size=100 if cached else 0) as conn:
        if cached:
            await call(conn)
        async for run in interruptions(lambda: call(conn), moment):
            assert run.error is not None or moment == "answered"
            neighbours = [call(conn) for _ in range(3)]
            for answer in await asyncio.gather(*neighbours):
                assert answer
            await check_idle(conn, monitor)


@moments
async def test_neighbours_in_flight(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    """Others before and behind the one that is cancelled get their own answers."""
    async with connect(statement_cache_size=2) as conn:

        async def echo(n: int) -> None:
            assert await conn.fetchval("SELECT $1::int", n) == n

        async def several(query: str) -> None:
            before = [asyncio.create_task(echo(n)) for n in range(3)]
            try:
                await conn.fetchval(query)
            finally:
                await asyncio.gather(*before, *[echo(n) for n in range(3, 6)])

        for query in ("SELECT 1", "SELECT 2", "SELECT 3"):
            async for _ in interruptions(functools.partial(several, query), moment):
                await check_idle(conn, monitor)


@moments
async def test_transaction(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    """All of a block is there, or nothing."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")

        async def make() -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES (1)")
                await conn.execute("INSERT INTO t VALUES ($1)", 2)

        stored = 0
        async for run in interruptions(make, moment, least=3):
            await check_idle(conn, monitor)
            count = await conn.fetchval("SELECT count(*) FROM t")
            assert count in (stored, stored + 2), run.awaits
            if run.error is None:
                assert count == stored + 2
            stored = count


@moments
async def test_nested_transaction(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")

        async def make() -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES ($1)", 1)
                async with conn.transaction():
                    await conn.execute("INSERT INTO t VALUES ($1)", 2)
                await conn.execute("INSERT INTO t VALUES ($1)", 3)

        stored = 0
        async for run in interruptions(make, moment, least=6):
            await check_idle(conn, monitor)
            count = await conn.fetchval("SELECT count(*) FROM t")
            assert count in (stored, stored + 3), run.awaits
            stored = count


@moments
async def test_inner_transaction(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    """The inner block is cancelled, the outer one goes on and is stored."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")

        async def inner() -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES ($1)", 2)

        async def make() -> None:
            async with conn.transaction():
                await conn.execute("INSERT INTO t VALUES ($1)", 1)
                async for _ in interruptions(inner, moment, least=3):
                    await conn.execute("INSERT INTO t VALUES ($1)", 1)
                await conn.execute("INSERT INTO t VALUES ($1)", 3)

        try:
            await make()
        except pgallop.InFailedSQLTransactionError:
            # A statement that was cancelled on the server takes the transaction with it.
            assert moment == "waiting"
        else:
            assert await conn.fetchval("SELECT count(*) FROM t WHERE i = 3") == 1
        await check_idle(conn, monitor)


@moments
async def test_transaction_by_hand(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    """Whatever was cancelled, commit() and rollback() end it."""
    async with connect() as conn:

        async def make(ending: str) -> None:
            tx = conn.transaction()
            await tx.start()
            try:
                await conn.execute("SELECT 1")
            except asyncio.CancelledError:
                await tx.rollback()
                raise
            await getattr(tx, ending)()

        for ending in ("commit", "rollback"):
            async for _ in interruptions(functools.partial(make, ending), moment, least=2):
                await check_idle(conn, monitor)


@moments
async def test_rollback(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")

        async def make() -> None:
            with pytest.raises(LookupError):
                async with conn.transaction():
                    await conn.execute("INSERT INTO t VALUES (1)")
                    raise LookupError

        async for _ in interruptions(make, moment, least=2):
            await check_idle(conn, monitor)
            assert await conn.fetchval("SELECT count(*) FROM t") == 0


@moments
async def test_close(connect: Connect, moment: Moment) -> None:
    """Whatever happens to close(), afterwards it is closed."""

    async def make() -> None:
        conn = await connect()
        pending = asyncio.create_task(conn.execute("SELECT pg_sleep(0.02)"))
        called = False
        try:
            await asyncio.sleep(0)
            called = True
            await conn.close()
        finally:
            assert conn.is_closed() is called
            conn.terminate()
            await asyncio.wait([pending])
            if not pending.cancelled():
                pending.exception()

    await interrupt_connect(make, moment)
