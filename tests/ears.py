"""What tests of listeners listen with, and what they look at."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine, Iterator
from typing import Any

import pgallop


class Ear:
    """A listener that notes channels and payloads."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.connections: set[pgallop.Connection] = set()
        self.pids: set[int] = set()

    def __call__(self, conn: pgallop.Connection, pid: int, channel: str, payload: str) -> None:
        self.heard.append((channel, payload))
        self.connections.add(conn)
        self.pids.add(pid)

    async def coroutine(
        self, conn: pgallop.Connection, pid: int, channel: str, payload: str
    ) -> None:
        await asyncio.sleep(0)
        self(conn, pid, channel, payload)

    async def wait(self, count: int = 1) -> list[tuple[str, str]]:
        """Wait until so many have come, and a little for more; what they are."""
        async with asyncio.timeout(5):
            while len(self.heard) < count:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
        heard, self.heard = self.heard, []
        return heard


async def channels(conn: pgallop.Connection) -> set[str]:
    """What the server listens to for this session."""
    return {name for (name,) in await conn.fetch("SELECT pg_listening_channels()")}


def forgotten(conn: pgallop.Connection) -> bool:
    """Whether the connection keeps nothing about any channel, and waits for nothing."""
    return not conn._channels._channels and conn._session.on_idle is None


def elsewhere(call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """The call in a task that has no part in the transactions of the test."""
    return asyncio.create_task(call, context=contextvars.Context())


async def until_listening(conn: pgallop.Connection, names: set[str]) -> None:
    async with asyncio.timeout(5):
        while await channels(conn) != names:
            await asyncio.sleep(0.002)


@contextlib.contextmanager
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the loop's exception handler gets during the block."""
    seen: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    yield seen
    loop.set_exception_handler(handler)
