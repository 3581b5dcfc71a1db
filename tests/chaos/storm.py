"""The end of line 1: an administrator cancels thousands of times a second what a connection does.

So many hit what begins and ends transactions as well, which would need rare luck otherwise: also
ROLLBACK can be answered by 57014, and then its transaction is still open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from chaos.administrator import Administrator
from chaos.operations import Undo
from chaos.outcomes import story

import pgallop
from pgallop.cli.server import EmbeddedServer

SECONDS = 30.0  # at scale 1
SETTLING_SECONDS = 10.0
VOLLEY = 10_000
WORKERS = 4


class Storm:
    """Blocks and single statements on one connection, under fire. `stranded`: what went wrong."""

    def __init__(self, conn: pgallop.Connection) -> None:
        self._conn = conn
        self._over = False
        self.attempts = 0
        self.hits = 0
        self.stranded: list[str] = []

    async def rage(self, administrator: Administrator, seconds: float) -> None:
        """Work under fire for so long; then see what is left of the connection."""
        works = (self._undone, self._nested, self._committed, self._single)
        workers = [
            asyncio.create_task(self._repeat(work)) for work in works for _ in range(WORKERS)
        ]
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self.stranded:
            await administrator.cancel(self._conn.get_server_pid(), VOLLEY)
        self._over = True
        _, stuck = await asyncio.wait(workers, timeout=SETTLING_SECONDS)
        for task in stuck:
            self.stranded.append(f"stuck: {task}")
            task.cancel()
        try:
            await self._conn.fetchval("SELECT 1", timeout=SETTLING_SECONDS)
        except pgallop.QueryCanceledError:
            self.hits += 1  # the last of them came late
        except Exception as error:
            self._strand(self._single, error)
        if self._conn.is_in_transaction():
            self.stranded.append("the connection is in a transaction that is nobody's")

    async def _repeat(self, work: Callable[[], Awaitable[Any]]) -> None:
        while not self._over:
            self.attempts += 1
            await asyncio.sleep(0)
            try:
                await work()
            except pgallop.QueryCanceledError:
                self.hits += 1
            except pgallop.InFailedSQLTransactionError as error:
                # In a block, because of what was cancelled there; never for a stranger.
                cancelled = isinstance(error.__cause__, pgallop.QueryCanceledError)
                if work == self._single or not cancelled:
                    self._strand(work, error)
            except Exception as error:
                self._strand(work, error)

    def _strand(self, work: Callable[[], Awaitable[Any]], error: Exception) -> None:
        self.stranded.append(f"{work.__name__}: {story(error)}")
        self._over = True

    async def _single(self) -> None:
        await self._conn.fetchval("SELECT 1")

    async def _undone(self) -> None:
        with suppress(Undo):
            async with self._conn.transaction():
                await self._conn.fetchval("SELECT 1")
                raise Undo

    async def _nested(self) -> None:
        async with self._conn.transaction():
            await self._conn.fetchval("SELECT 1")
            await self._undone()

    async def _committed(self) -> None:
        async with self._conn.transaction():
            await self._conn.fetchval("SELECT 1")


async def storm(server: EmbeddedServer, scale: float) -> Storm:
    """Under fire for `scale` times 30 seconds, at least one."""
    async with Administrator(server.dsn) as administrator:
        conn = await pgallop.connect(server.tcp_dsn)
        try:
            found = Storm(conn)
            await found.rage(administrator, max(1.0, SECONDS * scale))
        finally:
            conn.terminate()
    return found
