"""COPY to the client that is interrupted, held up or misused: the connection goes on."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from bounds import measures
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor
from pools import new_pool

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.connection import inside
from pgallop.errors import (
    CollateralCancelError,
    ConnectionDoesNotExistError,
    InterfaceError,
    UniqueViolationError,
)
from pgallop.session.copy_out import FULL
from pgallop.transport.syscalls import RECEIVE_SIZE

# 8 MB: more than all buffers on the way hold, so that the server is still at it.
LONG = "SELECT repeat('x', 99) FROM generate_series(1, 80_000)"
ENDLESS = "SELECT pg_sleep(60)"
REFUSED = "the COPY begun at .*[.]py:[0-9]+ is under way"
MEGABYTE = 1 << 20

moments = pytest.mark.parametrize("moment", MOMENTS)


class MineError(Exception):
    """What an output raises."""


async def check(conn: pgallop.Connection, monitor: Monitor) -> None:
    """The connection goes on, and nothing of the COPY is left on the server."""
    assert await conn.fetchval("SELECT 42", timeout=5) == 42
    assert not conn.is_in_transaction()
    await monitor.until(conn.get_server_pid(), ["idle"])


def alone(coroutine: Any) -> asyncio.Task[Any]:
    """A task that has no part in what this one has begun."""
    return asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())


async def read_rows(conn: pgallop.Connection, query: str, *args: Any, timeout: float = 60) -> int:
    count = 0
    async with conn.copy_rows_from_query(query, *args, timeout=timeout) as rows:
        async for _ in rows:
            count += 1
    return count


# --- the output -----------------------------------------------------------------------------------


async def test_an_output_that_raises(connect: Connect, monitor: Monitor) -> None:
    async def fail(data: bytes) -> None:
        raise MineError

    def fail_at_once(data: bytes) -> None:
        raise MineError

    async def fail_later(data: bytes) -> None:
        await asyncio.sleep(0.01)
        raise MineError

    async with connect() as conn:
        for output in (fail, fail_at_once, fail_later):
            for query in (LONG, "SELECT 1", f"{LONG} UNION ALL SELECT pg_sleep(60)::text"):
                with pytest.raises(MineError):
                    await conn.copy_from_query(query, output=output, timeout=5)
                await check(conn, monitor)


async def test_an_output_that_raises_in_a_transaction(connect: Connect, monitor: Monitor) -> None:
    """It may have failed with that, as with any statement that is cancelled."""

    def fail(data: bytes) -> None:
        raise MineError

    async with connect() as conn:
        with pytest.raises(MineError):
            async with conn.transaction():
                await conn.copy_from_query(LONG, output=fail)
        await check(conn, monitor)


async def test_an_output_that_raises_when_the_server_has_failed(connect: Connect) -> None:
    """The first one is seen, and nobody is told that the other one was never retrieved."""

    async def fail(data: bytes) -> None:
        await asyncio.sleep(0.05)
        raise MineError

    failing = "CASE i WHEN 1 THEN repeat('x', 100000) ELSE pg_sleep(0.02)::text || 1/(i-2) END"
    async with connect() as conn:
        for query in (f"SELECT {failing} FROM generate_series(1, 2) AS i", "SELECT 1"):
            with pytest.raises(MineError):
                await conn.copy_from_query(query, output=fail)


async def test_a_disk_that_is_full(connect: Connect, monitor: Monitor) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    async with connect() as conn:
        for query in (LONG, "SELECT 1"):  # written, and flushed when it is closed
            with pytest.raises(OSError, match="No space left"):
                await conn.copy_from_query(query, output="/dev/full")
            await check(conn, monitor)


# What an output may try on its own connection, where it would wait for the COPY.
CALLS: dict[str, Callable[[pgallop.Connection], Awaitable[object]]] = {
    "fetch": lambda conn: conn.fetch("SELECT 1"),
    "a script": lambda conn: conn.execute("SELECT 1"),
    "executemany": lambda conn: conn.executemany("SELECT $1::int", [(1,)]),
    "prepare": lambda conn: conn.prepare("SELECT 1"),
    "a stream": lambda conn: anext(aiter(conn.stream("SELECT 1"))),
    "COPY": lambda conn: conn.copy_from_query("SELECT 1", output=print),
    "COPY to a file": lambda conn: conn.copy_from_table("pg_class", output="/nowhere/at/all"),
    "rows by COPY": lambda conn: anext(aiter(conn.copy_rows_from_query("SELECT 1"))),
    "a transaction": lambda conn: conn.transaction().start(),
    "LISTEN": lambda conn: conn.add_listener("jobs", print),
    "reset": lambda conn: conn.reset(),
    "close": lambda conn: conn.close(),
    "a timeout": lambda conn: conn.fetch("SELECT 1", timeout=60),
}


async def test_an_output_that_uses_the_connection(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        for call in CALLS.values():

            async def use(data: bytes, call: Any = call) -> None:
                await call(conn)

            with pytest.raises(InterfaceError, match=REFUSED):
                await conn.copy_from_query("SELECT 1", output=use, timeout=5)
            if call is CALLS["close"]:
                continue
            async with conn.copy_rows_from_query("SELECT 1", timeout=5) as rows:
                async for _ in rows:
                    with pytest.raises(InterfaceError, match=REFUSED):
                        await call(conn)
        await check(conn, monitor)


async def test_closed_by_who_reads(connect: Connect) -> None:
    """Who closes the connection reads no more."""
    conn = await connect()
    rows = aiter(conn.copy_rows_from_query(LONG))
    assert await anext(rows)
    await conn.close(timeout=5)
    with pytest.raises(InterfaceError, match="connection was given back or closed"):
        while True:
            await anext(rows)


async def test_an_output_that_ends_the_transaction(connect: Connect) -> None:
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for end in (transaction.commit, transaction.rollback):

            async def use(data: bytes, end: Any = end) -> None:
                await end()

            with pytest.raises(InterfaceError, match=REFUSED):
                await conn.copy_from_query("SELECT 1", output=use, timeout=5)
        await transaction.rollback()


async def test_an_output_that_uses_another_connection(connect: Connect) -> None:
    async with connect() as conn, connect() as other:

        async def use(data: bytes) -> None:
            assert await other.fetchval("SELECT 1") == 1

        assert await conn.copy_from_query("SELECT 1", output=use) == "COPY 1"


async def test_a_task_that_an_output_leaves_behind(connect: Connect) -> None:
    """Behind the COPY it may do what it likes."""
    async with connect() as conn:
        tasks: list[asyncio.Task[int]] = []

        async def later() -> int:
            await asyncio.sleep(0.1)
            return await conn.fetchval("SELECT 1")  # type: ignore[no-any-return]

        await conn.copy_from_query(
            "SELECT 1", output=lambda data: tasks.append(asyncio.create_task(later()))
        )
        assert await tasks[0] == 1


async def test_an_output_that_terminates(connect: Connect) -> None:
    conn = await connect()
    with pytest.raises(ConnectionDoesNotExistError, match="it was closed by terminate"):
        await conn.copy_from_query(LONG, output=lambda data: conn.terminate())
    assert conn.is_closed()


async def test_an_output_that_gives_the_connection_back(server: EmbeddedServer) -> None:
    async with new_pool(server, max_size=1) as pool:
        conn = await pool.acquire()

        async def release(data: bytes) -> None:
            await pool.release(conn)

        async with asyncio.timeout(5):
            assert await conn.copy_from_query("SELECT 1", output=release) == "COPY 1"
            assert await pool.fetchval("SELECT 42") == 42


async def test_rows_that_nobody_reads_on_in_a_pool(server: EmbeddedServer) -> None:
    """The connection is the next user's all the same."""
    async with new_pool(server, max_size=1) as pool:
        async with pool.acquire() as conn:
            rows = aiter(conn.copy_rows_from_query(LONG))
            assert await anext(rows)
        async with asyncio.timeout(5):
            assert await pool.fetchval("SELECT 42") == 42
        with pytest.raises(InterfaceError, match=r"released|given back"):
            while True:
                await anext(rows)


# --- interruptions --------------------------------------------------------------------------------


@moments
async def test_cancelled_at_every_await(
    connect: Connect, monitor: Monitor, moment: Moment, tmp_path: Path
) -> None:
    async def take(data: bytes) -> None:
        await asyncio.sleep(0)

    async with connect() as conn:
        query = "SELECT $1::numeric, i FROM generate_series(1, 2000) AS i"
        copies: list[Callable[[], Awaitable[object]]] = [
            lambda: conn.copy_from_query(query, 1.5, output=take),
            lambda: conn.copy_from_query(query, 1.5, output=tmp_path / "data"),
            lambda: read_rows(conn, query, 1.5),
        ]
        for copy in copies:
            async for _ in interruptions(copy, moment):
                await check(conn, monitor)


async def test_cancelled_while_the_server_works(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        for copy in (conn.copy_from_query(ENDLESS, output=print), read_rows(conn, ENDLESS)):
            task = asyncio.ensure_future(copy)
            await monitor.until(conn.get_server_pid(), ["active"])
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - began < 0.2
            await check(conn, monitor)


async def test_out_of_time(connect: Connect, monitor: Monitor) -> None:
    async def hang(data: bytes) -> None:
        await asyncio.sleep(60)

    async def hurry(data: bytes) -> None:
        raise TimeoutError("the output's own")

    async with connect() as conn:
        for query, output in ((ENDLESS, io.BytesIO()), ("SELECT 1", hang), (LONG, hang)):
            with pytest.raises(TimeoutError, match=r"no answer within 0[.]1 seconds"):
                await conn.copy_from_query(query, output=output, timeout=0.1)
            await check(conn, monitor)
        with pytest.raises(TimeoutError, match="the output's own"):
            await conn.copy_from_query("SELECT 1", output=hurry, timeout=5)
        with pytest.raises(TimeoutError, match=r"no answer within 0[.]1 seconds"):
            await read_rows(conn, ENDLESS, timeout=0.1)
        await check(conn, monitor)
    async with connect(command_timeout=0.1) as conn:
        with pytest.raises(TimeoutError, match=r"no answer within 0[.]1 seconds"):
            await conn.copy_from_query(ENDLESS, output=print)


async def test_lost_in_the_middle(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    with contextlib.closing(io.BytesIO()) as buffer:
        task = asyncio.create_task(
            conn.copy_from_query(f"{LONG} UNION ALL SELECT pg_sleep(60)::text", output=buffer)
        )
        await asyncio.sleep(0.1)
        monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
        with pytest.raises(ConnectionDoesNotExistError):
            await task
    assert conn.is_closed()


async def test_left_in_the_middle_of_the_rows(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        async with conn.copy_rows_from_query(LONG) as rows:
            assert await anext(rows)
        with pytest.raises(InterfaceError, match="ended before the last one was read: it was clos"):
            await anext(rows)
        await check(conn, monitor)
        with pytest.raises(MineError):
            async with conn.copy_rows_from_query(LONG) as rows:
                async for _ in rows:
                    raise MineError
        await check(conn, monitor)
        async for _ in conn.copy_rows_from_query(LONG):  # nobody holds it any more
            break
        await check(conn, monitor)
        batches = conn.copy_rows_from_query(LONG).batches()
        assert await anext(batches)
        await batches.aclose()
        await check(conn, monitor)


# --- holding up -----------------------------------------------------------------------------------


async def test_a_slow_output_holds_up_the_server(connect: Connect, monitor: Monitor) -> None:
    """What has come and was not taken has bounds; neighbours wait, in order."""
    async with connect() as conn:
        session = inside(conn).session
        taken = 0
        most = 0
        went_on = asyncio.Event()

        async def take(data: bytes) -> None:
            nonlocal taken, most
            if not taken:
                await went_on.wait()
            most = max(most, session.received - taken)
            taken += len(data)

        copy = alone(conn.copy_from_query(LONG, output=take, format="binary"))
        await monitor.until(conn.get_server_pid(), ["active"])
        neighbours = [alone(conn.fetchval("SELECT $1::int", i)) for i in range(3)]
        await asyncio.sleep(0.2)
        assert session.received < FULL + 4 * RECEIVE_SIZE
        assert not any(neighbour.done() for neighbour in neighbours)
        went_on.set()
        assert await copy == "COPY 80000"
        assert await asyncio.gather(*neighbours) == [0, 1, 2]
        assert most < 2 * FULL + 4 * RECEIVE_SIZE


async def test_rows_that_are_read_slowly_hold_up_the_server(connect: Connect) -> None:
    async with connect() as conn, conn.copy_rows_from_query(LONG) as rows:
        session = inside(conn).session
        assert await anext(rows)
        await asyncio.sleep(0.2)
        assert session.received < FULL + 4 * RECEIVE_SIZE
        count = 1
        async for _ in rows:
            count += 1
        assert count == 80_000


def resident() -> int:
    """How much memory this process has, in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@measures
def test_200_megabytes_take_little_memory(server: EmbeddedServer) -> None:
    """Through an output that is slower than the server."""

    async def copy() -> tuple[int, int]:
        async with pgallop.connect(server.tcp_dsn) as conn:
            size = 0
            before = resident()
            most = 0

            async def take(data: bytes) -> None:
                nonlocal size, most
                size += len(data)
                most = max(most, resident() - before)
                await asyncio.sleep(0.001)

            query = "SELECT repeat('x', 20_479) FROM generate_series(1, 10_240)"
            await conn.copy_from_query(query, output=take)
            return size, most

    size, most = asyncio.run(copy())
    assert size == 200 * MEGABYTE
    assert most < 16 * MEGABYTE


# --- neighbours -----------------------------------------------------------------------------------


async def test_a_neighbour_in_front_fails(connect: Connect) -> None:
    """Each gets what is his."""
    async with connect() as conn:
        blocks: list[bytes] = []
        failing = alone(conn.fetchval("SELECT 1/0"))
        copy = alone(conn.copy_from_query("SELECT 1", output=blocks.append))
        behind = alone(conn.fetchval("SELECT 2"))
        with pytest.raises(pgallop.DivisionByZeroError):
            await failing
        assert await copy == "COPY 1"
        assert await behind == 2
        assert blocks == [b"1\n"]


@pytest.mark.parametrize("harmless", [True, False])
async def test_hit_by_the_cancellation_of_another_one(connect: Connect, harmless: bool) -> None:
    """It runs again where nobody has seen anything of it, and that is proven to do no harm."""
    lock = "" if harmless else ", pg_advisory_lock(1)"
    query = f"SELECT i{lock} FROM generate_series(1, 2) AS i, pg_sleep(0.3)"

    async def read(conn: pgallop.Connection) -> str:
        async for _ in conn.copy_rows_from_query(query):
            pass
        return "COPY 2"

    copies: list[Callable[[pgallop.Connection], Any]] = [
        lambda conn: conn.copy_from_query(query, output=io.BytesIO()),
        read,
    ]
    async with connect() as conn, connect() as admin:
        for make in copies:
            session = inside(conn).session
            await conn.fetch(query)  # it is described
            head = alone(conn.execute("SELECT pg_sleep(0.05)"))
            await asyncio.sleep(0)
            copy = alone(make(conn))
            await asyncio.sleep(0.02)
            session.expose()  # as if a CancelRequest were on its way
            await head
            session.release()
            await asyncio.sleep(0.1)
            await admin.execute(f"SELECT pg_cancel_backend({conn.get_server_pid()})")
            if harmless:
                assert await copy == "COPY 2"
            else:
                with pytest.raises(CollateralCancelError):
                    await copy
            assert await conn.fetchval("SELECT 42") == 42


async def test_dropped_before_it_was_sent(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        before = alone(conn.copy_from_query("SELECT pg_sleep(0.2)", output=io.BytesIO()))
        await asyncio.sleep(0.05)
        copy = alone(conn.copy_from_query(LONG, output=io.BytesIO()))
        await asyncio.sleep(0.05)
        copy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copy
        assert await before == "COPY 1"
        await check(conn, monitor)


async def test_the_commit_fails(connect: Connect, monitor: Monitor) -> None:
    """Behind all of the data: the COPY has failed."""
    monitor.ask("CREATE TABLE unique_later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try:
        async with connect() as conn:
            query = "INSERT INTO unique_later SELECT 1 FROM generate_series(1, 2) RETURNING id"
            blocks: list[bytes] = []
            with pytest.raises(UniqueViolationError):
                await conn.copy_from_query(query, output=blocks.append)
            with pytest.raises(UniqueViolationError):
                await read_rows(conn, query)
            await check(conn, monitor)
    finally:
        monitor.ask("DROP TABLE unique_later")


async def test_strict(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        copy = alone(conn.copy_from_query("SELECT pg_sleep(0.1)", output=io.BytesIO()))
        await asyncio.sleep(0.01)
        with pytest.raises(InterfaceError, match="another operation is in progress"):
            await conn.fetchval("SELECT 1")
        assert await copy == "COPY 1"
