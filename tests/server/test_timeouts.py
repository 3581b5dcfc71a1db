"""Timeouts: the caller is free in time whatever the server does, and the connection goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop import Connection
from pgallop.cli.server import EmbeddedServer

SLEEP = "SELECT pg_sleep(30)"
SLEEP_WITH = "SELECT pg_sleep(30), $1::int"

# Each verb, on a statement that takes half a minute.
SLEEPERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "fetch": lambda conn, **options: conn.fetch(SLEEP, **options),
    "fetchrow": lambda conn, **options: conn.fetchrow(SLEEP, **options),
    "fetchval": lambda conn, **options: conn.fetchval(SLEEP, **options),
    "execute": lambda conn, **options: conn.execute(SLEEP_WITH, 1, **options),
    "script": lambda conn, **options: conn.execute(f"SELECT 1; {SLEEP}; SELECT 2", **options),
}

sleepers = pytest.mark.parametrize("verb", SLEEPERS)


@contextlib.contextmanager
def took(least: float, most: float) -> Iterator[None]:
    """Check how long the block takes, in seconds; timers may be a little early."""
    start = time.monotonic()
    yield
    elapsed = time.monotonic() - start
    assert least - 0.02 <= elapsed <= most, f"took {elapsed:.3f} s"


@contextlib.contextmanager
def frozen(pid: int, *, goes_on: bool = False) -> Iterator[None]:
    """Stop this backend of the tests' server for the time of the block.

    It ends afterwards, unless it `goes_on`: the server itself does not notice that its client has
    left while a statement sleeps.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if not goes_on:
            os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


async def prepare_all(conn: Connection) -> None:
    """Have the sleepers' statements in the cache, without running them."""
    for query in (SLEEP, SLEEP_WITH):
        with pytest.raises(pgallop.InterfaceError, match="expects"):
            await conn.fetch(query, 1, 2, 3)


@sleepers
@pytest.mark.parametrize("prepared", [True, False])
async def test_each_verb(connect: Connect, monitor: Monitor, verb: str, prepared: bool) -> None:
    async with connect() as conn:
        if prepared:
            await prepare_all(conn)
        with pytest.raises(TimeoutError, match=r"0\.1 seconds"), took(0.1, 1.5):
            await SLEEPERS[verb](conn, timeout=0.1)
        # The statement is really over on the server, and not only for us.
        with took(0, 1):
            assert await conn.fetchval("SELECT 1") == 1
        assert monitor.state(conn.get_server_pid()) == "idle"


@pytest.mark.parametrize("verb", ["fetchrow", "execute", "script"])
async def test_command_timeout(connect: Connect, verb: str) -> None:
    async with connect(command_timeout=0.1) as conn:
        with pytest.raises(TimeoutError), took(0.1, 1.5):
            await SLEEPERS[verb](conn)
        assert await conn.fetchval("SELECT 1") == 1
        # What the call says itself wins.
        await conn.execute("SELECT pg_sleep(0.15)", timeout=5)
        with pytest.raises(TimeoutError, match=r"0\.05 seconds"), took(0.05, 1):
            await SLEEPERS[verb](conn, timeout=0.05)


@pytest.mark.parametrize("timeout", [0, -1, 1e-9])
async def test_no_time_at_all(connect: Connect, timeout: float) -> None:
    async with connect() as conn:
        for _ in range(3):
            for call in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
                with pytest.raises(TimeoutError), took(0, 0.3):
                    await call(SLEEP, timeout=timeout)
            assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("timeout", ["1", b"1", float("nan"), 10**400, object(), []])
async def test_a_timeout_that_is_none(connect: Connect, timeout: Any) -> None:
    """It is refused before anything is sent, and not behind a statement that runs all the same."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (a int)")
        await conn.execute("INSERT INTO t VALUES ($1)", 0)
        insert = "INSERT INTO t VALUES (2)"
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: conn.execute("INSERT INTO t VALUES ($1)", 1, timeout=timeout),
            lambda: conn.fetchrow("INSERT INTO t VALUES ($1)", 1, timeout=timeout),
            lambda: conn.fetch(insert, timeout=timeout),
            lambda: conn.execute(insert, timeout=timeout),
            lambda: conn.close(timeout=timeout),
        ]
        for call in calls:
            with pytest.raises(pgallop.ClientConfigurationError, match="timeout: expected seconds"):
                await call()
        with pytest.raises(pgallop.ClientConfigurationError, match="timeout: expected seconds"):
            async with conn.pipeline(timeout=timeout) as pipeline:
                pipeline.execute(insert)
        assert await conn.fetchval("SELECT count(*) FROM t") == 1


@pytest.mark.parametrize("timeout", [5, Decimal(5), Fraction(5), True, float("inf")])
async def test_numbers_of_all_kinds(connect: Connect, timeout: Any) -> None:
    async with connect() as conn:
        for _ in range(2):
            assert await conn.fetchval("SELECT 1", timeout=timeout) == 1


@pytest.mark.parametrize("timeout", [0, -1, 0.0, float("-inf"), Fraction(-1, 2)])
async def test_nothing_is_sent_without_time(connect: Connect, timeout: Any) -> None:
    """Nothing is sent, however fast the answer would be."""
    async with connect() as conn:
        await conn.execute("CREATE TEMPORARY TABLE t (n int)")
        insert = "INSERT INTO t VALUES (1) RETURNING n"
        await conn.fetch("SELECT 1")
        for _ in range(3):
            for call in (conn.fetch, conn.fetchval, conn.fetchrow, conn.execute):
                with pytest.raises(TimeoutError, match="before anything is sent"):
                    await call(insert, timeout=timeout)
            with pytest.raises(TimeoutError, match="before anything is sent"):
                await conn.executemany("INSERT INTO t VALUES ($1)", [(1,)], timeout=timeout)
        assert await conn.fetchval("SELECT count(*) FROM t") == 0


async def test_timeout_is_an_ordinary_timeout_error(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(TimeoutError) as caught:
            await conn.fetch(SLEEP, timeout=0.05)
        assert type(caught.value) is TimeoutError
        assert isinstance(caught.value, asyncio.TimeoutError)


async def test_asyncio_timeouts_work_as_well(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        with pytest.raises(TimeoutError), took(0.1, 1.5):
            async with asyncio.timeout(0.1):
                await conn.fetch(SLEEP)
        with pytest.raises(TimeoutError), took(0.1, 1.5):
            await asyncio.wait_for(conn.execute(SLEEP), 0.1)
        with took(0, 1):
            assert await conn.fetchval("SELECT 1") == 1
        assert monitor.state(conn.get_server_pid()) == "idle"


async def test_in_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(TimeoutError):
            async with conn.transaction():
                await conn.fetch(SLEEP, timeout=0.1)
        assert not conn.is_in_transaction()
        async with conn.transaction():
            with pytest.raises(TimeoutError):
                async with conn.transaction():
                    await conn.fetch(SLEEP, timeout=0.1)
            assert await conn.fetchval("SELECT 1") == 1


async def test_waiting_to_be_prepared(connect: Connect, monitor: Monitor) -> None:
    """Parse waits for locks: what nobody waits for any more must not hold up the others."""
    async with connect() as conn, connect() as other:
        await other.execute("DROP TABLE IF EXISTS locked; CREATE TABLE locked (i int)")
        async with other.transaction():
            await other.execute("LOCK TABLE locked")
            with pytest.raises(TimeoutError), took(0.1, 1.5):
                await conn.fetch("SELECT * FROM locked", timeout=0.1)
            with took(0, 1):
                assert await conn.fetchval("SELECT 1") == 1
            # As long as one caller is there it goes on.
            impatient = asyncio.create_task(conn.fetch("SELECT * FROM locked", timeout=0.1))
            patient = asyncio.create_task(conn.fetch("SELECT * FROM locked"))
            with pytest.raises(TimeoutError):
                await impatient
            await asyncio.sleep(0.1)
            assert not patient.done()
        assert await patient == []
        assert await conn.fetch("SELECT * FROM locked") == []
        await other.execute("DROP TABLE locked")


async def test_the_first_of_several_is_impatient(connect: Connect) -> None:
    """Who began to prepare a statement may leave; the others still get it."""
    async with connect() as conn:
        calls = [conn.fetchval("SELECT $1::int, 'new'", n) for n in range(5)]
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert await asyncio.gather(*tasks[1:]) == [1, 2, 3, 4]
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]


@pytest.mark.parametrize("verb", ["fetch", "script"])
async def test_a_frozen_server(connect: Connect, verb: str) -> None:
    """It answers neither the statement nor the cancellation; both have their own limits."""
    async with connect(drain_timeout=0.4) as conn:
        with frozen(conn.get_server_pid()):
            with pytest.raises(TimeoutError), took(0.1, 0.35):
                await SLEEPERS[verb](conn, timeout=0.1)
            neighbour = asyncio.create_task(conn.fetchval("SELECT 1"))
            with pytest.raises(pgallop.ConnectionDoesNotExistError, match=r"0\.4 seconds"):
                async with asyncio.timeout(1.5):
                    await neighbour
            assert conn.is_closed()


@sleepers
async def test_a_frozen_server_and_statements_in_the_cache(connect: Connect, verb: str) -> None:
    async with connect(drain_timeout=0.1) as conn:
        await prepare_all(conn)
        with frozen(conn.get_server_pid()):
            with pytest.raises(TimeoutError), took(0.1, 0.35):
                await SLEEPERS[verb](conn, timeout=0.1)
            async with asyncio.timeout(1.5):
                while not conn.is_closed():
                    await asyncio.sleep(0.01)


async def test_a_server_that_is_frozen_for_a_moment(connect: Connect) -> None:
    async with connect(drain_timeout=5) as conn:
        for query in ("SELECT 1", SLEEP):
            with frozen(conn.get_server_pid(), goes_on=True):
                with pytest.raises(TimeoutError), took(0.1, 0.35):
                    await conn.fetch(query, timeout=0.1)
                waiting = asyncio.create_task(conn.fetchval("SELECT 2"))
                await asyncio.sleep(0.1)
            with took(0, 2):
                assert await waiting == 2


@pytest.mark.parametrize("verb", ["fetchval", "script"])
async def test_a_frozen_network(server: EmbeddedServer, verb: str) -> None:
    """Not even the cancel connection gets through."""
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", ssl="disable", drain_timeout=0.4
        )
        proxy.freeze()
        with pytest.raises(TimeoutError), took(0.1, 0.35):
            await SLEEPERS[verb](conn, timeout=0.1)
        async with asyncio.timeout(1.5):
            while not conn.is_closed():
                await asyncio.sleep(0.01)
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await conn.fetch("SELECT 1")


async def test_a_frozen_server_in_the_middle_of_an_argument(connect: Connect) -> None:
    """What it has not heard to the end it cannot cancel; the connection is given up in time."""
    data = bytes(30_000_000)
    query = "SELECT length($1::bytea)"
    async with connect(drain_timeout=0.2) as conn:
        await conn.fetchval(query, b"")
        with frozen(conn.get_server_pid()):
            with pytest.raises(TimeoutError), took(0.1, 0.6):
                await conn.fetchval(query, data, timeout=0.1)
            async with asyncio.timeout(2):
                while not conn.is_closed():
                    await asyncio.sleep(0.01)
    async with connect(drain_timeout=5) as conn:
        await conn.fetchval(query, b"")
        with frozen(conn.get_server_pid(), goes_on=True):
            with pytest.raises(TimeoutError), took(0.1, 0.6):
                await conn.fetchval(query, data, timeout=0.1)
            behind = asyncio.create_task(conn.fetchval(query, b"abc"))
            await asyncio.sleep(0.1)
        assert await behind == 3


async def test_a_frozen_server_at_begin_and_commit(connect: Connect) -> None:
    options = {"command_timeout": 0.1, "drain_timeout": 0.2}
    async with connect(**options) as conn:
        with frozen(conn.get_server_pid()):
            with pytest.raises(TimeoutError), took(0.1, 0.6):
                async with conn.transaction():
                    await conn.execute("SELECT 1")
            async with asyncio.timeout(2):
                while not conn.is_closed():
                    await asyncio.sleep(0.01)
    for ending in ("commit", "rollback"):
        async with connect(**options) as conn:
            tx = conn.transaction()
            await tx.start()
            await conn.execute("SELECT 1")
            with frozen(conn.get_server_pid()):
                with pytest.raises(TimeoutError), took(0.1, 0.35):
                    await getattr(tx, ending)()
                async with asyncio.timeout(2):
                    while not conn.is_closed():
                        await asyncio.sleep(0.01)


async def test_a_slow_statement_before_an_abandoned_transaction(connect: Connect) -> None:
    """BEGIN that waits behind somebody else's statement is no reason to end that statement."""
    async with connect(drain_timeout=0.1) as conn:
        slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.8)"))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), conn.transaction():
                await conn.execute("SELECT 1")
        assert await slow == "SELECT 1"
        async with conn.transaction():
            assert await conn.fetchval("SELECT 1") == 1


async def test_in_the_middle_of_a_result(connect: Connect) -> None:
    query = "SELECT i, pg_sleep(0.001) FROM generate_series(1, 20000) AS i"
    async with connect() as conn:
        for _ in range(2):
            with pytest.raises(TimeoutError), took(0.2, 0.7):
                await conn.fetch(query, timeout=0.2)
            with took(0, 1):
                assert await conn.fetchval("SELECT 1") == 1


async def test_timeouts_about_as_long_as_the_statements(connect: Connect) -> None:
    """Answers, timers and cancellations meet in every order; each caller gets one true outcome."""
    chance = random.Random(4)
    outcomes = {"answer": 0, "timeout": 0}

    async def one(n: int) -> None:
        try:
            seconds = chance.random() * 0.02
            query = "SELECT $1::int, pg_sleep(0.002)"
            assert await conn.fetchval(query, n, timeout=seconds) == n
            outcomes["answer"] += 1
        except TimeoutError:
            outcomes["timeout"] += 1

    async with connect() as conn:
        for n in range(150):
            await asyncio.gather(*[one(m) for m in range(n, n + chance.randrange(1, 8))])
        assert await conn.fetchval("SELECT 1") == 1
        assert min(outcomes.values()) > 20, outcomes
