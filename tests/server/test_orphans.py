"""Transactions that nobody would end: whose caller has gone, whose end gave up, or forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_server import Client, FakeServer
from live import Connect
from scripts import (
    AUTHENTICATION_OK,
    authentication,
    backend_key_data,
    command_complete,
    error_response,
    ready_for_query,
)

import pgallop

CANCELED = error_response("57014", "canceling statement due to user request")


class Backend:
    """Hears scripts, and answers them when and as the test says; takes cancellations."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.signals = 0
        self._client: Client | None = None
        self._news = asyncio.Event()

    async def serve(self, client: Client) -> None:
        """To be the handler of a fake server."""
        startup = await client.startup()
        if startup[:4] == (80877102).to_bytes(4):
            self.signals += 1
            self._news.set()
            return
        client.send(authentication(AUTHENTICATION_OK), backend_key_data(1, b"key4"))
        client.send(ready_for_query())
        self._client = client
        while True:
            tag, body = await client.message()
            if tag == "X":
                return
            self.heard.append(body.rstrip(b"\0").decode())
            self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something was heard that makes it true."""
        async with asyncio.timeout(5):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def hears(self, count: int) -> None:
        await self.until(lambda: len(self.heard) >= count)

    def says(self, tag: str, status: str) -> None:
        """Answer the script whose turn it is."""
        self.sends(command_complete(tag), ready_for_query(status))

    def sends(self, *data: bytes) -> None:
        assert self._client is not None
        self._client.send(*data)


@contextlib.asynccontextmanager
async def connected(backend: Backend, **options: Any) -> AsyncIterator[pgallop.Connection]:
    async with FakeServer(backend.serve) as server:
        conn = await pgallop.connect(
            host=server.host, port=server.port, user="ada", ssl="disable", **options
        )
        yield conn
        await conn.close()


async def abandoned(task: asyncio.Task[str]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# A BEGIN by hand whose caller has gone


async def test_its_rollback_comes_before_what_waits() -> None:
    """What others have called meanwhile is not to be rolled back with it."""
    backend = Backend()
    async with connected(backend) as conn:
        begin = asyncio.create_task(conn.execute("BEGIN; SELECT 1"))
        await backend.hears(1)
        await abandoned(begin)
        waiting = [asyncio.create_task(conn.execute(f"INSERT {n}")) for n in range(2)]
        await backend.until(lambda: backend.signals == 1)
        backend.says("BEGIN", "T")
        await backend.hears(2)
        backend.says("ROLLBACK", "I")
        for n in range(2):
            await backend.hears(3 + n)
            backend.says(f"INSERT {n}", "I")
        assert await asyncio.gather(*waiting) == ["INSERT 0", "INSERT 1"]
    assert backend.heard == ["BEGIN; SELECT 1", "ROLLBACK", "INSERT 0", "INSERT 1"]


async def test_what_is_rolled_back_with_it_is_told_so() -> None:
    """It was on the wire behind the BEGIN, and the server has reported its success."""
    backend = Backend()
    async with connected(backend) as conn:
        begin = asyncio.create_task(conn.execute("BEGIN"))
        behind = [asyncio.create_task(conn.execute(f"INSERT {n}")) for n in range(2)]
        await backend.hears(3)
        await abandoned(begin)
        backend.says("BEGIN", "T")
        backend.says("INSERT 0", "T")
        backend.says("INSERT 1", "T")
        for task in behind:
            with pytest.raises(pgallop.TransactionAborted, match="another task's statement"):
                await task
        await backend.hears(4)
        backend.says("ROLLBACK", "I")
        # And that is over then.
        for text, tag, status in (("BEGIN", "BEGIN", "T"), ("END", "COMMIT", "I")):
            call = asyncio.create_task(conn.execute(text))
            await backend.until(lambda text=text: backend.heard[-1] == text)  # type: ignore[misc]
            backend.says(tag, status)
            assert await call == tag
    assert backend.heard == ["BEGIN", "INSERT 0", "INSERT 1", "ROLLBACK", "BEGIN", "END"]


async def test_its_rollback_that_is_hit() -> None:
    """A signal that hits it leaves the transaction open: it is sent again."""
    backend = Backend()
    async with connected(backend) as conn:
        begin = asyncio.create_task(conn.execute("BEGIN; SELECT 1"))
        await backend.hears(1)
        await abandoned(begin)
        await backend.until(lambda: backend.signals == 1)
        backend.says("BEGIN", "T")
        await backend.hears(2)
        backend.sends(CANCELED, ready_for_query("E"))
        await backend.hears(3)
        backend.says("ROLLBACK", "I")
    assert backend.heard == ["BEGIN; SELECT 1", "ROLLBACK", "ROLLBACK"]


async def test_its_rollback_takes_no_beginning_along() -> None:
    """Another task's block has not sent anything yet: its BEGIN belongs to its own statement."""
    backend = Backend()
    ends = asyncio.Event()

    async def block() -> None:
        async with conn.transaction():
            await ends.wait()
            await conn.execute("INSERT 1")

    async with connected(backend) as conn:
        begin = asyncio.create_task(conn.execute("BEGIN"))
        await backend.hears(1)
        other = asyncio.create_task(block())
        await asyncio.sleep(0)
        assert conn.is_in_transaction()
        await abandoned(begin)
        await backend.until(lambda: backend.signals == 1)
        backend.says("BEGIN", "T")
        await backend.hears(2)
        backend.says("ROLLBACK", "I")
        ends.set()
        await backend.hears(3)
        backend.says("INSERT 1", "T")
        await backend.hears(4)
        backend.says("COMMIT", "I")
        await other
    assert backend.heard == ["BEGIN", "ROLLBACK", "BEGIN; INSERT 1", "COMMIT"]


# The end of a block that waits for the block's first statement, and gives up


@pytest.mark.parametrize("how", ["cancelled", "timeout", "command_timeout"])
async def test_an_end_that_gives_up(how: str) -> None:
    backend = Backend()
    first: list[asyncio.Task[str]] = []

    async def block() -> None:
        async with conn.transaction():
            first.append(asyncio.create_task(conn.execute("INSERT 1", timeout=5)))
            await asyncio.sleep(0)

    async with connected(backend, command_timeout=0.1 if "command" in how else None) as conn:
        ending = asyncio.create_task(asyncio.wait_for(block(), 0.1 if how == "timeout" else None))
        await backend.hears(1)
        if how == "cancelled":
            await asyncio.sleep(0)
            ending.cancel()
        with pytest.raises(asyncio.CancelledError if how == "cancelled" else TimeoutError):
            await ending
        await backend.hears(2)
        stranger = asyncio.create_task(conn.execute("SELECT 2", timeout=5))
        backend.sends(command_complete("BEGIN"))
        backend.says("INSERT 1", "T")
        backend.says("ROLLBACK", "I")
        assert await first[0] == "INSERT 1"
        await backend.hears(3)
        backend.says("SELECT 2", "I")
        assert await stranger == "SELECT 2"
        assert not conn.is_in_transaction()
    assert backend.heard == ["BEGIN; INSERT 1", "ROLLBACK", "SELECT 2"]


async def test_an_end_that_gives_up_while_the_first_is_cancelled() -> None:
    backend = Backend()

    async def block() -> None:
        async with conn.transaction():
            with contextlib.suppress(TimeoutError):
                await conn.execute("INSERT 1", timeout=0.02)

    async with connected(backend) as conn:
        ending = asyncio.create_task(block())
        await backend.until(lambda: backend.signals == 1)
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        stranger = asyncio.create_task(conn.execute("SELECT 2"))
        backend.sends(CANCELED, ready_for_query("E"))
        await backend.hears(2)
        backend.says("ROLLBACK", "I")
        await backend.hears(3)
        backend.says("SELECT 2", "I")
        assert await stranger == "SELECT 2"
        assert not conn.is_in_transaction()
    assert backend.heard == ["BEGIN; INSERT 1", "ROLLBACK", "SELECT 2"]


# Started, and forgotten


@pytest.mark.parametrize("statements", ["none", "one", "one under way"])
async def test_forgotten(connect: Connect, statements: str) -> None:
    """Nobody can end it any more, and all others would wait for that."""

    async def begins() -> asyncio.Task[str] | None:
        tx = conn.transaction()
        await tx.start()
        if statements == "one":
            await conn.execute("INSERT INTO forgotten VALUES (1)")
        elif statements == "one under way":
            insert = "INSERT INTO forgotten SELECT 1 FROM pg_sleep(0.1)"
            call = asyncio.create_task(conn.execute(insert))
            await asyncio.sleep(0.02)
            return call
        return None

    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE forgotten (n int)")
        with pytest.warns(ResourceWarning, match=r"test_orphans\.py:\d+ was never ended") as told:
            call = await asyncio.create_task(begins(), context=contextvars.Context())
        assert len(told) == 1
        if call is not None:
            assert await call == "INSERT 0 1"
        assert await conn.fetchval("SELECT count(*) FROM forgotten", timeout=5) == 0
        assert not conn.is_in_transaction()


async def test_a_forgotten_savepoint(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE forgotten (n int)")
        async with conn.transaction():
            await conn.execute("INSERT INTO forgotten VALUES (1)")
            held = [conn.transaction()]
            await held[0].start()
            await conn.execute("INSERT INTO forgotten VALUES (2)")
            with pytest.warns(ResourceWarning, match="was never ended"):
                held.clear()
            await asyncio.sleep(0)
        assert await conn.fetchval("SELECT array_agg(n) FROM forgotten") == [1]


async def test_forgotten_in_a_thread(connect: Connect) -> None:
    """The collector runs wherever it likes."""
    async with connect() as conn:
        held = [conn.transaction()]
        await held[0].start()
        with pytest.warns(ResourceWarning, match="was never ended"):
            await asyncio.to_thread(held.clear)
        await asyncio.sleep(0)
        assert not conn.is_in_transaction()


async def test_forgotten_with_the_connection_closed(connect: Connect) -> None:
    """With the connection it has ended."""
    conn = await connect()
    tx = conn.transaction()
    await tx.start()
    conn.terminate()
    del tx
    gc.collect()
